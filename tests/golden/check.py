"""Reloads the golden files and checks them against themselves and against hand arithmetic; needs no PyTorch."""

import json
import math
from pathlib import Path

HERE = Path(__file__).parent
NAMES = ("ops", "optimizers", "schedules", "losses", "models")


def check():
    """Shapes agree with data, gradients with what they belong to, and a few results with hand arithmetic."""

    def tensors(value):
        if isinstance(value, dict):
            if set(value) == {"shape", "data"}:
                yield value
            else:
                for inner in value.values():
                    yield from tensors(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from tensors(inner)

    loaded = {name: json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES}
    for name, content in loaded.items():
        rows = content.get("cases") or content["models"]
        names = [row["name"] for row in rows]
        assert len(names) == len(set(names)), f"{name}: every name must be its own"
        for tensor in tensors(content):
            assert math.prod(tensor["shape"]) == len(tensor["data"]), f"{name}: shape and data must agree"
            assert all(math.isfinite(v) for v in tensor["data"]), f"{name}: numbers must be finite"
        print(f"{name}.json: {len(rows)} cases, {(HERE / f'{name}.json').stat().st_size} bytes")
    for row in loaded["ops"]["cases"]:
        assert row["output"]["shape"] == row["grad_output"]["shape"], row["name"]
        owners = {f"input{i}": x for i, x in enumerate(row["inputs"])}
        owners |= {key: p for key, p in row["params"].items() if not key.startswith("running")}
        assert set(owners) == set(row["grads"]), row["name"]
        for key, owner in owners.items():
            assert owner["shape"] == row["grads"][key]["shape"], (row["name"], key)
        has_state = "BatchNorm" in row["op"] and row["training"]
        assert has_state == ("after" in row), row["name"]
    by_name = {row["name"]: row for row in loaded["ops"]["cases"]}
    check_conv(by_name["conv2d_asymmetric_pads"])
    check_lrn(by_name["lrn_5_maps_strong"])
    # LeNet-5: 156 + 2,416 + 48,120 + 10,164 + 850 = 61,706, whether the third layer is a convolution or dense.
    assert [m["parameters"] for m in loaded["models"]["models"][:2]] == [61_706, 61_706]
    # 320 + 18,496 + (12,544 + 1) * 128 + 129 * 10 = 1,625,866.
    assert loaded["models"]["models"][2]["parameters"] == 1_625_866


def check_conv(row):
    """Six nested loops and no library."""
    op, x, weight = row["op"]["Conv2d"], row["inputs"][0], row["params"]["weight"]
    n, c, h, w = x["shape"]
    _, _, kh, kw = weight["shape"]
    _, filters, oh, ow = row["output"]["shape"]
    for flat, expected in enumerate(row["output"]["data"]):
        image, f, y, z = flat // (filters * oh * ow), flat // (oh * ow) % filters, flat // ow % oh, flat % ow
        total = row["params"]["bias"]["data"][f]
        for channel in range(c):
            for i in range(kh):
                for j in range(kw):
                    r, s = y + i - op["pads"]["top"], z + j - op["pads"]["left"]
                    if 0 <= r < h and 0 <= s < w:
                        total += (
                            x["data"][((image * c + channel) * h + r) * w + s]
                            * weight["data"][((f * c + channel) * kh + i) * kw + j]
                        )
        assert abs(total - expected) < 1e-5, (row["name"], flat)


def check_lrn(row):
    """x / (k + alpha * sum of squares over the window)^beta, the sum not divided."""
    op, x = row["op"]["Lrn"], row["inputs"][0]
    n, c, h, w = x["shape"]
    for flat, expected in enumerate(row["output"]["data"]):
        channel, pixel = flat // (h * w) % c, flat % (h * w)
        reach = op["window"] // 2
        near = range(max(0, channel - reach), min(c, channel + reach + 1))
        start = flat // (c * h * w) * c
        squares = sum(x["data"][(start + other) * h * w + pixel] ** 2 for other in near)
        total = x["data"][flat] / (op["k"] + op["alpha"] * squares) ** op["beta"]
        assert abs(total - expected) < 1e-6, (row["name"], flat)
