"""Add, the clamps Relu and Clip, and the unary functions that become tables."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos import numerics
from talos.compiler.importer import Importer
from talos.compiler.index import Index, nchw_index
from talos.compiler.ir import Add, Layer, Tensor
from talos.compiler.values import Activation, Constant, Function, Pending, PendingFunction, QuantizedConstant

__all__ = ["HANDLERS"]


def _add(importer: Importer, node: onnx_ir.Node) -> None:
    values = [importer.value(node, position) for position in (0, 1)]
    for value, other in (values, values[::-1]):
        if isinstance(value, Pending) and isinstance(other, (Constant, QuantizedConstant)):
            if value.with_bias is None:
                raise importer.error(node, f"'{value.nodes[-1]}' has a bias or an activation already", "add the two constants")
            bias = _per_channel(other, value.index, value.shape[2])
            if bias is None:
                raise importer.error(node, "the constant is not one value per output channel", "add it before quantization")
            importer.set(node, replace(value.with_bias((*value.nodes, str(node.name)), bias), index=value.index))
            return
    if any(isinstance(value, (Constant, QuantizedConstant)) for value in values):
        raise importer.error(node, "a constant added to a quantized tensor", "fold it into the bias of the convolution in front")
    a, b = importer.activation(node, 0), importer.activation(node, 1)
    if a.shape != b.shape:
        raise importer.error(node, f"operands of shape {list(a.shape)} and {list(b.shape)}", "broadcasting is not supported")
    left, right, index = _aligned(importer, node, a, b)
    if left.unsigned != right.unsigned:
        raise importer.error(node, "one operand is uint8 and the other int8", "quantize both to int8")

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
        if output.unsigned != left.unsigned:
            raise importer.error(node, "operands and result are not all int8 or all uint8", "quantize all three to int8")
        return Add(name=nodes[0], nodes=nodes, inputs=[left, right], output=output, low=low, high=high)

    importer.set(node, Pending((str(node.name),), left.shape, index, finish))


def _per_channel(constant: Constant | QuantizedConstant, index: Index, channels: int) -> Constant | QuantizedConstant | None:
    """`constant`, broadcast to the ONNX value at `index` as ONNX does, as one value per channel; None if it differs within one."""

    def vector(array: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        try:
            full = np.broadcast_to(array, index.shape).reshape(-1)
        except ValueError:
            return None
        channel = index.reshape(-1) % channels
        values = np.empty(channels, array.dtype)
        values[channel] = full
        return values if np.array_equal(values[channel], full) else None

    if isinstance(constant, Constant):
        array = vector(constant.array)
        return None if array is None else Constant(array)
    parts = [vector(part) for part in (constant.codes, constant.scale, constant.zero_point)]
    codes, scale, zero_point = parts
    return None if codes is None or scale is None or zero_point is None else QuantizedConstant(codes, scale, zero_point)


def _aligned(importer: Importer, node: onnx_ir.Node, a: Activation, b: Activation) -> tuple[Tensor, Tensor, Index]:
    """The operands as tensors whose equal bytes belong together, and the ONNX order of the result."""
    if a.index.ndim == 4 and a.index.shape[0] == 1:
        left, _ = importer.image(node, a, keep_pads=False)
        right, _ = importer.image(node, b, keep_pads=False)
        return left, right, nchw_index(left.shape)
    (left, index), (right, other) = importer.whole(node, a), importer.whole(node, b)
    if not np.array_equal(index, other):
        raise importer.error(node, "its operands lie differently in memory", "add before flattening")
    return left, importer.view(node, right, left.shape), index


def _relu(importer: Importer, node: onnx_ir.Node) -> None:
    _bounded(importer, node, 0.0, np.inf)


def _clip(importer: Importer, node: onnx_ir.Node) -> None:
    bounds = []
    for position, name, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        constant = importer.constant(node, position)
        bounds.append(float(importer.attribute(node, name, default) if constant is None else constant.reshape(-1)[0]))
    if np.isnan(bounds).any() or bounds[0] > bounds[1]:
        raise importer.error(node, f"bounds {bounds[0]} and {bounds[1]}", "check the model")
    _bounded(importer, node, bounds[0], bounds[1])


def _bounded(importer: Importer, node: onnx_ir.Node, lower: float, upper: float) -> None:
    value = importer.value(node, 0)
    if isinstance(value, Pending):
        importer.set(node, value.bounded(str(node.name), lower, upper))
    else:
        _compose(importer, node, numerics.activation("Clip", min=lower, max=upper))


def _function(importer: Importer, node: onnx_ir.Node) -> None:
    attributes = {name: float(attribute.value) for name, attribute in node.attributes.items()}
    _compose(importer, node, numerics.activation(node.op_type, **attributes))


def _compose(importer: Importer, node: onnx_ir.Node, function: Function) -> None:
    value = importer.value(node, 0)
    if isinstance(value, PendingFunction):
        inner = value.function
        composed = PendingFunction((*value.nodes, str(node.name)), value.operand, lambda x: function(inner(x).astype(np.float32)))
        importer.set(node, composed)
        return
    operand = importer.activation(node)
    if not operand.real:
        raise importer.error(node, "it is applied to integer codes", "dequantize its operand")
    importer.set(node, PendingFunction((str(node.name),), operand, function))


HANDLERS = {"Add": _add, "Clip": _clip, "Relu": _relu} | {
    op: _function for op in ("Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "Sigmoid", "Tanh")
}
