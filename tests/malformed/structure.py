"""Graphs that are no graphs: cycles, values nobody makes, control flow, foreign types and versions."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.malformed.registry import Made, malformed, one_layer
from tests.quirks.net import Net

__all__: list[str] = []

INVALID = "not a valid ONNX model"


def _node(model: onnx.ModelProto, op: str) -> onnx.NodeProto:
    nodes: list[onnx.NodeProto] = [node for node in model.graph.node if node.op_type == op]
    return nodes[0]


@malformed("a cycle", INVALID, "quantizelinear_0")
def cycle(folder: Path) -> Made:
    _, model = one_layer()
    _node(model, "QuantizeLinear").input[0] = model.graph.output[0].name
    return model


@malformed("nodes in an order in which they cannot run", INVALID)
def wrong_order(folder: Path) -> Made:
    _, model = one_layer()
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(model.graph.node)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


@malformed("a value that nobody makes", INVALID, "nowhere", "conv_4")
def undefined_input(folder: Path) -> Made:
    _, model = one_layer()
    _node(model, "Conv").input[0] = "nowhere"
    return model


@malformed("two nodes that make one value", INVALID)
def made_twice(folder: Path) -> Made:
    _, model = one_layer()
    relu = _node(model, "Relu")
    model.graph.node.insert(list(model.graph.node).index(relu) + 1, helper.make_node("Neg", list(relu.input), list(relu.output)))
    return model


@malformed("two initializers of one name", "not")
def initializer_twice(folder: Path) -> Made:
    _, model = one_layer()
    model.graph.initializer.append(numpy_helper.from_array(np.array(0.7, np.float32), model.graph.initializer[0].name))
    return model


@malformed("two inputs of one name", INVALID)
def input_twice(folder: Path) -> Made:
    _, model = one_layer()
    model.graph.input.append(model.graph.input[0])
    return model


@malformed("an input that a node makes too", INVALID)
def input_made_by_a_node(folder: Path) -> Made:
    _, model = one_layer()
    model.graph.input[0].name = _node(model, "Relu").output[0]
    _node(model, "QuantizeLinear").input[0] = model.graph.input[0].name
    return model


@malformed("no outputs", "output")
def no_outputs(folder: Path) -> Made:
    _, model = one_layer()
    del model.graph.output[:]
    return model


@malformed("an output that nobody makes", "nowhere")
def output_never_made(folder: Path) -> Made:
    _, model = one_layer()
    model.graph.output[0].name = "nowhere"
    return model


@malformed("no nodes", "no nodes")
def no_nodes(folder: Path) -> Made:
    _, model = one_layer()
    del model.graph.node[:]
    return model


@malformed("no inputs: everything is constant", "no output depends on")
def no_inputs(folder: Path) -> Made:
    _, model = one_layer()
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 3, 8, 8), np.float32), model.graph.input[0].name))
    del model.graph.input[:]
    return model


@malformed("a node without its required operand", INVALID)
def missing_operand(folder: Path) -> Made:
    _, model = one_layer()
    del _node(model, "Conv").input[1:]
    return model


@malformed("a node with too many operands", INVALID)
def too_many_operands(folder: Path) -> Made:
    _, model = one_layer()
    _node(model, "Relu").input.append(model.graph.input[0].name)
    return model


@malformed("a node without results", INVALID)
def no_results(folder: Path) -> Made:
    _, model = one_layer()
    del _node(model, "Relu").output[:]
    return model


@malformed("an unknown operator", "Convolve")
def unknown_operator(folder: Path) -> Made:
    _, model = one_layer()
    _node(model, "Relu").op_type = "Convolve"
    return model


@malformed("an operator of another domain", "com.example.Relu", node="relu_5")
def unknown_domain(folder: Path) -> Made:
    _, model = one_layer()
    _node(model, "Relu").domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    return model


@malformed("an operator of a domain that is not imported", INVALID)
def domain_not_imported(folder: Path) -> Made:
    _, model = one_layer()
    _node(model, "Relu").domain = "com.example"
    return model


@malformed("a function that calls itself", "Again")
def recursion(folder: Path) -> Made:
    _, model = one_layer()
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    body = [helper.make_node("Again", ["a"], ["b"], domain="local")]
    model.functions.append(helper.make_function("local", "Again", ["a"], ["b"], body, opsets))
    model.opset_import.append(helper.make_opsetid("local", 1))
    relu = _node(model, "Relu")
    relu.op_type, relu.domain = "Again", "local"
    return model


@malformed("two functions that call each other", "Ping")
def mutual_recursion(folder: Path) -> Made:
    _, model = one_layer()
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    for name, other in (("Ping", "Pong"), ("Pong", "Ping")):
        body = [helper.make_node(other, ["a"], ["b"], domain="local")]
        model.functions.append(helper.make_function("local", name, ["a"], ["b"], body, opsets))
    model.opset_import.append(helper.make_opsetid("local", 1))
    relu = _node(model, "Relu")
    relu.op_type, relu.domain = "Ping", "local"
    return model


@malformed("no opset", "opset")
def no_opset(folder: Path) -> Made:
    _, model = one_layer()
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return model


@malformed("opset 6", "opset 6 is too old")
def old_opset(folder: Path) -> Made:
    net = Net(opset=6)
    net.output(net.node("Relu", [net.input("x", [1, 3, 8, 8])]))
    return net.model()


@malformed("opset 99", "99")
def future_opset(folder: Path) -> Made:
    _, model = one_layer()
    model.opset_import[0].version = 99
    return model


@malformed("IR version 99", "99")
def future_ir_version(folder: Path) -> Made:
    _, model = one_layer()
    model.ir_version = 99
    return model


@malformed("a sparse initializer", "sparse")
def sparse_initializer(folder: Path) -> Made:
    _, model = one_layer()
    tensor = next(tensor for tensor in model.graph.initializer if len(tensor.dims) == 4)
    array = numpy_helper.to_array(tensor).reshape(-1)
    values = numpy_helper.from_array(array[:5], tensor.name)
    indices = numpy_helper.from_array(np.arange(5, dtype=np.int64), "")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, list(tensor.dims)))
    model.graph.initializer.remove(tensor)
    return model


@malformed("an input that is a sequence of tensors", "input 'x'", "not a tensor")
def sequence_input(folder: Path) -> Made:
    net = Net()
    item = net.node("SequenceAt", ["x", net.constant(np.int64(0))])
    net.output(net.qdq(item, 0.1, 0))
    model = net.model()
    model.graph.input.append(helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8]))
    return model


@malformed("an optional input", "input 'x'", "not a tensor")
def optional_input(folder: Path) -> Made:
    net = Net()
    net.output(net.qdq(net.node("OptionalGetElement", ["x"]), 0.1, 0))
    model = net.model()
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [1, 3, 8, 8]))
    model.graph.input.append(helper.make_value_info("x", kind))
    return model
