"""Element-wise addition of two quantized tensors, as onnxruntime's QLinearAdd computes it.

onnxruntime's kernel is fused multiply-add arithmetic in float32: with `ra = scale_a / scale_c` and `rb = scale_b / scale_c`,

    F = f32(zero_c - fma(ra, zero_a, f32(rb * zero_b)))        one constant per layer
    y = rint(fma(a, ra, fma(b, rb, F)))                        saturated

The inner `fma(b, rb, F)` takes only 256 values: a table T, computed at compile time. What is left, `a * ra + T[b]`, is one
integer product and one sum in a fixed point common to the whole layer, followed by the rounding that requantization has anyway.
"""

import math
from fractions import Fraction

import numpy as np

from talos.errors import TalosError
from talos.numerics._pair import TOTAL_BITS, PairParameters
from talos.numerics._requantize import split_multiplier

__all__ = ["ADD_ALIGN", "add_parameters"]

# Bits of the fixed point below those of `a * ra`. A table entry with bits below even these is rounded to odd (its last bit says
# "more follows"), which changes no result: such an entry is below 2^24 units, `a * ra` is 0 or at least 2^26 units, so the sum has
# at least 26 bits and its rounding to 24 is decided two units or more above the last bit.
ADD_ALIGN = 3

_TABLE_SHIFT_LIMIT = 31  # 5 bits


def add_parameters(
    scale_a: float | np.float32,
    zero_a: int,
    scale_b: float | np.float32,
    zero_b: int,
    scale_c: float | np.float32,
    zero_c: int,
    *,
    unsigned: bool = False,
) -> PairParameters:
    """Parameters of `c = a + b`. Scales are float32, zero points ONNX's: 0…255 if `unsigned`, -128…127 otherwise.

    A uint8 addition is not the int8 one with zero points less 128: the rounding of the constant part differs.

    Raises TalosError when the scales are unusable or so far apart that the sum does not fit the adder.
    """
    offset = 128 if unsigned else 0
    if not all(-128 <= zero - offset <= 127 for zero in (zero_a, zero_b, zero_c)):
        raise TalosError(
            f"add: zero points {zero_a}, {zero_b}, {zero_c} are not all in {offset - 128}…{offset + 127}; "
            "pass those of the ONNX model"
        )
    with np.errstate(all="ignore"):
        ratio_a = np.float32(scale_a) / np.float32(scale_c)
        ratio_b = np.float32(scale_b) / np.float32(scale_c)
    mantissas, shifts = split_multiplier([ratio_a, ratio_b])
    mantissa, shift = int(mantissas[0]), int(shifts[0]) + ADD_ALIGN
    fixed = np.float32(zero_c) - _fma(ratio_a, zero_a, ratio_b * np.float32(zero_b))
    entries = [_fixed_point(_fma(ratio_b, code + offset, fixed), shift) for code in range(-128, 128)]
    largest = max(abs(m) << s for m, s in entries) + ((127 + offset if unsigned else 128) * mantissa << ADD_ALIGN)
    # The last condition keeps the place of 1/2 two bits above the fixed point's last.
    if largest >= 1 << (TOTAL_BITS - 1) or max(s for _, s in entries) > _TABLE_SHIFT_LIMIT or not 2 <= shift <= 255:
        raise TalosError(
            f"add: scales {scale_a}, {scale_b} and output scale {scale_c} are too far apart for the {TOTAL_BITS}-bit adder "
            f"(ratios {ratio_a} and {ratio_b}); recalibrate the model or run this addition on the host"
        )
    table = np.array(entries, dtype=np.int64)
    return PairParameters(
        mantissa, ADD_ALIGN, shift, table[:, 0].copy(), table[:, 1].copy(), unsigned, zero_point=-128 if unsigned else 0
    )


def _fma(x: np.float32, y: int, z: np.float32) -> np.float32:
    """`x * y + z` rounded once to float32 (ties to even)."""
    exact = Fraction(float(x)) * y + Fraction(float(z))
    if exact == 0:
        return np.float32(0)
    magnitude = abs(exact)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if magnitude < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** max(exponent - 23, -149)
    value = float(round(exact / unit) * unit)  # Python rounds fractions to even, and a float64 holds every float32
    return np.float32(value) if math.isfinite(value) and abs(value) < 2.0**128 else np.float32(math.copysign(math.inf, value))


def _fixed_point(value: np.float32, shift: int) -> tuple[int, int]:
    """`(mantissa, left)` with `mantissa << left` equal to `value * 2^shift`, rounded to odd where that is not an integer."""
    if not math.isfinite(float(value)):
        raise TalosError("add: the scales make float32 overflow; recalibrate the model or run this addition on the host")
    exact = Fraction(float(value)) * Fraction(2) ** shift
    whole = abs(exact.numerator) // exact.denominator
    if exact.denominator != 1:
        whole |= 1
    left = max(whole.bit_length() - 24, 0)
    return (-1 if exact < 0 else 1) * (whole >> left), left
