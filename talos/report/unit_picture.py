"""A small picture of which unit works when: an SVG for notebooks, of a fixed size however long the run is."""

import numpy as np
from numpy.typing import NDArray

from talos.isa import Unit
from talos.model.timing.core import Timing
from talos.program import Program

__all__ = ["busy_share", "unit_picture"]

_UNITS = (Unit.MATRIX, Unit.VECTOR, Unit.WEIGHTS, Unit.LOAD, Unit.STORE)
_COLOURS = {
    Unit.MATRIX: "#4c78a8", Unit.VECTOR: "#f58518", Unit.WEIGHTS: "#54a24b", Unit.LOAD: "#72b7b2", Unit.STORE: "#b279a2",
}  # fmt: skip
_WIDTH, _NAMES, _ROW, _BAR, _FOOT = 720, 64, 20, 14, 18
_BINS = 328  # columns of two pixels


def busy_share(program: Program, timing: Timing, unit: Unit, bins: int) -> NDArray[np.float64]:
    """The run cut into `bins` equal parts: the share of each (0…1) in which `unit` is inside an instruction."""
    mine = [index for index, instruction in enumerate(program.instructions) if instruction.unit is unit]
    points, covered, until = [0.0], [0.0], 0
    for start, end in zip(timing.starts[mine].tolist(), (timing.ends[mine] + 1).tolist(), strict=True):
        begin = max(start, until)  # a unit takes its next instruction before the last one has ended
        if end > begin:
            points += [begin, end]
            covered += [covered[-1], covered[-1] + end - begin]
            until = end
    edges = np.linspace(0, timing.cycles, bins + 1)
    return np.asarray(np.diff(np.interp(edges, points, covered)) * (bins / timing.cycles))


def unit_picture(program: Program, timing: Timing) -> str:
    """A row per unit; the height of each bar is the share of that time in which the unit is inside an instruction."""
    wide = (_WIDTH - _NAMES) / _BINS
    rows = []
    for number, unit in enumerate(_UNITS):
        bottom = number * _ROW + _BAR + 2
        rows.append(f'<text x="0" y="{bottom - 2}" font-size="12" fill="currentColor">{unit.name.lower()}</text>')
        shares = busy_share(program, timing, unit, _BINS)
        bars = "".join(
            f"M{_NAMES + place * wide:.1f} {bottom}v{-_BAR * share:.1f}h{wide:.2f}V{bottom}z"
            for place, share in enumerate(shares)
            if share > 0.005
        )
        rows.append(f'<path d="{bars}" fill="{_COLOURS[unit]}"/>')
    height = len(_UNITS) * _ROW + _FOOT
    foot = f'<text x="{_NAMES}" y="{height - 4}" font-size="11" fill="currentColor">cycle 0</text>'
    foot += f'<text x="{_WIDTH}" y="{height - 4}" font-size="11" text-anchor="end" fill="currentColor">{timing.cycles:,}</text>'
    box = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} style="max-width:100%">{"".join(rows)}{foot}</svg>'
