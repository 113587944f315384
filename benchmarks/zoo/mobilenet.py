"""MobileNetV1 (Howard et al. 2017) and MobileNetV2 (torchvision), batch normalization folded."""

from benchmarks.zoo.network import Network

__all__ = ["mobilenetv1", "mobilenetv2"]

_V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
_V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


def mobilenetv1(net: Network) -> None:
    """569 MMAC at 224². Padding is TensorFlow's "SAME": strided layers pad at the bottom and right only."""
    x = net.conv(net.image(), net.scaled(32), 3, 2, pads=(0, 0, 1, 1), activation="Relu6")
    for channels, stride in _V1:
        x = net.depthwise(x, stride, pads=(0, 0, 1, 1) if stride == 2 else None, activation="Relu6")
        x = net.conv(x, net.scaled(channels), 1, activation="Relu6")
    net.output(net.linear(net.global_average(x), net.scaled(1000)))


def mobilenetv2(net: Network) -> None:
    """301 MMAC at 224²."""
    x = net.conv(net.image(), net.scaled(32), 3, 2, activation="Relu6")
    for expansion, channels, count, first_stride in _V2:
        for index in range(count):
            stride = first_stride if index == 0 else 1
            y = net.conv(x, x.channels * expansion, 1, activation="Relu6") if expansion > 1 else x
            y = net.depthwise(y, stride, activation="Relu6")
            y = net.conv(y, net.scaled(channels), 1)
            x = net.add(x, y) if stride == 1 and x.channels == y.channels and index > 0 else y
    x = net.conv(x, net.scaled(1280), 1, activation="Relu6")
    net.output(net.linear(net.global_average(x), net.scaled(1000)))
