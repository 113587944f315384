"""Unary functions of an int8 tensor as tables of 256 codes.

onnxruntime itself computes quantized Sigmoid and LeakyRelu by such tables; the others it leaves as DequantizeLinear, float function,
QuantizeLinear, which is a table as well, since each output depends on one code.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from talos.errors import TalosError
from talos.numerics._linear import check_scale, to_codes

__all__ = ["ACTIVATIONS", "activation", "apply_table", "lookup_table"]

Int8Array = npt.NDArray[np.int8]
FloatArray = npt.NDArray[np.float32]
Function = Callable[[FloatArray], FloatArray]


def _clip(x: FloatArray, min: float = -np.inf, max: float = np.inf) -> FloatArray:
    return np.asarray(np.clip(x, np.float32(min), np.float32(max)))


def _hard_sigmoid(x: FloatArray, alpha: float = 0.2, beta: float = 0.5) -> FloatArray:
    return np.asarray(np.clip(x * np.float32(alpha) + np.float32(beta), np.float32(0), np.float32(1)))


def _hard_swish(x: FloatArray) -> FloatArray:
    return np.asarray(x * _hard_sigmoid(x, 1 / 6))


def _leaky_relu(x: FloatArray, alpha: float = 0.01) -> FloatArray:
    return np.where(x >= 0, x, x * np.float32(alpha))


# exp and tanh are evaluated in float64 and rounded once: the nearest to every float32 implementation.
def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-x.astype(np.float64))))


def _tanh(x: FloatArray) -> FloatArray:
    return np.asarray(np.tanh(x.astype(np.float64)))


def _elu(x: FloatArray, alpha: float = 1.0) -> FloatArray:
    # exp(x) - 1 with its cancellation, as onnxruntime has it.
    power = np.exp(np.minimum(x, 0).astype(np.float64)).astype(np.float32)
    return np.where(x >= 0, x, np.float32(alpha) * (power - np.float32(1)))


def _silu(x: FloatArray) -> FloatArray:
    return np.asarray(x * _sigmoid(x))


def _identity(x: FloatArray) -> FloatArray:
    return x


def _relu(x: FloatArray) -> FloatArray:
    return np.maximum(x, np.float32(0))


# By ONNX operator; keyword arguments are the operator's attributes. Swish is x * sigmoid(x); Identity requantizes to another scale.
ACTIVATIONS: dict[str, Callable[..., FloatArray]] = {
    "Clip": _clip,
    "Elu": _elu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Identity": _identity,
    "LeakyRelu": _leaky_relu,
    "Relu": _relu,
    "Sigmoid": _sigmoid,
    "Swish": _silu,
    "Tanh": _tanh,
}


def activation(op_type: str, **attributes: float) -> Function:
    """The float32 function of an ONNX operator, attributes (ONNX's names and defaults) filled in, for `lookup_table`.

    Raises TalosError for an operator that is not in `ACTIVATIONS`.
    """
    if op_type not in ACTIVATIONS:
        raise TalosError(f"no table function for operator {op_type}; known are {', '.join(ACTIVATIONS)}")
    return partial(ACTIVATIONS[op_type], **attributes)


def lookup_table(
    function: Function, scale_x: float | np.float32, zero_x: int, scale_y: float | np.float32, zero_y: int
) -> Int8Array:
    """int8[256]: entry `code + 128` is the output code of `function` for the input `code`.

    `function` maps a float32 array to an array of the same shape. Zero points are int8 codes (a uint8 tensor's less 128, which changes
    no entry). Computed as onnxruntime does: dequantize, `function` in float32, quantize with ties to even.
    Raises TalosError for a bad scale or when the function is not defined (NaN) for some code.
    """
    step_x, step_y = check_scale("table", scale_x), check_scale("table", scale_y)
    x = (np.arange(-128, 128) - zero_x).astype(np.float32) * step_x
    with np.errstate(all="ignore"):
        y = np.asarray(function(x), dtype=np.float32)
    if np.isnan(y).any():
        raise TalosError(f"table: the function is not defined at {x[np.isnan(y)][0]}, which the input can be; bound its input")
    return to_codes(y, step_y, zero_y, -128, 127).astype(np.int8)


def apply_table(table: Int8Array, codes: Int8Array) -> Int8Array:
    """Each int8 code replaced by `table[code + 128]`, any shape."""
    return np.asarray(table[codes.view(np.uint8) ^ np.uint8(128)])
