"""Weights and biases as the array takes them: int8 with zero point 0, int32 in steps of the accumulator."""

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.importer import Importer
from talos.compiler.values import Constant, QuantizedConstant, Value

__all__ = ["integer_bias", "integer_weight"]


def integer_weight(
    importer: Importer, node: onnx_ir.Node, value: Value | None, axis: int
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """int8 codes with the zero point subtracted, and a float32 scale for each index along `axis`.

    uint8 weights and zero points are shifted exactly. Raises TalosError if the weight is computed or float, scaled along another
    axis, or does not fit int8 without its zero point.
    """
    if not isinstance(value, QuantizedConstant):
        kind = "float" if isinstance(value, Constant) else "not constant"
        raise importer.error(node, f"its weight is {kind}", "quantize the weights (DequantizeLinear of an int8 constant)")
    if value.codes.dtype not in (np.int8, np.uint8):
        raise importer.error(node, f"weights of type {value.codes.dtype} are not supported", "quantize weights to int8")
    shifted = value.codes.astype(np.int32) - value.zero_point.astype(np.int32)
    if shifted.size and (shifted.min() < -128 or shifted.max() > 127):
        raise importer.error(
            node,
            f"weights minus their zero point reach {shifted.min()}…{shifted.max()}, which is not int8",
            "quantize the weights symmetrically (zero point 0)",
        )
    scale, count = value.scale, value.codes.shape[axis]
    if scale.ndim:
        if scale.shape[axis] != scale.size:
            raise importer.error(node, "its weights are scaled along another axis", "quantize weights per output channel")
        scale = scale.reshape(-1)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise importer.error(node, "a weight scale is not positive and finite", "quantize the model again")
    return shifted.astype(np.int8), np.broadcast_to(scale, (count,)).astype(np.float32)


def integer_bias(
    importer: Importer,
    node: onnx_ir.Node,
    value: Value | None,
    scale_x: np.float32,
    scale_w: npt.NDArray[np.float32],
) -> npt.NDArray[np.int32]:
    """The bias in steps of `scale_x * scale_w`, int32 (out_channels,); zeros if there is none.

    An int32 bias of that scale is taken as it is; one of another scale, or a float bias, is rounded to that step, as onnxruntime does
    before it fuses the node. Raises TalosError if it is computed, has a wrong size or does not fit int32.
    """
    step = (np.float32(scale_x) * scale_w).astype(np.float32)
    if value is None:
        return np.zeros(len(step), np.int32)
    if isinstance(value, QuantizedConstant):
        codes = value.codes.astype(np.int64) - value.zero_point
        scale = np.broadcast_to(value.scale.reshape(-1), step.shape) if value.scale.size in (1, len(step)) else None
        if scale is None or codes.size not in (1, len(step)):
            raise importer.error(node, f"its bias has {codes.size} values for {len(step)} channels", "check the model")
        codes = np.broadcast_to(codes.reshape(-1), step.shape)
        if np.allclose(scale, step, rtol=1e-5, atol=0):
            quantized = codes.astype(np.float64)
        else:
            quantized = np.rint(codes * scale.astype(np.float64) / step)
    elif isinstance(value, Constant) and value.array.dtype == np.float32 and value.array.size in (1, len(step)):
        quantized = np.rint(np.broadcast_to(value.array.reshape(-1), step.shape) / step).astype(np.float64)
    else:
        raise importer.error(node, "its bias is not a constant per output channel", "check the model")
    limits = np.iinfo(np.int32)
    if not np.isfinite(quantized).all() or quantized.min() < limits.min or quantized.max() > limits.max:
        raise importer.error(node, "its bias does not fit int32 at the scale of the weights", "use larger weight scales")
    return quantized.astype(np.int32)
