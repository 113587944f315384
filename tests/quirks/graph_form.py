"""What graphs look like around their operators: names, outputs, inputs, constants and leftovers."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from tests.quirks.net import Net, X
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


def _two_layers(seed: int, opset: int = 17) -> tuple[Net, str]:
    net = Net(seed, opset)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), relu=True, zero=-128)
    return net, net.conv_layer(x, (4, 6, 3, 3), zero=5)


@quirk("three outputs, at different depths")
def multiple_outputs() -> Network:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 10, 10), (6, 3, 3, 3), relu=True, zero=-128)
    boxes, classes = net.conv_layer(x, (4, 6, 1, 1)), net.conv_layer(x, (3, 6, 3, 3))
    return net.quantized(classes, x, boxes)


@quirk("an output that is read by other layers too, and its integer codes as an output")
def inner_outputs() -> Network:
    net = Net(1)
    codes = net.quantize(net.conv(net.image(1, 3, 8, 8), (6, 3, 3, 3), X), 0.1, -128)
    x = net.dequantize(codes, 0.1, -128)
    y = net.conv_layer(x, (4, 6, 3, 3))
    net.output(codes, "int8")
    return net.quantized(x, y)


@quirk("an input that is an output after quantization alone")
def quantized_input_as_output() -> Network:
    net = Net(2)
    x = net.image(1, 3, 6, 6)
    return net.quantized(x, net.conv_layer(x, (4, 3, 3, 3)))


@quirk("two inputs of different size and type")
def multiple_inputs() -> Network:
    net = Net(3)
    left = net.conv_layer(net.image(1, 3, 10, 10, name="image"), (6, 3, 3, 3), strides=[2, 2], pads=[1] * 4, zero=4)
    right = net.conv_layer(net.codes(1, 2, 5, 5, scale=0.04, zero=9, name="depth"), (6, 2, 1, 1), zero=-30)
    return net.quantized(net.qdq(net.node("Add", [left, right]), 0.2, 0))


@quirk("no node has a name")
def missing_names() -> Network:
    net, y = _two_layers(4)
    network = net.quantized(y)
    for node in network.model.graph.node:
        node.name = ""
    return network


@quirk("all nodes have one name")
def duplicate_names() -> Network:
    net, y = _two_layers(5)
    network = net.quantized(y)
    for node in network.model.graph.node:
        node.name = "node"
    return network


def _rename(model: onnx.ModelProto, change: dict[str, str]) -> None:
    for node in model.graph.node:
        node.name = f"network/stage 1/{node.name}:0"
        for names in (node.input, node.output):
            names[:] = [change.get(name, name) for name in names]
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        value.name = change.get(value.name, value.name)
    for tensor in model.graph.initializer:
        tensor.name = change.get(tensor.name, tensor.name)


@quirk("names with slashes, colons, spaces, dots and letters beyond ASCII")
def strange_names() -> Network:
    net, y = _two_layers(6)
    network = net.quantized(y)
    names = {name for node in network.model.graph.node for name in [*node.input, *node.output]}
    _rename(network.model, {name: f"StatefulPartitionedCall/modèle 1.{name}:0" for name in names})
    return network


@quirk("a value named like a node, and names that are numbers (PyTorch 1)")
def names_that_are_numbers() -> Network:
    net, y = _two_layers(7)
    network = net.quantized(y)
    names = sorted({name for node in network.model.graph.node for name in [*node.input, *node.output]})
    _rename(network.model, {name: str(index) for index, name in enumerate(names)})
    for index, node in enumerate(network.model.graph.node):
        node.name = str(index + 1)
    return network


@quirk("initializers nobody reads, and a node whose result nobody reads")
def unused_parts() -> Network:
    net, y = _two_layers(8)
    net.values((100, 100))
    net.node("Relu", [y])
    net.qdq(net.node("AveragePool", [y], kernel_shape=[2, 2]), 0.1, 0)
    return net.quantized(y)


@quirk("IR version 3: every initializer is a graph input too")
def initializers_as_inputs() -> Network:
    net, y = _two_layers(9, opset=13)
    net.ir_version = 3
    return net.quantized(y)


@quirk("all constants as Constant nodes (dynamo, TorchScript without constant folding)")
def constant_nodes() -> Network:
    net, y = _two_layers(10)
    network = net.quantized(y)
    graph = network.model.graph
    nodes = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in graph.initializer]
    nodes += graph.node
    del graph.initializer[:], graph.node[:]
    graph.node.extend(nodes)
    return network


@quirk("Constant nodes with value_float, value_int, value_ints and value_floats")
def constant_attributes() -> Network:
    net = Net(11)
    scale, low = net.node("Constant", [], value_float=X), net.node("Constant", [], value_float=0.0)
    zero = net.node("Cast", [net.node("Constant", [], value_int=-3)], to=TensorProto.INT8)
    x = net.node("DequantizeLinear", [net.node("QuantizeLinear", [net.input("x", [1, 3, 8, 8]), scale, zero]), scale, zero])
    value = net.node("Clip", [net.conv(x, (4, 3, 3, 3), X), low])
    shape = net.node("Constant", [], value_ints=[1, -1])
    y = net.qdq(value, 0.1, -128)
    return net.quantized(net.same("Reshape", y, -128, inputs=[shape]))


@quirk("chains of Identity and Dropout, with and without ratio and mask")
def identities() -> Network:
    net = Net(12)
    x = net.node("Identity", [net.node("Identity", [net.input("x", ["N", 3, 8, 8])])])
    x = net.node("Dropout", [net.fconv_relu(x, (6, 3, 3, 3)), net.constant(np.float32(0.5))])
    x = net.node("Dropout", [net.node("Identity", [x])], outputs=2)
    return net.floating(net.node("Identity", [net.fconv(x, (4, 6, 3, 3))]))


@quirk("Identity between quantized weights and their layers, shared biases through Identity (PyTorch)")
def identities_of_constants() -> Network:
    net = Net(13)
    x = net.image(1, 4, 8, 8)
    codes = net.node("Identity", [net.constant(net.random.integers(-127, 128, (4, 4, 3, 3)).astype(np.int8))])
    weight = net.node("DequantizeLinear", [codes, net.constant(np.float32(0.01)), net.constant(np.int8(0))])
    value = net.node("Conv", [net.node("Identity", [x]), net.node("Identity", [weight])], kernel_shape=[3, 3])
    return net.quantized(net.node("Identity", [net.qdq(net.node("Identity", [value]), 0.2, 6)]))


@quirk("a symbolic batch in a quantized network, and an output with stale symbolic sizes")
def symbolic_batch() -> Network:
    net = Net(14)
    x = net.conv_layer(net.image("batch_size", 3, 8, 8), (6, 3, 3, 3), relu=True, zero=-128)
    network = net.quantized(net.gemm_layer(net.same("Flatten", x, -128), 216, 5))
    shape = network.model.graph.output[0].type.tensor_type.shape
    del shape.dim[:]
    for label in ("unk__12", "unk__13"):
        shape.dim.add().dim_param = label
    return network


@quirk("an unnamed batch dimension and metadata all over")
def unnamed_batch() -> Network:
    net = Net(15)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3))
    network = net.quantized(x)
    model = network.model
    model.graph.input[0].type.tensor_type.shape.dim[0].ClearField("dim_value")
    model.producer_name, model.doc_string, model.graph.doc_string = "exporter", "text\nmore text", "text"
    helper.set_model_props(model, {"author": "nobody", "classes": "a,b"})
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return network


@quirk("optional operands left out as empty names")
def empty_operands() -> Network:
    net = Net(16)
    x = net.image(1, 3, 8, 8)
    value = net.node("Conv", [x, net.weight((6, 3, 3, 3)), ""], kernel_shape=[3, 3])
    value = net.node("Clip", [value, "", ""])
    x = net.qdq(value, 0.1, 0)
    return net.quantized(net.same("Resize", x, inputs=["", net.constant(np.array([1, 1, 2, 2], np.float32))], mode="nearest",
                                  coordinate_transformation_mode="asymmetric", nearest_mode="floor"))  # fmt: skip


@quirk("attributes left at their defaults: no kernel_shape, no strides, no pads")
def default_attributes() -> Network:
    net = Net(17)
    value = net.node("Conv", [net.image(1, 3, 8, 8), net.weight((6, 3, 3, 3)), net.bias(6, X)])
    return net.quantized(net.qdq(value, 0.1, 0))


@quirk("an input that nothing reads")
def unread_input() -> Network:
    net, y = _two_layers(20)
    net.input("unread", [1, 3])
    return net.quantized(y)


@quirk("one result under two output names, by Identity")
def output_twice() -> Network:
    net, y = _two_layers(18)
    return net.quantized(y, net.node("Identity", [y]))


@quirk("a local function (dynamo exports), inlined")
def local_function() -> Network:
    net = Net(19)
    relu = helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.1)
    net.functions.append(helper.make_function("pkg.custom", "Act", ["a"], ["b"], [relu], [helper.make_opsetid("", 17)]))
    y = net.fconv_relu(net.input("x", ["N", 3, 8, 8]), (4, 3, 3, 3))
    return net.floating(net.fconv(net.node("Act", [y], domain="pkg.custom"), (3, 4, 3, 3)))
