"""Cycles of a run by layer, from the start and end of every instruction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talos.isa import Instruction, Opcode, Unit
from talos.model.timing.core import Timing
from talos.program import Program

__all__ = ["LayerCycles", "layer_cycles"]

_NAMES = {Unit.LOAD: "load", Unit.MATRIX: "array", Unit.VECTOR: "vector", Unit.STORE: "store"}
_DOMINANT = 0.5  # share of a layer's cycles below which no unit bounds it: it waits from unit to unit
_STARVED = 1.25  # cycles of a MATMUL above its ideal from which on weights, not the array, bound it


@dataclass(frozen=True)
class LayerCycles:
    """`cycles` a layer adds to a run; utilization = macs / (rows · cols · cycles), 0 without cycles.

    bound: what kept it busy most of that time: `array`, `weights`, `vector`, `load`, `store`, `latency` (no unit), or `host`.
    """

    name: str
    op: str
    placement: str
    macs: int
    cycles: int
    utilization: float
    bound: str


def layer_cycles(program: Program, timing: Timing) -> list[LayerCycles]:
    """All layers in program order, then the host parts with 0 cycles. The cycles sum to `timing.cycles`.

    A layer's cycles reach from the end of all layers before it to the end of its own last instruction, since layers overlap; what
    follows the last instruction is the last layer's.
    """
    rows = []
    reached = 0
    layer_of = np.array(program.layer_of, np.int64)
    for index, layer in enumerate(program.layers):
        members = np.flatnonzero(layer_of == index)
        end = max(reached, int(timing.ends[members].max()) + 1) if members.size else reached
        if index == len(program.layers) - 1:
            end = timing.cycles
        cycles = end - reached
        rows.append(
            LayerCycles(
                layer.name,
                layer.op,
                layer.placement,
                layer.macs,
                cycles,
                layer.macs / (program.config.peak_macs * cycles) if cycles else 0.0,
                _bound(program, timing, members, reached, end),
            )
        )
        reached = end
    rows += [LayerCycles(part.nodes[0], "+".join(part.op_types), "host", 0, 0, 0.0, "host") for part in program.host]
    return rows


def _bound(program: Program, timing: Timing, members: NDArray[np.int64], start: int, end: int) -> str:
    """The unit inside instructions of this layer for most of its cycles [start, end)."""
    instructions = [program.instructions[index] for index in members]
    starts, ends = np.maximum(timing.starts[members], start), np.minimum(timing.ends[members] + 1, end)
    busy = {
        unit: _covered([(s, e) for i, s, e in zip(instructions, starts, ends, strict=True) if i.unit == unit and e > s])
        for unit in _NAMES
    }
    unit = max(busy, key=lambda u: busy[u])
    if busy[unit] < _DOMINANT * (end - start) or not busy[unit]:
        return "latency"
    if unit is Unit.MATRIX and _starved(program, instructions, timing.ends[members] - timing.starts[members] + 1):
        return "weights"
    return _NAMES[unit]


def _covered(intervals: list[tuple[int, int]]) -> int:
    """Length of the union of half-open intervals."""
    total, reached = 0, 0
    for start, end in sorted(intervals):
        total += max(end - max(start, reached), 0)
        reached = max(reached, end)
    return int(total)


def _starved(program: Program, instructions: list[Instruction], durations: NDArray[np.int64]) -> bool:
    """Whether the MATMULs took clearly longer than their tiles need with weights at hand."""
    rows = program.config.rows
    ideal = took = 0
    for instruction, duration in zip(instructions, durations, strict=True):
        if instruction.opcode is Opcode.MATMUL:
            tiles = instruction["blocks"] * instruction["taps_h"] * instruction["taps_w"] * instruction["slices"]
            ideal += tiles * max(instruction["out_h"] * instruction["out_w"], rows)
            took += int(duration)
    return took > _STARVED * ideal
