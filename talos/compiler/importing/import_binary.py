"""Add, Sub and Mul of two activations or of an activation and a constant, with broadcasting."""

from dataclasses import replace

import numpy as np
import onnx_ir

from talos.compiler.graph.ir import Binary, Layer, Tensor
from talos.compiler.graph.pair_parameters import pair_parameters
from talos.compiler.importing.broadcast import ConstantOperand, Operand, align, constant_operand, per_channel
from talos.compiler.importing.import_function import import_as_function
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.integer_kernel import becomes_kernel, exchanges_operands
from talos.compiler.importing.values import Constant, Pending, QuantizedConstant
from talos.errors import TalosError
from talos.numerics import PairOperation

__all__ = ["HANDLERS"]

_FUNCTIONS: dict[str, PairOperation] = {"Add": "add", "Mul": "multiply", "Sub": "subtract"}


def _binary(importer: Importer, node: onnx_ir.Node) -> None:
    if import_as_function(importer, node) or _import_bias(importer, node):
        return
    function = _FUNCTIONS[node.op_type]
    operands: list[Operand] = []
    for position in (0, 1):
        value = importer.value(node, position)
        constant = isinstance(value, (Constant, QuantizedConstant))
        operands.append(constant_operand(importer, node, position) if constant else importer.activation(node, position))
    if not all(operand.real for operand in operands):
        raise importer.error(node, "one of its operands is integer codes", "dequantize it")
    try:
        shape = np.broadcast_shapes(*(operand.shape for operand in operands))
    except ValueError:
        shapes = " and ".join(str(list(operand.shape)) for operand in operands)
        raise importer.invalid(node, f"operands of shape {shapes} do not broadcast", "check the model") from None
    (first, second), layout, index = align(importer, node, operands, shape)
    per_tensor = all(operand.per_tensor for operand in operands if isinstance(operand, ConstantOperand))

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
        same = first.unsigned == second.unsigned == output.unsigned
        kernel = same and per_tensor and function != "subtract" and becomes_kernel(importer, node, output)
        inputs = [first, second]
        if kernel and exchanges_operands(node, operands[0].shape, shape):
            inputs.reverse()
        layer = Binary(nodes[0], nodes, inputs, output, low, high, function=function, kernel=kernel)
        try:
            pair_parameters(layer)
        except TalosError as error:
            reason, _, suggestion = str(error).partition("; ")
            raise importer.error(node, reason, suggestion) from error
        return layer

    importer.set(node, Pending((str(node.name),), layout, index, finish))


def _import_bias(importer: Importer, node: onnx_ir.Node) -> bool:
    """Takes a constant added to a float result that waits for its scale (MatMul, Add) as its bias; returns whether it is such a node."""
    if node.op_type != "Add":
        return False
    for position in (0, 1):
        value, other = importer.value(node, position), importer.value(node, 1 - position)
        if not isinstance(value, Pending) or not isinstance(other, (Constant, QuantizedConstant)):
            continue
        if value.with_bias is None:
            raise importer.error(node, f"'{value.nodes[-1]}' has a bias or an activation already", "add the two constants")
        bias = per_channel(other, value.index, value.shape[2])
        if bias is None:
            raise importer.error(node, "the constant is not one value per output channel", "add it before quantization")
        importer.set(node, replace(value.with_bias((*value.nodes, str(node.name)), bias), index=value.index))
        return True
    return False


HANDLERS = dict.fromkeys(_FUNCTIONS, _binary)
