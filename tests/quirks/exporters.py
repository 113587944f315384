"""Whole small networks as particular tools write them; some by onnxruntime's own quantizer, with its options."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime import quantization
from onnxruntime.quantization import QuantFormat, QuantType

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, samples: dict[str, Any]) -> None:
        names = list(samples)
        self._feeds = iter([{name: samples[name][i : i + 1] for name in names} for i in range(len(samples[names[0]]))])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._feeds, None)


def _by_onnxruntime(network: Network, **options: Any) -> Network:
    """The float `network` quantized by onnxruntime's tool."""
    with tempfile.TemporaryDirectory(prefix="talos-quirk-") as folder:
        path = Path(folder) / "quantized.onnx"
        quantization.quantize_static(network.model, path, _Reader(network.samples or {}), **options)
        return Network(onnx.load(path), reach=3.0)


def _small_resnet(seed: int) -> Network:
    net = Net(seed, opset=17)
    x = net.fconv_relu(net.input("x", [1, 3, 12, 12]), (6, 3, 3, 3), pads=[1] * 4)
    y = net.fconv(net.fconv_relu(x, (8, 6, 3, 3), pads=[1] * 4, strides=[2, 2]), (8, 8, 3, 3), pads=[1] * 4)
    x = net.node("Relu", [net.node("Add", [y, net.fconv(x, (8, 6, 1, 1), strides=[2, 2])])])
    x = net.node("Flatten", [net.node("GlobalAveragePool", [x])])
    return net.floating(net.fgemm(x, 8, 5))


@quirk("onnxruntime QDQ: int8 activations and int8 weights per channel")
def onnxruntime_s8s8() -> Network:
    return _by_onnxruntime(_small_resnet(0), per_channel=True, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8)


@quirk("onnxruntime QDQ: uint8 activations and int8 weights per tensor")
def onnxruntime_u8s8() -> Network:
    return _by_onnxruntime(_small_resnet(1), activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


@quirk("onnxruntime QDQ: uint8 activations and uint8 weights")
def onnxruntime_u8u8() -> Network:
    return _by_onnxruntime(_small_resnet(2), activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8)


@quirk("onnxruntime QDQ: symmetric activations, which leave Relu between two pairs")
def onnxruntime_symmetric() -> Network:
    options = {"ActivationSymmetric": True, "WeightSymmetric": True}
    return _by_onnxruntime(_small_resnet(3), activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, extra_options=options)


@quirk("onnxruntime QDQ: a dedicated pair for each reader, weights with QuantizeLinear in the graph")
def onnxruntime_dedicated_pairs() -> Network:
    options = {"DedicatedQDQPair": True, "AddQDQPairToWeight": True}
    return _by_onnxruntime(_small_resnet(4), activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, extra_options=options)


@quirk("onnxruntime QDQ: float bias (QuantizeBias off)")
def onnxruntime_float_bias() -> Network:
    options = {"QuantizeBias": False}
    return _by_onnxruntime(_small_resnet(5), activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, extra_options=options)


@quirk("onnxruntime QOperator")
def onnxruntime_qoperator() -> Network:
    return _by_onnxruntime(
        _small_resnet(6), quant_format=QuantFormat.QOperator, activation_type=QuantType.QUInt8, weight_type=QuantType.QUInt8
    )


@quirk("onnxruntime QOperator with int8 and weights per channel")
def onnxruntime_qoperator_int8() -> Network:
    return _by_onnxruntime(
        _small_resnet(7),
        quant_format=QuantFormat.QOperator,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )


@quirk("BatchNormalization everywhere: alone at the input, in front of and behind convolutions, after the last layer")
def batch_normalization() -> Network:
    net = Net(8)
    x = net.normalize(net.input("x", ["N", 3, 10, 10]), 3)
    x = net.node("Relu", [net.normalize(net.fconv(x, (6, 3, 3, 3), bias=False), 6)])
    x = net.fconv(net.node("Relu", [net.normalize(x, 6)]), (6, 6, 3, 3))
    x = net.node("MaxPool", [net.normalize(x, 6)], kernel_shape=[2, 2], strides=[2, 2])
    return net.floating(net.normalize(x, 6))


@quirk("pre-activation ResNet: BatchNormalization and Relu in front of the convolutions, behind an Add")
def pre_activation() -> Network:
    net = Net(9)
    x = net.fconv(net.input("x", ["N", 3, 8, 8]), (6, 3, 3, 3))
    y = net.fconv(net.node("Relu", [net.normalize(x, 6)]), (6, 6, 3, 3), pads=[1] * 4)
    x = net.node("Add", [x, y])
    return net.floating(net.fconv(net.node("Relu", [net.normalize(x, 6)]), (4, 6, 1, 1)))


@quirk("tf2onnx: NHWC, BiasAdd as Add, Relu6 as Clip, Mean, MatMul and BiasAdd, Softmax", host=("Softmax",))
def tf2onnx_mobile_net() -> Network:
    net = Net(10, opset=13)
    x = net.node("Transpose", [net.input("x", ["unk__1", 12, 12, 3])], perm=[0, 3, 1, 2])
    six = [net.constant(np.float32(0)), net.constant(np.float32(6))]
    x = net.node("Add", [net.fconv(x, (6, 3, 3, 3), bias=False, auto_pad="SAME_UPPER", strides=[2, 2]), net.values((1, 6, 1, 1))])
    x = net.node("Clip", [x, *six])
    x = net.node("Add", [net.fconv(x, (6, 1, 3, 3), bias=False, group=6, auto_pad="SAME_UPPER"), net.values((1, 6, 1, 1))])
    x = net.node("Clip", [x, *six])
    x = net.node("ReduceMean", [x], axes=[2, 3], keepdims=0)
    x = net.node("Add", [net.node("MatMul", [x, net.values((6, 4), 0.5)]), net.values((4,))])
    return net.floating(net.node("Softmax", [x], axis=1))


@quirk(
    "TFLite through tf2onnx: int8 NHWC ports, Transposes on codes, a Reshape for Flatten, Softmax between pairs",
    host=("Softmax",),
)
def tflite() -> Network:
    net = Net(11, opset=13)
    codes = net.input("serving_default_input_1:0", ["unk__5", 12, 12, 1], "int8")
    x = net.dequantize(codes, 0.0039, -128)
    x = net.same("Transpose", x, -128, perm=[0, 3, 1, 2])
    x = net.conv_layer(x, (6, 1, 3, 3), pads=[0, 0, 1, 1], strides=[2, 2], zero=-128)
    x = net.conv_layer(x, (6, 1, 3, 3), group=6, pads=[1] * 4, zero=-128)
    x = net.same("AveragePool", x, -128, kernel_shape=[6, 6])
    x = net.same("Reshape", net.same("Transpose", x, -128, perm=[0, 2, 3, 1]), -128, inputs=[net.shape(-1, 6)])
    x = net.gemm_layer(x, 6, 4, zero=17)
    return net.quantized(net.quantize(net.node("Softmax", [x], axis=-1), 1 / 256, -128), dtype="int8")


@quirk("dynamo: weights in Constant-free form, GlobalAveragePool as ReduceMean, Reshape with allowzero, opset 18")
def dynamo() -> Network:
    net = Net(12, opset=18)
    x = net.input("x", [1, 3, 10, 10])
    x = net.fconv_relu(x, (6, 3, 3, 3), group=1, pads=[1] * 4, strides=[2, 2], dilations=[1, 1], auto_pad="NOTSET")
    x = net.node("ReduceMean", [x, net.shape(-1, -2)], keepdims=1, noop_with_empty_axes=0)
    x = net.node("Reshape", [x, net.shape(1, 6)], allowzero=1)
    return net.floating(net.node("Gemm", [x, net.values((4, 6), 0.5), net.values([4])], alpha=1.0, beta=1.0, transA=0, transB=1))
