"""VGG-16 (configuration D) as torchvision defines it."""

from benchmarks.zoo.network import Network

__all__ = ["vgg16"]

_LAYERS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))


def vgg16(net: Network) -> None:
    """15,470 MMAC at 224², 138 million weights."""
    x = net.image()
    for channels, count in _LAYERS:
        for _ in range(count):
            x = net.conv(x, net.scaled(channels), 3, activation="Relu")
        x = net.max_pool(x, 2, 2)
    x = net.flatten(x)
    for _ in range(2):
        x = net.linear(x, net.scaled(4096), activation="Relu")
    net.output(net.linear(x, net.scaled(1000)))
