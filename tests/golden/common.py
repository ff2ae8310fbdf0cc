"""How numbers are drawn, rounded and written; shared by the scripts of this folder."""

import math
import zlib
from pathlib import Path

import torch

HERE = Path(__file__).parent
MADE_BY = f"PyTorch {torch.__version__}, float64 on the CPU, by tests/golden/make.py"
torch.set_default_dtype(torch.float64)
torch.use_deterministic_algorithms(True)


def short(value):
    """Seven significant digits, never minus zero."""
    return float(f"{value:.7g}") + 0.0


def numbers(tensor):
    return [short(v) for v in tensor.detach().flatten().tolist()]


def pack(tensor):
    return {"shape": list(tensor.shape), "data": numbers(tensor)}


def seed(name):
    torch.manual_seed(zlib.crc32(name.encode()))


def rounded(tensor):
    return torch.round(tensor, decimals=3) + 0.0


def normal(*shape):
    return rounded(torch.randn(*shape))


def distinct(*shape):
    """No two numbers alike, so that every window has one maximum."""
    count = math.prod(shape)
    return rounded((torch.randperm(count) - count / 2 + 0.25) * (4.0 / count)).reshape(shape)


def off_the_kinks(*shape):
    """In -5..8, at least 0.05 from the points where a piecewise function bends (-3, 0, 3, 6)."""
    x = rounded(torch.rand(*shape) * 13.0 - 5.0)
    for kink in (-3.0, 0.0, 3.0, 6.0):
        x = torch.where((x - kink).abs() < 0.05, x + 0.2, x)
    return rounded(x)
