"""Requantization: int32 accumulators to int8 codes, as onnxruntime's QLinearConv, QLinearMatMul and average pools compute it.

onnxruntime's formula is `rint(float32(acc + bias) * float32(M)) + zero_point`, saturated. `requantize` is the same function in
integers, step for step as the vector unit does it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from talos.errors import TalosError
from talos.numerics._rounding import SIGNIFICANT_BITS, IntArray, bit_length, finish, round_shift

__all__ = ["conv_multiplier", "requantize", "requantize_fast", "split_multiplier"]

Int8Array = npt.NDArray[np.int8]
FloatArray = npt.NDArray[np.float32]

_CHUNK = 1 << 15  # values at a time: the temporaries stay in the cache
_DROP = 32 - SIGNIFICANT_BITS  # bits the normalized accumulator loses on its way to 24


def split_multiplier(m: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    """Split float32 multipliers into `(mantissa, shift)`, int64 arrays of the same shape with `m == mantissa * 2^-shift` exactly.

    The mantissa is in [2^23, 2^24), also for subnormal multipliers; the shift in [-104, 172] (9 bits, signed).
    Raises TalosError for a multiplier that is not positive and finite.
    """
    multiplier = np.asarray(m, dtype=np.float32)
    bad = ~(np.isfinite(multiplier) & (multiplier > 0))
    if bad.any():
        raise TalosError(
            f"multiplier {multiplier[bad].flat[0]} is not positive and finite: the quantization scales are zero, negative, "
            "not finite, or too far apart for float32; recalibrate the model"
        )
    fraction, exponent = np.frexp(multiplier)
    mantissa = np.ldexp(fraction, SIGNIFICANT_BITS).astype(np.int64)
    return mantissa, (SIGNIFICANT_BITS - exponent).astype(np.int64)


def conv_multiplier(scale_x: npt.ArrayLike, scale_w: npt.ArrayLike, scale_y: npt.ArrayLike) -> FloatArray:
    """`float32(float32(scale_x * scale_w) / scale_y)`: onnxruntime's multiplier of a convolution or matrix product.

    `scale_w` is a scalar or has one entry per output channel; the result has its shape (at least one entry).
    """
    x, w, y = (np.asarray(s, dtype=np.float32) for s in (scale_x, np.atleast_1d(scale_w), scale_y))
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        return np.asarray(x * w / y, dtype=np.float32)


def requantize(
    acc: npt.ArrayLike,
    bias: npt.ArrayLike,
    mantissa: npt.ArrayLike,
    shift: npt.ArrayLike,
    zero_point: int,
    low: int = -128,
    high: int = 127,
) -> Int8Array:
    """int8 codes of `(acc + bias) * mantissa * 2^-shift + zero_point`, clamped to [`low`, `high`]: the specification.

    `acc` has shape (..., C) and int32 range; `bias` (int32 range), `mantissa` (24 bits) and `shift` (9 bits, signed) are scalars
    or have shape (C,). The result has the shape of `acc`. The steps, all in integers:

    1. `x = acc + bias`, wrapping to 32 bits; `n` = leading zeros of |x| in 32 bits
    2. `m24 = |x| << n` rounded to its top 24 bits, ties to even (a carry to 2^24 is halved and counted in the exponent)
    3. `S = ± m24 * mantissa`, `k = shift + n - 8 - carry`
    4. S to 24 significant bits, ties to even; then `S * 2^-k` to an integer, ties to even; `+ zero_point`; clamp

    Raises TalosError when an argument has the wrong type or range.
    """
    return _by_chunks(_requantize_chunk, acc, bias, mantissa, shift, (zero_point, low, high))


def requantize_fast(
    acc: npt.ArrayLike,
    bias: npt.ArrayLike,
    mantissa: npt.ArrayLike,
    shift: npt.ArrayLike,
    zero_point: int,
    low: int = -128,
    high: int = 127,
) -> Int8Array:
    """Exactly `requantize`, computed in float32 and several times faster; the tests hold the two equal."""
    return _by_chunks(_fast_chunk, acc, bias, mantissa, shift, (zero_point, low, high))


def _requantize_chunk(x: npt.NDArray[np.int32], mantissa: IntArray, shift: IntArray, end: tuple[int, int, int]) -> Int8Array:
    magnitude = np.abs(x.astype(np.int64))
    leading_zeros = 32 - bit_length(magnitude)
    m24 = round_shift(magnitude << leading_zeros, _DROP)
    carry = m24 >> SIGNIFICANT_BITS
    m24 >>= carry
    product = m24 * mantissa
    return finish(np.where(x < 0, -product, product), shift + leading_zeros - _DROP - carry, *end)


def _fast_chunk(x: npt.NDArray[np.int32], mantissa: IntArray, shift: IntArray, end: tuple[int, int, int]) -> Int8Array:
    zero_point, low, high = end
    with np.errstate(over="ignore", under="ignore"):
        # A multiplier beyond float32 saturates every non-zero accumulator, and one below it rounds every accumulator to 0.
        multiplier = np.minimum(np.ldexp(mantissa.astype(np.float64), -shift), np.finfo(np.float32).max).astype(np.float32)
        value = x.astype(np.float32)
        value *= multiplier
    np.clip(value, np.float32(low - zero_point), np.float32(high - zero_point), out=value)
    np.rint(value, out=value)
    value += np.float32(zero_point)
    return value.astype(np.int8)


def _by_chunks(
    chunk: Any, acc: npt.ArrayLike, bias: npt.ArrayLike, mantissa: npt.ArrayLike, shift: npt.ArrayLike, end: tuple[int, int, int]
) -> Int8Array:
    """Check and broadcast the arguments, add the bias modulo 2^32 and run `chunk` over pieces of the rows."""
    values = _int32("acc", acc)
    zero_point, low, high = (int(v) for v in end)
    if not (-128 <= low <= high <= 127 and -128 <= zero_point <= 127):
        raise TalosError(
            f"requantize: zero point {zero_point} and bounds {low}…{high} must be int8 with low <= high; fix the layer"
        )
    channels = values.shape[-1] if values.ndim else 1
    biases = _per_channel("bias", bias, channels, -(1 << 31), (1 << 31) - 1).astype(np.int32)
    mantissas = _per_channel("mantissa", mantissa, channels, 0, (1 << SIGNIFICANT_BITS) - 1)
    shifts = _per_channel("shift", shift, channels, -256, 255)
    uniform = biases.size == mantissas.size == shifts.size == 1
    rows = values.reshape(-1, 1 if uniform else channels)
    result = np.empty(rows.shape, dtype=np.int8)
    step = max(1, _CHUNK // max(1, rows.shape[1]))
    for start in range(0, rows.shape[0], step):
        x = rows[start : start + step] + biases  # int32 + int32 wraps in NumPy as in the adder
        result[start : start + step] = chunk(x, mantissas, shifts, (zero_point, low, high))
    return result.reshape(values.shape)


def _int32(name: str, value: npt.ArrayLike) -> npt.NDArray[np.int32]:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TalosError(f"requantize: {name} has type {array.dtype}, integers are needed; pass integers in int32 range")
    if array.dtype != np.int32 and array.size and (int(array.min()) < -(1 << 31) or int(array.max()) >= 1 << 31):
        raise TalosError(f"requantize: {name} leaves int32 ({array.min()} … {array.max()}); wrap or bound it before")
    return array.astype(np.int32, copy=False)


def _per_channel(name: str, value: npt.ArrayLike, channels: int, low: int, high: int) -> IntArray:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TalosError(f"requantize: {name} has type {array.dtype}, integers are needed; use split_multiplier for multipliers")
    if array.ndim > 1 or (array.ndim == 1 and array.size not in (1, channels)):
        raise TalosError(f"requantize: {name} has shape {array.shape} for {channels} channels; pass a scalar or one per channel")
    if array.size and (int(array.min()) < low or int(array.max()) > high):
        raise TalosError(f"requantize: {name} {array.min()} … {array.max()} leaves its field [{low}, {high}]; rescale the layer")
    return array.astype(np.int64).reshape(-1)
