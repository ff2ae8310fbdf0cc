"""Golden numbers from PyTorch, the outside authority for Striate's ops, optimizers, schedules, losses and counts.

Run from anywhere, with Python 3.10 or newer; a plain `pip install torch` is all it needs (CPU is enough):

    python3 tests/golden/make.py            # writes the JSON files beside this script
    python3 tests/golden/make.py --check    # only reloads the files and checks them

Everything is computed in float64 and rounded to 7 significant digits. Random inputs are rounded to 3 decimals before
use, so a reader computes from the very numbers that made the output. Each case has its own fixed seed, taken from its
name: adding a case leaves the others alone. The PyTorch version stands in each file's `made_by`.

ops.json        One op: inputs, parameters, output; `grads` is the gradient of sum(output * grad_output). `op` is the
                serde form of `op::Op`. `training` is true unless the case is about evaluation (batch norm, dropout).
optimizers.json `after` holds the four numbers after each step. `optimizer` is the serde form of `graph::Optimizer`.
schedules.json  `factors[i]` belongs to step i. `schedule` is the serde form of `graph::Schedule`.
losses.json     `spec` is the serde form of `graph::Loss`; `classes` in row-major order, one per image or per pixel.
models.json     Parameter counts (trained, and state apart), output shapes and MACs for one image.
"""

import json
import sys

# Only sources and results belong in this folder.
sys.dont_write_bytecode = True

import torch
import torch.nn.functional as F
from torch import nn

from check import check
from common import HERE, MADE_BY, normal, numbers, pack, rounded, seed, short
from ops import ops

# Optimizers


def optimizers():
    def sgd(momentum, nesterov):
        spec = {"kind": "sgd", "momentum": momentum, "nesterov": nesterov}
        return spec, lambda p, lr, wd: torch.optim.SGD(p, lr, momentum, weight_decay=wd, nesterov=nesterov)

    def adam(kind, eps=1e-8, betas=(0.9, 0.999)):
        cls = {"adam": torch.optim.Adam, "adam_w": torch.optim.AdamW}[kind]
        spec = {"kind": kind, "beta1": betas[0], "beta2": betas[1], "eps": eps}
        return spec, lambda p, lr, wd: cls(p, lr, betas, eps, weight_decay=wd)

    def rms_prop(momentum, alpha=0.99, eps=1e-8):
        spec = {"kind": "rms_prop", "alpha": alpha, "momentum": momentum, "eps": eps}
        return spec, lambda p, lr, wd: torch.optim.RMSprop(p, lr, alpha, eps, wd, momentum)

    # A large eps shows whether it is added inside or outside of the root.
    table = [
        ("sgd", 0.1, *sgd(0.0, False)),
        ("momentum", 0.1, *sgd(0.9, False)),
        ("nesterov", 0.1, *sgd(0.9, True)),
        ("adam", 0.01, *adam("adam")),
        ("adam_large_eps", 0.01, *adam("adam", 0.1, (0.8, 0.95))),
        ("adamw", 0.01, *adam("adam_w")),
        ("adamw_large_eps", 0.01, *adam("adam_w", 0.1, (0.8, 0.95))),
        ("rmsprop", 0.01, *rms_prop(0.0)),
        ("rmsprop_momentum", 0.01, *rms_prop(0.9)),
        ("rmsprop_large_eps", 0.01, *rms_prop(0.0, 0.9, 0.1)),
    ]
    cases = []
    for name, lr, spec, make in table:
        for decay in (0.0, 0.01):
            title = name if decay == 0.0 else f"{name}_weight_decay"
            seed(title)
            start = normal(4)
            weights = start.clone().requires_grad_()
            optimizer = make([weights], lr, decay)
            grads = [normal(4) for _ in range(3)]
            after = []
            for grad in grads:
                weights.grad = grad.clone()
                optimizer.step()
                after.append(numbers(weights))
            cases.append(
                {
                    "name": title,
                    "optimizer": spec,
                    "lr": lr,
                    "weight_decay": decay,
                    "start": numbers(start),
                    "grads": [numbers(g) for g in grads],
                    "after": after,
                }
            )
    return {"made_by": MADE_BY, "cases": cases}


# Schedules


def schedules():
    from torch.optim import lr_scheduler as lr

    cases = []

    def add(name, schedule, total, per_epoch, count, make):
        weights = torch.zeros(1, requires_grad=True)
        optimizer = torch.optim.SGD([weights], 1.0)
        scheduler = make(optimizer)
        factors = []
        for i in range(count):
            factors.append(short(optimizer.param_groups[0]["lr"]))
            optimizer.step()
            if i + 1 < count:
                scheduler.step()
        cases.append({"name": name, "schedule": schedule, "total": total, "per_epoch": per_epoch, "factors": factors})

    for total in (20, 100, 7):
        add(
            f"one_cycle_{total}",
            {"kind": "one_cycle"},
            total,
            total,
            total,
            lambda o, total=total: lr.OneCycleLR(o, max_lr=1.0, total_steps=total, cycle_momentum=False),
        )
    for floor in (0.0, 0.1):
        # One more than the steps of a run: the last factor is the floor.
        add(
            f"cosine_floor_{floor}".replace(".", "_"),
            {"kind": "cosine", "floor": floor},
            20,
            5,
            21,
            lambda o, floor=floor: lr.CosineAnnealingLR(o, T_max=20, eta_min=floor),
        )
    add(
        "step_every_3_epochs_of_1",
        {"kind": "step", "every_epochs": 3, "gamma": 0.1},
        10,
        1,
        10,
        lambda o: lr.StepLR(o, 3, 0.1),
    )
    # 2 epochs of 4 steps are 8 steps.
    add(
        "step_every_2_epochs_of_4",
        {"kind": "step", "every_epochs": 2, "gamma": 0.5},
        20,
        4,
        20,
        lambda o: lr.StepLR(o, 8, 0.5),
    )
    # 2 epochs of 4 steps: 1/8, 2/8 ... 8/8, which is LinearLR from 1/8 over 7 steps.
    add(
        "warm_up_2_epochs_of_4",
        {"kind": "warm_up", "epochs": 2.0},
        20,
        4,
        20,
        lambda o: lr.LinearLR(o, 1.0 / 8.0, 1.0, 7),
    )
    return {"made_by": MADE_BY, "cases": cases}


# Losses


def losses():
    cases = []

    def add(name, spec, shape, function):
        seed(name)
        logits = rounded(torch.randn(*shape) * 2.0).requires_grad_()
        classes = torch.randint(0, shape[1], (shape[0], *shape[2:]))
        loss = function(logits, classes)
        loss.backward()
        cases.append(
            {
                "name": name,
                "spec": spec,
                "logits": pack(logits),
                "classes": classes.flatten().tolist(),
                "loss": short(loss.item()),
                "grad": pack(logits.grad),
            }
        )

    def one_hot(logits, classes):
        return F.one_hot(classes, logits.shape[1]).movedim(-1, 1).to(logits.dtype)

    # Means: over images for cross entropy (over pixels for a map), over all numbers for the other two.
    for kind, shape in (("", (4, 5)), ("_two_classes", (3, 2)), ("_map", (2, 3, 2, 2))):
        for smoothing in (0.0, 0.1):
            tail = kind + ("_smoothed" if smoothing else "")
            add(
                f"cross_entropy{tail}",
                {"kind": "cross_entropy", "label_smoothing": smoothing},
                shape,
                lambda x, c, s=smoothing: F.cross_entropy(x, c, label_smoothing=s),
            )
            add(
                f"binary_cross_entropy{tail}",
                {"kind": "binary_cross_entropy", "label_smoothing": smoothing},
                shape,
                lambda x, c, s=smoothing: F.binary_cross_entropy_with_logits(x, one_hot(x, c) * (1 - s) + s / 2),
            )
        add(
            f"mean_squared_error{kind}",
            {"kind": "mean_squared_error"},
            shape,
            lambda x, c: F.mse_loss(x, one_hot(x, c)),
        )
    return {"made_by": MADE_BY, "cases": cases}


# Models


class BasicBlock(nn.Module):
    """He et al. 2015, as torchvision names its parts; a 1x1 convolution on the shortcut where the shape changes."""

    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = None
        if stride != 1 or inputs != filters:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + shortcut)


def models():
    from collections import OrderedDict
    from torch.utils.flop_counter import FlopCounterMode

    lenet5 = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5),
            tanh1=nn.Tanh(),
            pool1=nn.AvgPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            tanh2=nn.Tanh(),
            pool2=nn.AvgPool2d(2),
            conv3=nn.Conv2d(16, 120, 5),
            tanh3=nn.Tanh(),
            flatten=nn.Flatten(),
            fc1=nn.Linear(120, 84),
            tanh4=nn.Tanh(),
            fc2=nn.Linear(84, 10),
        )
    )
    lenet5_dense = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5),
            tanh1=nn.Tanh(),
            pool1=nn.AvgPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            tanh2=nn.Tanh(),
            pool2=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            fc1=nn.Linear(400, 120),
            tanh3=nn.Tanh(),
            fc2=nn.Linear(120, 84),
            tanh4=nn.Tanh(),
            fc3=nn.Linear(84, 10),
        )
    )
    mnist_cnn = nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 32, 3, padding="same"),
            relu1=nn.ReLU(),
            conv2=nn.Conv2d(32, 64, 3, padding="same"),
            relu2=nn.ReLU(),
            pool=nn.MaxPool2d(2),
            dropout1=nn.Dropout(0.25),
            flatten=nn.Flatten(),
            fc1=nn.Linear(64 * 14 * 14, 128),
            relu3=nn.ReLU(),
            dropout2=nn.Dropout(0.5),
            fc2=nn.Linear(128, 10),
        )
    )
    table = [
        ("lenet5_conv_120", lenet5, (1, 32, 32)),
        ("lenet5_dense_120", lenet5_dense, (1, 32, 32)),
        ("mnist_cnn", mnist_cnn, (1, 28, 28)),
        ("basic_block_64_64", BasicBlock(64, 64, 1), (64, 56, 56)),
        ("basic_block_64_128_stride_2", BasicBlock(64, 128, 2), (64, 56, 56)),
    ]
    records = []
    for name, model, shape in table:
        model.eval()
        layers = []

        def watch(path):
            def hook(module, _, output):
                layers.append(
                    {
                        "name": path,
                        "kind": type(module).__name__,
                        "output": list(output.shape[1:]),
                        "parameters": sum(p.numel() for p in module.parameters()),
                    }
                )

            return hook

        for path, module in model.named_modules():
            if not list(module.children()):
                module.register_forward_hook(watch(path))
        # PyTorch counts a multiply-add as two operations, biases not at all.
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            model(torch.zeros(1, *shape))
        records.append(
            {
                "name": name,
                "input": list(shape),
                "parameters": sum(p.numel() for p in model.parameters()),
                # Running means and variances; not PyTorch's num_batches_tracked.
                "state": sum(b.numel() for key, b in model.named_buffers() if "num_batches" not in key),
                "macs": counter.get_total_flops() // 2,
                "layers": layers,
            }
        )
    return {"made_by": MADE_BY, "models": records}


# Files

FILES = {"ops": ops, "optimizers": optimizers, "schedules": schedules, "losses": losses, "models": models}


def write(name, content):
    """One case a line, so that a change shows as the case it is."""
    (key, rows), = [(k, v) for k, v in content.items() if k != "made_by"]
    lines = ",\n".join(json.dumps(row, separators=(",", ":"), allow_nan=False) for row in rows)
    text = f'{{"made_by":{json.dumps(content["made_by"])},"{key}":[\n{lines}\n]}}\n'
    (HERE / f"{name}.json").write_text(text, encoding="utf-8")


def main():
    print(MADE_BY)
    if "--check" not in sys.argv[1:]:
        for name, make in FILES.items():
            write(name, make())
    check()


if __name__ == "__main__":
    main()
