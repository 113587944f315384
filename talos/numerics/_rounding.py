"""Rounding and normalization of integers: the steps the vector unit is built from.

Everything works on int64 arrays and never on floating point. "Ties to even" is IEEE 754's default rounding.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["SIGNIFICANT_BITS", "IntArray", "bit_length", "finish", "round_shift", "round_significant"]

IntArray = npt.NDArray[np.int64]

SIGNIFICANT_BITS = 24  # of a float32, which is what onnxruntime's kernels compute in

# Limits beyond which the result no longer changes: shifted left by 9, every non-zero magnitude leaves int8 whatever the zero point;
# shifted right by 26, every magnitude up to 2^24 rounds to 0.
_LEFT_LIMIT = 9
_RIGHT_LIMIT = 26


def bit_length(magnitude: IntArray) -> IntArray:
    """Position of the highest set bit, plus one; 0 for 0. `magnitude` in [0, 2^63)."""
    rest = magnitude.copy()
    length = np.zeros_like(rest)
    for step in (32, 16, 8, 4, 2, 1):
        move = np.where(rest >> step != 0, np.int64(step), np.int64(0))
        rest >>= move
        length += move
    return length + rest


def round_shift(magnitude: IntArray, shift: IntArray | int) -> IntArray:
    """`magnitude / 2^shift` to the nearest integer, ties to even. `magnitude` >= 0, `shift` in [0, 62]."""
    half = np.left_shift(np.int64(1), shift) >> 1
    odd = (magnitude >> shift) & 1
    up = np.where(half != 0, half - 1 + odd, 0)
    return np.asarray((magnitude + up) >> shift)


def round_significant(magnitude: IntArray) -> tuple[IntArray, IntArray]:
    """Round to 24 significant bits, ties to even: `(kept, dropped)` with value `kept * 2^dropped`.

    `magnitude` in [0, 2^62). `kept` <= 2^24 (exactly 2^24 when the rounding carries out), `dropped` >= 0.
    """
    dropped = np.maximum(bit_length(magnitude) - SIGNIFICANT_BITS, 0)
    return round_shift(magnitude, dropped), dropped


def finish(total: IntArray, shift: IntArray | int, zero_point: int, low: int, high: int) -> npt.NDArray[np.int8]:
    """The end both passes share: the int8 code of `total * 2^-shift`.

    Rounds `total` (|total| < 2^52) to 24 significant bits, then `total * 2^-shift` to an integer (both ties to even), adds
    `zero_point` and clamps to [`low`, `high`] within int8. `shift` may be negative.
    """
    kept, dropped = round_significant(np.abs(total))
    right = shift - dropped
    whole = round_shift(kept, np.clip(right, 0, _RIGHT_LIMIT)) << np.clip(-right, 0, _LEFT_LIMIT)
    code = np.where(total < 0, -whole, whole) + zero_point
    return np.asarray(np.clip(code, low, high), dtype=np.int8)
