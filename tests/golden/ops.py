"""The cases of ops.json: every op of `op::Op` but Cast, with its gradients."""

import math

import torch
import torch.nn.functional as F

from common import MADE_BY, distinct, normal, off_the_kinks, pack, rounded, seed

OPS = []


def case(name, op, inputs, forward, params=None, state=None, training=True):
    """Runs `forward(inputs, params, state)` and records it with its gradients.

    `inputs` are functions of no arguments, called after seeding; `params` and `state` map names to such functions.
    """
    seed(name)
    xs = [make().requires_grad_() for make in inputs]
    ps = {key: make().requires_grad_() for key, make in (params or {}).items()}
    before = {key: make() for key, make in (state or {}).items()}
    running = {key: value.clone() for key, value in before.items()}
    out = forward(xs, ps, running)
    grad = normal(*out.shape)
    out.backward(grad)
    record = {
        "name": name,
        "op": op,
        "training": training,
        "inputs": [pack(x) for x in xs],
        "params": {key: pack(p) for key, p in {**ps, **before}.items()},
        "output": pack(out),
        "grad_output": pack(grad),
        "grads": {
            **{f"input{i}": pack(x.grad) for i, x in enumerate(xs)},
            **{key: pack(p.grad) for key, p in ps.items()},
        },
    }
    if before and training:
        record["after"] = {key: pack(value) for key, value in running.items()}
    OPS.append(record)


def of(make, *shape):
    return lambda: make(*shape)


def pads_json(pads):
    top, bottom, left, right = pads
    return {"top": top, "bottom": bottom, "left": left, "right": right}


def padded(x, pads, value=0.0):
    """F.pad counts from the last axis."""
    top, bottom, left, right = pads
    return F.pad(x, (left, right, top, bottom), value=value)


def same_pads(size, kernel, stride=(1, 1), dilation=(1, 1)):
    """TensorFlow's rule: ceil(n / stride) outputs, the odd pixel of padding at the end."""
    result = []
    for n, k, s, d in zip(size, kernel, stride, dilation):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        result += [total // 2, total - total // 2]
    return tuple(result)


def conv(name, x, filters, kernel, stride=(1, 1), dilation=(1, 1), groups=1, pads=(0, 0, 0, 0), bias=True):
    op = {
        "Conv2d": {
            "filters": filters,
            "kernel": list(kernel),
            "stride": list(stride),
            "dilation": list(dilation),
            "groups": groups,
            "pads": pads_json(pads),
            "bias": bias,
        }
    }
    params = {"weight": of(normal, filters, x[1] // groups, *kernel)}
    if bias:
        params["bias"] = of(normal, filters)

    def forward(xs, ps, _):
        return F.conv2d(padded(xs[0], pads), ps["weight"], ps.get("bias"), stride, 0, dilation, groups)

    case(f"conv2d_{name}", op, [of(normal, *x)], forward, params)


def conv_transpose(
    name, x, filters, kernel, stride=(1, 1), dilation=(1, 1), groups=1, padding=(0, 0), output_padding=(0, 0), bias=True
):
    op = {
        "ConvTranspose2d": {
            "filters": filters,
            "kernel": list(kernel),
            "stride": list(stride),
            "dilation": list(dilation),
            "groups": groups,
            "padding": list(padding),
            "output_padding": list(output_padding),
            "bias": bias,
        }
    }
    params = {"weight": of(normal, x[1], filters // groups, *kernel)}
    if bias:
        params["bias"] = of(normal, filters)

    def forward(xs, ps, _):
        return F.conv_transpose2d(
            xs[0], ps["weight"], ps.get("bias"), stride, padding, output_padding, groups, dilation
        )

    case(f"conv_transpose2d_{name}", op, [of(normal, *x)], forward, params)


def max_pool(name, x, kernel, stride, pads=(0, 0, 0, 0), ceil=False):
    op = {"MaxPool": {"kernel": list(kernel), "stride": list(stride), "pads": pads_json(pads), "ceil": ceil}}

    def forward(xs, _, __):
        if (pads[0], pads[2]) == (pads[1], pads[3]):
            return F.max_pool2d(xs[0], kernel, stride, (pads[0], pads[2]), ceil_mode=ceil)
        assert not ceil, "with F.pad PyTorch would no longer know where the padding begins"
        return F.max_pool2d(padded(xs[0], pads, -math.inf), kernel, stride)

    case(f"max_pool_{name}", op, [of(distinct, *x)], forward)


def avg_pool(name, x, kernel, stride, pads=(0, 0, 0, 0), ceil=False, count_padding=True):
    op = {
        "AvgPool": {
            "kernel": list(kernel),
            "stride": list(stride),
            "pads": pads_json(pads),
            "ceil": ceil,
            "count_padding": count_padding,
        }
    }

    def forward(xs, _, __):
        if (pads[0], pads[2]) == (pads[1], pads[3]):
            return F.avg_pool2d(xs[0], kernel, stride, (pads[0], pads[2]), ceil, count_padding)
        assert not ceil, "with F.pad PyTorch would no longer know where the padding begins"
        mean = F.avg_pool2d(padded(xs[0], pads), kernel, stride)
        if count_padding:
            return mean
        # The share of real pixels in each window turns a mean over the window into a mean over those pixels.
        return mean / F.avg_pool2d(padded(torch.ones_like(xs[0]), pads), kernel, stride)

    case(f"avg_pool_{name}", op, [of(normal, *x)], forward)


def batch_norm(name, x, training, eps=1e-5, momentum=0.1):
    def forward(xs, ps, running):
        return F.batch_norm(
            xs[0], running["running_mean"], running["running_var"], ps["weight"], ps["bias"], training, momentum, eps
        )

    case(
        f"batch_norm_{name}",
        {"BatchNorm": {"eps": eps, "momentum": momentum}},
        [of(normal, *x)],
        forward,
        {"weight": of(normal, x[1]), "bias": of(normal, x[1])},
        {"running_mean": of(normal, x[1]), "running_var": lambda: rounded(torch.rand(x[1]) + 0.5)},
        training,
    )


def layer_norm(name, x, eps=1e-5):
    def forward(xs, ps, _):
        # Over the channels of each position: channels last, normalise, and back.
        last = xs[0].movedim(1, -1)
        return F.layer_norm(last, (x[1],), ps["weight"], ps["bias"], eps).movedim(-1, 1)

    params = {"weight": of(normal, x[1]), "bias": of(normal, x[1])}
    case(f"layer_norm_{name}", {"LayerNorm": {"eps": eps}}, [of(normal, *x)], forward, params)


def group_norm(name, x, groups, eps=1e-5):
    def forward(xs, ps, _):
        return F.group_norm(xs[0], groups, ps["weight"], ps["bias"], eps)

    params = {"weight": of(normal, x[1]), "bias": of(normal, x[1])}
    case(f"group_norm_{name}", {"GroupNorm": {"groups": groups, "eps": eps}}, [of(normal, *x)], forward, params)


def lrn(name, x, window, alpha, beta, k):
    # PyTorch divides the sum by the window; here alpha multiplies the plain sum, hence alpha * window.
    # Odd windows only: PyTorch puts the odd neighbour of an even window before the channel (window // 2 before,
    # (window - 1) // 2 after), ONNX puts it after, and the paper's formula takes window + 1 maps.
    assert window % 2 == 1

    def forward(xs, _, __):
        return F.local_response_norm(xs[0], window, alpha * window, beta, k)

    op = {"Lrn": {"window": window, "alpha": alpha, "beta": beta, "k": k}}
    case(f"lrn_{name}", op, [of(normal, *x)], forward)


def dense(name, x, features, bias):
    params = {"weight": of(normal, features, x[1])}
    if bias:
        params["bias"] = of(normal, features)

    def forward(xs, ps, _):
        return F.linear(xs[0], ps["weight"], ps.get("bias"))

    case(f"dense_{name}", {"Dense": {"features": features, "bias": bias}}, [of(normal, *x)], forward, params)


def plain(name, op, inputs, function, training=True, make=normal):
    """An op without parameters."""
    case(name, op, [of(make, *shape) for shape in inputs], lambda xs, _, __: function(*xs), training=training)


ACTIVATIONS = [
    ("relu", "Relu", F.relu),
    ("relu6", "Relu6", F.relu6),
    ("leaky_relu", {"LeakyRelu": {"slope": 0.01}}, lambda x: F.leaky_relu(x, 0.01)),
    ("leaky_relu_slope_0_2", {"LeakyRelu": {"slope": 0.2}}, lambda x: F.leaky_relu(x, 0.2)),
    ("elu", {"Elu": {"alpha": 1.0}}, lambda x: F.elu(x, 1.0)),
    ("elu_alpha_0_5", {"Elu": {"alpha": 0.5}}, lambda x: F.elu(x, 0.5)),
    ("selu", "Selu", F.selu),
    ("gelu", "Gelu", lambda x: F.gelu(x, approximate="none")),
    ("silu", "Silu", F.silu),
    ("hard_swish", "HardSwish", F.hardswish),
    ("hard_sigmoid", "HardSigmoid", F.hardsigmoid),
    ("sigmoid", "Sigmoid", torch.sigmoid),
    ("tanh", "Tanh", torch.tanh),
    ("softmax", "Softmax", lambda x: F.softmax(x, dim=1)),
]


def ops():
    x = (2, 3, 5, 6)
    conv("plain", x, 4, (3, 3))
    conv("padding_1", x, 2, (3, 3), pads=(1, 1, 1, 1))
    conv("no_bias", x, 2, (3, 3), bias=False)
    conv("1x1", x, 4, (1, 1))
    conv("1x1_stride_2", x, 2, (1, 1), stride=(2, 2))
    conv("stride_2", x, 2, (3, 3), stride=(2, 2))
    conv("stride_2_padding_1", (2, 2, 7, 6), 3, (3, 3), stride=(2, 2), pads=(1, 1, 1, 1))
    conv("stride_2x1", x, 2, (3, 3), stride=(2, 1))
    conv("rectangular_kernel", x, 2, (1, 4), pads=(0, 0, 1, 2))
    conv("dilation_2", (2, 2, 7, 6), 2, (3, 3), dilation=(2, 2))
    conv("dilation_1x2_rectangular", (1, 2, 5, 7), 2, (2, 3), dilation=(1, 2), stride=(1, 2))
    conv("groups_2", (2, 4, 4, 5), 6, (3, 3), groups=2)
    conv("depthwise", (2, 3, 5, 5), 3, (3, 3), groups=3, pads=(1, 1, 1, 1))
    conv("depthwise_multiplier_2_no_bias", (1, 3, 5, 5), 6, (3, 3), groups=3, stride=(2, 2), bias=False)
    conv("asymmetric_pads", x, 2, (3, 3), pads=(0, 2, 1, 0))
    conv("asymmetric_pads_stride_2_groups_2", (2, 4, 4, 5), 2, (3, 3), stride=(2, 2), groups=2, pads=(2, 0, 0, 1))
    for name, size, kernel, stride, dilation in [
        ("same_5x5_kernel", (6, 5), (5, 5), (1, 1), (1, 1)),
        ("same_even_kernel", (5, 5), (2, 4), (1, 1), (1, 1)),
        ("same_stride_2", (6, 5), (3, 3), (2, 2), (1, 1)),
        ("same_dilation_2", (5, 6), (3, 3), (1, 1), (2, 2)),
    ]:
        pads = same_pads(size, kernel, stride, dilation)
        conv(name, (2, 2, *size), 2, kernel, stride, dilation, pads=pads)

    t = (2, 2, 3, 4)
    conv_transpose("plain", t, 3, (3, 3))
    conv_transpose("no_bias", t, 2, (2, 2), bias=False)
    conv_transpose("stride_2", t, 3, (2, 2), stride=(2, 2))
    conv_transpose("stride_2_overlapping", t, 2, (3, 3), stride=(2, 2))
    conv_transpose("padding_1", t, 2, (3, 3), padding=(1, 1))
    conv_transpose("output_padding", t, 2, (3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1))
    conv_transpose("rectangular", t, 2, (2, 3), stride=(2, 3), padding=(0, 1), output_padding=(1, 2))
    conv_transpose("groups_2", (2, 4, 3, 3), 6, (3, 3), stride=(2, 2), groups=2)
    conv_transpose("dilation_2", t, 2, (3, 3), dilation=(2, 2), padding=(1, 1))
    conv_transpose(
        "all", (1, 4, 3, 3), 2, (3, 2), (2, 3), (2, 1), groups=2, padding=(1, 0), output_padding=(1, 2), bias=True
    )

    p = (2, 2, 6, 5)
    max_pool("2_2", p, (2, 2), (2, 2))
    max_pool("3_2_padding_1", p, (3, 3), (2, 2), (1, 1, 1, 1))
    max_pool("3_1_overlapping", p, (3, 3), (1, 1))
    max_pool("rectangular", p, (2, 3), (2, 1))
    max_pool("ceil", p, (3, 2), (2, 2), ceil=True)
    max_pool("ceil_padding_1", (2, 2, 6, 6), (3, 3), (2, 2), (1, 1, 1, 1), ceil=True)
    # 5 + 2 pixels, window 2, stride 2: the fourth window would start in the padding after the end, so there are three.
    max_pool("ceil_drops_a_window", (1, 2, 5, 5), (2, 2), (2, 2), (1, 1, 1, 1), ceil=True)
    max_pool("same_3_2", p, (3, 3), (2, 2), same_pads(p[2:], (3, 3), (2, 2)))
    max_pool("same_2_1", p, (2, 2), (1, 1), same_pads(p[2:], (2, 2)))
    max_pool("asymmetric_pads", p, (3, 3), (2, 2), (1, 0, 0, 1))
    max_pool("gap_between_windows", p, (1, 2), (3, 3))

    avg_pool("2_2", p, (2, 2), (2, 2))
    avg_pool("3_1_overlapping", p, (3, 3), (1, 1))
    avg_pool("rectangular", p, (2, 3), (2, 1))
    for counted in (True, False):
        tail = "counted" if counted else "not_counted"
        avg_pool(f"3_2_padding_1_{tail}", p, (3, 3), (2, 2), (1, 1, 1, 1), count_padding=counted)
        avg_pool(f"ceil_{tail}", p, (3, 2), (2, 2), ceil=True, count_padding=counted)
        avg_pool(
            f"ceil_padding_1_{tail}", (2, 2, 6, 6), (3, 3), (2, 2), (1, 1, 1, 1), ceil=True, count_padding=counted
        )
        avg_pool(
            f"ceil_drops_a_window_{tail}", (1, 2, 5, 5), (2, 2), (2, 2), (1, 1, 1, 1), ceil=True, count_padding=counted
        )
        avg_pool(f"same_3_2_{tail}", p, (3, 3), (2, 2), same_pads(p[2:], (3, 3), (2, 2)), count_padding=counted)
        avg_pool(f"asymmetric_pads_{tail}", p, (3, 3), (2, 2), (1, 0, 0, 1), count_padding=counted)
    plain("global_avg_pool", "GlobalAvgPool", [(2, 3, 4, 5)], lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1))
    plain("global_avg_pool_1x1", "GlobalAvgPool", [(2, 3, 1, 1)], lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1))

    for training in (True, False):
        tail = "training" if training else "eval"
        batch_norm(f"map_{tail}", (3, 2, 3, 2), training)
        batch_norm(f"vector_{tail}", (5, 3), training)
        batch_norm(f"map_{tail}_eps_0_001_momentum_0_01", (2, 3, 2, 2), training, 1e-3, 0.01)
    layer_norm("map", (2, 4, 2, 3))
    layer_norm("map_eps_1e_6", (1, 3, 2, 2), 1e-6)
    layer_norm("vector", (3, 6))
    group_norm("2_groups", (2, 4, 2, 3), 2)
    group_norm("1_group", (2, 3, 2, 2), 1)
    group_norm("a_group_per_channel", (2, 3, 2, 2), 3, 1e-3)
    group_norm("vector", (3, 6), 2)
    # The values of Krizhevsky et al. 2012 first: n = 5, alpha = 1e-4, beta = 0.75, k = 2.
    lrn("alexnet", (2, 7, 2, 2), 5, 1e-4, 0.75, 2.0)
    lrn("3_maps", (2, 4, 2, 2), 3, 0.3, 0.75, 1.0)
    lrn("5_maps_strong", (1, 6, 2, 2), 5, 0.5, 0.5, 1.5)
    lrn("window_wider_than_the_channels", (1, 2, 2, 2), 7, 0.2, 1.0, 1.0)
    lrn("1_map", (1, 3, 2, 2), 1, 0.2, 0.75, 1.0)

    dropped = {"Dropout": {"rate": 0.5}}
    plain("dropout_eval", dropped, [(2, 3, 2, 2)], lambda x: F.dropout(x, 0.5, False), training=False)
    plain("dropout_eval_vector", dropped, [(2, 5)], lambda x: F.dropout(x, 0.5, False), training=False)
    plain("dropout_rate_0_training", {"Dropout": {"rate": 0.0}}, [(2, 3, 2, 2)], lambda x: F.dropout(x, 0.0, True))
    plain("flatten_map", "Flatten", [(2, 3, 2, 4)], lambda x: torch.flatten(x, 1))
    plain("flatten_vector", "Flatten", [(2, 5)], lambda x: torch.flatten(x, 1))
    dense("bias", (3, 5), 4, True)
    dense("no_bias", (3, 5), 4, False)
    dense("one_output", (2, 4), 1, True)

    for name, activation, function in ACTIVATIONS:
        for kind, shape in (("map", (2, 3, 2, 3)), ("vector", (2, 7))):
            plain(f"{name}_{kind}", {"Activation": activation}, [shape], function, make=off_the_kinks)
    # Without the largest value taken off first, exp(90) is past f32.
    softmax = {"Activation": "Softmax"}
    plain("softmax_large", softmax, [(2, 4)], lambda x: F.softmax(x, 1), make=lambda *s: rounded(normal(*s) * 100))
    for kind, shape in (("map", (2, 3, 2, 3)), ("vector", (2, 4))):
        case(
            f"prelu_{kind}",
            "PRelu",
            [of(off_the_kinks, *shape)],
            lambda xs, ps, _: F.prelu(xs[0], ps["weight"]),
            {"weight": of(normal, shape[1])},
        )

    for name, pads in (("even", (1, 1, 1, 1)), ("uneven", (0, 2, 1, 3)), ("none", (0, 0, 0, 0))):
        op = {"ZeroPad": {"pads": pads_json(pads)}}
        plain(f"zero_pad_{name}", op, [(2, 2, 2, 3)], lambda x, pads=pads: padded(x, pads))
    for mode in ("nearest", "bilinear"):
        for name, scale in (("2x2", (2, 2)), ("2x3", (2, 3)), ("1x1", (1, 1))):
            corners = {} if mode == "nearest" else {"align_corners": False}
            plain(
                f"upsample_{mode}_{name}",
                {"Upsample": {"scale": list(scale), "mode": mode}},
                [(2, 2, 3, 2)],
                lambda x, scale=scale, mode=mode, corners=corners: F.interpolate(
                    x, scale_factor=tuple(map(float, scale)), mode=mode, **corners
                ),
            )

    m = (2, 3, 2, 3)
    plain("add_2_maps", "Add", [m, m], lambda a, b: a + b)
    plain("add_3_maps", "Add", [m, m, m], lambda a, b, c: a + b + c)
    plain("add_2_vectors", "Add", [(2, 4), (2, 4)], lambda a, b: a + b)
    plain("multiply_2_maps", "Multiply", [m, m], lambda a, b: a * b)
    plain("multiply_3_maps", "Multiply", [m, m, m], lambda a, b, c: a * b * c)
    plain("multiply_2_vectors", "Multiply", [(2, 4), (2, 4)], lambda a, b: a * b)
    plain("multiply_scale_times_map", "Multiply", [(2, 3), m], lambda s, a: s[:, :, None, None] * a)
    plain("multiply_map_times_scale", "Multiply", [m, (2, 3)], lambda a, s: a * s[:, :, None, None])
    plain("multiply_map_times_1x1_map", "Multiply", [m, (2, 3, 1, 1)], lambda a, s: a * s)
    plain("concat_2_maps", "Concat", [(2, 2, 2, 3), (2, 3, 2, 3)], lambda *xs: torch.cat(xs, 1))
    plain("concat_3_maps", "Concat", [(2, 1, 2, 2), (2, 3, 2, 2), (2, 2, 2, 2)], lambda *xs: torch.cat(xs, 1))
    plain("concat_2_vectors", "Concat", [(2, 3), (2, 4)], lambda *xs: torch.cat(xs, 1))
    return {"made_by": MADE_BY, "cases": OPS}
