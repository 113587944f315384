"""SqueezeNet 1.1 as torchvision defines it."""

from benchmarks.zoo.network import Network, Value

__all__ = ["squeezenet1_1"]

_FIRES = ((16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256))
"""Squeezed and expanded channels; None is a pooling."""


def _fire(net: Network, x: Value, squeezed: int, expanded: int) -> Value:
    x = net.conv(x, net.scaled(squeezed), 1, activation="Relu")
    return net.concat([net.conv(x, net.scaled(expanded), kernel, activation="Relu") for kernel in (1, 3)])


def squeezenet1_1(net: Network) -> None:
    """349 MMAC at 224²."""
    x = net.conv(net.image(), net.scaled(64), 3, 2, pads=(0, 0, 0, 0), activation="Relu")
    x = net.max_pool(x, 3, 2, ceil=True)
    for fire in _FIRES:
        x = net.max_pool(x, 3, 2, ceil=True) if fire is None else _fire(net, x, *fire)
    net.output(net.global_average(net.conv(x, net.scaled(1000), 1, activation="Relu")))
