"""Multiplication as onnxruntime's QLinearMul computes it, and what onnxruntime leaves as float32 between two quantizations.

Each of these formulas rounds to float32 several times, the vector unit's sum only once, so the two part at ties and next to them.
A table entry that is moved by some 2^-20 of a code decides nearly all of those cases as the formula does: see `_fit`.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from talos.errors import TalosError
from talos.numerics._add import ADD_ALIGN
from talos.numerics._fit import fit
from talos.numerics._pair import Int8Array, PairParameters
from talos.numerics._rounding import IntArray

__all__ = ["PairOperation", "float_pair_parameters", "multiply_parameters"]

FloatArray = npt.NDArray[np.float32]
PairOperation = Literal["add", "subtract", "multiply"]

_FUNCTIONS = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}

_SHIFT_LOW, _SHIFT_HIGH = 2, 40  # a code of 9 bits and the product fit the adder
_RATIO_LIMIT = 2.0**10  # of multiplications: beyond, every product but 0 saturates
_NO_TABLE: tuple[IntArray, IntArray] = (np.zeros(256, np.int64), np.zeros(256, np.int64))

Scale = float | np.float32


def multiply_parameters(
    scale_a: Scale, zero_a: int, scale_b: Scale, zero_b: int, scale_c: Scale, zero_c: int, *, unsigned: bool = False
) -> PairParameters:
    """Parameters of `c = a * b` as QLinearMul computes it. Scales are float32, zero points ONNX's: 0…255 if `unsigned`.

    The formula, measured to be equal to onnxruntime for all pairs (`benchmarks/numerics.py`), with
    `ratio = f32(f32(scale_a * scale_b) / scale_c)`:

        y = rint(f32(f32((a - zero_a) * (b - zero_b) * ratio) + zero_c))        saturated

    Raises TalosError when a scale or the ratio is not positive and finite, or a zero point is outside its type.
    """
    offset = 128 if unsigned else 0
    _check("multiply", (scale_a, scale_b, scale_c), (zero_a - offset, zero_b - offset, zero_c - offset))
    with np.errstate(all="ignore"):
        ratio = np.float32(scale_a) * np.float32(scale_b) / np.float32(scale_c)
    if not (np.isfinite(ratio) and ratio > 0):
        raise TalosError(
            f"multiply: scales {scale_a}, {scale_b} and output scale {scale_c} are too far apart for float32 (ratio {ratio}); "
            "recalibrate the model or run this multiplication on the host"
        )
    a, b = _differences(zero_a - offset), _differences(zero_b - offset)
    with np.errstate(over="ignore"):
        value = np.rint(np.outer(a, b) * ratio + np.float32(zero_c))
    wanted = np.clip(value - offset, -128, 127).astype(np.int8)
    mantissa, shift = _fixed(min(float(ratio), _RATIO_LIMIT), 0)
    start = PairParameters(
        mantissa,
        0,
        shift,
        *_NO_TABLE,
        multiply=True,
        zero_a=zero_a - offset,
        zero_b=zero_b - offset,
        zero_point=-128 if unsigned else 0,
    )
    return fit(wanted, np.full(256, zero_c << shift), start)


def float_pair_parameters(
    op: PairOperation, scale_a: Scale, zero_a: int, scale_b: Scale, zero_b: int, scale_c: Scale, zero_c: int
) -> PairParameters:
    """Parameters of an operation that onnxruntime computes in float32, between DequantizeLinear and QuantizeLinear.

    Zero points are int8 codes (those of uint8 tensors less 128: the result is the same). The formula:

        y = rint(f32(f32(f32(scale_a * (a - zero_a)) op f32(scale_b * (b - zero_b))) / scale_c)) + zero_c        saturated

    Raises TalosError when a scale is not positive and finite, a zero point is not int8, or the scales are too far apart.
    """
    _check(op, (scale_a, scale_b, scale_c), (zero_a, zero_b, zero_c))
    wanted = _float_codes(op, scale_a, zero_a, scale_b, zero_b, scale_c, zero_c)
    ratio_a, ratio_b = float(np.float32(scale_a)) / float(np.float32(scale_c)), float(np.float32(scale_b))
    if op == "multiply":
        mantissa, shift = _fixed(min(ratio_a * ratio_b, _RATIO_LIMIT), 0)
        start = PairParameters(mantissa, 0, shift, *_NO_TABLE, multiply=True, zero_a=zero_a, zero_b=zero_b, zero_point=zero_c)
        return fit(wanted, np.zeros(256, np.int64), start)
    ratio_b /= float(np.float32(scale_c))
    mantissa, shift = _fixed(ratio_a, ADD_ALIGN)
    if shift < _SHIFT_LOW:
        raise TalosError(
            f"{op}: scales {scale_a}, {scale_b} and output scale {scale_c} are too far apart for the fixed point "
            f"(ratios {ratio_a} and {ratio_b}); recalibrate the model or run this operation on the host"
        )
    addend = np.ldexp(_differences(zero_b).astype(np.float64) * (ratio_b if op == "add" else -ratio_b), shift)
    natural = np.rint(np.clip(addend, -(2.0**52), 2.0**52)).astype(np.int64) - zero_a * (mantissa << ADD_ALIGN)
    return fit(wanted, natural, PairParameters(mantissa, ADD_ALIGN, shift, *_NO_TABLE, zero_point=zero_c), centre=zero_a)


def _differences(zero: int) -> FloatArray:
    return np.arange(-128 - zero, 128 - zero, dtype=np.float32)


def _float_codes(
    op: PairOperation, scale_a: Scale, zero_a: int, scale_b: Scale, zero_b: int, scale_c: Scale, zero_c: int
) -> Int8Array:
    """What onnxruntime gives for all pairs, (256, 256)."""
    with np.errstate(all="ignore"):
        a = (_differences(zero_a) * np.float32(scale_a))[:, None]
        b = (_differences(zero_b) * np.float32(scale_b))[None, :]
        result = _FUNCTIONS[op](a, b) / np.float32(scale_c)
    if np.isnan(result).any():
        raise TalosError(f"{op}: scales {scale_a}, {scale_b} make float32 overflow; recalibrate the model")
    return np.asarray(np.clip(np.rint(result) + np.float32(zero_c), -128, 127), dtype=np.int8)


def _fixed(ratio: float, align: int) -> tuple[int, int]:
    """`(mantissa, shift)` with `mantissa << align` about `ratio * 2^shift`: 24 bits, fewer if the shift would be too large."""
    _, exponent = np.frexp(ratio)
    shift = min(24 - int(exponent) + align, _SHIFT_HIGH)
    mantissa = round(float(np.ldexp(ratio, shift - align)))
    return min(mantissa, (1 << 24) - 1), shift


def _check(what: str, scales: tuple[Scale, ...], zeros: tuple[int, ...]) -> None:
    with np.errstate(all="ignore"):
        values = np.array(scales, dtype=np.float32)
    if not (np.isfinite(values) & (values > 0)).all():
        raise TalosError(
            f"{what}: scales {', '.join(str(s) for s in scales)} are not all positive and finite; recalibrate the model"
        )
    if not all(-128 <= zero <= 127 for zero in zeros):
        raise TalosError(f"{what}: zero points are outside their type (int8 codes {zeros}); pass those of the ONNX model")
