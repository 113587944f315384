"""Element-wise addition of two quantized tensors, as onnxruntime's QLinearAdd computes it.

onnxruntime's kernel is fused multiply-add arithmetic in float32: with `ra = scale_a / scale_c` and `rb = scale_b / scale_c`,

    F = f32(zero_c - fma(ra, zero_a, f32(rb * zero_b)))        one constant per layer
    y = rint(fma(a, ra, fma(b, rb, F)))                        saturated

The inner `fma(b, rb, F)` takes only 256 values: a table T, computed at compile time. What is left, `a * ra + T[b]`, is one
integer product and one sum in a fixed point common to the whole layer, followed by the rounding that requantization has anyway.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from talos.errors import TalosError
from talos.numerics._requantize import split_multiplier
from talos.numerics._rounding import IntArray, finish

__all__ = ["ADD_ALIGN", "AddParameters", "add", "add_fast", "add_parameters"]

Int8Array = npt.NDArray[np.int8]

# Bits of the fixed point below those of `a * ra`. A table entry with bits below even these is rounded to odd (its last bit says
# "more follows"), which changes no result: such an entry is below 2^24 units, `a * ra` is 0 or at least 2^26 units, so the sum has
# at least 26 bits and its rounding to 24 is decided two units or more above the last bit.
ADD_ALIGN = 3

_TOTAL_BITS = 52  # of the signed sum
_TABLE_SHIFT_LIMIT = 31  # 5 bits


@dataclass(frozen=True, eq=False)
class AddParameters:
    """What the vector unit needs for one addition; all values are in units of `2^-shift`.

    `mantissa` (24 bits) and `align` give `a`'s product `(|a| << align) * mantissa`; entry `b + 128` of `table_mantissa` (25 bits,
    signed) `<< table_shift` (5 bits) is `b`'s contribution and all constants. `unsigned` says that the tensors are uint8 in ONNX:
    their int8 codes are 128 less, `a` is taken as code + 128 (its top bit inverted, then read as unsigned) and the result's zero
    point is -128 instead of 0.
    """

    mantissa: int
    align: int
    shift: int
    table_mantissa: IntArray
    table_shift: IntArray
    unsigned: bool = False

    @property
    def zero_point(self) -> int:
        """Added after the last rounding. The output's own zero point is inside the table, as in onnxruntime's formula."""
        return -128 if self.unsigned else 0

    @property
    def offset(self) -> int:
        """Added to the int8 code of `a` before the product."""
        return 128 if self.unsigned else 0


def add_parameters(
    scale_a: float | np.float32,
    zero_a: int,
    scale_b: float | np.float32,
    zero_b: int,
    scale_c: float | np.float32,
    zero_c: int,
    *,
    unsigned: bool = False,
) -> AddParameters:
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
    if largest >= 1 << (_TOTAL_BITS - 1) or max(s for _, s in entries) > _TABLE_SHIFT_LIMIT or not 2 <= shift <= 255:
        raise TalosError(
            f"add: scales {scale_a}, {scale_b} and output scale {scale_c} are too far apart for the {_TOTAL_BITS}-bit adder "
            f"(ratios {ratio_a} and {ratio_b}); recalibrate the model or run this addition on the host"
        )
    table = np.array(entries, dtype=np.int64)
    return AddParameters(mantissa, ADD_ALIGN, shift, table[:, 0].copy(), table[:, 1].copy(), unsigned)


def add(a: npt.ArrayLike, b: npt.ArrayLike, parameters: AddParameters, low: int = -128, high: int = 127) -> Int8Array:
    """int8 codes of a + b, clamped to [`low`, `high`]: the specification. `a` and `b` are int8 arrays of one shape.

    1. `p = (|a + offset| << align) * mantissa`
    2. `S = ± p + (table_mantissa[b + 128] << table_shift[b + 128])`, 52 bits signed
    3. S to 24 significant bits, ties to even; then `S * 2^-shift` to an integer, ties to even; `+ zero_point`; clamp
    """
    left, right = _codes(a, b)
    operand = left.astype(np.int64) + parameters.offset
    index = right.astype(np.int64) + 128
    product = (np.abs(operand) << parameters.align) * parameters.mantissa
    # Multiplying by 2^shift is the left shift of the hardware, also for negative entries.
    addend = parameters.table_mantissa[index] * (np.int64(1) << parameters.table_shift[index])
    total = np.where(operand < 0, -product, product) + addend
    return finish(total, parameters.shift, parameters.zero_point, low, high)


def add_fast(a: npt.ArrayLike, b: npt.ArrayLike, parameters: AddParameters, low: int = -128, high: int = 127) -> Int8Array:
    """Exactly `add`, by a table of all 65,536 operand pairs: for whole tensors."""
    left, right = _codes(a, b)
    codes = np.arange(-128, 128).astype(np.int8)
    table = add(np.repeat(codes, 256), np.tile(codes, 256), parameters, low, high)
    index = (left.view(np.uint8) ^ np.uint8(128)).astype(np.uint16) << np.uint16(8)
    index |= right.view(np.uint8) ^ np.uint8(128)
    return np.asarray(table[index])


def _codes(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Int8Array, Int8Array]:
    left, right = np.asarray(a), np.asarray(b)
    if left.dtype != np.int8 or right.dtype != np.int8 or left.shape != right.shape:
        raise TalosError(
            f"add: operands are {left.dtype}{list(left.shape)} and {right.dtype}{list(right.shape)}, not two int8 arrays of one "
            "shape; shift uint8 codes by 128 and broadcast first"
        )
    return np.ascontiguousarray(left), np.ascontiguousarray(right)


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
