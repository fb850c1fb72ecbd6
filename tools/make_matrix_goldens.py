#!/usr/bin/env python3
"""Writes tests/golden/matrix_capsnet_*.safetensors: small matrix capsule networks computed with PyTorch in float64.

    python3 tools/make_matrix_goldens.py [FOLDER]

Written from the paper (Hinton, Sabour, Frosst 2018, Procedure 1), vote by vote: each is one small matrix
product, kept in a dictionary under its child and its parent, and what a sum or a softmax runs over is looked
up there. The gradients are autograd's. Drawing, rounding and writing are those of make_goldens.py.
"""

import math

import torch
import torch.nn.functional as F

from make_goldens import convolution, margin_loss, write_goldens

MASS_EPSILON = 1e-7

DEFAULTS = dict(
    height=15, width=15, channels=1, classes=3, conv_kernel=5, conv_stride=2, conv_filters=4,
    primary_types=3, pose="matrix", pose_size=16,
    capsules1_types=3, capsules1_kernel=3, capsules1_stride=2,
    capsules2_types=0, capsules2_kernel=3, capsules2_stride=1,
    coordinate_scale=1.0, loss="spread", margin_schedule="linear",
    margin_present=0.9, margin_absent=0.1, margin_absent_weight=0.5,
    routing="em", routing_iterations=3, routing_inverse_temperature=0.01, routing_temperature_decay=0.95,
    routing_cost_reference=0.0, routing_variance_floor=5e-4, routing_per_field=False,
    routing_likelihood=1.0, class_temperature=1.0)

CONFIGS = dict(
    # As in the paper: a layer of stride 2, whose last row has no parent, and one of stride 1.
    paper=dict(height=24, width=22, channels=2, conv_filters=5, capsules2_types=2,
               routing_iterations=2),
    # Three iterations, costs relative to the number of children, a power of the likelihood, a class layer of
    # its own temperature.
    relative=dict(classes=4, capsules1_stride=1, capsules1_types=2, routing_inverse_temperature=1.0,
                  routing_cost_reference=1.0, class_temperature=0.25, margin_schedule="sigmoid",
                  coordinate_scale=0.0, routing_variance_floor=0.01, routing_likelihood=0.25),
    # Vector poses, one iteration, children that divide themselves among the parents of a place.
    vector=dict(height=13, width=11, pose="vector", primary_types=2, capsules1_types=2, capsules1_kernel=2,
                routing_iterations=1, loss="cross-entropy"),
    # The same division, with two iterations and the margin loss.
    fields=dict(capsules1_kernel=2, capsules1_stride=1, primary_types=2, routing_iterations=2,
                routing_per_field=True, routing_inverse_temperature=0.3, routing_cost_reference=2.0,
                loss="margin", coordinate_scale=0.1))


# ---- the network ------------------------------------------------------------------------------------

def pose_shape(config):
    """Rows of a pose, and columns of it, of a transform and of a vote."""
    if config["pose"] == "vector":
        return 1, config["pose_size"]
    side = math.isqrt(config["pose_size"])
    return side, side


def votes_of(poses, w, stride, shared, coordinate_scale, config):
    """poses (B, H, W, I, D), w (KH, KW, I, J, inner, columns) -> (child, parent) -> (B, D). A shared w has one
    transform for all places of a grid that one parent position sees whole."""
    batch, height, width, types, _ = poses.shape
    rows, columns = pose_shape(config)
    kernel_height, kernel_width = (height, width) if shared else w.shape[:2]
    votes = {}
    for row in range((height - kernel_height) // stride + 1):
        for column in range((width - kernel_width) // stride + 1):
            for dy in range(kernel_height):
                for dx in range(kernel_width):
                    for i in range(types):
                        for j in range(w.shape[3]):
                            y, x = row * stride + dy, column * stride + dx
                            transform = w[0, 0, i, j] if shared else w[dy, dx, i, j]
                            vote = poses[:, y, x, i].reshape(batch, rows, columns) @ transform
                            place = torch.zeros(rows, columns, dtype=poses.dtype)
                            # Down the right-hand column of a matrix, at the start of a vector.
                            first = (0, columns - 1) if rows > 1 else (0, 0)
                            second = (1, columns - 1) if rows > 1 else (0, 1)
                            place[first] = coordinate_scale * (y + 0.5) / height
                            place[second] = coordinate_scale * (x + 0.5) / width
                            votes[(y, x, i), (row, column, j)] = (vote + place).reshape(batch, -1)
    return votes


def group_by(keys, what):
    groups = {}
    for key in keys:
        groups.setdefault(what(key), []).append(key)
    return groups


def route(votes, activations, beta_u, beta_a, inverse_temperature, config):
    """Procedure 1. activations (B, H, W, I) -> parent -> pose (B, D), parent -> activation (B), and the last
    assignments."""
    of_parent = group_by(votes, lambda key: key[1])
    if config["routing_per_field"]:
        competing = group_by(votes, lambda key: (key[0], key[1][:2]))
    else:
        competing = group_by(votes, lambda key: key[0])
    cost_scale = 1.0
    if config["routing_cost_reference"] > 0:  # over the mass that a parent has if all children are active
        cost_scale = config["routing_cost_reference"] / (len(competing) / len(of_parent))
    assigned = {key: torch.full((len(activations),), 1 / len(group), dtype=activations.dtype)
                for group in competing.values() for key in group}
    for iteration in range(config["routing_iterations"]):
        mean, variance, logit = {}, {}, {}
        lambda_ = inverse_temperature * (1 - config["routing_temperature_decay"] ** (iteration + 1))
        for parent, keys in of_parent.items():
            r = [(assigned[key] * activations[:, key[0][0], key[0][1], key[0][2]]).unsqueeze(1) for key in keys]
            mass = sum(r)
            mean[parent] = sum(r_i * votes[key] for r_i, key in zip(r, keys)) / (mass + MASS_EPSILON)
            variance[parent] = (sum(r_i * (votes[key] - mean[parent]) ** 2 for r_i, key in zip(r, keys))
                                / (mass + MASS_EPSILON) + config["routing_variance_floor"])
            j = parent[2]
            cost = ((beta_u[j] + 0.5 * torch.log(variance[parent])) * mass).sum(1) * cost_scale
            logit[parent] = lambda_ * (beta_a[j] - cost)
        if iteration + 1 == config["routing_iterations"]:
            return mean, {parent: torch.sigmoid(z) for parent, z in logit.items()}, assigned
        for keys in competing.values():
            log_posterior = []
            for key in keys:
                m, v = mean[key[1]], variance[key[1]]
                log_p = -((votes[key] - m) ** 2 / (2 * v) + 0.5 * torch.log(2 * math.pi * v)).sum(1)
                log_posterior.append(F.logsigmoid(logit[key[1]]) + config["routing_likelihood"] * log_p)
            for key, r in zip(keys, torch.softmax(torch.stack(log_posterior), 0)):
                assigned[key] = r


def capsule_layer(name, children, p, out, config, stride=1, is_class_layer=False):
    """children: poses (B, H, W, I, D) and activations (B, H, W, I) -> those of the parents."""
    poses, activations = children
    w = p[f"{name}.weight"]
    votes = votes_of(poses, w, stride, is_class_layer,
                     config["coordinate_scale"] if is_class_layer else 0.0, config)
    mean, activation, assigned = route(
        votes, activations, p[f"{name}.beta_u"], p[f"{name}.beta_a"],
        config["routing_inverse_temperature"] * (config["class_temperature"] if is_class_layer else 1.0),
        config)
    rows = 1 + max(parent[0] for parent in mean)
    columns = 1 + max(parent[1] for parent in mean)
    places = [(row, column, j) for row in range(rows) for column in range(columns) for j in range(w.shape[3])]
    shape = (len(poses), rows, columns, w.shape[3])
    out[f"{name}.poses"] = torch.stack([mean[place] for place in places], 1).reshape(*shape, -1)
    out[f"{name}.activations"] = torch.stack([activation[place] for place in places], 1).reshape(shape)
    out[f"_{name}.couplings"] = assigned
    return out[f"{name}.poses"], out[f"{name}.activations"]


def loss_of(activations, labels, config):
    if config["loss"] == "margin":
        return margin_loss(activations, labels, config)
    if config["loss"] == "cross-entropy":
        return sum(torch.logsumexp(a, 0) - a[t] for a, t in zip(activations, labels)) / len(labels)
    # Equation 3, with the margin of the end of training.
    margin = 0.9 if config["margin_schedule"] == "linear" else 0.2 + 0.79 / (1 + math.exp(-10))
    return sum(torch.clamp(margin - (a[t] - a[i]), min=0) ** 2
               for a, t in zip(activations, labels) for i in range(len(a)) if i != t) / len(labels)


def forward(p, images, labels, config):
    """Every layer's output, and the loss."""
    out = {}
    before_relu = convolution(images, p["conv1.weight"], config["conv_stride"], "valid") + p["conv1.bias"]
    out["conv1"] = torch.relu(before_relu)
    poses = convolution(out["conv1"], p["primary.pose.weight"], 1, "valid") + p["primary.pose.bias"]
    logits = convolution(out["conv1"], p["primary.activation.weight"], 1, "valid")
    out["primary.poses"] = poses.reshape(*poses.shape[:3], config["primary_types"], config["pose_size"])
    out["primary.activations"] = torch.sigmoid(logits + p["primary.activation.bias"])
    capsules = out["primary.poses"], out["primary.activations"]
    for name in ("capsules1", "capsules2"):
        if config[f"{name}_types"] > 0:
            capsules = capsule_layer(name, capsules, p, out, config, config[f"{name}_stride"])
    capsule_layer("classes", capsules, p, out, config, is_class_layer=True)
    out["loss"] = loss_of(out["classes.activations"][:, 0, 0], labels, config)
    out["_closest_to_a_kink"] = before_relu.abs().min()
    return out


# ---- parameters -------------------------------------------------------------------------------------

def draw_parameters(config, random):
    """Large enough that the votes disagree, the assignments move and no activation is 0 or 1."""
    kernel, filters, pose = config["conv_kernel"], config["conv_filters"], config["pose_size"]

    def normal(deviation, *shape):
        return torch.randn(*shape, dtype=torch.float64, generator=random) * deviation

    types = config["primary_types"]
    p = {"conv1.weight": normal(1.5 / kernel, kernel, kernel, config["channels"], filters),
         "conv1.bias": 0.05 + normal(0.05, filters),
         "primary.pose.weight": normal(0.6 / filters ** 0.5, 1, 1, filters, types * pose),
         "primary.pose.bias": normal(0.1, types * pose),
         "primary.activation.weight": normal(1, 1, 1, filters, types),
         "primary.activation.bias": normal(0.3, types)}
    _, side = pose_shape(config)
    for name, kernel, parents in (("capsules1", config["capsules1_kernel"], config["capsules1_types"]),
                                  ("capsules2", config["capsules2_kernel"], config["capsules2_types"]),
                                  ("classes", 1, config["classes"])):
        if parents == 0:
            continue
        # Of the last iteration.
        lambda_ = config["routing_inverse_temperature"] * (
            1 - config["routing_temperature_decay"] ** config["routing_iterations"])
        p[f"{name}.weight"] = normal(0.7 / side ** 0.5, kernel, kernel, types, parents, side, side)
        p[f"{name}.beta_u"] = 1 + normal(0.3, parents)
        p[f"{name}.beta_a"] = normal(1 / lambda_, parents)
        types = parents
    return {name: value.float().double().requires_grad_() for name, value in p.items()}


def check_is_telling(out, labels, config):
    """A golden near a kink, with idle assignments or saturated activations would prove little."""
    assert out["_closest_to_a_kink"] > 1e-5
    for name, value in out.items():
        if name.endswith("activations"):
            assert 0.001 < value.min() and value.max() < 0.999 and value.max() - value.min() > 0.05, (name, value)
        if name.endswith("couplings") and config["routing_iterations"] > 1:
            spread = max(r.max() for r in value.values()) - min(r.min() for r in value.values())
            assert spread > 0.3, (name, spread)
    a = out["classes.activations"][:, 0, 0]
    if config["loss"] == "spread":
        margin = 0.9
        gaps = [margin - (a[b, t] - a[b, i]) for b, t in enumerate(labels) for i in range(len(a[b])) if i != t]
        assert min(abs(gap) for gap in gaps) > 0.01 and max(gaps) > 0.1, gaps


if __name__ == "__main__":
    write_goldens(__doc__.splitlines()[0], "matrix-capsnet", DEFAULTS, CONFIGS, draw_parameters, forward,
                  check_is_telling)
