"""Making images larger: Resize, Upsample, DepthToSpace, ConvTranspose."""

from typing import Any

import numpy as np

from tests.quirks.net import Net
from tests.quirks.registry import Allowance, Network, quirk

__all__: list[str] = []

PYTORCH: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def _scales(net: Net, height: float, width: float) -> str:
    return net.constant(np.array([1, 1, height, width], np.float32))


@quirk("Resize nearest by 2 and by 3 × 1, scales")
def resize_nearest() -> Network:
    net = Net()
    x = net.conv_layer(net.image(1, 3, 6, 6), (5, 3, 3, 3), zero=-128)
    x = net.same("Resize", x, -128, inputs=["", _scales(net, 2, 2)], **PYTORCH)
    x = net.conv_layer(x, (4, 5, 3, 3), pads=[1] * 4)
    return net.quantized(net.same("Resize", x, inputs=["", _scales(net, 3, 1)], **PYTORCH))


@quirk("Resize nearest to sizes, half_pixel and round_prefer_ceil (tf2onnx)")
def resize_nearest_sizes() -> Network:
    net = Net(1)
    x = net.conv_layer(net.image(1, 3, 6, 6), (5, 3, 3, 3), zero=-128)
    y = net.same("Resize", x, -128, inputs=["", "", net.shape(1, 5, 8, 8)], mode="nearest",
                 coordinate_transformation_mode="half_pixel", nearest_mode="round_prefer_ceil")  # fmt: skip
    return net.quantized(net.conv_layer(y, (4, 5, 3, 3)))


@quirk("Resize nearest by factors that are no whole numbers, and downwards")
def resize_nearest_fractional() -> Network:
    net = Net(2)
    x = net.conv_layer(net.image(1, 3, 8, 8), (5, 3, 3, 3), zero=-128)
    up = net.same("Resize", x, -128, inputs=["", "", net.shape(1, 5, 10, 9)], **PYTORCH)
    return net.quantized(up, net.same("Resize", x, -128, inputs=["", _scales(net, 0.5, 0.5)], **PYTORCH))


BILINEAR = Allowance(
    0.08, "onnxruntime interpolates in float32: with one scale a result of an even factor is often a tie of the rounding"
)


@quirk("Resize linear by 2, half_pixel (PyTorch's interpolate)", allowance=BILINEAR)
def resize_linear() -> Network:
    net = Net(3)
    x = net.conv_layer(net.image(1, 3, 6, 6), (5, 3, 3, 3), zero=-9)
    options: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return net.quantized(net.same("Resize", x, -9, inputs=["", _scales(net, 2, 2)], **options))


@quirk("Resize linear by 2, asymmetric", allowance=BILINEAR)
def resize_linear_asymmetric() -> Network:
    net = Net(4)
    x = net.conv_layer(net.image(1, 3, 6, 6), (5, 3, 3, 3), zero=-9)
    options: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
    return net.quantized(net.same("Resize", x, -9, inputs=["", _scales(net, 2, 2)], **options))


@quirk("Resize linear by 2, align_corners: (out - 1) / (in - 1) is no whole number", host=("Resize",))
def resize_linear_align_corners() -> Network:
    net = Net(4)
    x = net.conv_layer(net.image(1, 3, 6, 6), (5, 3, 3, 3), zero=-9)
    options: dict[str, Any] = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    return net.quantized(net.same("Resize", x, -9, inputs=["", _scales(net, 2, 2)], **options))


@quirk("Resize linear in a float segmentation network, by 4")
def resize_linear_float() -> Network:
    net = Net(5)
    x = net.fconv_relu(net.input("x", ["N", 3, 12, 12]), (6, 3, 3, 3), strides=[4, 4], pads=[1] * 4)
    x = net.fconv(x, (4, 6, 1, 1))
    return net.floating(
        net.node("Resize", [x, "", _scales(net, 4, 4)], mode="linear", coordinate_transformation_mode="half_pixel")
    )


@quirk("Upsample with a scales operand, opset 9")
def upsample() -> Network:
    net = Net(6, opset=9)
    x = net.fconv_relu(net.input("x", ["N", 3, 6, 6]), (5, 3, 3, 3))
    x = net.node("Upsample", [x, _scales(net, 2, 2)], mode="nearest")
    return net.floating(net.fconv(x, (4, 5, 3, 3), pads=[1] * 4))


@quirk("Upsample with a scales attribute, opset 7")
def upsample_attribute() -> Network:
    net = Net(7, opset=7)
    x = net.fconv_relu(net.input("x", ["N", 3, 6, 6]), (5, 3, 3, 3))
    x = net.node("Upsample", [x], mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])
    return net.floating(net.fconv(x, (4, 5, 3, 3), pads=[1] * 4))


@quirk("Resize of opset 10, scales as the second operand")
def resize_opset_10() -> Network:
    net = Net(8, opset=10)
    x = net.fconv_relu(net.input("x", ["N", 3, 6, 6]), (5, 3, 3, 3))
    return net.floating(net.fconv(net.node("Resize", [x, _scales(net, 2, 2)], mode="nearest"), (4, 5, 3, 3)))


@quirk("ConvTranspose in a float network: kernel 2 stride 2, and kernel 4 stride 2 with pads (U-Net, DCGAN)")
def conv_transpose() -> Network:
    net = Net(9)
    x = net.fconv_relu(net.input("x", ["N", 3, 6, 6]), (6, 3, 3, 3))
    x = net.node("ConvTranspose", [x, net.values((6, 4, 2, 2), 0.3), net.values([4], 0.1)], kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("Relu", [x])
    return net.floating(net.node("ConvTranspose", [x, net.values((4, 3, 4, 4), 0.2)], strides=[2, 2], pads=[1] * 4))


@quirk("ConvTranspose with output_padding, groups and stride 3")
def conv_transpose_forms() -> Network:
    net = Net(10)
    x = net.fconv_relu(net.input("x", ["N", 3, 5, 5]), (6, 3, 3, 3), pads=[1] * 4)
    x = net.node(
        "ConvTranspose", [x, net.values((6, 2, 3, 3), 0.3)], strides=[2, 2], pads=[1] * 4, output_padding=[1, 1], group=2
    )
    return net.floating(net.node("ConvTranspose", [x, net.values((4, 3, 3, 3), 0.3)], strides=[3, 3]))


@quirk("a depthwise ConvTranspose that interpolates (FCN)")
def conv_transpose_depthwise() -> Network:
    net = Net(11)
    x = net.fconv_relu(net.input("x", ["N", 3, 5, 5]), (4, 3, 3, 3), pads=[1] * 4)
    ramp = np.array([0.25, 0.75, 0.75, 0.25], np.float32)
    kernel = net.constant(np.broadcast_to(ramp[:, None] * ramp, (4, 1, 4, 4)).copy())
    return net.floating(net.node("ConvTranspose", [x, kernel], strides=[2, 2], pads=[1] * 4, group=4))


@quirk("U-Net: pooling, upsampling and Concat with the earlier value")
def u_net() -> Network:
    net = Net(12)
    x = net.conv_layer(net.image(1, 1, 12, 12), (6, 1, 3, 3), pads=[1] * 4, relu=True, zero=-128)
    down = net.same("MaxPool", x, -128, kernel_shape=[2, 2], strides=[2, 2])
    deep = net.conv_layer(down, (8, 6, 3, 3), pads=[1] * 4, relu=True, zero=-128)
    up = net.same("Resize", deep, -128, inputs=["", _scales(net, 2, 2)], **PYTORCH)
    joined = net.qdq(net.node("Concat", [up, x], axis=1), net.scales[up], -128)
    return net.quantized(net.conv_layer(joined, (2, 14, 3, 3), pads=[1] * 4))


@quirk("a feature pyramid: upsampled value added to an earlier one")
def feature_pyramid() -> Network:
    net = Net(13)
    x = net.fconv_relu(net.input("x", ["N", 3, 12, 12]), (6, 3, 3, 3), pads=[1] * 4, strides=[2, 2])
    deep = net.fconv_relu(x, (6, 6, 3, 3), pads=[1] * 4, strides=[2, 2])
    up = net.node("Resize", [deep, "", _scales(net, 2, 2)], **PYTORCH)
    return net.floating(net.fconv(net.node("Add", [net.fconv(x, (6, 6, 1, 1)), up]), (4, 6, 3, 3)))
