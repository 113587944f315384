"""LOAD, FILL, STORE and STREAM: bytes between DRAM, the on-chip memories and the weight FIFO."""

import numpy as np

from talos.errors import TalosError
from talos.isa import Instruction, Space
from talos.model.functional.state import State
from talos.model.strided import gather, hull, scatter

__all__ = ["fill", "load", "store", "stream"]


def _loops(i: Instruction, prefix: str = "") -> list[tuple[int, int]]:
    return [(i["planes"], i[f"{prefix}plane_stride"]), (i["rows"], i[f"{prefix}row_stride"])]


def load(state: State, i: Instruction) -> None:
    """Copy rows from DRAM to activation or parameter memory. Parameter memory moves in whole beats."""
    source, target = _loops(i), _loops(i, "dst_")
    rows = gather(state.region(i["region"], i["address"], source, i["row_bytes"]), i["address"], source, i["row_bytes"])
    if i["space"] == Space.ACTIVATION:
        scatter(state.activation, i["dst"], target, i["row_bytes"], rows.view(np.int8))
        return
    beat = state.config.beat_bytes
    strides = [stride for count, stride in source + target if count > 1]
    if any(value % beat for value in (i["address"], i["dst"], i["row_bytes"], *strides)):
        raise TalosError(f"addresses, lengths and strides of a parameter transfer must be multiples of the beat of {beat} bytes")
    low, high = hull(i["dst"], target, i["row_bytes"])
    if low < 0 or high > state.parameter.size:
        raise TalosError(f"parameter bytes [{low}, {high}) are outside the memory of {state.parameter.size} bytes")
    scatter(state.parameter, i["dst"], target, i["row_bytes"], rows)


def fill(state: State, i: Instruction) -> None:
    """Write one byte to rows of activation memory."""
    scatter(state.activation, i["dst"], _loops(i, "dst_"), i["row_bytes"], i["value"])


def store(state: State, i: Instruction) -> None:
    """Copy rows from activation memory to DRAM."""
    target = _loops(i)
    rows = gather(state.activation, i["src"], _loops(i, "src_"), i["row_bytes"])
    memory = state.region(i["region"], i["address"], target, i["row_bytes"])
    scatter(memory, i["address"], target, i["row_bytes"], rows.view(np.uint8))


def stream(state: State, i: Instruction) -> None:
    """Push bytes of DRAM into the weight FIFO, in whole beats."""
    start, size, beat = i["address"], i["bytes"], state.config.beat_bytes
    if start % beat or size % beat:
        raise TalosError(f"address {start} and length {size} must be multiples of the beat of {beat} bytes")
    run = state.region(i["region"], start, (), size)[start : start + size]
    state.weights.push(run.view(np.int8).copy())
