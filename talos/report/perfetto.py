"""A run in Chrome's trace event format, which https://ui.perfetto.dev and chrome://tracing open.

A cycle is a microsecond, the format's unit of time. One process; in it a track that says which layer each cycle belongs to, a track per unit
with a slice per instruction, and two counters of DRAM traffic. A unit takes its next instruction before the last one has ended: what
overlaps lies in a second track of that unit, for slices of one track must not cross.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from talos import __version__
from talos.isa import Opcode, Unit
from talos.model.timing.core import Timing
from talos.program import Program, write_atomically
from talos.runtime.layers import layer_stretches
from talos.runtime.traffic import program_traffic

__all__ = ["lanes", "perfetto_events", "write_perfetto"]

Event = dict[str, Any]

_PROCESS = 1
_LAYERS = 1  # the number of the track of layers; those of unit u begin at _UNITS + _MOST · u
_UNITS, _MOST = 100, 100
_SHOWN = (Unit.MATRIX, Unit.VECTOR, Unit.WEIGHTS, Unit.LOAD, Unit.STORE)


def write_perfetto(path: str | Path, program: Program, timing: Timing) -> None:
    """Write the trace file. Raises TalosError if it cannot be written."""
    content = {
        "traceEvents": perfetto_events(program, timing),
        "displayTimeUnit": "ns",
        "otherData": {
            "program": program.name,
            "config": program.config.name,
            "config_hash": program.config.hash,
            "cycles": timing.cycles,
            "time_unit": "1 cycle = 1 us",
            "version": __version__,
        },
    }
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    write_atomically(path, lambda file: file.write(text.encode()))


def perfetto_events(program: Program, timing: Timing) -> list[Event]:
    """All events: names of the tracks, layers, instructions, DRAM counters."""
    return [
        _name("process_name", 0, f"{program.name} on {program.config.name}"),
        *_layer_track(program, timing),
        *(event for order, unit in enumerate(_SHOWN) for event in _unit_tracks(program, timing, unit, order)),
        *_traffic(program, timing),
    ]


def _layer_track(program: Program, timing: Timing) -> Iterator[Event]:
    yield from _track(_LAYERS, "layer", 0)
    for start, end, index in layer_stretches(program, timing):
        layer = program.layers[index]
        arguments = {"op": layer.op, "macs": layer.macs, "nodes": ", ".join(layer.nodes)}
        yield _slice(layer.name, "layer", _LAYERS, start, end - start, arguments)


def _unit_tracks(program: Program, timing: Timing, unit: Unit, order: int) -> Iterator[Event]:
    mine = [index for index, instruction in enumerate(program.instructions) if instruction.unit is unit]
    places = lanes(timing.starts[mine].tolist(), (timing.ends[mine] + 1).tolist())
    name, first = unit.name.lower(), _UNITS + _MOST * unit
    moved = program_traffic(program).counts
    for lane in range(max(places, default=0) + 1):
        yield from _track(first + lane, name if lane == 0 else f"{name} ({lane + 1})", 1 + order * _MOST + lane)
    for index, lane in zip(mine, places, strict=True):
        instruction, layer = program.instructions[index], program.layers[program.layer_of[index]]
        start, end = int(timing.starts[index]), int(timing.ends[index]) + 1
        arguments: Event = {"instruction": index, "layer": layer.name, "op": layer.op, "nodes": ", ".join(layer.nodes)}
        if moved[index]:
            arguments["bytes"] = int(moved[index])
        yield _slice(f"{instruction.opcode.name} {layer.name}", name, first + lane, start, end - start, arguments)


def lanes(starts: Sequence[int], ends: Sequence[int]) -> list[int]:
    """For intervals in order of their starts, the lowest lane in which each crosses no earlier one; `ends` are exclusive."""
    free: list[int] = []
    places = []
    for start, end in zip(starts, ends, strict=True):
        lane = next((lane for lane, until in enumerate(free) if until <= start), len(free))
        free[lane : lane + 1] = [end]
        places.append(lane)
    return places


def _traffic(program: Program, timing: Timing) -> Iterator[Event]:
    """Bytes per cycle read and written. An instruction's bytes are spread evenly over its time: their exact cycles are not in the trace."""
    moved = program_traffic(program).counts
    for name, opcodes in (("DRAM read", (Opcode.LOAD, Opcode.STREAM)), ("DRAM written", (Opcode.STORE,))):
        mine = [index for index, instruction in enumerate(program.instructions) if instruction.opcode in opcodes]
        starts, ends = timing.starts[mine], timing.ends[mine] + 1
        rates = moved[mine] / (ends - starts)
        times = np.concatenate([starts, ends])
        order = np.argsort(times, kind="stable")
        points, last = np.unique(times[order], return_index=True)
        level = np.cumsum(np.concatenate([rates, -rates])[order])
        values = level[np.append(last[1:], len(order)) - 1] if len(order) else level
        yield _counter(name, 0, 0.0)
        for time, value in zip(points, values, strict=True):
            yield _counter(name, int(time), abs(round(float(value), 3)))


def _track(number: int, name: str, order: int) -> Iterator[Event]:
    yield _name("thread_name", number, name)
    yield {"ph": "M", "name": "thread_sort_index", "pid": _PROCESS, "tid": number, "args": {"sort_index": order}}


def _name(kind: str, number: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": _PROCESS, "tid": number, "args": {"name": name}}


def _slice(name: str, category: str, track: int, start: int, length: int, arguments: Event) -> Event:
    fixed = {"ph": "X", "name": name, "cat": category, "pid": _PROCESS, "tid": track}
    return {**fixed, "ts": int(start), "dur": int(length), "args": arguments}


def _counter(name: str, time: int, value: float) -> Event:
    return {"ph": "C", "name": name, "pid": _PROCESS, "tid": 0, "ts": time, "args": {"bytes per cycle": value}}
