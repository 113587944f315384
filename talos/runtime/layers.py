"""Cycles of a run by layer, from the start and end of every instruction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talos.isa import Opcode, Unit
from talos.model.timing.core import Timing
from talos.program import Program

__all__ = ["LayerCycles", "cycle_owners", "layer_cycles", "layer_stretches"]

_PRIORITY = (Unit.WEIGHTS, Unit.LOAD, Unit.STORE, Unit.VECTOR, Unit.MATRIX)  # lowest first
_BOUND = {Unit.WEIGHTS: "weights", Unit.LOAD: "load", Unit.STORE: "store", Unit.VECTOR: "vector", Unit.MATRIX: "array"}
_NOBODY = -1
_STARVED = 1.25  # cycles of the MATMULs above their ideal from which on weights, not the array, bound a layer

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class LayerCycles:
    """`cycles` of a run that belong to a layer; utilization = batch · macs / (rows · cols · cycles), 0 without cycles.

    bound: what most of them were spent on: `array`, `weights`, `vector`, `load`, `store`, `latency` (no unit worked), or `host`.
    lost: how many of them the array did not take in a vector of this layer.
    """

    name: str
    op: str
    placement: str
    macs: int
    cycles: int
    utilization: float
    bound: str
    lost: int


def layer_cycles(program: Program, timing: Timing) -> list[LayerCycles]:
    """All layers in program order, then the host parts with 0 cycles. The cycles sum to `timing.cycles`.

    Layers overlap, so each cycle is given to one: to the layer whose MATMUL the array works on (the latest that started), else to
    that of the oldest instruction in the vector, store, load or weights unit, in this order, else to the layer that works next. So no
    layer's utilization exceeds 1.
    """
    lengths, layers, units = cycle_owners(program, timing)
    peak = program.config.peak_macs
    rows = []
    for index, layer in enumerate(program.layers):
        mine = layers == index
        cycles = int(lengths[mine].sum())
        utilization = program.batch * layer.macs / (peak * cycles) if cycles else 0.0
        bound = _bound(program, timing, index, lengths[mine], units[mine])
        lost = max(0, cycles - _vectors(program, index))
        rows.append(LayerCycles(layer.name, layer.op, layer.placement, layer.macs, cycles, utilization, bound, lost))
    return [*rows, *(LayerCycles(part.name, part.op, "host", 0, 0, 0.0, "host", 0) for part in program.host)]


def layer_stretches(program: Program, timing: Timing) -> list[tuple[int, int, int]]:
    """The run as stretches of cycles that belong to one layer: (first, end, index of the layer), in order, without gaps."""
    lengths, layers, _ = cycle_owners(program, timing)
    stretches: list[tuple[int, int, int]] = []
    cycle = 0
    for length, layer in zip(lengths.tolist(), layers.tolist(), strict=True):
        if stretches and stretches[-1][2] == layer:
            stretches[-1] = (stretches[-1][0], cycle + length, layer)
        else:
            stretches.append((cycle, cycle + length, layer))
        cycle += length
    return stretches


def cycle_owners(program: Program, timing: Timing) -> tuple[Integers, Integers, Integers]:
    """The run as stretches between one start or end and the next: cycles, layer and unit (or -1: none worked) of each, as in `layer_cycles`."""
    starts, ends = timing.starts, timing.ends + 1
    points = np.unique(np.clip(np.concatenate([[0, timing.cycles], starts, ends]), 0, timing.cycles))
    first, last = np.searchsorted(points, starts), np.searchsorted(points, np.minimum(ends, timing.cycles))
    layers = np.full(len(points) - 1, _NOBODY, np.int64)
    units = layers.copy()
    for unit in _PRIORITY:
        members = [index for index, instruction in enumerate(program.instructions) if instruction.unit is unit]
        for index in members if unit is Unit.MATRIX else reversed(members):  # what comes later covers what came before
            layers[first[index] : last[index]] = program.layer_of[index]
            units[first[index] : last[index]] = unit
    following = len(program.layers) - 1
    for place in reversed(range(len(layers))):
        if layers[place] == _NOBODY:
            layers[place] = following
        following = layers[place]
    return np.diff(points), layers, units


def _bound(program: Program, timing: Timing, layer: int, lengths: Integers, units: Integers) -> str:
    """What most of the layer's cycles went to."""
    if not lengths.sum():
        return "latency"
    spent = {unit: int(lengths[units == unit].sum()) for unit in (_NOBODY, *_PRIORITY)}
    unit = max(spent, key=lambda key: spent[key])
    if unit is Unit.MATRIX and _starved(program, timing, layer):
        return "weights"
    return "latency" if unit == _NOBODY else _BOUND[Unit(unit)]


def _vectors(program: Program, layer: int) -> int:
    """Activation vectors that the layer's MATMULs stream through the array: its cycles if nothing ever waited."""
    return sum(
        i["blocks"] * i["taps_h"] * i["taps_w"] * i["slices"] * i["out_h"] * i["out_w"]
        for i, owner in zip(program.instructions, program.layer_of, strict=True)
        if owner == layer and i.opcode is Opcode.MATMUL
    )


def _starved(program: Program, timing: Timing, layer: int) -> bool:
    """Whether the layer's MATMULs took clearly longer than their tiles need with weights at hand."""
    ideal = took = 0
    for index, instruction in enumerate(program.instructions):
        if program.layer_of[index] == layer and instruction.opcode is Opcode.MATMUL:
            tiles = instruction["blocks"] * instruction["taps_h"] * instruction["taps_w"] * instruction["slices"]
            ideal += tiles * max(instruction["out_h"] * instruction["out_w"], program.config.rows)
            took += int(timing.ends[index] - timing.starts[index]) + 1
    return took > _STARVED * ideal
