"""Instructions as rows of integers for the cycle model.

A program is an int64 array with one row per instruction and `COLUMNS` columns. Column i is the i-th field of the row's opcode in
declaration order (counts as counts), so the header is at the same place in every row; columns past an opcode's fields are 0.
Take positions at import: `_OUT_H = column(Opcode.MATMUL, "out_h")`.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError
from talos.isa import INSTRUCTIONS, Instruction, Opcode

__all__ = ["COLUMNS", "OPCODE", "POST", "WAIT", "column", "instruction_rows"]

COLUMNS = max(len(fmt.fields) for fmt in INSTRUCTIONS.values())
"""Columns of a row."""


def column(opcode: Opcode, name: str) -> int:
    """Where `opcode` keeps its field `name`. Raises TalosError if it has none."""
    for index, field in enumerate(INSTRUCTIONS[opcode].fields):
        if field.name == name:
            return index
    raise TalosError(f"{opcode.name} has no field '{name}'")


OPCODE = column(Opcode.MATMUL, "opcode")
WAIT = column(Opcode.MATMUL, "wait")
POST = column(Opcode.MATMUL, "post")


def instruction_rows(instructions: Iterable[Instruction]) -> NDArray[np.int64]:
    """The rows of `instructions`, (n, COLUMNS) int64, contiguous."""
    listed = list(instructions)
    rows = np.zeros((len(listed), COLUMNS), np.int64)
    for row, instruction in zip(rows, listed, strict=True):
        values = [value for _, value in instruction]
        row[: len(values)] = values
    return rows
