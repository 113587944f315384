"""Functions spelled out as several nodes (SiLU, Gelu, Mish, HardSwish, x / 127.5 − 1 …), put together as one.

Quantized node by node, x · σ(x) would be rounded in between and multiply two activations. As a function of one tensor it stands between
one DequantizeLinear and one QuantizeLinear, still in float and exact, and the accelerator needs one table. While the model is quantized
the nodes are a model-local function, one node to the quantizer, which gives its result a scale; `restore_functions` puts them back.
"""

from dataclasses import dataclass

import onnx
import onnx_ir as ir
from onnx import numpy_helper

from talos.compiler.prepare.edit import Rewrite, constant, excluded, nodes_of, shape_of, sole_reader

__all__ = ["DOMAIN", "group_functions", "isolate_averages", "restore_functions"]

DOMAIN = "talos.functions"

_UNARY = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Clip", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu",
    "HardSigmoid", "HardSwish", "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign",
    "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu",
)  # fmt: skip
_SEVERAL = ("Add", "Div", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum")
_CLAMPS = ("Clip", "Relu")


@dataclass(frozen=True)
class _Group:
    nodes: tuple[ir.Node, ...]
    variable: ir.Value
    results: tuple[ir.Value, ...]


def group_functions(model: ir.Model) -> None:
    """Each largest set of element-wise nodes that depend on one tensor and on single numbers → one call of a function, in place.

    A clamp alone behind another layer stays outside: it costs nothing there. So does an operator that is a function by itself.
    """
    graph = model.graph
    taken: set[ir.Node] = set()
    for variable in [*graph.inputs, *(value for node in list(graph) for value in node.outputs)]:
        if not shape_of(variable) or (variable.producer() is not None and variable.producer() in taken):
            continue
        reader = sole_reader(variable)
        if reader is not None and reader.op_type in _CLAMPS:
            continue  # the function begins behind it
        group = _closure(graph, variable, taken)
        if group is not None:
            taken.update(group.nodes)
            _call(model, group, len(model.functions))


def isolate_averages(model: ir.Model) -> None:
    """Each AveragePool → one call of a function, in place: its result then gets a scale of its own.

    The quantizer would give it the operand's. Means have a smaller range, so that wastes codes; and every fourth mean of 2×2 codes would
    lie halfway between two codes, where float rounding decides.
    """
    for node in nodes_of(model.graph, "AveragePool"):
        if node.inputs[0] is not None and shape_of(node.inputs[0]):
            _call(model, _Group((node,), node.inputs[0], (node.outputs[0],)), len(model.functions))


def _closure(graph: ir.Graph, variable: ir.Value, taken: set[ir.Node]) -> _Group | None:
    inside, nodes = {variable}, []
    pending = {use.node for use in variable.uses()}
    if not pending:
        return None
    for node in graph:
        if node in pending and node not in taken and _is_function_of(node, inside):
            nodes.append(node)
            inside.add(node.outputs[0])
            pending.update(use.node for use in node.outputs[0].uses())
    computed = len(nodes) > 1 or any(
        constant(value) is not None for node in nodes for value in node.inputs if node.op_type in _SEVERAL
    )
    if not computed:
        return None
    chosen = set(nodes)
    results = [
        node.outputs[0]
        for node in nodes
        if node.outputs[0].is_graph_output() or any(use.node not in chosen for use in node.outputs[0].uses())
    ]
    return _Group(tuple(nodes), variable, tuple(results)) if results else None


def _is_function_of(node: ir.Node, inside: set[ir.Value]) -> bool:
    if excluded(node) or node.domain not in ("", "ai.onnx") or node.op_type not in (*_UNARY, *_SEVERAL):
        return False
    shape = shape_of(node.outputs[0])
    for value in node.inputs:
        if value is None:
            continue
        array = constant(value)
        if array is None and (value not in inside or shape_of(value) != shape):
            return False
        if array is not None and array.size != 1:
            return False
    return bool(shape)


def _call(model: ir.Model, group: _Group, number: int) -> None:
    graph, name = model.graph, f"function_{number}"
    results = [str(value.name) for value in group.results]
    proto = onnx.FunctionProto(domain=DOMAIN, name=name, input=[str(group.variable.name)], output=results)
    proto.opset_import.add(domain="", version=model.opset_imports[""])
    constants = {value for node in group.nodes for value in node.inputs if value is not None and constant(value) is not None}
    for value in sorted(constants, key=lambda value: str(value.name)):
        array = constant(value)
        assert array is not None
        proto.node.append(onnx.helper.make_node("Constant", [], [str(value.name)], value=numpy_helper.from_array(array)))
    proto.node.extend(ir.to_proto(node) for node in group.nodes)
    function = ir.serde.deserialize_function(proto)
    model.functions[function.identifier()] = function
    model.opset_imports[DOMAIN] = 1
    Rewrite(graph, group.nodes).call(DOMAIN, name, group.variable, group.results)


def restore_functions(model: onnx.ModelProto) -> None:
    """Every call of a function that `group_functions` made → the nodes themselves, under their own names, in place."""
    bodies = {function.name: function for function in model.functions if function.domain == DOMAIN}
    graph = model.graph
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        if node.domain != DOMAIN:
            graph.node.append(node)
            continue
        body = bodies[node.op_type]
        names = dict(zip([*body.input, *body.output], [*node.input, *node.output], strict=True))
        for inner in body.node:
            if inner.op_type == "Constant":
                tensor = onnx.TensorProto()
                tensor.CopyFrom(inner.attribute[0].t)
                tensor.name = inner.output[0]
                if tensor.name not in {known.name for known in graph.initializer}:
                    graph.initializer.append(tensor)
                continue
            copy = onnx.NodeProto()
            copy.CopyFrom(inner)
            copy.input[:] = [names.get(name, name) for name in inner.input]
            copy.output[:] = [names.get(name, name) for name in inner.output]
            graph.node.append(copy)
    kept = [function for function in model.functions if function.domain != DOMAIN]
    del model.functions[:]
    model.functions.extend(kept)
    domains = [entry for entry in model.opset_import if entry.domain != DOMAIN]
    del model.opset_import[:]
    model.opset_import.extend(domains)
