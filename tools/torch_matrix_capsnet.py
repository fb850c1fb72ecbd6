#!/usr/bin/env python3
"""Matrix capsules with EM routing in PyTorch, written for speed, and one timing of them as JSON.

Started by tools/bench_torch.py, which sets the environment. The network is that of Hinton, Sabour and
Frosst 2018 for one channel of 32x32 and five classes, 316,394 parameters, or 67,154 with the smaller
layers, batched throughout, votes kept. The E-step compares the types of one place of parents, as most
public code does: comparing all parents of a child costs PyTorch a scatter more. Two forms of the same
network: "elements" has the elements of the votes (16, I, N, J) outermost, so that sums over them and
over the children are sums of long rows; "rows" has them innermost, (N, I, J, 16).

N batch x places of parents, I children of each, J types of parents.
"""

import sys

import torch
import torch.nn.functional as F
from torch import nn

import torch_worker

SIZES = {"small": (64, 8, 16, 16), "paper": (32, 32, 32, 32)}  # A, B, C, D
PARAMETERS = {"small": 67154, "paper": 316394}
CLASSES = 5
LOG_TWO_PI = 1.8378770664093453
EPSILON = 1e-7


# ---- routing ----------------------------------------------------------------------------------------

def em(votes, a, beta_u, beta_a, iterations, form):
    """Procedure 1. votes (16, I, N, J) and a (I, N), or votes (N, I, J, 16) and a (N, I)."""
    element, child = (0, 0) if form == "elements" else (-1, 1)  # the axis of children of all but votes
    parents = len(beta_u)
    r = (a / parents).unsqueeze(-1).expand(*a.shape, parents)
    for t in range(iterations):
        mass = r.sum(child)
        scale = (1 / (mass + EPSILON)).unsqueeze(element)
        weight = r.unsqueeze(element)
        mean = (weight * votes).sum(1) * scale
        square = (votes - mean.unsqueeze(1)).square()
        variance = (weight * square).sum(1) * scale + EPSILON
        volume = 0.5 * torch.log(variance).sum(element)
        cost = mass * (16 * beta_u + volume)
        activation = torch.sigmoid(0.01 * (1 - 0.95 ** (t + 1)) * (beta_a - cost))
        if t + 1 < iterations:
            distance = (square / variance.unsqueeze(1)).sum(element)
            density = torch.log(activation + EPSILON) - volume - 8 * LOG_TWO_PI
            r = torch.softmax(density.unsqueeze(child) - 0.5 * distance, -1) * a.unsqueeze(-1)
    return mean, activation


class Layer(nn.Module):
    """Votes of all children of all places of parents, and routing."""

    def __init__(self, children, parents, iterations, form):
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(children, parents, 4, 4))
        self.beta_u = nn.Parameter(torch.zeros(parents))
        self.beta_a = nn.Parameter(torch.zeros(parents))
        self.iterations, self.form = iterations, form

    def votes(self, poses):
        """poses (I, N, 4, 4)."""
        children, places = poses.shape[:2]
        parents = self.weight.shape[1]
        if self.form == "elements":
            left = poses.permute(2, 0, 1, 3).unsqueeze(1).expand(4, 4, children, places, 4)
            right = self.weight.permute(3, 0, 2, 1).unsqueeze(0).expand(4, 4, children, 4, parents)
            product = torch.bmm(left.reshape(16 * children, places, 4), right.reshape(16 * children, 4, parents))
            return product.view(16, children, places, parents)
        right = self.weight.permute(0, 2, 1, 3).reshape(children, 4, parents * 4)
        product = torch.bmm(poses.reshape(children, places * 4, 4), right)
        product = product.view(children, places, 4, parents, 4)
        return product.permute(1, 0, 3, 2, 4).reshape(places, children, parents, 16)

    def forward(self, votes, a):
        """a (I, N) -> poses (N, J, 16), activations (N, J)."""
        elements = self.form == "elements"
        mean, activation = em(votes, a if elements else a.t(), self.beta_u, self.beta_a, self.iterations,
                              self.form)
        return (mean.permute(1, 2, 0) if elements else mean), activation


def windows(grid, batch, size, kernel, stride):
    """grid (batch * size * size, ...) -> (kernel * kernel, batch * places, ...)."""
    out = (size - kernel) // stride + 1
    rows = torch.arange(out) * stride
    place = rows.view(out, 1) * size + rows.view(1, out)
    offset = torch.arange(kernel).view(kernel, 1) * size + torch.arange(kernel)
    index = offset.reshape(-1, 1, 1) + torch.arange(batch).view(1, batch, 1) * size * size + place.reshape(1, 1, -1)
    return grid.index_select(0, index.reshape(-1)).view(kernel * kernel, batch * out * out, *grid.shape[1:]), out


class MatrixCapsNet(nn.Module):
    def __init__(self, size, iterations, form):
        super().__init__()
        A, B, C, D = self.sizes = SIZES[size]
        self.form = form
        self.conv1 = nn.Conv2d(1, A, 5, stride=2)
        self.primary = nn.Conv2d(A, 17 * B, 1)
        self.layer1 = Layer(9 * B, C, iterations, form)
        self.layer2 = Layer(9 * C, D, iterations, form)
        self.classes = Layer(D, CLASSES, iterations, form)

    def convolve(self, layer, poses, a, batch, size, stride):
        """Grids (batch * size * size, types, ...) -> grids of parents, and their size."""
        types = a.shape[1]
        poses, out = windows(poses, batch, size, 3, stride)
        a, _ = windows(a, batch, size, 3, stride)
        poses = poses.permute(0, 2, 1, 3).reshape(9 * types, -1, 4, 4)
        a = a.permute(0, 2, 1).reshape(9 * types, -1)
        return *layer(layer.votes(poses), a), out

    def forward(self, images):
        batch, (_, B, _, D) = len(images), self.sizes
        x = self.primary(F.relu(self.conv1(images), inplace=True)).permute(0, 2, 3, 1)
        size = x.shape[1]
        poses = x[..., :16 * B].reshape(-1, B, 16)
        a = torch.sigmoid(x[..., 16 * B:]).reshape(-1, B)
        poses, a, size = self.convolve(self.layer1, poses, a, batch, size, 2)
        poses, a, size = self.convolve(self.layer2, poses, a, batch, size, 1)
        places = size * size
        votes = self.classes.votes(poses.permute(1, 0, 2).reshape(D, -1, 4, 4))
        middle = (torch.arange(size, dtype=images.dtype) + 0.5) / size
        shift = torch.stack([middle.repeat_interleave(size), middle.repeat(size)]).repeat(1, batch)
        a = a.view(batch, places * D)
        if self.form == "elements":
            votes = torch.cat([votes[:2] + shift[:, None, :, None], votes[2:]])
            votes = votes.view(16, D, batch, places, CLASSES).permute(0, 3, 1, 2, 4)
            return self.classes(votes.reshape(16, places * D, batch, CLASSES), a.t())[1]
        votes = torch.cat([votes[..., :2] + shift.t()[:, None, None], votes[..., 2:]], 3)
        return self.classes(votes.reshape(batch, places * D, CLASSES, 16), a.t())[1]


def spread_loss(a, labels, margin=0.2):
    true = a.gather(1, labels[:, None])
    return (F.relu(margin - (true - a)).square().sum() - margin * margin * len(a)) / len(a)


# ---- what is timed ----------------------------------------------------------------------------------

FORMS = ["elements", "rows"]


def make(size, iterations, form):
    torch.manual_seed(1)
    net = MatrixCapsNet(size, iterations, form)
    count = sum(parameter.numel() for parameter in net.parameters())
    if count != PARAMETERS[size]:
        sys.exit(f"torch_matrix_capsnet.py: {count} parameters instead of {PARAMETERS[size]}")
    return net


def pictures(batch):
    return torch.rand(batch, 1, 32, 32), torch.arange(batch) % CLASSES


def train(size, iterations):
    def prepare(form, batch):
        net = make(size, iterations, form)
        images, labels = pictures(batch)
        optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, weight_decay=2e-7, foreach=True)

        def step():
            optimizer.zero_grad(set_to_none=True)
            spread_loss(net(images), labels).backward()
            optimizer.step()
        return step
    return prepare


def infer(size, iterations):
    def prepare(form, batch):
        net = make(size, iterations, form).eval()
        images, _ = pictures(batch)

        def step():
            with torch.inference_mode():
                return net(images).argmax(1)
        return step
    return prepare


CASES = {f"{what.__name__}-{size}-{iterations}": what(size, iterations)
         for what in (train, infer) for size in SIZES for iterations in (2, 3)}


def check_forms():
    """Both are the same network."""
    images, labels = pictures(3)
    images = torch.rand(images.shape, generator=torch.Generator().manual_seed(2))
    gradients = []
    for form in FORMS:
        net = make("small", 2, form)
        spread_loss(net(images), labels).backward()
        gradients.append([net.layer1.weight.grad, net.conv1.weight.grad])
    for one, other in zip(*gradients):
        error = (one - other).abs().max() / other.abs().max()
        if not error < 1e-3:
            sys.exit(f"torch_matrix_capsnet.py: two forms of the network differ by {error:.1e}")


if __name__ == "__main__":
    torch_worker.run(__doc__, CASES, lambda case: FORMS, check_forms)
