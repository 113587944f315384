"""Average pooling as a sum of codes and a requantization.

onnxruntime has two kernels. Its global average (QLinearGlobalAveragePool, also what QLinearAveragePool does when the window is the whole
unpadded image) is this integer formula. For other windows QLinearAveragePool adds up float32 values in a fixed order and rounds after adding
the zero point; that equals the integer formula except where the mean falls exactly between two codes and float32 noise decides.
"""

from fractions import Fraction

import numpy as np

from talos.errors import TalosError
from talos.numerics._linear import check_scale

__all__ = ["average_parameters", "average_window_parameters", "sum_parameters"]

_LARGEST_COUNT = (1 << 24) // 256  # 65,536 codes: the exact sum stays far inside int32, and the float32 count exact


def average_parameters(
    scale_x: float | np.float32, zero_x: int, scale_y: float | np.float32, count: int
) -> tuple[int, np.float32]:
    """`(bias, multiplier)` of a global average: `requantize(sum of count codes, bias, *split_multiplier(multiplier), zero_y)`.

    `multiplier = f32(scale_x / f32(scale_y * count))` in onnxruntime's order; `bias = -zero_x * count`. Zero points are int8 codes
    (a uint8 tensor's less 128). Padding, where it counts, is filled with `zero_x`. Raises TalosError for a bad scale or count.
    """
    return sum_parameters(scale_x, zero_x, scale_y, count, count)


def sum_parameters(
    scale_x: float | np.float32, zero_x: int, scale_y: float | np.float32, count: int, divisor: int
) -> tuple[int, np.float32]:
    """As `average_parameters`, for the sum of `count` codes divided by `divisor` (1: a sum)."""
    if not 1 <= count <= _LARGEST_COUNT:
        raise TalosError(f"average: a window of {count} values is not in 1…{_LARGEST_COUNT}; split the pooling")
    step_x, step_y = check_scale("average", scale_x), check_scale("average", scale_y)
    with np.errstate(all="ignore"):
        return -zero_x * count, np.float32(step_x / (step_y * np.float32(divisor)))


def average_window_parameters(
    scale_x: float | np.float32, zero_x: int, scale_y: float | np.float32, zero_y: int, count: int
) -> tuple[int, np.float32, int]:
    """`(bias, multiplier, zero_point)` of one window of AveragePool: as `average_parameters`, with the zero point to give `requantize`.

    onnxruntime rounds `mean + zero_y` ties to even here, so that with an odd zero point a tie goes to the odd multiple of a step. Where
    ties can occur, an odd part of the zero point is moved into the bias.
    """
    bias, multiplier = average_parameters(scale_x, zero_x, scale_y, count)
    # mean / scale_y = (sum + bias) * ratio: ties need an even denominator. `numerator` is odd then, and worth `denominator` in the sum.
    ratio = Fraction(float(np.float32(scale_x))) / (Fraction(float(np.float32(scale_y))) * count)
    if zero_y % 2 and ratio.denominator % 2 == 0 and ratio.denominator // 2 <= 255 * count:
        for moved in (1, -1):
            if -128 <= zero_y - moved * ratio.numerator <= 127:
                return bias + moved * ratio.denominator, multiplier, zero_y - moved * ratio.numerator
    return bias, multiplier, zero_y
