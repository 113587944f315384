"""Float functions of one quantized activation, element by element: they become tables. Relu and Clip behind a float result bound it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import onnx_ir
from onnx import NodeProto, TensorProto, helper, numpy_helper

from talos.compiler.graph.ir import Lookup, Tensor
from talos.compiler.importing.float_function import FloatFunction
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.values import Activation, Constant, Pending, PendingFunction, QuantizedConstant, Value

__all__ = ["HANDLERS", "UNARY_OPS", "import_as_function"]

UNARY_OPS = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu",
    "HardSigmoid", "HardSwish", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg", "Not", "Reciprocal", "Round", "Selu", "Shrink",
    "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu",
)  # fmt: skip
"""Operators of one operand that act on each element alone."""

_SCALAR_OPS = (
    "And", "Cast", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mean", "Mod", "Or", "PRelu", "Pow",
    "Sum", "Where", "Xor",
)  # fmt: skip
"""Element-wise operators of several operands: functions if one activation and scalars are all they read. Add, Sub and Mul as well."""


Expression = tuple[Activation, FloatFunction]


def import_as_function(importer: Importer, node: onnx_ir.Node) -> bool:
    """Makes the result of the element-wise `node` a `PendingFunction` if it can be one, and returns whether it could.

    It can if all its operands are scalar constants or functions of one activation, in the same order of elements; tables made of that
    activation earlier count as such. Between two other activations, or with a constant that has more than one value, nothing changes.
    """
    values = [importer.value(node, position) for position in range(len(node.inputs))]
    if not all(value is None or _is_scalar(value) or isinstance(value, (Activation, PendingFunction)) for value in values):
        return False
    chosen = _common(
        [list(_expressions(importer, value)) for value in values if isinstance(value, (Activation, PendingFunction))]
    )
    if not chosen:
        return False
    operand, joined = chosen[0]
    for _, function in chosen[1:]:
        joined = joined.joined(function)
    proto = onnx_ir.to_proto(node)
    constants, dequantized = [], []
    functions = iter(chosen)
    for position, value in enumerate(values):
        if isinstance(value, (Activation, PendingFunction)):
            proto.input[position] = next(functions)[1].result
        elif value is not None:
            tensors, made = _scalar(f"{node.name}.{position}", value)
            constants.extend(tensors)
            dequantized.extend(made)
            proto.input[position] = f"{node.name}.{position}"
    function = FloatFunction((*joined.nodes, *dequantized, proto), (*joined.constants, *constants), proto.output[0])
    before = [value.nodes for value in values if isinstance(value, PendingFunction)]
    names = tuple(dict.fromkeys(name for group in (*before, (str(node.name),)) for name in group))
    shape = importer.output_shape(node)
    importer.set(node, PendingFunction(names, replace(operand, index=operand.index.reshape(shape)), function))
    return True


def _is_scalar(value: Value) -> bool:
    array = value.array if isinstance(value, Constant) else value.codes if isinstance(value, QuantizedConstant) else None
    return array is not None and array.size == 1


def _expressions(importer: Importer, value: Activation | PendingFunction) -> Iterator[Expression]:
    """`value` as a function of an activation, then of the one that this one is a table of, and so on. None if it has no scale."""
    operand, function = (value.operand, value.function) if isinstance(value, PendingFunction) else (value, FloatFunction())
    if not operand.real or operand.tensor is None:
        return
    while True:
        yield operand, function
        made = importer.functions.get(id(operand.source))
        if made is None or not isinstance(operand.source, Tensor):
            return
        tensor, inner = made
        function = function.of(inner.quantized(operand.source))
        operand = replace(operand, source=tensor)


def _common(values: list[list[Expression]]) -> list[Expression]:
    """An expression for each value, all of the same activation, as few tables back as possible; none if there are not."""
    for operand, function in values[0] if values else ():
        matches = [(operand, function)]
        for expressions in values[1:]:
            found = next((other for other in expressions if _same(other[0], operand)), None)
            if found is not None:
                matches.append(found)
        if len(matches) == len(values):
            return matches
    return []


def _same(a: Activation, b: Activation) -> bool:
    """Whether two activations have the same elements in the same order."""
    return a.source is b.source and np.array_equal(a.index.reshape(-1), b.index.reshape(-1))


def _scalar(name: str, value: Value) -> tuple[list[TensorProto], list[NodeProto]]:
    """The constant `name`, and the DequantizeLinear that makes it if the model has one: onnxruntime fuses that too."""
    if isinstance(value, Constant):
        return [numpy_helper.from_array(value.array, name)], []
    assert isinstance(value, QuantizedConstant)
    parts = [f"{name}.codes", f"{name}.scale", f"{name}.zero_point"]
    arrays = [value.codes, value.scale.reshape(()), value.zero_point.reshape(())]
    tensors = [numpy_helper.from_array(array, part) for array, part in zip(arrays, parts, strict=True)]
    return tensors, [helper.make_node("DequantizeLinear", parts, [name])]


def _function(importer: Importer, node: onnx_ir.Node) -> None:
    if import_as_function(importer, node):
        return
    for position in range(len(node.inputs)):
        value = importer.value(node, position)
        if isinstance(value, Pending) or (isinstance(value, Activation) and value.tensor is None):
            importer.activation(node, position)  # refuses it, naming the node in front
        if isinstance(value, Activation) and not value.real:
            raise importer.error(node, "it is applied to integer codes", "dequantize its operand")
    if node.op_type == "PRelu":
        raise importer.error(node, "its slope differs between channels", "quantize the float model with `talos quantize`")
    raise importer.error(
        node,
        "its operands are not one quantized activation and scalar constants",
        "functions of two activations, or with one constant per channel, are supported for Add, Sub and Mul",
    )


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


def _extreme(importer: Importer, node: onnx_ir.Node) -> None:
    """Max and Min: of a float result and scalars, they bound it as Clip does."""
    values = [importer.value(node, position) for position in range(len(node.inputs))]
    pending = [value for value in values if isinstance(value, Pending)]
    bounds = [float(value.array.reshape(-1)[0]) for value in values if isinstance(value, Constant) and _is_scalar(value)]
    if len(pending) != 1 or len(bounds) != len(values) - 1 or np.isnan(bounds).any():
        _function(importer, node)
        return
    lower, upper = (max(bounds), np.inf) if node.op_type == "Max" else (-np.inf, min(bounds))
    importer.set(node, pending[0].bounded(str(node.name), lower, upper))


def _bounded(importer: Importer, node: onnx_ir.Node, lower: float, upper: float) -> None:
    value = importer.value(node, 0)
    if isinstance(value, Pending):
        importer.set(node, value.bounded(str(node.name), lower, upper))
    elif isinstance(value, Constant):  # weights that are quantized and clamped in the graph
        importer.set(node, Constant(np.clip(value.array, lower, upper).astype(value.array.dtype)))
    elif isinstance(value, Activation) and not value.real and value.tensor is not None:
        _bound_codes(importer, node, value, lower, upper)
    else:
        _function(importer, node)


def _bound_codes(importer: Importer, node: onnx_ir.Node, value: Activation, lower: float, upper: float) -> None:
    """A clamp of integer codes, which keep their scale."""
    tensor, index = importer.whole(node, value)
    low, high = np.clip((lower - 128 * tensor.unsigned, upper - 128 * tensor.unsigned), -128, 127)
    table = np.arange(-128, 128).clip(low, high).astype(np.int8)
    name = str(node.name)
    output = Tensor(str(node.outputs[0].name), tensor.shape, tensor.scale, tensor.zero_point, tensor.unsigned)
    importer.layers.append(Lookup(name, (name,), [tensor], output, table))
    importer.set(node, Activation(output, index.reshape(value.shape), real=False))


HANDLERS = {op: _function for op in (*UNARY_OPS, *_SCALAR_OPS)} | {
    "Clip": _clip, "Max": _extreme, "Min": _extreme, "Relu": _relu,
}  # fmt: skip
