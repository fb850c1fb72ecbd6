#!/usr/bin/env python3
"""Writes tests/golden/dc_ign_*.safetensors: small inverse graphics networks computed with PyTorch in float64.

    python3 tools/make_dc_ign_goldens.py [FOLDER]

Written from the paper (Kulkarni, Whitney, Kohli, Tenenbaum 2015) and its authors' code: the gradient of the
latents that are clamped is not derived from a loss, as the engine's is, but put in the place of the one that
came back from the decoder. All other gradients are autograd's. The noise is that of the engine, whose random
numbers are Philox's; the file has it too.
"""

import json
import math

import torch

from make_cnn_goldens import pool
from make_goldens import BATCH, LEARNING_RATE, STEPS, convolution, folder_to_write_to, write_safetensors

SEED = 11

CONFIGS = dict(
    # No padding, as the authors have it; encoder grids of 18 and 5 pixels, of which pooling leaves one out.
    paper=dict(size=22, latents=6, encoder=(3, 4), encoder_kernel=5, decoder=(3, 4), decoder_kernel=3,
               padding="valid", clamp_to="mean", invariance=0.01),
    # What the authors' code does with the latents; an even kernel, one convolution more in the decoder.
    code=dict(size=16, latents=5, encoder=(4, 3), encoder_kernel=3, decoder=(3, 4, 2), decoder_kernel=4,
              padding="same", clamp_to="first", invariance=0.0))

# Latents that a step of training may vary: first and count. The last stands for all.
FREE = ((0, 1), (1, 1), (2, 1), (3, -1), (0, -1))


# ---- the engine's noise -----------------------------------------------------------------------------

def philox(counter, key):
    """Philox 4x32-10 (Salmon et al. 2011): four words from a counter of four and a key of two."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [b >> 32 ^ c[1] ^ k[0], b % 2 ** 32, a >> 32 ^ c[3] ^ k[1], a % 2 ** 32]
        k = [(k[0] + 0x9E3779B9) % 2 ** 32, (k[1] + 0xBB67AE85) % 2 ** 32]
    return c


def noise_of(step, shape):
    """Standard normal numbers: Box and Muller's, each from two words of the stream of this step."""
    words = [word for block in range(-(-math.prod(shape) // 2))
             for word in philox((block, 0, step << 8, 0xE1 << 24 | step >> 24), (SEED, 0))]
    normal = [math.sqrt(-2 * math.log((u + 0.5) / 2 ** 32)) * math.cos(2 * math.pi * v / 2 ** 32)
              for u, v in zip(words[::2], words[1::2])]
    return torch.tensor(normal[:math.prod(shape)], dtype=torch.float64).reshape(shape)


# ---- the network ------------------------------------------------------------------------------------

def encode(p, images, config, kinks):
    x = images
    for i in range(1, 1 + len(config["encoder"])):
        x = convolution(x, p[f"encoder.conv{i}.weight"], 1, config["padding"]) + p[f"encoder.conv{i}.bias"]
        kinks.append(x.abs().min())
        x = torch.relu(pool(x, 2, "max"))
    x = x.flatten(1)
    return tuple(x @ p[f"encoder.{head}.weight"] + p[f"encoder.{head}.bias"] for head in ("mean", "log_variance"))


def decode(p, z, config, kinks):
    """Logits of pixels, (B, size * size)."""
    x = z @ p["decoder.dense.weight"] + p["decoder.dense.bias"]
    grid = math.isqrt(x.shape[1] // config["decoder"][0])
    kinks.append(x.abs().min())
    x = torch.relu(x).reshape(len(z), grid, grid, -1)
    for i in range(1, 1 + len(config["decoder"])):
        x = x.repeat_interleave(2, 1).repeat_interleave(2, 2)
        x = convolution(x, p[f"decoder.conv{i}.weight"], 1, config["padding"]) + p[f"decoder.conv{i}.bias"]
        if i < len(config["decoder"]):
            kinks.append(x.abs().min())
            x = torch.relu(x)
    return x.flatten(1)


def bound(p, mean, log_variance, images, noise, config, kinks, out):
    """What SGVB minimises, a mean over pictures."""
    z = mean + torch.sqrt(torch.exp(log_variance)) * noise
    out["logits"] = decode(p, z, config, kinks)
    pixel = torch.sigmoid(out["logits"])
    target = images.flatten(1)
    cross_entropy = -(target * torch.log(pixel) + (1 - target) * torch.log(1 - pixel)).sum()
    divergence = -0.5 * (1 + log_variance - mean ** 2 - torch.exp(log_variance)).sum()
    return (cross_entropy + divergence) / len(images)


def is_free(config, first, count):
    end = first + count if count >= 0 else config["latents"]
    return torch.tensor([first <= k < end for k in range(config["latents"])])


def step_backward(p, images, noise, free, config, clamp_to, invariance):
    """The gradients of one step go to the parameters. Returns outputs, the loss among them, and the gradients
    at the latents."""
    kinks, out, grads = [], {}, {}
    latents = encode(p, images, config, kinks)
    held, penalty = [], 0
    for latent in latents:
        fixed = latent.mean(0) if clamp_to == "mean" else latent[0]
        held.append(torch.where(free, latent, fixed).detach().requires_grad_())
    out["mean"], out["log_variance"] = latents
    loss = bound(p, *held, images, noise, config, kinks, out)
    loss.backward()
    for name, latent, input_ in zip(("mean", "log_variance"), latents, held):
        away = torch.where(free, torch.zeros_like(latent), latent - latent.mean(0)).detach()
        grads[name] = torch.where(free, input_.grad, invariance * away / len(images))
        penalty += 0.5 * invariance * (away ** 2).sum() / len(images)
    torch.autograd.backward(latents, [grads["mean"], grads["log_variance"]])
    out["loss"] = loss + penalty
    out["_closest_to_a_kink"] = min(kinks)
    return out, grads


# ---- parameters, files ------------------------------------------------------------------------------

def draw_parameters(config, random):
    def normal(deviation, *shape):
        return torch.randn(*shape, dtype=torch.float64, generator=random) * deviation

    same, p = config["padding"] == "same", {}

    def add_convolution(name, kernel, inputs, outputs):
        p[f"{name}.weight"] = normal(1.5 / kernel / inputs ** 0.5, kernel, kernel, inputs, outputs)
        p[f"{name}.bias"] = normal(0.1, outputs)

    def add_dense(name, inputs, outputs):
        p[f"{name}.weight"] = normal(1 / inputs ** 0.5, inputs, outputs)
        p[f"{name}.bias"] = normal(0.1, outputs)

    size, channels = config["size"], 1
    for i, filters in enumerate(config["encoder"], 1):
        add_convolution(f"encoder.conv{i}", config["encoder_kernel"], channels, filters)
        size, channels = (size if same else size - config["encoder_kernel"] + 1) // 2, filters
    for head in ("mean", "log_variance"):
        add_dense(f"encoder.{head}", size * size * channels, config["latents"])
    grid = config["size"]
    for _ in config["decoder"]:
        grid = (grid if same else grid + config["decoder_kernel"] - 1) // 2
    add_dense("decoder.dense", config["latents"], grid * grid * config["decoder"][0])
    filters = (*config["decoder"], 1)
    for i in range(1, len(filters)):
        add_convolution(f"decoder.conv{i}", config["decoder_kernel"], filters[i - 1], filters[i])
    return {name: value.float().double().requires_grad_() for name, value in p.items()}


def write_golden(path, config, random):
    p = draw_parameters(config, random)
    shape = BATCH, config["size"], config["size"], 1
    images = torch.rand(*shape, dtype=torch.float64, generator=random).float().double()
    noise = noise_of(0, (BATCH, config["latents"]))
    tensors = {f"parameter.{name}": value.clone() for name, value in p.items()}
    tensors.update(images=images, noise=noise)

    def grads_to_zero():
        for value in p.values():
            value.grad = None

    def run(first, count, clamp_to, invariance):
        grads_to_zero()
        free = is_free(config, first, count)
        out, grads = step_backward(p, images, noise, free, config, clamp_to, invariance)
        assert out["_closest_to_a_kink"] > 1e-5  # near one of a ReLU, a golden would prove little
        return out, grads

    out, _ = run(0, -1, "mean", 0)
    assert 0.1 < out["log_variance"].std() < 2 and 0.1 < out["mean"].std() < 2
    tensors.update({f"output.{name}": value.clone() for name, value in out.items() if name[0] != "_"})
    tensors.update({f"gradient.{name}": value.grad.clone() for name, value in p.items()})
    for name, clamp_to, invariance in (("paper", "mean", 0.01), ("code", "first", 0.0)):
        out, grads = run(1, 2, clamp_to, invariance)
        tensors[f"{name}.loss"] = out["loss"].clone()
        tensors.update({f"{name}.gradient.{latent}": grad for latent, grad in grads.items()})

    optimizer, losses = torch.optim.Adam(p.values(), lr=LEARNING_RATE, betas=(0.9, 0.99)), []
    for step in range(STEPS):
        grads_to_zero()
        out, _ = step_backward(p, images, noise_of(step, noise.shape), is_free(config, *FREE[step % len(FREE)]),
                               config, config["clamp_to"], config["invariance"])
        losses.append(out["loss"].item())
        optimizer.step()
    tensors["losses"] = torch.tensor(losses, dtype=torch.float64)
    write_safetensors(path, {"model": "dc-ign", "config": json.dumps(config)}, tensors)
    print(f"{path}: {path.stat().st_size} bytes, losses {losses[0]:.6f} ... {losses[-1]:.6f}")


if __name__ == "__main__":
    folder = folder_to_write_to(__doc__.splitlines()[0])
    for seed, (name, config) in enumerate(CONFIGS.items()):
        write_golden(folder / f"dc_ign_{name}.safetensors", config, torch.Generator().manual_seed(seed))
