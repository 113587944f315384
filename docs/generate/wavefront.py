"""The drawing of activation vectors on their way through the array."""

from docs.generate.array_trace import SIZE, trace_array
from docs.generate.svg import COLOURS, Drawing

__all__ = ["wavefront_drawing"]

_CELL = 34
_GAP = 26
_SHOWN = (1, 3, 5, 7, 9, 11)
_VECTORS, _SECOND = 9, 5


def wavefront_drawing() -> str:
    """SVG: which vector each PE of a 4×4 array multiplies, with which weights, in six cycles."""
    trace = trace_array(_VECTORS, switch_at=_SECOND)
    side = SIZE * _CELL
    drawing = Drawing(3 * side + 4 * _GAP + 40, 2 * (side + 48) + 44, "Activation vectors moving through a 4×4 array")
    for number, cycle in enumerate(_SHOWN):
        left = _GAP + (number % 3) * (side + _GAP)
        top = 26 + (number // 3) * (side + 48)
        drawing.label(left + side / 2, top - 8, f"cycle {cycle}")
        for r in range(SIZE):
            for c in range(SIZE):
                vector = trace.front[cycle][r][c]
                fill = COLOURS[trace.second[cycle][r][c]] if vector else "#f4f4f4"
                x, y = left + c * _CELL, top + r * _CELL
                drawing.box(x, y, _CELL, _CELL, fill, opacity=0.85)
                if vector:
                    drawing.label(x + _CELL / 2, y + 22, str(vector), size=14, colour="#ffffff")
    foot = 2 * (side + 48) + 30
    for x, colour, text in ((_GAP, COLOURS[0], "first weights"), (_GAP + 120, COLOURS[1], "second weights")):
        drawing.box(x, foot - 11, 14, 14, colour, opacity=0.85)
        drawing.label(x + 20, foot, text, anchor="start")
    drawing.label(_GAP + 250, foot, "number: the vector that a PE multiplies", anchor="start")
    return drawing.text()
