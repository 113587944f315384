"""Sliding windows of Conv and the pooling operators, in one dimension or two: attributes, automatic pads, output sizes.

One dimension is two with a height of 1.
"""

from dataclasses import dataclass, replace

import onnx_ir

from talos.compiler.graph.index import Pads
from talos.compiler.importing.importer import Importer

__all__ = ["Pair", "Window", "read_window"]

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """What slides over an image: `pads` are (top, left, bottom, right), `dilations` the distances between taps."""

    kernel: Pair
    strides: Pair = (1, 1)
    dilations: Pair = (1, 1)
    pads: Pads = (0, 0, 0, 0)

    def reach(self, axis: int) -> int:
        """Positions from the first tap to the last, along `axis`, both counted."""
        return (self.kernel[axis] - 1) * self.dilations[axis] + 1

    def outputs(self, size: Pair) -> Pair:
        """Output positions on an image of `size`; less than 1 where not even one window fits."""
        height, width = (
            (size[axis] + self.pads[axis] + self.pads[axis + 2] - self.reach(axis)) // self.strides[axis] + 1 for axis in (0, 1)
        )
        return height, width

    def widened(self, pads: Pads) -> "Window":
        """With `pads` more around the image."""
        top, left, bottom, right = (a + b for a, b in zip(self.pads, pads, strict=True))
        return replace(self, pads=(top, left, bottom, right))

    def rounded_up(self, size: Pair) -> "Window":
        """As `ceil_mode` asks: padded at the end so that a last, incomplete window counts, unless it starts behind the image and its
        padding in front."""
        pads = list(self.pads)
        for axis in (0, 1):
            rest = (size[axis] + pads[axis] + pads[axis + 2] - self.reach(axis)) % self.strides[axis]
            extra = (self.strides[axis] - rest) % self.strides[axis]
            last = (size[axis] + pads[axis] + pads[axis + 2] + extra - self.reach(axis)) // self.strides[axis]
            if last * self.strides[axis] < size[axis] + pads[axis]:
                pads[axis + 2] += extra
        return replace(self, pads=(pads[0], pads[1], pads[2], pads[3]))


def read_window(importer: Importer, node: onnx_ir.Node, rank: int, size: Pair, kernel: Pair | None = None) -> Window:
    """The window of `node` on images of `size` (height, width) and `rank` 1 or 2: explicit pads, or as `auto_pad` says.

    `kernel` is that of a convolution's weight; pools have an attribute. Raises TalosError for attributes of another length, negative
    pads, and kernels, strides or dilations below 1.
    """
    if kernel is None:
        kernel = _pair(importer, node, "kernel_shape", rank)
    strides, dilations = _pair(importer, node, "strides", rank), _pair(importer, node, "dilations", rank)
    window = Window(kernel, strides, dilations)
    mode = importer.attribute(node, "auto_pad", "NOTSET")
    if mode == "NOTSET":
        pads = tuple(int(pad) for pad in importer.attribute(node, "pads", (0,) * (2 * rank)))
        if len(pads) != 2 * rank:
            raise importer.invalid(node, f"{len(pads)} pads for {rank} dimensions", "check the model")
        if min(pads) < 0:
            raise importer.error(node, f"negative pads {pads}", "crop with Slice")
        before, after = pads[:rank], pads[rank:]
        top, left, bottom, right = (*before, *after) if rank == 2 else (0, before[0], 0, after[0])
        return replace(window, pads=(top, left, bottom, right))
    if mode == "VALID":
        return window
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise importer.invalid(node, f"auto_pad {mode!r} is unknown", "use explicit pads")
    first, last = [], []
    for axis in (0, 1):
        positions = -(-size[axis] // strides[axis])
        total = max((positions - 1) * strides[axis] + window.reach(axis) - size[axis], 0)
        small, large = total // 2, total - total // 2
        first.append(small if mode == "SAME_UPPER" else large)
        last.append(large if mode == "SAME_UPPER" else small)
    return replace(window, pads=(first[0], first[1], last[0], last[1]))


def _pair(importer: Importer, node: onnx_ir.Node, name: str, rank: int) -> Pair:
    """An attribute with one entry per dimension; 1 where it is left out, except `kernel_shape`."""
    values = importer.attribute(node, name, None if name == "kernel_shape" else (1,) * rank)
    if values is None or len(values) != rank or min(values) < 1:
        raise importer.invalid(node, f"{name} {values} for {rank} dimensions", "check the model")
    return (int(values[-2]), int(values[-1])) if rank == 2 else (1, int(values[0]))
