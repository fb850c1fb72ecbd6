#!/usr/bin/env python3
"""Writes tests/golden/capsnet_*.safetensors: small capsule networks computed with PyTorch in float64.

    python3 tools/make_goldens.py [FOLDER]

Needs PyTorch (Debian: python3-torch, run with /usr/bin/python3); the tests need only the files.

Written from the paper (Sabour, Frosst, Hinton 2017), formula by formula and loop by loop, so that it
shares no trick with the engine: convolutions visit every output pixel, votes are made one by one and
kept, and the gradients are autograd's. Parameters and images are drawn, rounded to float32, and
everything that follows from them is computed in float64 and rounded once, when it is written.
"""

import argparse
import json
import struct
from pathlib import Path

import torch

BATCH = 3
STEPS = 10
LEARNING_RATE = 1e-3
SQUASH_EPSILON = 1e-9

DEFAULTS = dict(
    height=20, width=20, channels=1, classes=5, kernel=9, conv_filters=8,
    primary_types=4, primary_pose=8, class_pose=16, padding="valid",
    routing_iterations=3, none_of_the_above=False, stop_inner_gradient=False,
    decoder=True, decoder_hidden1=12, decoder_hidden2=16, reconstruction_weight=0.0005,
    primary_scale=1.0, class_bias=False, authors_start=False,
    margin_present=0.9, margin_absent=0.1, margin_absent_weight=0.5)

CONFIGS = dict(
    # The paper's reading.
    paper=dict(),
    # The authors' code: other weights, scales and biases; an image that is not square, two channels.
    authors=dict(height=22, channels=2, conv_filters=6, class_pose=12, decoder_hidden2=10,
                 reconstruction_weight=0.01, primary_scale=0.25, class_bias=True,
                 authors_start=True),
    # What the authors used for CIFAR-10: SAME padding, a none-of-the-above category, no decoder.
    same=dict(height=8, width=9, channels=3, classes=4, kernel=5, conv_filters=6,
              primary_types=3, primary_pose=4, class_pose=6, padding="same",
              none_of_the_above=True, decoder=False))


# ---- the network ------------------------------------------------------------------------------------

def outputs_of(size, kernel, stride, padding):
    """Output size and zeros before the first pixel along one axis, as TensorFlow defines both paddings."""
    if padding == "valid":
        return (size - kernel) // stride + 1, 0
    count = -(-size // stride)
    missing = max((count - 1) * stride + kernel - size, 0)
    return count, missing // 2


def convolution(x, w, stride, padding):
    """x (B, H, W, C), w (KH, KW, C, N) -> (B, OH, OW, N), one output pixel at a time."""
    batch, height, width, channels = x.shape
    kernel_height, kernel_width, _, filters = w.shape
    rows, top = outputs_of(height, kernel_height, stride, padding)
    columns, left = outputs_of(width, kernel_width, stride, padding)
    padded = torch.zeros(batch, height + 2 * kernel_height, width + 2 * kernel_width, channels,
                         dtype=x.dtype)
    padded[:, top:top + height, left:left + width] = x
    result = []
    for row in range(rows):
        for column in range(columns):
            patch = padded[:, row * stride:row * stride + kernel_height,
                           column * stride:column * stride + kernel_width]
            result.append(patch.reshape(batch, -1) @ w.reshape(-1, filters))
    return torch.stack(result, 1).reshape(batch, rows, columns, filters)


def length(x):
    return torch.sqrt((x * x).sum(-1) + SQUASH_EPSILON)


def squash(x):
    """Equation 1."""
    norm = length(x).unsqueeze(-1)
    return norm ** 2 / (1 + norm ** 2) * x / norm


def route(u, w, bias, config):
    """Procedure 1. u (B, I, D), w (I, J, E, D) -> parents (B, J, E) and the last couplings (B, I, J)."""
    children, parents = w.shape[:2]
    votes = torch.stack([torch.stack([u[:, i] @ w[i, j].T for j in range(parents)], 1)
                         for i in range(children)], 1)
    logits = torch.zeros(votes.shape[:3], dtype=u.dtype)
    for iteration in range(config["routing_iterations"]):
        exponentials = torch.exp(logits)
        normaliser = exponentials.sum(2, keepdim=True)
        if config["none_of_the_above"]:
            normaliser = normaliser + 1  # exp of its logit, which stays zero
        couplings = exponentials / normaliser
        if config["stop_inner_gradient"]:
            couplings = couplings.detach()
        sums = sum(couplings[:, i, :, None] * votes[:, i] for i in range(children))
        v = squash(sums if bias is None else sums + bias)
        if iteration + 1 < config["routing_iterations"]:
            logits = logits + (votes * v[:, None]).sum(-1)
    return v, couplings


def margin_loss(lengths, labels, config):
    """Equation 4, the mean over the batch of the sum over classes."""
    total = 0
    for image, label in enumerate(labels):
        for k in range(lengths.shape[1]):
            if k == label:
                total = total + torch.clamp(config["margin_present"] - lengths[image, k], min=0) ** 2
            else:
                excess = torch.clamp(lengths[image, k] - config["margin_absent"], min=0)
                total = total + config["margin_absent_weight"] * excess ** 2
    return total / len(labels)


def decode(capsules, labels, p, out):
    """The reconstruction network on the capsule of the true class, the others masked by zeros. Its
    hidden layers go to out."""
    masked = torch.zeros_like(capsules)
    for image, label in enumerate(labels):
        masked[image, label] = capsules[image, label]
    hidden = masked.reshape(len(labels), -1)
    for layer in ("dense1", "dense2"):
        hidden = torch.relu(hidden @ p[f"decoder.{layer}.weight"] + p[f"decoder.{layer}.bias"])
        out[f"decoder.{layer}"] = hidden
    return torch.sigmoid(hidden @ p["decoder.pixels.weight"] + p["decoder.pixels.bias"])


def forward(p, images, labels, config):
    """Every layer's output, and the losses."""
    out = {}
    before_relu = convolution(images, p["conv1.weight"], 1, config["padding"]) + p["conv1.bias"]
    out["conv1"] = torch.relu(before_relu)
    maps = convolution(out["conv1"], p["primary.weight"], 2, config["padding"])
    maps = maps * config["primary_scale"] + p["primary.bias"]
    # channel = type * pose + atom; a capsule is all atoms of one type at one pixel
    batch, rows, columns, _ = maps.shape
    pose = config["primary_pose"]
    capsules = [maps[:, row, column, t * pose:(t + 1) * pose]
                for row in range(rows) for column in range(columns)
                for t in range(config["primary_types"])]
    out["primary"] = squash(torch.stack(capsules, 1))
    out["classes"], out["couplings"] = route(out["primary"], p["classes.weight"],
                                             p.get("classes.bias"), config)
    out["lengths"] = length(out["classes"])
    out["margin_loss"] = margin_loss(out["lengths"], labels, config)
    out["loss"] = out["margin_loss"]
    if config["decoder"]:
        out["reconstruction"] = decode(out["classes"], labels, p, out)
        error = ((out["reconstruction"] - images.reshape(batch, -1)) ** 2).sum() / batch
        out["reconstruction_loss"] = config["reconstruction_weight"] * error
        out["loss"] = out["loss"] + out["reconstruction_loss"]
    out["_closest_to_a_kink"] = before_relu.abs().min()
    return out


# ---- parameters, data, files ------------------------------------------------------------------------

def draw_parameters(config, random):
    """Large enough that the capsules disagree, the couplings move and both margins are active."""
    kernel, filters = config["kernel"], config["conv_filters"]
    types, pose = config["primary_types"], config["primary_pose"]
    parents, parent_pose = config["classes"], config["class_pose"]
    rows, columns = config["height"], config["width"]
    for stride in (1, 2):
        rows = outputs_of(rows, kernel, stride, config["padding"])[0]
        columns = outputs_of(columns, kernel, stride, config["padding"])[0]
    children = rows * columns * types

    bias = 0.1 if config["authors_start"] else 0.05

    def normal(deviation, *shape):
        return torch.randn(*shape, dtype=torch.float64, generator=random) * deviation

    p = {"conv1.weight": normal(1.5 / kernel, kernel, kernel, config["channels"], filters),
         "conv1.bias": bias + normal(0.05, filters),
         "primary.weight": normal(0.5 / kernel / config["primary_scale"] ** 0.5,
                                  kernel, kernel, filters, types * pose),
         "primary.bias": bias + normal(0.05, types * pose),
         "classes.weight": normal(3 * (parents / (children * parent_pose)) ** 0.5, children, parents,
                                  parent_pose, pose)}
    if config["class_bias"]:
        p["classes.bias"] = bias + normal(0.05, parents, parent_pose)
    if config["decoder"]:
        sizes = [parents * parent_pose, config["decoder_hidden1"], config["decoder_hidden2"],
                 config["height"] * config["width"] * config["channels"]]
        for layer, (inputs, outputs) in zip(("dense1", "dense2", "pixels"), zip(sizes, sizes[1:])):
            p[f"decoder.{layer}.weight"] = normal(2 / inputs ** 0.5, inputs, outputs)
            p[f"decoder.{layer}.bias"] = bias + normal(0.05, outputs)
    return {name: value.float().double().requires_grad_() for name, value in p.items()}


def write_safetensors(path, metadata, tensors):
    """8 bytes of header length, a JSON header, little-endian float32."""
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = struct.pack(f"<{tensor.numel()}f", *tensor.detach().reshape(-1).tolist())
        header[name] = dict(dtype="F32", shape=list(tensor.shape),
                            data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_golden(path, model, config, p, random, forward, check_is_telling):
    """Draws images and labels, trains for some steps, and writes everything that the first one computes."""
    images = torch.rand(BATCH, config["height"], config["width"], config["channels"],
                        dtype=torch.float64, generator=random).float().double()
    labels = [int(torch.randint(config["classes"], (), generator=random)) for _ in range(BATCH)]

    tensors = {f"parameter.{key}": value.clone() for key, value in p.items()}
    tensors["images"] = images
    tensors["labels"] = torch.tensor(labels, dtype=torch.float64)

    losses = []
    optimizer = torch.optim.Adam(p.values(), lr=LEARNING_RATE)
    for step in range(STEPS):
        optimizer.zero_grad()
        out = forward(p, images, labels, config)
        out["loss"].backward()
        losses.append(out["loss"].item())
        if step == 0:
            check_is_telling(out, labels, config)
            tensors.update({f"output.{key}": value.clone() for key, value in out.items() if key[0] != "_"})
            tensors.update({f"gradient.{key}": value.grad.clone() for key, value in p.items()})
        optimizer.step()
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)

    write_safetensors(path, {"model": model, "config": json.dumps(config)}, tensors)
    print(f"{path}: {path.stat().st_size} bytes, losses {losses[0]:.6f} ... {losses[-1]:.6f}")


def folder_to_write_to(description):
    """The one that the command line names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent.parent / "tests/golden")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_goldens(description, model, defaults, configs, draw_parameters, forward, check_is_telling):
    """One file for each configuration, in the folder that the command line names."""
    folder = folder_to_write_to(description)
    for seed, (name, changes) in enumerate(configs.items()):
        config = {**defaults, **changes}
        random = torch.Generator().manual_seed(seed)
        p = draw_parameters(config, random)
        path = folder / f"{model.replace('-', '_')}_{name}.safetensors"
        write_golden(path, model, config, p, random, forward, check_is_telling)


def check_is_telling(out, labels, config):
    """A golden near a kink of a ReLU or a margin, or with idle couplings, would prove little."""
    assert out["_closest_to_a_kink"] > 1e-5
    spread = out["couplings"].max(2)[0] - out["couplings"].min(2)[0]
    assert spread.max() > 0.1, spread.max()
    present = torch.tensor([[k == label for k in range(config["classes"])] for label in labels])
    assert (out["lengths"][present] < config["margin_present"] - 0.01).all(), out["lengths"]
    excess = out["lengths"][~present] - config["margin_absent"]
    assert (excess > 0.01).any() and (excess.abs() > 1e-4).all(), out["lengths"]


if __name__ == "__main__":
    write_goldens(__doc__.splitlines()[0], "capsnet", DEFAULTS, CONFIGS, draw_parameters, forward,
                  check_is_telling)
