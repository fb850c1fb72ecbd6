#!/usr/bin/env python3
"""Writes tests/golden/cnn_*.safetensors: small convolutional networks computed with PyTorch in float64.

    python3 tools/make_cnn_goldens.py [FOLDER]

Layers are written out window by window and channel by channel; the gradients are autograd's. Drawing,
rounding and writing are those of make_goldens.py. There is no dropout: its draws are the engine's own.
"""

import re

import torch

from make_goldens import convolution, outputs_of, write_goldens

EPSILON = 1e-5

DEFAULTS = dict(height=12, width=12, channels=1, classes=4, convolutions="6x5p2,5x3p2", pooling="max",
                padding="same", batch_norm=False, dense="9,7", dropout=0.0)

CONFIGS = dict(
    # Grids of 13x11 and 6x5 pixels, of which pooling leaves some out.
    max=dict(height=13, width=11, channels=2),
    # The same trunk with average pooling.
    average=dict(height=13, width=11, channels=2, pooling="average"),
    # A stride, a layer without pooling, no padding, one hidden layer.
    normalised=dict(height=17, width=16, convolutions="6x5s2,5x3p3", padding="valid", batch_norm=True, dense="8"))


# ---- the network ------------------------------------------------------------------------------------

def convolutions_of(config):
    """(filters, kernel, stride, pool) of each."""
    layers = []
    for text in config["convolutions"].split(","):
        filters, kernel, stride, pool = re.fullmatch(r"(\d+)x(\d+)(?:s(\d+))?(?:p(\d+))?", text).groups()
        layers.append((int(filters), int(kernel), int(stride or 1), int(pool or 1)))
    return layers


def dense_of(config):
    return [int(size) for size in config["dense"].split(",")]


def pool(x, size, kind):
    """Disjoint windows of size x size pixels."""
    rows = []
    for row in range(x.shape[1] // size):
        pixels = []
        for column in range(x.shape[2] // size):
            window = x[:, row * size:(row + 1) * size, column * size:(column + 1) * size].flatten(1, 2)
            pixels.append(window.amax(1) if kind == "max" else window.mean(1))
        rows.append(torch.stack(pixels, 1))
    return torch.stack(rows, 1)


def batch_norm(x, gain, bias):
    channels = []
    for c in range(x.shape[3]):
        values = x[..., c]
        mean = values.sum() / values.numel()
        variance = ((values - mean) ** 2).sum() / values.numel()
        channels.append(gain[c] * (values - mean) / torch.sqrt(variance + EPSILON) + bias[c])
    return torch.stack(channels, 3)


def forward(p, images, labels, config):
    """Every layer's output, and the loss."""
    out, kinks, x = {}, [], images
    for i, (_, _, stride, pool_size) in enumerate(convolutions_of(config), 1):
        x = convolution(x, p[f"conv{i}.weight"], stride, config["padding"])
        if config["batch_norm"]:
            x = batch_norm(x, p[f"norm{i}.gain"], p[f"norm{i}.bias"])
            out[f"norm{i}"] = x
        else:
            x = x + p[f"conv{i}.bias"]
        kinks.append(x.abs().min())
        x = torch.relu(x)
        if not config["batch_norm"]:
            out[f"conv{i}"] = x
        if pool_size > 1:
            x = pool(x, pool_size, config["pooling"])
    x = x.flatten(1)
    for i in range(1, 1 + len(dense_of(config))):
        x = x @ p[f"dense{i}.weight"] + p[f"dense{i}.bias"]
        kinks.append(x.abs().min())
        x = torch.relu(x)
        out[f"dense{i}"] = x
    logits = x @ p["classes.weight"] + p["classes.bias"]
    out["classes"] = logits
    out["scores"] = torch.exp(logits) / torch.exp(logits).sum(1, keepdim=True)
    out["loss"] = -sum(torch.log(out["scores"][image, label]) for image, label in enumerate(labels)) / len(labels)
    out["_closest_to_a_kink"] = min(kinks)
    return out


# ---- parameters -------------------------------------------------------------------------------------

def draw_parameters(config, random):
    def normal(deviation, *shape):
        return torch.randn(*shape, dtype=torch.float64, generator=random) * deviation

    p, grid, channels = {}, [config["height"], config["width"]], config["channels"]
    for i, (filters, kernel, stride, pool_size) in enumerate(convolutions_of(config), 1):
        p[f"conv{i}.weight"] = normal(1.5 / kernel / channels ** 0.5, kernel, kernel, channels, filters)
        if config["batch_norm"]:
            p[f"norm{i}.gain"] = 1 + normal(0.3, filters)
            p[f"norm{i}.bias"] = normal(0.3, filters)
        else:
            p[f"conv{i}.bias"] = normal(0.1, filters)
        grid = [outputs_of(size, kernel, stride, config["padding"])[0] // pool_size for size in grid]
        channels = filters
    inputs = grid[0] * grid[1] * channels
    for name, size in [*((f"dense{i}", size) for i, size in enumerate(dense_of(config), 1)),
                       ("classes", config["classes"])]:
        p[f"{name}.weight"] = normal(1.5 / inputs ** 0.5, inputs, size)
        p[f"{name}.bias"] = normal(0.1, size)
        inputs = size
    return {name: value.float().double().requires_grad_() for name, value in p.items()}


def check_is_telling(out, labels, config):
    """A golden near a kink of a ReLU, or sure of its answers, would prove little."""
    assert out["_closest_to_a_kink"] > 1e-5
    assert 0.001 < out["scores"].min() and out["scores"].max() < 0.999, out["scores"]
    for i in range(1, 1 + len(dense_of(config))):
        assert (out[f"dense{i}"] > 0).any(1).all(), out[f"dense{i}"]


if __name__ == "__main__":
    write_goldens(__doc__.splitlines()[0], "cnn", DEFAULTS, CONFIGS, draw_parameters, forward, check_is_telling)
