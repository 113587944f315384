"""How files store tensors: raw or typed fields, external data."""

from dataclasses import replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


def _network(seed: int) -> Network:
    net = Net(seed)
    x = net.conv_layer(net.image(1, 3, 8, 8), (6, 3, 3, 3), relu=True, zero=-128)
    return net.quantized(net.gemm_layer(net.same("Flatten", x, -128), 216, 7))


@quirk("weights in the typed fields int32_data, int64_data and float_data instead of raw bytes")
def typed_fields() -> Network:
    network = _network(0)
    for tensor in network.model.graph.initializer:
        array = numpy_helper.to_array(tensor)
        name, dims = tensor.name, list(tensor.dims)
        tensor.CopyFrom(helper.make_tensor(name, tensor.data_type, dims, array.reshape(-1).tolist()))
        assert not tensor.HasField("raw_data")
    return network


@quirk("typed fields in a float model")
def typed_fields_float() -> Network:
    net = Net(1)
    network = net.floating(net.fgemm(net.node("Flatten", [net.fconv_relu(net.input("x", ["N", 3, 6, 6]), (4, 3, 3, 3))]), 64, 5))
    for tensor in network.model.graph.initializer:
        values = numpy_helper.to_array(tensor).reshape(-1).tolist()
        tensor.CopyFrom(helper.make_tensor(tensor.name, tensor.data_type, list(tensor.dims), values))
    return network


@quirk("weights in a file beside the model")
def external_data() -> Network:
    return replace(_network(2), external=True)


@quirk("weights of a float model in a file beside it, some of them in Constant nodes")
def external_data_float() -> Network:
    net = Net(3)
    weight = net.node("Constant", [], value=numpy_helper.from_array(net.random.normal(0, 0.3, (4, 3, 3, 3)).astype(np.float32)))
    network = net.floating(net.fconv(net.node("Conv", [net.input("x", ["N", 3, 8, 8]), weight]), (5, 4, 3, 3)))
    return replace(network, external=True)


@quirk("scalars stored as tensors without dimensions and vectors without elements")
def empty_tensors() -> Network:
    net = Net(4)
    x = net.conv_layer(net.image(1, 3, 6, 6), (4, 3, 3, 3))
    roi, scales = net.constant(np.zeros(0, np.float32)), net.constant(np.array([1, 1, 2, 2], np.float32))
    return net.quantized(net.same("Resize", x, inputs=[roi, scales], mode="nearest", nearest_mode="floor",
                                  coordinate_transformation_mode="asymmetric"))  # fmt: skip


@quirk("a float model whose weights are stored as int8 behind DequantizeLinear")
def float_model_with_stored_codes() -> Network:
    net = Net(5)
    x = net.input("x", ["N", 3, 8, 8])
    x = net.node("Relu", [net.node("Conv", [x, net.weight((6, 3, 3, 3)), net.values([6])], kernel_shape=[3, 3])])
    weight = net.weight((216, 5), axis=1)
    return net.floating(net.node("Gemm", [net.node("Flatten", [x]), weight, net.values([5])]))


@quirk("weights that reach a layer through Transpose, Reshape, Cast and Concat of constants")
def computed_weights() -> Network:
    net = Net(6)
    halves = [net.values((3, 3, 3, 3), 0.2) for _ in range(2)]
    weight = net.node("Transpose", [net.node("Concat", halves, axis=3)], perm=[3, 2, 0, 1])  # HWIO, as TF stores it
    x = net.node("Relu", [net.node("Conv", [net.input("x", ["N", 3, 8, 8]), weight])])
    double = net.constant(net.random.normal(0, 0.1, (5 * 216,)))
    matrix = net.node("Reshape", [net.node("Cast", [double], to=TensorProto.FLOAT), net.shape(216, 5)])
    return net.floating(net.node("MatMul", [net.node("Flatten", [x]), matrix]))


@quirk("weights in tensors with names that sort differently, doc strings and a segment of metadata")
def documented_tensors() -> Network:
    network = _network(7)
    for index, tensor in enumerate(network.model.graph.initializer):
        tensor.doc_string = f"tensor {index}"
    metadata = network.model.graph.node[0].metadata_props
    metadata.append(onnx.StringStringEntryProto(key="pkg.torch.onnx.stack_trace", value="File 'net.py', line 1"))
    return network
