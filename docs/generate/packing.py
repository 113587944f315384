"""The drawings of what fills the array: weight tiles of dense layers, and taps of a depthwise one."""

import numpy as np
import numpy.typing as npt

from docs.generate.array_trace import SIZE, trace_array
from docs.generate.svg import COLOURS, Drawing
from talos.compiler.graph.ir import Conv, Tensor
from talos.compiler.scheduling.segments import contraction, segment_weights, segments
from talos.config import PRESETS

__all__ = ["depthwise_drawing", "packing_drawing"]

_LAYERS = (
    ("3×3, 1 → 16 channels", (16, 3, 3, 1), 1),
    ("3×3, 16 → 32 channels", (32, 3, 3, 16), 1),
    ("1×1, 12 → 20 channels", (20, 1, 1, 12), 1),
    ("3×3 depthwise, 16 channels", (16, 3, 3, 1), 16),
)
_CONFIG = PRESETS["8x8"]
_PIXEL = 5  # of the drawing, per PE
_CELL = 40


def packing_drawing() -> str:
    """SVG: the weight tiles that the compiler makes of four layers for an 8×8 array; a PE without a weight is blank."""
    side = _CONFIG.rows * _PIXEL
    heights, drawn = [], []
    for name, shape, groups in _LAYERS:
        tiles = _used(shape, groups)
        drawn.append((name, tiles))
        heights.append(40 + tiles.shape[0] * (side + 4))
    drawing = Drawing(800, 40 + sum(heights), "Weight tiles of four layers on an 8×8 array")
    top = 24
    for (name, tiles), height in zip(drawn, heights, strict=True):
        blocks, count = tiles.shape[:2]
        text = f"{name}: {blocks} × {count} weight tiles, {100 * tiles.mean():.0f} % of the PEs have a weight"
        drawing.label(20, top, text, anchor="start", size=13)
        for block in range(blocks):
            for position in range(count):
                x, y = 20 + position * (side + 2), top + 10 + block * (side + 4)
                drawing.box(x, y, side, side, "#f4f4f4")
                for r, c in zip(*np.nonzero(tiles[block, position]), strict=True):
                    colour = COLOURS[block % len(COLOURS)]
                    drawing.box(x + c * _PIXEL, y + r * _PIXEL, _PIXEL, _PIXEL, colour, opacity=0.85, stroke="#ffffff")
        top += height
    drawing.label(20, top, "across: one after another through the array; down: blocks of 8 output channels", anchor="start")
    return drawing.text()


def depthwise_drawing() -> str:
    """SVG: which pixel meets which tap in depthwise mode, recorded from the array."""
    drawing = Drawing(SIZE * _CELL + 480, SIZE * _CELL + 60, "Depthwise mode: rows are taps, columns are channels")
    trace = trace_array(9)
    left, top = 70, 40
    for c in range(SIZE):
        drawing.label(left + (c + 0.5) * _CELL, top - 10, f"ch {c}", size=11)
    for r in range(SIZE):
        drawing.label(left - 10, top + r * _CELL + 25, f"row {r}", anchor="end")
        for c in range(SIZE):
            # The wavefront of vector 6 meets PE (r, c) in cycle 5 + r + c; the register above the PE holds its operand one cycle
            # longer, where `o_down` shows it.
            pixel = trace.above[6 + r + c][r][c]
            drawing.box(left + c * _CELL, top + r * _CELL, _CELL, _CELL, COLOURS[pixel % len(COLOURS)], opacity=0.85)
            drawing.label(left + (c + 0.5) * _CELL, top + r * _CELL + 26, str(pixel), size=15, colour="#ffffff")
    for line, text in enumerate((
        "number: the pixel that a PE multiplies for one wavefront.",
        "Column c works on channel c, row r on the pixel r before",
        "the newest. So a column is a filter along the image row,",
        "and its sum an output pixel of that channel.",
    )):  # fmt: skip
        drawing.label(left + SIZE * _CELL + 24, top + 40 + 22 * line, text, anchor="start", size=13)
    return drawing.text()


def _used(shape: tuple[int, int, int, int], groups: int) -> npt.NDArray[np.bool_]:
    """(blocks, tiles, rows, cols): which PEs have a weight of a convolution with `shape` (outputs, height, width, inputs per group)."""
    outputs, channels = shape[0], shape[3] * groups
    tensor = Tensor("x", (8, 8, channels), np.float32(1), 0)
    layer = Conv(
        "conv",
        ("conv",),
        [tensor],
        Tensor("y", (8, 8, outputs), np.float32(1), 0),
        weight=np.ones(shape, np.int8),
        bias=np.zeros(outputs, np.int32),
        multiplier=np.ones(outputs, np.float32),
        pads=(shape[1] // 2, shape[2] // 2, shape[1] // 2, shape[2] // 2),
        groups=groups,
    )
    (segment,) = segments(layer, _CONFIG)
    loops = contraction(layer, segment, _CONFIG, (8 + 2) * channels)
    tiles: npt.NDArray[np.bool_] = segment_weights(layer, segment, loops, _CONFIG) != 0
    return tiles
