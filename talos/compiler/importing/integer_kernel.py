"""Which Add and Mul nodes onnxruntime computes by its integer kernels, and in which order of operands.

onnxruntime fuses DequantizeLinear, operator and QuantizeLinear into QLinearAdd or QLinearMul only where nothing else reads the float
result; everywhere else it computes in float32, which rounds differently. What is here was read off its optimized graphs and measured.
"""

from collections.abc import Callable

import numpy as np
import onnx_ir

from talos.compiler.graph.ir import Tensor
from talos.compiler.importing.importer import Importer

__all__ = ["becomes_kernel", "exchanges_operands"]

_EPSILON = float(np.finfo(np.float32).eps)

_TRANSPARENT = ("Dropout", "Identity", "MaxPool", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
"""Operators past which onnxruntime moves QuantizeLinear up and DequantizeLinear down; it does not for other data movement."""


def becomes_kernel(importer: Importer, node: onnx_ir.Node, output: Tensor) -> bool:
    """Whether `node` has dequantized operands, and only a QuantizeLinear to `output` reads its result.

    Clamps in between that reach to both ends of the codes are removed by onnxruntime; one that does not keeps the operator in float.
    """
    if not all(value is not None and _is_dequantized(value) for value in node.inputs):
        return False
    value = node.outputs[0]
    while True:
        readers = [usage.node for usage in value.uses()]
        if value.is_graph_output() or len(readers) != 1:
            return False
        (reader,) = readers
        if reader.op_type == "QuantizeLinear":
            return True
        clamps = reader.op_type in ("Clip", "Relu")
        if not (_changes_nothing(importer, reader, output) if clamps else reader.op_type in _TRANSPARENT):
            return False
        value = reader.outputs[0]


def _is_dequantized(value: onnx_ir.Value) -> bool:
    maker = value.producer()
    while maker is not None and maker.op_type in _TRANSPARENT and maker.inputs[0] is not None:
        maker = maker.inputs[0].producer()
    return maker is not None and maker.op_type == "DequantizeLinear"


def _changes_nothing(importer: Importer, clamp: onnx_ir.Node, output: Tensor) -> bool:
    """Whether `clamp` lets everything through that `output` has codes for, by onnxruntime's own test."""
    if clamp.op_type == "Relu":
        return output.zero_point == -128
    low, high = ((code - output.zero_point) * float(output.scale) for code in (-128, 127))
    bounds = []
    for position, name, default in ((1, "min", -np.inf), (2, "max", np.inf)):
        constant = importer.constant(clamp, position)
        bounds.append(float(importer.attribute(clamp, name, default) if constant is None else constant.reshape(-1)[0]))
    return bounds[0] - low <= _EPSILON and high - bounds[1] <= _EPSILON


def exchanges_operands(node: onnx_ir.Node, first: tuple[int, ...], result: tuple[int, ...]) -> bool:
    """Whether the kernel of `node` takes its first operand, of shape `first`, as its second one.

    It does where that is one value for a whole run of the result's innermost elements. Between two convolutions onnxruntime keeps images
    with the channels innermost, elsewhere in the ONNX order.
    """
    aligned = (1,) * (len(result) - len(first)) + first
    between = len(result) == 4 and _meets_convolution(node, _sources) and _meets_convolution(node, _readers)
    axes = (0, 2, 3, 1) if between else range(len(result))
    innermost = next((axis for axis in reversed(axes) if result[axis] > 1), None)
    return innermost is not None and aligned[innermost] == 1


def _sources(node: onnx_ir.Node) -> list[onnx_ir.Node]:
    makers = [value.producer() for value in node.inputs if value is not None]
    return [maker for maker in makers if maker is not None]


def _readers(node: onnx_ir.Node) -> list[onnx_ir.Node]:
    return [usage.node for value in node.outputs for usage in value.uses()]


def _meets_convolution(node: onnx_ir.Node, neighbours: Callable[[onnx_ir.Node], list[onnx_ir.Node]]) -> bool:
    """Whether a Conv is among the nodes that follow from `node` by `neighbours`, however far."""
    seen, pending = {node}, [node]
    while pending:
        for other in neighbours(pending.pop()):
            if other.op_type == "Conv":
                return True
            if other not in seen:
                seen.add(other)
                pending.append(other)
    return False
