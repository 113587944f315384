"""QuantizeLinear and DequantizeLinear as onnxruntime computes them: the host's side of the arithmetic, in float32."""

import numpy as np
import numpy.typing as npt

from talos.errors import TalosError

__all__ = ["check_scale", "dequantize", "quantize", "to_codes"]

FloatArray = npt.NDArray[np.float32]
CodeArray = npt.NDArray[np.int8] | npt.NDArray[np.uint8]


def check_scale(where: str, scale: float | np.float32) -> np.float32:
    """`scale` as float32. Raises TalosError, naming `where`, unless it is positive and finite."""
    with np.errstate(over="ignore"):
        value = np.float32(scale)
    if not (np.isfinite(value) and value > 0):
        raise TalosError(f"{where}: scale {scale} is not positive and finite; recalibrate the model")
    return value


def quantize(x: npt.ArrayLike, scale: float | np.float32, zero_point: int, unsigned: bool = False) -> CodeArray:
    """ONNX QuantizeLinear: `saturate(rint(x / scale) + zero_point)`, ties to even, in float32.

    `zero_point` is ONNX's: 0…255 if `unsigned`, -128…127 otherwise. The result has the shape of `x` and is uint8 or int8.
    Raises TalosError on NaN in `x`, a bad scale or a zero point out of range.
    """
    low, high = _bounds(zero_point, unsigned)
    values = np.asarray(x, dtype=np.float32)
    if np.isnan(values).any():
        raise TalosError("quantize: the input holds NaN, which has no code; remove NaN from the input")
    codes = to_codes(values, check_scale("quantize", scale), zero_point, low, high)
    return codes.astype(np.uint8) if unsigned else codes.astype(np.int8)


def dequantize(codes: npt.ArrayLike, scale: float | np.float32, zero_point: int) -> FloatArray:
    """ONNX DequantizeLinear: `float32(code - zero_point) * scale`. `codes` are int8 or uint8 and `zero_point` is of the same type."""
    array = np.asarray(codes)
    if array.dtype not in (np.int8, np.uint8):
        raise TalosError(f"dequantize: codes have type {array.dtype}, not int8 or uint8; pass the quantized tensor")
    _bounds(zero_point, array.dtype == np.uint8)
    return np.asarray((array.astype(np.int32) - zero_point).astype(np.float32) * check_scale("dequantize", scale))


def to_codes(values: FloatArray, scale: np.float32, zero_point: int, low: int, high: int) -> FloatArray:
    """The codes as whole float32 numbers in [`low`, `high`]. onnxruntime clamps before it rounds, which also takes in infinities."""
    with np.errstate(over="ignore", under="ignore"):
        steps = np.asarray(values / scale, dtype=np.float32)
    np.clip(steps, np.float32(low - zero_point), np.float32(high - zero_point), out=steps)
    return np.asarray(np.rint(steps) + np.float32(zero_point), dtype=np.float32)


def _bounds(zero_point: int, unsigned: bool) -> tuple[int, int]:
    low, high = (0, 255) if unsigned else (-128, 127)
    if not low <= zero_point <= high:
        raise TalosError(f"zero point {zero_point} is not in {low}…{high}; fix the model")
    return low, high
