"""QOperator models: integer operators instead of Quantize/Dequantize pairs."""

from typing import Any

import numpy as np
from onnx import TensorProto

from tests.quirks.net import Net, X
from tests.quirks.registry import Allowance, Network, quirk

__all__: list[str] = []

MICROSOFT = "com.microsoft"
FLOAT_BIAS = Allowance(0.01, "onnxruntime adds the bias in float32; the accelerator rounds it to a step of its accumulator")


class Integer(Net):
    """Integer layers; each value's scale and zero point are remembered as constants of its type."""

    def __init__(self, seed: int, dtype: str = "int8") -> None:
        super().__init__(seed)
        self.dtype = dtype
        self.parameters: dict[str, tuple[str, str]] = {}

    def quantized_input(self, *shape: int | str, scale: float = X, zero: int = 0) -> str:
        """A float input behind QuantizeLinear."""
        pair = self._pair(scale, zero)
        value = self.node("QuantizeLinear", [self.input("x", shape), *pair])
        return self._known(value, scale, pair)

    def q(self, op: str, operands: list[str], scale: float, zero: int, *, domain: str = MICROSOFT, **attributes: Any) -> str:
        """An operator whose operands each come as (codes, scale, zero point), followed by the result's scale and zero point."""
        pair = self._pair(scale, zero)
        inputs = [name for value in operands for name in (value, *self.parameters[value])]
        return self._known(self.node(op, [*inputs, *pair], domain=domain, **attributes), scale, pair)

    def qconv(
        self, x: str, shape: tuple[int, ...], zero: int = 0, *, per_channel: bool = True, bias: bool = True, **attributes: Any
    ) -> str:
        """QLinearConv."""
        weight_type = "int8" if self.dtype == "int8" or per_channel else "uint8"
        middle = 0 if weight_type == "int8" else 128
        codes = self.random.integers(middle - 100, middle + 101, shape).astype(weight_type)
        step = self.random.uniform(0.002, 0.02, shape[0] if per_channel else ()).astype(np.float32)
        weight = [self.constant(codes), self.constant(step), self.constant(np.full(step.shape, middle, weight_type))]
        scale = self.result_scale(x, int(np.prod(shape[1:])))
        pair = self._pair(scale, zero)
        extra = [self.constant(self.random.integers(-2000, 2000, shape[0]).astype(np.int32))] if bias else []
        value = self.node("QLinearConv", [x, *self.parameters[x], *weight, *pair, *extra], **attributes)
        return self._known(value, scale, pair)

    def qmatmul(self, x: str, shape: tuple[int, int], zero: int = 0) -> str:
        """QLinearMatMul with a constant right operand."""
        weight = [self.constant(self.random.integers(-100, 101, shape).astype(np.int8)), self.constant(np.float32(0.01)),
                  self.constant(np.int8(0))]  # fmt: skip
        scale = self.result_scale(x, shape[0])
        pair = self._pair(scale, zero)
        return self._known(self.node("QLinearMatMul", [x, *self.parameters[x], *weight, *pair]), scale, pair)

    def keep(self, op: str, x: str, *operands: str, **attributes: Any) -> str:
        """An operator on codes that keeps scale and zero point."""
        return self._known(self.node(op, [x, *operands], **attributes), self.scales[x], self.parameters[x])

    def real(self, x: str) -> str:
        """The DequantizeLinear at the end."""
        return self.node("DequantizeLinear", [x, *self.parameters[x]])

    def _pair(self, scale: float, zero: int) -> tuple[str, str]:
        return self.constant(np.float32(scale)), self.constant(np.array(zero, self.dtype))

    def _known(self, value: str, scale: float, pair: tuple[str, str]) -> str:
        self.scales[value], self.parameters[value] = scale, pair
        return value


@quirk("QLinearConv per channel, MaxPool on codes, Flatten on codes, QLinearMatMul")
def qlinear_conv() -> Network:
    net = Integer(0)
    x = net.qconv(net.quantized_input("N", 3, 10, 10), (6, 3, 3, 3), -128, pads=[1] * 4)
    x = net.keep("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    return net.quantized(net.real(net.qmatmul(net.keep("Flatten", x), (150, 5))))


@quirk("QLinearConv in uint8 with uint8 weights and zero points, depthwise too")
def qlinear_conv_uint8() -> Network:
    net = Integer(1, "uint8")
    x = net.qconv(net.quantized_input(1, 3, 10, 10, zero=128), (6, 3, 3, 3), 0, per_channel=False, strides=[2, 2])
    return net.quantized(net.real(net.qconv(x, (6, 1, 3, 3), 100, per_channel=False, group=6, pads=[1] * 4)))


@quirk("QLinearConv without bias, integer input and output")
def qlinear_conv_codes() -> Network:
    net = Integer(2)
    x = net.input("x", [1, 3, 8, 8], "int8")
    net._known(x, X, net._pair(X, 5))
    return net.quantized(net.qconv(x, (4, 3, 3, 3), -3, bias=False), dtype="int8")


@quirk("QLinearAdd, QLinearMul and QLinearConcat")
def qlinear_joins() -> Network:
    net = Integer(3)
    x = net.quantized_input(1, 3, 8, 8)
    a, b = net.qconv(x, (4, 3, 3, 3), 9), net.qconv(x, (4, 3, 3, 3), -20)
    total = net.q("QLinearAdd", [a, b], net.scales[a] * 1.5, 3)
    product = net.q("QLinearMul", [a, b], net.scales[a] * 3, -3)
    pair = net._pair(net.scales[a] * 2, 1)
    operands = [name for value in (total, product) for name in (value, *net.parameters[value])]
    joined = net.node("QLinearConcat", [*pair, *operands], domain=MICROSOFT, axis=1)
    return net.quantized(net.real(net._known(joined, net.scales[a] * 2, pair)))


@quirk("QLinearAveragePool, QLinearGlobalAveragePool, QLinearSigmoid, QLinearLeakyRelu")
def qlinear_pools() -> Network:
    net = Integer(4)
    x = net.qconv(net.quantized_input(1, 3, 10, 10), (6, 3, 3, 3), 7)
    pooled = net.q("QLinearAveragePool", [x], net.scales[x] / 2, -4, kernel_shape=[3, 3], strides=[2, 2])
    y = net.q("QLinearLeakyRelu", [pooled], net.scales[pooled], -60, alpha=0.1)
    means = net.q("QLinearGlobalAveragePool", [y], net.scales[y] / 2, -20, channels_last=0)
    return net.quantized(net.real(net.q("QLinearSigmoid", [means], 1 / 256, -128)))


@quirk("QGemm with a bias")
def qgemm() -> Network:
    net = Integer(5)
    x = net.quantized_input(1, 24)
    weight = [net.constant(net.random.integers(-100, 101, (7, 24)).astype(np.int8)),
              net.constant(net.random.uniform(0.002, 0.02, 7).astype(np.float32)), net.constant(np.zeros(7, np.int8))]  # fmt: skip
    bias = net.constant(net.random.integers(-2000, 2000, 7).astype(np.int32))
    pair = net._pair(0.2, 4)
    value = net.node("QGemm", [x, *net.parameters[x], *weight, bias, *pair], domain=MICROSOFT, transB=1)
    return net.quantized(net.real(net._known(value, 0.2, pair)))


@quirk("ConvInteger, Cast, Mul by the scales, Add of the bias, Relu, QuantizeLinear", allowance=FLOAT_BIAS)
def conv_integer() -> Network:
    net = Integer(6, "uint8")
    x = net.quantized_input(1, 3, 8, 8, zero=120)
    codes = net.constant(net.random.integers(20, 240, (4, 3, 3, 3)).astype(np.uint8))
    acc = net.node(
        "ConvInteger", [x, codes, net.parameters[x][1], net.constant(np.uint8(128))], kernel_shape=[3, 3], pads=[1] * 4
    )
    value = net.node("Mul", [net.node("Cast", [acc], to=TensorProto.FLOAT), net.constant(np.float32(X * 0.01))])
    value = net.node("Relu", [net.node("Add", [value, net.values((1, 4, 1, 1))])])
    pair = net._pair(0.05, 0)
    return net.quantized(net.real(net._known(net.node("QuantizeLinear", [value, *pair]), 0.05, pair)))


@quirk("MatMulInteger, Cast, Mul by the scales")
def matmul_integer() -> Network:
    net = Integer(7, "uint8")
    x = net.quantized_input(1, 24, zero=120)
    codes = net.constant(net.random.integers(-100, 101, (24, 6)).astype(np.int8))
    acc = net.node("MatMulInteger", [x, codes, net.parameters[x][1], net.constant(np.int8(0))])
    value = net.node("Mul", [net.node("Cast", [acc], to=TensorProto.FLOAT), net.constant(np.float32(X * 0.01))])
    pair = net._pair(0.05, 100)
    return net.quantized(net.real(net._known(net.node("QuantizeLinear", [value, *pair]), 0.05, pair)))


@quirk("Transpose, Reshape, Pad, Slice and Concat on codes of one scale, between QLinearConvs")
def operators_on_codes() -> Network:
    net = Integer(8)
    x = net.keep("Transpose", net.quantized_input(1, 8, 8, 3, zero=-11), perm=[0, 3, 1, 2])
    x = net.qconv(x, (4, 3, 3, 3), -128)
    padded = net.keep("Pad", x, net.shape(0, 0, 1, 1, 0, 0, 1, 1), net.constant(np.int8(-128)))
    crop = net.keep("Slice", padded, net.shape(1, 1), net.shape(8, 8), net.shape(2, 3))
    joined = net.keep("Concat", x, x, axis=1)
    return net.quantized(net.real(net.qconv(padded, (3, 4, 3, 3))), net.real(net.qconv(crop, (3, 4, 2, 2))), net.real(joined))
