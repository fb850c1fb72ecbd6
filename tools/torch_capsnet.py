#!/usr/bin/env python3
"""CapsNet in PyTorch, written for speed, and one timing of it as a line of JSON.

Started by tools/bench_torch.py, which sets the environment. The network is that of Sabour, Frosst and
Hinton 2017 with its decoder, 8,215,568 parameters, batched throughout. What is fastest differs from
machine to machine and from batch to batch, so there are several forms of the same network: the order
of axes in which the votes are kept, and whether images are channels-last in memory.

B batch, I children, J parents, E parent pose, D child pose.
"""

import sys

import torch
import torch.nn.functional as F
from torch import nn

import torch_worker

PARAMETERS = 8215568
ITERATIONS = 3


# ---- the network ------------------------------------------------------------------------------------

def squash(s):
    square = (s * s).sum(-1, keepdim=True)
    return s * (square / (1 + square) * torch.rsqrt(square + 1e-9))


def route(total, agreement, weighted, softmax_axis, parents):
    """Procedure 1 of the paper, whatever the layout of the votes: total() is their sum over children,
    agreement(v) their products with the parents, weighted(c) their sum with those couplings."""
    v = squash(total() / parents)
    logits = None
    for _ in range(ITERATIONS - 1):
        more = agreement(v)
        logits = more if logits is None else logits + more
        v = squash(weighted(torch.softmax(logits, softmax_axis)))
    return v


def route_ibje(votes):
    """Sums over the outermost axis."""
    return route(lambda: votes.sum(0), lambda v: (votes * v).sum(-1),
                 lambda c: (c.unsqueeze(-1) * votes).sum(0), 2, votes.shape[2])


def route_bije(votes):
    return route(lambda: votes.sum(1), lambda v: (votes * v.unsqueeze(1)).sum(-1),
                 lambda c: (c.unsqueeze(-1) * votes).sum(1), 2, votes.shape[2])


def route_einsum(votes):
    """The usual form."""
    return route(lambda: votes.sum(1), lambda v: torch.einsum("bije,bje->bij", votes, v),
                 lambda c: torch.einsum("bij,bije->bje", c, votes), 2, votes.shape[2])


def route_bjie(votes):
    """Batched matrix products."""
    return route(lambda: votes.sum(2), lambda v: torch.matmul(votes, v.unsqueeze(-1)).squeeze(-1),
                 lambda c: torch.matmul(c.unsqueeze(2), votes).squeeze(2), 1, votes.shape[1])


# How the votes (I, B, J, E) are rearranged for it.
LAYOUTS = {"ibje": (route_ibje, None), "bije": (route_bije, (1, 0, 2, 3)),
           "einsum": (route_einsum, (1, 0, 2, 3)), "bjie": (route_bjie, (1, 2, 0, 3))}


class CapsNet(nn.Module):
    def __init__(self, layout, channels_last):
        super().__init__()
        self.channels_last = channels_last
        self.route, self.order = LAYOUTS[layout]
        self.conv1 = nn.Conv2d(1, 256, 9)
        self.conv2 = nn.Conv2d(256, 256, 9, stride=2)
        self.weight = nn.Parameter(0.05 * torch.randn(1152, 10, 16, 8))  # (I, J, E, D)
        self.decoder = nn.Sequential(nn.Linear(160, 512), nn.ReLU(), nn.Linear(512, 1024), nn.ReLU(),
                                     nn.Linear(1024, 784), nn.Sigmoid())
        if channels_last:
            for convolution in (self.conv1, self.conv2):
                convolution.to(memory_format=torch.channels_last)

    def primary(self, images):
        x = self.conv2(F.relu(self.conv1(images), inplace=True))  # channel = type * 8 + atom
        batch = x.shape[0]
        if self.channels_last:  # a view
            x = x.permute(0, 2, 3, 1)
        else:
            x = x.reshape(batch, 32, 8, 36).permute(0, 1, 3, 2)
        return squash(x.reshape(batch, 1152, 8))

    def classes(self, children):
        matrices = self.weight.view(1152, 160, 8).transpose(1, 2)
        votes = torch.bmm(children.transpose(0, 1), matrices).view(1152, -1, 10, 16)
        if self.order:
            votes = votes.permute(*self.order).contiguous()
        return self.route(votes)

    def loss(self, images, labels):
        capsules = self.classes(self.primary(images))
        lengths = length(capsules)
        true = F.one_hot(labels, 10).to(capsules.dtype)
        pixels = self.decoder((capsules * true.unsqueeze(-1)).reshape(len(labels), 160))
        margin = true * F.relu(0.9 - lengths) ** 2 + 0.5 * (1 - true) * F.relu(lengths - 0.1) ** 2
        error = F.mse_loss(pixels, images.reshape(len(labels), 784), reduction="sum")
        return (margin.sum() + 0.0005 * error) / len(labels)


def length(capsules):
    return torch.sqrt((capsules * capsules).sum(-1) + 1e-9)


def forms():
    return [layout + suffix for layout in LAYOUTS for suffix in ("", "+channels_last")]


def forms_of(case):
    """Routing alone sees no images."""
    return list(LAYOUTS) if case.startswith("routing") else forms()


def make(form):
    torch.manual_seed(1)
    layout, _, suffix = form.partition("+")
    net = CapsNet(layout, suffix == "channels_last")
    count = sum(parameter.numel() for parameter in net.parameters())
    if count != PARAMETERS:
        sys.exit(f"torch_capsnet.py: {count} parameters instead of {PARAMETERS}")
    return net


# ---- what is timed ----------------------------------------------------------------------------------

def pictures(net, batch):
    images = torch.rand(batch, 1, 28, 28)
    if net.channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    return images, torch.arange(batch) % 10


def train(form, batch):
    net = make(form)
    images, labels = pictures(net, batch)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, foreach=True)

    def step():
        optimizer.zero_grad(set_to_none=True)
        net.loss(images, labels).backward()
        optimizer.step()
    return step


def infer(form, batch):
    """Class capsules and the longest of them, without the decoder."""
    net = make(form).eval()
    images, _ = pictures(net, batch)

    def step():
        with torch.inference_mode():
            return length(net.classes(net.primary(images))).argmax(1)
    return step


def routing(form, batch):
    """Votes and routing, forward and backward."""
    net = make(form)
    children = squash(torch.randn(batch, 1152, 8)).requires_grad_()
    seed = torch.randn(batch, 10, 16)

    def step():
        children.grad = net.weight.grad = None
        net.classes(children).backward(seed)
    return step


CASES = {"train": train, "infer": infer, "routing": routing}


def check_forms():
    """All forms are the same network."""
    results = []
    for form in forms():
        net = make(form)
        torch.manual_seed(2)
        images, labels = pictures(net, 3)
        net.loss(images, labels).backward()
        # Without channels-last the children come in another order, and with it their weights' gradient.
        results.append((net.channels_last, net.weight.grad, net.conv1.weight.grad))
    for channels_last, *gradients in results:
        same_order = next(r for r in results if r[0] == channels_last)
        for gradient, other in zip(gradients, same_order[1:]):
            error = (gradient - other).abs().max() / other.abs().max()
            if not error < 1e-3:
                sys.exit(f"torch_capsnet.py: two forms of the network differ by {error:.1e}")


if __name__ == "__main__":
    torch_worker.run(__doc__, CASES, forms_of, check_forms)
