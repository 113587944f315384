"""The sequence of register accesses around a run, the same for every kind of device."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.isa import Unit
from talos.program import CONSTANTS, Program
from talos.registers import COUNTERS, IDENTIFICATION, REGIONS, REGISTERS, ErrorCause, counter_offset

__all__ = [
    "ABORT", "BUSY", "FAILED", "START", "Read", "require_identity", "require_success", "run_counters", "run_cycles", "start_values",
]  # fmt: skip

START, ABORT = (REGISTERS["CONTROL"].mask(bit) for bit in ("start", "abort"))
BUSY, FAILED = (REGISTERS["STATUS"].mask(bit) for bit in ("busy", "error"))

Read = Callable[[int], int]
"""Byte offset of a register → its 32 bits."""


def start_values(program: Program, bases: tuple[int, ...]) -> dict[str, int]:
    """What is written before CONTROL.start, in order: register name → value. bases: AXI addresses of the regions."""
    addresses = {f"REGION{i}": bases[i] for i in range(REGIONS)} | {"PROGRAM": bases[CONSTANTS] + program.program_offset}
    values: dict[str, int] = {}
    for name, address in addresses.items():
        values |= {f"{name}_LOW": address & 0xFFFFFFFF, f"{name}_HIGH": address >> 32}
    return values | {"PROGRAM_COUNT": program.instruction_count, "IRQ_CLEAR": 3, "IRQ_ENABLE": 3}


def require_identity(read: Read, config: AcceleratorConfig) -> None:
    """Raise TalosError unless the core is a Talos of this configuration."""
    found = read(REGISTERS["IDENTIFICATION"].offset), read(REGISTERS["CONFIG_HASH"].offset)
    if found[0] != IDENTIFICATION:
        raise TalosError(
            f"the device identifies itself as {found[0]:08x}, not as Talos ({IDENTIFICATION:08x}); check the address of its registers"
        )
    if found[1] != int(config.hash, 16):
        raise TalosError(
            f"the core has configuration {found[1]:08x}, not {config.hash} ({config.name}); compile for the core's configuration "
            "or load another bitstream"
        )


def require_success(read: Read) -> None:
    """Raise TalosError if the run was stopped by an error."""
    if read(REGISTERS["STATUS"].offset) & FAILED:
        code, info = read(REGISTERS["ERROR_CAUSE"].offset), read(REGISTERS["ERROR_INFO"].offset)
        known = code in set(ErrorCause)
        raise TalosError(
            f"the core stopped with {ErrorCause(code).name if known else f'cause {code}'} (info {info}); "
            "check the program with 'talos info'"
        )


def run_cycles(read: Read) -> int:
    """Cycles of the last run, from start to done, or so far."""
    while True:  # the low half may overflow between two reads
        high, low = read(REGISTERS["CYCLES_HIGH"].offset), read(REGISTERS["CYCLES_LOW"].offset)
        if read(REGISTERS["CYCLES_HIGH"].offset) == high:
            return high << 32 | low


def run_counters(read: Read) -> NDArray[np.int64]:
    """Cycles of the last run by unit and (busy, sync, stall)."""
    return np.array([[read(counter_offset(unit, counter)) for counter in COUNTERS] for unit in Unit], np.int64)
