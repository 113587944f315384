"""The fewest cycles a weight-stationary array of R × C with packed channels needs: what the benchmark measures against.

Per convolution (fully connected layers are 1×1 ones), the largest of
- array: a dense one streams every output pixel once for each block of C output channels, kernel row and R bytes of the kernel row's
  contiguous kernel_w · channels bytes; a depthwise one once for each block of C channels, kernel row and phase of the stride (three taps of
  a kernel row in a pass);
- reads: its weights, and its input and residual if they exceed 256 KiB, at one AXI beat per cycle;
- writes: its output if it exceeds 256 KiB.

Everything else (pooling, additions, tables, the start and the end) is taken to be free. The formula gives `design.md`'s figures for ResNet
and SqueezeNet exactly. For MobileNet it gives 1 to 3 % more: there a strided depthwise convolution counts fewer passes.
"""

from talos.compiler.graph.ir import Conv, Graph, Layer
from talos.config import AcceleratorConfig

__all__ = ["layer_bound", "network_bound"]

ON_CHIP = 256 * 1024  # bytes of a tensor that never needs to leave the chip


def layer_bound(layer: Layer, config: AcceleratorConfig) -> int:
    """Cycles that `layer` takes at least; 0 for whatever is no convolution."""
    if not isinstance(layer, Conv):
        return 0
    read = layer.weight.size + sum(_transferred(t.size) for t in layer.inputs)
    if layer.residual is not None:
        read += _transferred(layer.residual.tensor.size)
    written = _transferred(layer.output.size)
    return max(_array(layer, config), *(-(-count // config.beat_bytes) for count in (read, written)))


def network_bound(graph: Graph, config: AcceleratorConfig) -> int:
    """The sum over the layers of `graph`."""
    return sum(layer_bound(layer, config) for layer in graph.layers)


def _transferred(size: int) -> int:
    return size if size > ON_CHIP else 0


def _array(layer: Conv, config: AcceleratorConfig) -> int:
    height, width, channels = layer.output.shape
    _, kernel_h, kernel_w, group_inputs = layer.weight.shape
    blocks = -(-channels // config.cols)
    if layer.groups == channels and group_inputs == 1:
        return int(height * width * blocks * kernel_h * min(layer.strides[1], kernel_w))
    if layer.groups > 1:
        return -(-layer.macs // config.peak_macs)
    apart = kernel_w if layer.dilations[1] > 1 else 1
    slices = apart * -(-kernel_w // apart * group_inputs // config.rows)
    return int(height * width * blocks * kernel_h * slices)
