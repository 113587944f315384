"""The same networks in every opset: quantized from 13 on (per-channel scales), float from 7 on."""

from collections.abc import Callable

from tests.quirks.net import Net
from tests.quirks.registry import Network, quirk

__all__: list[str] = []

NEWEST = 27
"""The newest opset that onnxruntime 1.32 takes."""


def _quantized(opset: int) -> Callable[[], Network]:
    def build() -> Network:
        net = Net(opset, opset, ir_version=13 if opset > 23 else 10)
        x = net.conv_layer(net.image("N", 3, 10, 10), (6, 3, 3, 3), pads=[1] * 4, relu=True, zero=-128)
        x = net.conv_layer(net.same("MaxPool", x, -128, kernel_shape=[2, 2], strides=[2, 2]), (6, 1, 3, 3), group=6)
        flat = net.same("Reshape", net.same("Transpose", x, perm=[0, 2, 3, 1]), inputs=[net.shape(0, -1)])
        return net.quantized(net.gemm_layer(flat, 54, 5))

    return build


def _floating(opset: int) -> Callable[[], Network]:
    def build() -> Network:
        net = Net(opset, opset, ir_version=13 if opset > 23 else (3 if opset < 11 else 8))
        x = net.node("Relu", [net.normalize(net.fconv(net.input("x", ["N", 3, 10, 10]), (6, 3, 3, 3), bias=False), 6)])
        x = net.node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
        x = net.node("Add", [net.fconv(x, (6, 6, 3, 3), pads=[1] * 4), x])
        x = net.node("AveragePool", [net.node("Relu", [x])], kernel_shape=[3, 3])
        return net.floating(net.fgemm(net.node("Flatten", [x]), 24, 5))

    return build


for number in (13, 17, 19, 21, 23, NEWEST):
    quirk(f"a quantized network in opset {number}", name=f"quantized_opset_{number}")(_quantized(number))
for number in (7, 9, 11, 13, 17, 19, 21, 23, NEWEST):
    quirk(f"a float network in opset {number}", name=f"float_opset_{number}")(_floating(number))
