"""Well-formed operators that the accelerator does not have."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.malformed.registry import Made, malformed
from tests.quirks.net import Net

__all__: list[str] = []


def _constant_graph(name: str, value: float) -> onnx.GraphProto:
    tensor = numpy_helper.from_array(np.full((1, 3, 8, 8), value, np.float32), f"{name}_value")
    node = helper.make_node("Constant", [], [f"{name}_out"], value=tensor)
    return helper.make_graph([node], name, [], [helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, [1, 3, 8, 8])])


@malformed("If in the middle of the network", host="If", node="if_4")
def branch(folder: Path) -> Made:
    net = Net()
    x = net.image(1, 3, 8, 8)
    condition = net.node("Greater", [net.node("ReduceMax", [x], keepdims=0), net.constant(np.float32(0))])
    value = net.node("If", [condition], then_branch=_constant_graph("then", 1), else_branch=_constant_graph("else", 2))
    value = net.qdq(value, 0.1, 0)
    return net.quantized(net.conv_layer(value, (4, 3, 3, 3)))


@malformed("Loop in the middle of the network", "Loop", node="loop_2")
def loop(folder: Path) -> Made:
    net = Net()
    x = net.image(1, 3, 8, 8)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_in"], ["go_out"]), helper.make_node("Add", ["v_in", "v_in"], ["v_out"])],
        "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go_in", TensorProto.BOOL, []),
         helper.make_tensor_value_info("v_in", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("go_out", TensorProto.BOOL, []),
         helper.make_tensor_value_info("v_out", TensorProto.FLOAT, [1, 3, 8, 8])],
    )  # fmt: skip
    value = net.node("Loop", [net.constant(np.int64(3)), net.constant(np.array(True)), x], body=body)
    return net.quantized(net.conv_layer(net.qdq(value, 0.3, 0), (4, 3, 3, 3)))


@malformed("BatchNormalization in training mode", host="BatchNormalization", node="batchnormalization_1")
def training_mode(folder: Path) -> Made:
    net = Net()
    x = net.fconv(net.input("x", [1, 3, 8, 8]), (4, 3, 3, 3))
    constants = [net.values([4]), net.values([4]), net.values([4]), net.constant(np.ones(4, np.float32))]
    value = net.node("BatchNormalization", [x, *constants], outputs=3, training_mode=1)
    return net.floating(net.fconv(value, (4, 4, 3, 3)))


@malformed("a recurrent layer", "LSTM", node="lstm_2")
def recurrent(folder: Path) -> Made:
    net = Net()
    weights = [net.values((1, 16, 6), 0.3), net.values((1, 16, 4), 0.3)]
    value = net.node("LSTM", [net.image(1, 1, 6), *weights], outputs=1, hidden_size=4)
    return net.quantized(net.qdq(value, 0.01, 0))


@malformed("a MatMul of two computed operands (attention)", "MatMul", node="matmul_10")
def attention(folder: Path) -> Made:
    net = Net()
    a, b = net.image(1, 8, 6, name="a"), net.image(1, 6, 8, name="b")
    a, b = net.same("Relu", a), net.same("Relu", b)
    value = net.qdq(net.node("MatMul", [a, b]), 0.1, 0)
    return net.quantized(net.same("Relu", value))


@malformed("a three-dimensional convolution", "Conv", node="conv_4")
def conv_3d(folder: Path) -> Made:
    net = Net()
    value = net.conv(net.image(1, 2, 4, 4, 4), (3, 2, 3, 3, 3), 0.03)
    return net.quantized(net.same("Relu", net.qdq(value, 0.1, 0)))


@malformed(
    "instance normalization in a quantized network", "not supported", host="InstanceNormalization", node="instancenormalization_7"
)
def instance_normalization(folder: Path) -> Made:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 8, 8), (4, 3, 3, 3))
    value = net.node("InstanceNormalization", [x, net.values([4]), net.values([4])])
    return net.quantized(net.conv_layer(net.qdq(value, 0.05, 0), (4, 4, 1, 1)))


@malformed("a result whose shape depends on values", "not supported", host="NonZero", node="nonzero_7")
def shape_depends_on_values(folder: Path) -> Made:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 8, 8), (4, 3, 3, 3))
    net.output(net.node("NonZero", [x]), "int64")
    return net.quantized(x)
