"""ResNet-18 and ResNet-50 as torchvision defines them (the stride of a bottleneck in its 3×3), batch normalization folded."""

from benchmarks.zoo.network import Network, Value

__all__ = ["resnet18", "resnet50"]


def _block(net: Network, x: Value, channels: int, stride: int, *, bottleneck: bool) -> Value:
    out = channels * (4 if bottleneck else 1)
    if bottleneck:
        y = net.conv(x, channels, 1, activation="Relu")
        y = net.conv(y, channels, 3, stride, activation="Relu")
        y = net.conv(y, out, 1)
    else:
        y = net.conv(x, channels, 3, stride, activation="Relu")
        y = net.conv(y, out, 3)
    shortcut = x if stride == 1 and x.channels == out else net.conv(x, out, 1, stride, pads=(0, 0, 0, 0))
    return net.add(y, shortcut, activation="Relu")


def _resnet(net: Network, blocks: tuple[int, ...], *, bottleneck: bool) -> None:
    x = net.conv(net.image(), net.scaled(64), 7, 2, activation="Relu")
    x = net.max_pool(x, 3, 2, pads=(1, 1, 1, 1))
    for stage, count in enumerate(blocks):
        for index in range(count):
            stride = 2 if stage > 0 and index == 0 else 1
            x = _block(net, x, net.scaled(64 << stage), stride, bottleneck=bottleneck)
    net.output(net.linear(net.global_average(x), net.scaled(1000)))


def resnet18(net: Network) -> None:
    """1,814 MMAC at 224²."""
    _resnet(net, (2, 2, 2, 2), bottleneck=False)


def resnet50(net: Network) -> None:
    """4,089 MMAC at 224²."""
    _resnet(net, (3, 4, 6, 3), bottleneck=True)
