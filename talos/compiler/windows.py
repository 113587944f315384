"""Pads and output sizes of sliding windows, from the attributes of Conv and the pooling operators."""

import onnx_ir

from talos.compiler.importer import Importer
from talos.compiler.index import Pads

__all__ = ["window_pads"]


def window_pads(
    importer: Importer,
    node: onnx_ir.Node,
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int] = (1, 1),
) -> Pads:
    """(top, left, bottom, right) for an input of `size`: explicit, or as `auto_pad` says. Raises TalosError for negative pads."""
    mode = importer.attribute(node, "auto_pad", "NOTSET")
    if mode == "NOTSET":
        pads = importer.attribute(node, "pads", (0, 0, 0, 0))
        if min(pads) < 0:
            raise importer.error(node, f"negative pads {pads}", "crop with Slice")
        top, left, bottom, right = pads
        return top, left, bottom, right
    if mode == "VALID":
        return 0, 0, 0, 0
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise importer.error(node, f"auto_pad {mode!r} is unknown", "use explicit pads")
    before, after = [], []
    for axis in range(2):
        positions = -(-size[axis] // strides[axis])
        reach = (positions - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
        total = max(reach - size[axis], 0)
        small, large = total // 2, total - total // 2
        before.append(small if mode == "SAME_UPPER" else large)
        after.append(large if mode == "SAME_UPPER" else small)
    return before[0], before[1], after[0], after[1]
