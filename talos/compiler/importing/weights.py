"""Weights and biases as the array takes them: integers with zero point 0, and int32 in steps of the accumulator."""

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.importing.importer import Importer
from talos.compiler.importing.values import Constant, QuantizedConstant, Value

__all__ = ["accumulator_step", "int8_terms", "integer_bias", "integer_weight"]

FloatArray = npt.NDArray[np.float32]

_INT32_MAX = np.iinfo(np.int32).max

_NEAR_SCALE, _NEAR_SCALE_ABSOLUTE = 1e-2, 1e-6
"""How far the scale of a bias may be off for onnxruntime to compute a convolution with integers: as numpy.isclose; measured."""


def integer_weight(
    importer: Importer, node: onnx_ir.Node, value: Value | None, axis: int
) -> tuple[npt.NDArray[np.int16], FloatArray]:
    """Codes with the zero point subtracted (-255…255), and a float32 scale for each index along `axis`.

    Raises TalosError if the weight is computed or float, of another type than int8 and uint8, or scaled along another axis.
    """
    if not isinstance(value, QuantizedConstant):
        kind = f"of type {value.array.dtype}" if isinstance(value, Constant) else "not constant"
        raise importer.error(node, f"its weight is {kind}", "quantize the weights (DequantizeLinear of an int8 constant)")
    if value.codes.dtype not in (np.int8, np.uint8):
        raise importer.error(node, f"weights of type {value.codes.dtype} are not supported", "quantize weights to int8")
    scale = value.scale
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise importer.invalid(node, "a weight scale is not positive and finite", "quantize the model again")
    shifted = value.codes.astype(np.int16) - value.zero_point.astype(np.int16)
    count = shifted.shape[axis]
    if scale.ndim:
        others = tuple(other for other in range(scale.ndim) if other != axis % shifted.ndim)
        first = scale.min(axis=others)
        if not np.array_equal(first, scale.max(axis=others)):
            raise importer.error(node, "its weights are scaled along another axis", "quantize weights per output channel")
        scale = first
    return shifted, np.broadcast_to(scale.reshape(-1), (count,)).astype(np.float32)


def accumulator_step(importer: Importer, node: onnx_ir.Node, scale_x: np.float32, scale_w: FloatArray) -> FloatArray:
    """What 1 in the accumulator stands for, float32, one per output channel.

    Raises TalosError if float32 does not hold it, or weights or sums of that scale, where onnxruntime computes with them.
    """
    with np.errstate(all="ignore"):
        step = np.asarray(scale_x * scale_w, np.float32)
        largest = np.maximum(step * np.float32(2**31), scale_w * np.float32(255))
    if not (np.isfinite(largest).all() and (step >= np.finfo(np.float32).tiny).all()):
        raise importer.error(node, "the products of its scales overflow or vanish", "recalibrate the model")
    return step


def int8_terms(weight: npt.NDArray[np.integer]) -> list[npt.NDArray[np.int8]]:
    """Int8 arrays whose sum is `weight`: one, or more for uint8 weights whose zero point is far from 128."""
    terms: list[npt.NDArray[np.int8]] = []
    rest = weight.astype(np.int32)
    while not terms or rest.any():
        terms.append(np.clip(rest, -128, 127).astype(np.int8))
        rest = rest - terms[-1]
    return terms


def integer_bias(
    importer: Importer, node: onnx_ir.Node, value: Value | None, step: FloatArray, weight: npt.NDArray[np.integer]
) -> npt.NDArray[np.int32]:
    """The bias in steps of the accumulator (`step`, one per output channel), int32 (out_channels,); zeros if there is none.

    An int32 bias of that scale is taken as it is; one of another scale, or a float bias, is rounded to that step, as onnxruntime does
    before it fuses the node. `weight` has the output channels first. Raises TalosError if it is computed, has a wrong size or does not
    fit int32, also if only the sums might not where onnxruntime adds in float, or if onnxruntime's integer kernel takes its codes for
    such steps although they are none.
    """
    raw = False
    if value is None:
        return np.zeros(len(step), np.int32)
    if isinstance(value, QuantizedConstant):
        codes = value.codes.astype(np.int64) - value.zero_point
        scale = np.broadcast_to(value.scale.reshape(-1), step.shape) if value.scale.size in (1, len(step)) else None
        if scale is None or codes.size not in (1, len(step)):
            raise importer.invalid(node, f"its bias has {codes.size} values for {len(step)} channels", "check the model")
        codes = np.broadcast_to(codes.reshape(-1), step.shape)
        if np.allclose(scale, step, rtol=1e-5, atol=0):
            quantized = codes.astype(np.float64)
        else:
            quantized = np.rint(codes * scale.astype(np.float64) / step)
        raw = value.codes.dtype == np.int32
        if raw and not np.array_equal(quantized, np.broadcast_to(value.codes.reshape(-1), step.shape)):
            _refuse_raw_codes(importer, node, value, scale, step)
            raw = False
    elif isinstance(value, Constant) and value.array.dtype == np.float32 and value.array.size in (1, len(step)):
        quantized = np.rint(np.broadcast_to(value.array.reshape(-1), step.shape) / step).astype(np.float64)
    else:
        raise importer.error(node, "its bias is not a constant per output channel", "check the model")
    # Both accumulators wrap around, those of onnxruntime's integer kernels and ours; its float sums do not.
    limit = _INT32_MAX - np.abs(weight.reshape(len(step), -1).astype(np.int64)).sum(axis=1) * 255
    if not raw and not (np.isfinite(quantized).all() and (np.abs(quantized) <= limit).all()):
        raise importer.error(
            node, "its bias and its sums do not fit int32 at the scale of the weights", "use larger weight scales"
        )
    return quantized.astype(np.int32)


def _refuse_raw_codes(
    importer: Importer, node: onnx_ir.Node, bias: QuantizedConstant, scale: FloatArray, step: FloatArray
) -> None:
    """Raise TalosError if onnxruntime's integer kernel for `node` reads the codes of `bias` as they are.

    That of Conv does if the zero point is 0 and the scale about right (it is computed in float otherwise, by scale and zero point); that
    of Gemm, and of a MatMul with an Add behind it, always, unless Gemm scales its bias.
    """
    if node.op_type == "Conv":
        raw = not bias.zero_point.any() and bool(np.allclose(scale, step, rtol=_NEAR_SCALE, atol=_NEAR_SCALE_ABSOLUTE))
    else:
        raw = importer.attribute(node, "beta", 1.0) == 1
    if raw:
        wrong = "zero point other than 0" if bias.zero_point.any() else "scale other than input scale × weight scale"
        reason = f"its int32 bias has a {wrong}, which onnxruntime's integer kernel ignores"
        raise importer.error(node, reason, "quantize the bias again, or leave it float")
