"""Element-wise operations of two quantized tensors: one integer product, one table, one rounding.

Of two int8 codes a and b, the vector unit computes `y = round(P * mantissa + T[b])`, where P is a itself (additions) or the product
`(a - zero_a) * (b - zero_b)`, and T has an entry for each code of b. This covers addition, subtraction and multiplication; which
function of a and b it is, exactly, lies in the parameters (`add_parameters`, `multiply_parameters`, `float_pair_parameters`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from talos.errors import TalosError
from talos.numerics._rounding import IntArray, finish

__all__ = ["TOTAL_BITS", "Int8Array", "PairParameters", "all_pairs", "combine", "combine_fast", "operand_products"]

Int8Array = npt.NDArray[np.int8]

TOTAL_BITS = 52
"""Of the signed sum."""


@dataclass(frozen=True, eq=False)
class PairParameters:
    """What the vector unit needs for one operation of two tensors; `mantissa << align` and the table are in units of `2^-shift`.

    mantissa, align
        24 bits and 5 bits: the first term is `(P << align) * mantissa`.
    table_mantissa, table_shift
        Entry `b + 128` of `table_mantissa` (25 bits, signed) `<< table_shift` (5 bits) is the second term.
    unsigned
        Without `multiply`: P is a's code + 128 (its top bit inverted, then read as unsigned) instead of the code.
    multiply, zero_a, zero_b
        P is `(a - zero_a) * (b - zero_b)`; the zero points are int8 codes.
    zero_point
        Added after the last rounding. It is -128 for onnxruntime's uint8 kernels, whose own zero point is inside the table.
    mismatches
        Of the 65,536 pairs of codes, how many give another result than the formula the parameters stand for.
    """

    mantissa: int
    align: int
    shift: int
    table_mantissa: IntArray
    table_shift: IntArray
    unsigned: bool = False
    multiply: bool = False
    zero_a: int = 0
    zero_b: int = 0
    zero_point: int = 0
    mismatches: int = 0


def combine(a: npt.ArrayLike, b: npt.ArrayLike, parameters: PairParameters, low: int = -128, high: int = 127) -> Int8Array:
    """int8 codes of the operation, clamped to [`low`, `high`]: the specification. `a` and `b` are int8 arrays of one shape.

    1. `P = (a - zero_a) * (b - zero_b)` if `multiply`, else a's code (+ 128 if `unsigned`)
    2. `S = (P << align) * mantissa + (table_mantissa[b + 128] << table_shift[b + 128])`, 52 bits signed
    3. S to 24 significant bits, ties to even; then `S * 2^-shift` to an integer, ties to even; `+ zero_point`; clamp

    Raises TalosError when the operands are not int8 arrays of one shape.
    """
    left, right = _codes(a, b)
    index = right.astype(np.int64) + 128
    # Multiplying by 2^shift is the left shift of the hardware, also for negative entries.
    addend = parameters.table_mantissa[index] * (np.int64(1) << parameters.table_shift[index])
    product = operand_products(left, right, parameters) * (parameters.mantissa << parameters.align)
    return finish(product + addend, parameters.shift, parameters.zero_point, low, high)


def combine_fast(a: npt.ArrayLike, b: npt.ArrayLike, parameters: PairParameters, low: int = -128, high: int = 127) -> Int8Array:
    """Exactly `combine`, by a table of all 65,536 operand pairs: for whole tensors."""
    left, right = _codes(a, b)
    table = combine(*all_pairs(), parameters, low, high)
    index = (left.view(np.uint8) ^ np.uint8(128)).astype(np.uint16) << np.uint16(8)
    index |= right.view(np.uint8) ^ np.uint8(128)
    return np.asarray(table[index])


def all_pairs() -> tuple[Int8Array, Int8Array]:
    """All pairs of codes: a of entry `256 * i + j` is i - 128, b is j - 128."""
    codes = np.arange(-128, 128).astype(np.int8)
    return np.repeat(codes, 256), np.tile(codes, 256)


def operand_products(a: Int8Array, b: Int8Array, parameters: PairParameters) -> IntArray:
    """P of each pair: what enters the multiplier before its left shift."""
    if parameters.multiply:
        return (a.astype(np.int64) - parameters.zero_a) * (b.astype(np.int64) - parameters.zero_b)
    return a.astype(np.int64) + (128 if parameters.unsigned else 0)


def _codes(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[Int8Array, Int8Array]:
    left, right = np.asarray(a), np.asarray(b)
    if left.dtype != np.int8 or right.dtype != np.int8 or left.shape != right.shape:
        raise TalosError(
            f"combine: operands are {left.dtype}{list(left.shape)} and {right.dtype}{list(right.shape)}, not two int8 arrays of "
            "one shape; shift uint8 codes by 128 and broadcast first"
        )
    return np.ascontiguousarray(left), np.ascontiguousarray(right)
