"""Types, shapes of inputs and forms of quantization that are not supported."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.malformed.registry import Made, malformed, one_layer
from tests.quirks.net import Net
from tests.quirks.registry import Network

__all__: list[str] = []


def _typed_input(kind: int, shape: list[int | str] | None) -> onnx.ModelProto:
    model = one_layer()[1]
    del model.graph.value_info[:]
    cast = helper.make_node("Cast", ["raw"], ["x"], "cast", to=TensorProto.FLOAT)
    model.graph.node.insert(0, cast)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("raw", kind, shape))
    return model


@malformed("an input of int64", "int64", host="Cast", node="cast")
def int64_input(folder: Path) -> Made:
    return _typed_input(TensorProto.INT64, [1, 3, 8, 8])


@malformed("an input of bool", "bool", host="Cast", node="cast")
def bool_input(folder: Path) -> Made:
    return _typed_input(TensorProto.BOOL, [1, 3, 8, 8])


@malformed("an input of float16", "float16", host="Cast", node="cast")
def float16_input(folder: Path) -> Made:
    return _typed_input(TensorProto.FLOAT16, [1, 3, 8, 8])


@malformed("an input of strings", "input 'text'", "STRING")
def string_input(folder: Path) -> Made:
    model = one_layer()[1]
    model.graph.input.append(helper.make_tensor_value_info("text", TensorProto.STRING, [1]))
    return model


@malformed("a dynamic height", "input 'x'", "dimension 2 (height)")
def dynamic_height(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.conv_layer(net.image(1, 3, "height", 8), (4, 3, 3, 3)))


@malformed("an unnamed dynamic channel count", "input 'x'", "dimension 1")
def dynamic_channels(folder: Path) -> Made:
    net = Net()
    network = net.quantized(net.conv_layer(net.image(1, 3, 8, 8), (4, 3, 3, 3)))
    network.model.graph.input[0].type.tensor_type.shape.dim[1].ClearField("dim_value")
    return network


@malformed("a Reshape that merges a batch of 2", "batch of 1", node="reshape_2")
def batch_merged(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Reshape", net.image(2, 3, 4, 4), inputs=[net.shape(1, 6, 4, 4)]))


@malformed("an input without a shape", "shape")
def input_without_shape(folder: Path) -> Made:
    model = one_layer()[1]
    model.graph.input[0].type.tensor_type.ClearField("shape")
    return model


@malformed("an input without a type", "x")
def input_without_type(folder: Path) -> Made:
    model = one_layer()[1]
    model.graph.input[0].ClearField("type")
    return model


@malformed("a dimension of size 0", "input 'x'", "dimension 3")
def empty_input(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Relu", net.image(1, 3, 8, 0)))


@malformed("a negative dimension", "input 'x'", "dimension 2")
def negative_dimension(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.same("Relu", net.image(1, 3, -8, 8)))


@malformed("a dimension of 2 to the 40", "input 'x'")
def huge_dimension(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.conv_layer(net.image(1, 1, 1 << 40, 1), (1, 1, 1, 1)))


@malformed("dimensions whose product is more than any address", "input 'x'")
def huge_image(folder: Path) -> Made:
    net = Net()
    return net.quantized(net.conv_layer(net.image(1, 1 << 20, 1 << 30, 1 << 30), (1, 1 << 20, 1, 1)))


@malformed("a result of 2 to the 40 elements, by Expand", "expand_2")
def huge_expand(folder: Path) -> Made:
    net = Net()
    x = net.same("Expand", net.image(1, 1, 1, 1), inputs=[net.shape(1, 1 << 20, 1 << 10, 1 << 10)])
    return net.quantized(net.same("Relu", x))


@malformed("a constant of 2 to the 40 elements, by ConstantOfShape", "constantofshape_2")
def huge_constant(folder: Path) -> Made:
    net = Net()
    x = net.image(1, 1, 1, 1)
    return net.quantized(
        net.qdq(net.node("Add", [x, net.node("ConstantOfShape", [net.shape(1, 1 << 20, 1 << 10, 1 << 10)])]), 1, 0)
    )


@malformed("a float model in float16", "FLOAT16")
def float16_model(folder: Path) -> Made:
    net = Net()
    network = net.floating(net.fconv_relu(net.input("x", [1, 3, 8, 8]), (4, 3, 3, 3)))
    for tensor in network.model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in [*network.model.graph.input, *network.model.graph.output, *network.model.graph.value_info]:
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    samples = {name: array.astype(np.float16) for name, array in (network.samples or {}).items()}
    return Network(network.model, samples)


@malformed("a float model in double", "DOUBLE")
def double_model(folder: Path) -> Made:
    net = Net()
    network = net.floating(net.fconv_relu(net.input("x", [1, 3, 8, 8]), (4, 3, 3, 3)))
    for tensor in network.model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))
    for value in [*network.model.graph.input, *network.model.graph.output, *network.model.graph.value_info]:
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    samples = {name: array.astype(np.float64) for name, array in (network.samples or {}).items()}
    return Network(network.model, samples)


@malformed("a declared output type that the graph does not make", "type")
def wrong_output_type(folder: Path) -> Made:
    model = one_layer()[1]
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.INT32
    return model


@malformed("a declared shape of a value that the graph does not make", "hape")
def wrong_value_shape(folder: Path) -> Made:
    net = Net()
    network = net.floating(net.fconv_relu(net.input("x", [1, 3, 8, 8]), (4, 3, 3, 3)))
    weight = max(network.model.graph.initializer, key=lambda tensor: len(tensor.dims))
    weight.dims[0] = 2
    return network


@malformed("operands of different type", "add_2")
def mixed_types(folder: Path) -> Made:
    net = Net()
    x = net.image(1, 3, 4, 4)
    network = net.quantized(net.qdq(net.node("Add", [x, net.constant(np.ones((1, 3, 4, 4), np.int32))]), 0.1, 0))
    return network
