"""Endless random comparisons of `talos.numerics` with onnxruntime's kernels, one generator per operation."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import helper

from benchmarks.witness import Witness
from talos import numerics
from talos.compiler.graph.ir import Tensor
from talos.compiler.importing.float_function import VARIABLE, FloatFunction, function_table
from talos.numerics import PairOperation

__all__ = [
    "Batches", "Generator", "add", "average_window", "conv", "fast_path", "float_pair", "global_average", "multiply", "quantize", "table",
]  # fmt: skip

Int8Array = npt.NDArray[np.int8]
Batches = Iterator[tuple[Int8Array, Int8Array]]  # ours, onnxruntime's
Generator = np.random.Generator

_ALL_CODES = np.arange(-128, 128).astype(np.int8)
_PAIRS = np.repeat(_ALL_CODES, 256), np.tile(_ALL_CODES, 256)


def _codes(rng: Generator, *shape: int) -> Int8Array:
    return rng.integers(-128, 128, shape, dtype=np.int8)


def _zeros(rng: Generator, count: int) -> list[int]:
    """Zero points: the ends and the middle often, any other code sometimes."""
    return [int(rng.choice([-128, 0, int(rng.integers(-128, 128)), int(rng.integers(-128, 128))])) for _ in range(count)]


def _scale(rng: Generator, low: float = -10, high: float = 0) -> np.float32:
    return np.float32(2 ** rng.uniform(low, high))


def conv(unsigned: bool) -> Callable[[Generator], Batches]:
    """1×1 QLinearConv per channel; biases of all magnitudes, so that accumulators fill int32, and a third of the scales powers of two."""
    witness = Witness("QLinearConv", "x sx zx w sw zw sy zy B", domain="", unsigned=unsigned)

    def batches(rng: Generator) -> Batches:
        inputs, outputs, pixels = 32, 64, 4096
        while True:
            x, w = _codes(rng, 1, inputs, 1, pixels), _codes(rng, outputs, inputs, 1, 1)
            zx, zy = _zeros(rng, 2)
            acc = (x[0, :, 0].astype(np.int32) - zx).T @ w[:, :, 0, 0].astype(np.int32).T
            bias = (rng.integers(-(2**30), 2**30, outputs) >> rng.integers(0, 24, outputs)).astype(np.int32)
            spread = np.abs(acc + bias.astype(np.int64)).max(axis=0)
            wanted = rng.uniform(20, 400, outputs) / spread
            rounded = np.where(np.arange(outputs) % 3 == 0, 2 ** np.round(np.log2(wanted)), wanted)
            sx, sy = (_scale(rng) for _ in range(2)) if rng.random() < 0.7 else (np.float32(2**-6), np.float32(2**-4))
            sw = (rounded * sy / sx).astype(np.float32)
            multiplier = numerics.conv_multiplier(sx, sw, sy)
            ours = numerics.requantize(acc, bias, *numerics.split_multiplier(multiplier), zy)
            theirs = witness(x=x, sx=sx, zx=zx, w=w, sw=sw, zw=np.zeros(outputs), sy=sy, zy=zy, B=bias)
            yield ours, theirs[0, :, 0].T

    return batches


def fast_path(rng: Generator) -> Batches:
    """`requantize_fast` against the integer specification, over all of int32 and multipliers from subnormal to huge."""
    channels, rows = 64, 2048
    while True:
        acc = (rng.integers(-(2**31), 2**31, (rows, channels)) >> rng.integers(0, 31, (rows, channels))).astype(np.int32)
        bias = rng.integers(-(2**31), 2**31, channels) >> rng.integers(0, 31, channels)
        multiplier = np.exp2(rng.uniform(-30, 1, channels)).astype(np.float32)
        multiplier[::4] = np.exp2(rng.integers(-149, 127, multiplier[::4].size))
        multiplier[1::4] = np.exp2(rng.integers(-24, 2, multiplier[1::4].size))
        mantissa, shift = numerics.split_multiplier(multiplier)
        (zero,) = _zeros(rng, 1)
        yield numerics.requantize_fast(acc, bias, mantissa, shift, zero), numerics.requantize(acc, bias, mantissa, shift, zero)


def add(unsigned: bool) -> Callable[[Generator], Batches]:
    """QLinearAdd, all 65,536 pairs of codes per set of scales; some sets equal, powers of two, or up to 2^12 apart."""
    witness = Witness("QLinearAdd", "a sa za b sb zb sc zc", unsigned=unsigned)

    def batches(rng: Generator) -> Batches:
        while True:
            sa, sb, sc = (_scale(rng, -7, 0) for _ in range(3))
            kind = rng.integers(0, 4)
            if kind == 0:
                sa, sb, sc = (np.float32(2.0 ** rng.integers(-5, 1)) for _ in range(3))
            elif kind == 1:
                sb = np.float32(sa * 2 ** rng.uniform(-12, 12))
            za, zb, zc = _zeros(rng, 3)
            up = 128 * unsigned
            parameters = numerics.add_parameters(sa, za + up, sb, zb + up, sc, zc + up, unsigned=unsigned)
            yield (
                numerics.combine(*_PAIRS, parameters),
                witness(a=_PAIRS[0], sa=sa, za=za, b=_PAIRS[1], sb=sb, zb=zb, sc=sc, zc=zc),
            )

    return batches


def multiply(unsigned: bool) -> Callable[[Generator], Batches]:
    """QLinearMul, all 65,536 pairs of codes per set of scales: most sets fill the codes, some saturate, some are powers of two."""
    witness = Witness("QLinearMul", "a sa za b sb zb sc zc", unsigned=unsigned)

    def batches(rng: Generator) -> Batches:
        while True:
            sa, sb, sc = _product_scales(rng)
            za, zb, zc = _zeros(rng, 3)
            up = 128 * unsigned
            parameters = numerics.multiply_parameters(sa, za + up, sb, zb + up, sc, zc + up, unsigned=unsigned)
            yield (
                numerics.combine(*_PAIRS, parameters),
                witness(a=_PAIRS[0], sa=sa, za=za, b=_PAIRS[1], sb=sb, zb=zb, sc=sc, zc=zc),
            )

    return batches


def float_pair(op: PairOperation, scales: str = "random") -> Callable[[Generator], Batches]:
    """An operation in float32 between Q/DQ, int8 and uint8 in turn, all 65,536 pairs of codes per set of scales.

    `scales`: "random", or operands of "equal" scale with a random one for the result, or that are "half" as large as the result's: then
    half of all sums are ties, which the roundings of onnxruntime's float32 steps decide.
    """
    names = {"add": "Add", "subtract": "Sub", "multiply": "Mul"}
    witnesses = [
        Witness(names[op], "a sa za b sb zb sc zc", domain="", unsigned=unsigned, wrap=True, fuse=False)
        for unsigned in (False, True)
    ]

    def batches(rng: Generator) -> Batches:
        while True:
            for witness in witnesses:
                sa, sb, sc = _product_scales(rng) if op == "multiply" else [_scale(rng, -7, 0) for _ in range(3)]
                if scales != "random":
                    sb = sa
                elif op != "multiply" and rng.random() < 0.3:
                    sb = np.float32(sa * 2 ** rng.uniform(-12, 12))
                if scales == "half":
                    sc = np.float32(2 * sa)
                za, zb, zc = _zeros(rng, 3)
                parameters = numerics.float_pair_parameters(op, sa, za, sb, zb, sc, zc)
                ours = numerics.combine(*_PAIRS, parameters)
                theirs = witness(a=_PAIRS[0], sa=sa, za=za, b=_PAIRS[1], sb=sb, zb=zb, sc=sc, zc=zc)
                if int(np.count_nonzero(ours != theirs)) != parameters.mismatches:
                    raise AssertionError(f"{op}: {parameters.mismatches} mismatches were announced, others were found")
                yield ours, theirs

    return batches


def _product_scales(rng: Generator) -> list[np.float32]:
    sa, sb = _scale(rng), _scale(rng)
    sc = np.float32(sa * sb * 2 ** rng.uniform(-2, 17))
    if rng.random() < 0.2:
        sa, sb, sc = (np.float32(2.0 ** np.round(np.log2(scale))) for scale in (sa, sb, sc))
    return [sa, sb, sc]


def global_average(unsigned: bool) -> Callable[[Generator], Batches]:
    """QLinearGlobalAveragePool over images of 1×1 to 12×12."""
    witness = Witness("QLinearGlobalAveragePool", "x sx zx sy zy", unsigned=unsigned, attributes={"channels_last": 0})

    def batches(rng: Generator) -> Batches:
        while True:
            height, width = (int(v) for v in rng.integers(1, 13, 2))
            x = _codes(rng, 1, 1 << 18, height, width)
            sx = _scale(rng)
            sy = sx if rng.random() < 0.3 else np.float32(sx * 2 ** rng.uniform(-4, 1))
            zx, zy = _zeros(rng, 2)
            bias, multiplier = numerics.average_parameters(sx, zx, sy, height * width)
            total = x.sum(axis=(0, 2, 3), dtype=np.int64)
            mantissa, shift = numerics.split_multiplier(multiplier)
            yield numerics.requantize(total, bias, mantissa, shift, zy), witness(x=x, sx=sx, zx=zx, sy=sy, zy=zy).reshape(-1)

    return batches


def average_window(kind: str) -> Callable[[Generator], Batches]:
    """QLinearAveragePool with random windows, strides, pads and count_include_pad, int8 and uint8 in turn.

    `kind`: "random" scales, "powers" of two, or the "odd", "even" windows of one scale for input and output (not a power of two).
    For "ties" only outputs whose exact mean lies halfway between codes are kept, for "no ties" only the others.
    """

    def batches(rng: Generator) -> Batches:
        turn = False
        while True:
            turn = not turn
            kernel = [int(v) for v in (rng.choice([1, 3, 5], 2) if kind == "odd" else rng.integers(1, 6, 2))]
            pads = [int(rng.integers(0, size)) for size in kernel * 2]
            strides = [int(v) for v in rng.integers(1, 4, 2)]
            include = True if kind == "odd" else bool(rng.integers(0, 2))
            x = _codes(rng, 1, 512, *(int(v) for v in rng.integers(6, 24, 2)))
            sx, sy, (zx, zy) = _scale(rng), _scale(rng, -4, 1), _zeros(rng, 2)
            sy = np.float32(sx * sy)
            if kind == "powers":
                sx = np.float32(2.0 ** rng.integers(-8, 0))
                sy = np.float32(sx * 2.0 ** rng.integers(-2, 2))
            elif kind != "random":
                sy = sx
            attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "count_include_pad": int(include)}
            witness = Witness("QLinearAveragePool", "x sx zx sy zy", unsigned=turn, attributes=attributes)
            theirs = witness(x=x, sx=sx, zx=zx, sy=sy, zy=zy)[0]
            ours, ties = _average_windows(x[0], kernel, strides, pads, include, (sx, zx, sy, zy))
            keep = {"ties": ties, "no ties": ~ties}.get(kind, np.ones_like(ties))
            yield ours[keep], theirs[keep]

    return batches


def _average_windows(
    x: Int8Array,
    kernel: list[int],
    strides: list[int],
    pads: list[int],
    include: bool,
    scales: tuple[np.float32, int, np.float32, int],
) -> tuple[Int8Array, npt.NDArray[np.bool_]]:
    """Our outputs (C, H, W), and which of them have an exact mean halfway between two codes."""
    sx, zx, sy, zy = scales
    border = ((0, 0), (pads[0], pads[2]), (pads[1], pads[3]))

    def sums(values: npt.NDArray[np.int32], fill: int) -> npt.NDArray[np.int32]:
        padded = np.pad(values, border, constant_values=fill)
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(1, 2))
        return np.asarray(windows[:, :: strides[0], :: strides[1]].sum(axis=(3, 4), dtype=np.int32))

    totals = sums(x.astype(np.int32), zx if include else 0)
    counts = np.broadcast_to(sums(np.ones_like(x[:1], np.int32), int(include)), totals.shape)
    ours, ties = np.empty(totals.shape, np.int8), np.zeros(totals.shape, np.bool_)
    for count in np.unique(counts):
        bias, multiplier, zero_point = numerics.average_window_parameters(sx, zx, sy, zy, int(count))
        mantissa, shift = numerics.split_multiplier(multiplier)
        here = counts == count
        ours[here] = numerics.requantize(totals[here], bias, mantissa, shift, zero_point)
        ratio = Fraction(float(sx)) / (Fraction(float(sy)) * int(count))
        if ratio.denominator % 2 == 0 and ratio.denominator < 1 << 31:
            half = ratio.denominator // 2
            ties[here] = (totals[here] - zx * count) % ratio.denominator == half
    return ours, ties


def table(op_type: str, fused: bool = False, **attributes: Any) -> Callable[[Generator], Batches]:
    """Random codes through the table of a unary function, some sets of scales, int8 and uint8 in turn.

    `fused`: onnxruntime's own table kernel is the witness.
    """
    witnesses = [
        Witness(
            f"QLinear{op_type}" if fused else op_type, "x sx zx sy zy", unsigned=unsigned, wrap=not fused, attributes=attributes
        )
        for unsigned in (False, True)
    ]
    node = helper.make_node(op_type, [VARIABLE], ["y"], **attributes)
    function = FloatFunction((node,), result="y")

    def batches(rng: Generator) -> Batches:
        while True:
            for witness in witnesses:
                sx = _scale(rng, -9, -2)
                sy = np.float32(1 / 256) if rng.random() < 0.2 else _scale(rng, -9, -3)
                zx, zy = _zeros(rng, 2)
                x, y = (Tensor("", (0, 0, 0), scale, zero, witness.unsigned) for scale, zero in ((sx, zx), (sy, zy)))
                codes = _codes(rng, 8191)  # an odd number: the ends of vectors are computed apart
                result = function_table(function, x, y, {"": 18})
                yield numerics.apply_table(result, codes), witness(x=codes, sx=sx, zx=zx, sy=sy, zy=zy)

    return batches


def quantize(rng: Generator) -> Batches:
    """QuantizeLinear of float32 values over all magnitudes, exact ties among them."""
    witnesses = [Witness("QuantizeLinear", "f s z", domain="", unsigned=unsigned) for unsigned in (False, True)]
    while True:
        for witness in witnesses:
            scale, (zero,) = _scale(rng), _zeros(rng, 1)
            values = (rng.normal(0, 1, 1 << 16) * scale * np.exp2(rng.integers(-4, 12, 1 << 16))).astype(np.float32)
            values[::4] = (rng.integers(-300, 300, values[::4].size) + 0.5).astype(np.float32) * scale
            offset = 128 * witness.unsigned
            ours = numerics.quantize(values, scale, zero + offset, witness.unsigned)
            yield (
                (ours ^ np.uint8(128)).view(np.int8) if witness.unsigned else ours.astype(np.int8),
                witness(f=values, s=scale, z=zero),
            )
