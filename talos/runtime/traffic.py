"""What a run moves over AXI: bytes read and written by each instruction."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talos.isa import INSTRUCTION_BYTES, Instruction, Opcode, Space
from talos.program import Program

__all__ = ["KINDS", "Traffic", "dram_bytes", "program_traffic"]

KINDS = ("activations in", "weights", "parameters", "activations out")
"""What the bytes of an instruction are; `Traffic.kinds` are positions in it."""


@dataclass(frozen=True)
class Traffic:
    """`counts[i]` bytes are moved by instruction i; `kinds[i]` is what they are, -1 if there are none. `fetched`: the instructions themselves."""

    counts: NDArray[np.int64]
    kinds: NDArray[np.int64]
    fetched: int

    @property
    def written(self) -> NDArray[np.bool_]:
        """Which instructions write to DRAM; all others with a kind read."""
        return np.asarray(self.kinds == KINDS.index("activations out"))


def program_traffic(program: Program) -> Traffic:
    """The traffic of one run of `program`."""
    moved = [_moved(instruction) for instruction in program.instructions]
    table = np.array(moved, np.int64).reshape(-1, 2)
    return Traffic(table[:, 0], table[:, 1], program.instruction_count * INSTRUCTION_BYTES)


def dram_bytes(program: Program) -> int:
    """Bytes that a run reads and writes: tensors, parameters, weights and the instructions themselves."""
    traffic = program_traffic(program)
    return int(traffic.counts.sum()) + traffic.fetched


def _moved(i: Instruction) -> tuple[int, int]:
    match i.opcode:
        case Opcode.LOAD:
            kind = "parameters" if i["space"] == Space.PARAMETER else "activations in"
            return i["row_bytes"] * i["rows"] * i["planes"], KINDS.index(kind)
        case Opcode.STREAM:
            return i["bytes"], KINDS.index("weights")
        case Opcode.STORE:
            return i["row_bytes"] * i["rows"] * i["planes"], KINDS.index("activations out")
        case _:
            return 0, -1
