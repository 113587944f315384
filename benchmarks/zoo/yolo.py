"""YOLOv3-tiny (Redmon's yolov3-tiny.cfg): the two raw heads, batch normalization folded."""

from benchmarks.zoo.network import Network, Value

__all__ = ["yolov3_tiny"]

HEAD = 255  # 3 boxes × (4 coordinates, objectness, 80 classes)


def _block(net: Network, x: Value, channels: int, kernel: int = 3) -> Value:
    return net.leaky_relu(net.conv(x, net.scaled(channels), kernel), 0.1)


def yolov3_tiny(net: Network) -> None:
    """2,782 MMAC at 416²."""
    x = net.image()
    for channels in (16, 32, 64, 128):
        x = net.max_pool(_block(net, x, channels), 2, 2)
    route = _block(net, x, 256)
    x = _block(net, net.max_pool(route, 2, 2), 512)
    x = net.max_pool(x, 2, 1, pads=(0, 0, 1, 1))
    x = _block(net, _block(net, x, 1024), 256, 1)
    net.output(net.conv(_block(net, x, 512), net.scaled(HEAD), 1))
    x = net.upsample(_block(net, x, 128, 1))
    x = _block(net, net.concat([x, route]), 256)
    net.output(net.conv(x, net.scaled(HEAD), 1))
