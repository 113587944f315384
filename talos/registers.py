"""The AXI4-Lite register map, declared once: RTL, runtime and documentation are derived from it. All registers have 32 bits."""

import enum
from dataclasses import dataclass

from talos.isa import Unit

__all__ = ["COUNTERS", "IDENTIFICATION", "REGISTERS", "ErrorCause", "Register", "counter_offset"]

IDENTIFICATION = 0x54414C4F  # "TALO"
REGIONS = 4


class ErrorCause(enum.IntEnum):
    """Why the core stopped (register ERROR_CAUSE)."""

    NONE = 0
    BAD_OPCODE = 1
    READ_ERROR = 2
    WRITE_ERROR = 3
    SEMAPHORE_OVERFLOW = 4


@dataclass(frozen=True)
class Register:
    """One register: byte `offset`, `access` "ro" or "rw" (or "w1": writing ones acts, reads 0); `bits` names its single bits, from bit 0."""

    name: str
    offset: int
    access: str
    doc: str
    bits: tuple[str, ...] = ()

    def mask(self, bit: str) -> int:
        """The value in which only the bit of that name is 1."""
        return 1 << self.bits.index(bit)


COUNTERS = ("busy", "sync", "stall")
"""Per unit: cycles of useful work, cycles waiting for a semaphore, cycles blocked by a resource. The rest is idle."""
COUNTER_BASE = 0x100


def counter_offset(unit: Unit, counter: str) -> int:
    """Byte offset of a unit's cycle counter."""
    return COUNTER_BASE + 16 * unit + 4 * COUNTERS.index(counter)


REGISTERS: dict[str, Register] = {
    register.name: register
    for register in (
        Register("IDENTIFICATION", 0x000, "ro", 'Constant 0x54414C4F ("TALO").'),
        Register("CONFIG_HASH", 0x004, "ro", "Hash of the configuration; a program carries the same."),
        Register(
            "CONTROL",
            0x010,
            "w1",
            "Bit 0: start. Bit 1: abort: finish outstanding bus transfers, then reset the core. Start while busy is ignored.",
            ("start", "abort"),
        ),
        Register(
            "STATUS",
            0x014,
            "ro",
            "Bit 0: busy. Bit 1: done. Bit 2: stopped by an error. Bit 3: aborting.",
            ("busy", "done", "error", "aborting"),
        ),
        Register("IRQ_ENABLE", 0x018, "rw", "Bit 0: interrupt on done. Bit 1: interrupt on error.", ("done", "error")),
        Register("IRQ_CLEAR", 0x01C, "w1", "Bit 0: clear done. Bit 1: clear the pending error interrupt.", ("done", "error")),
        Register("ERROR_CAUSE", 0x020, "ro", "See ErrorCause."),
        Register("ERROR_INFO", 0x024, "ro", "Index of the bad instruction, or the AXI id / unit of the failed transfer."),
        Register("PROGRAM_LOW", 0x030, "rw", "Byte address of the program, bits 31:0; a multiple of 64."),
        Register("PROGRAM_HIGH", 0x034, "rw", "Bits 63:32."),
        Register("PROGRAM_COUNT", 0x038, "rw", "Number of instructions."),
        *(Register(f"REGION{i}_LOW", 0x040 + 8 * i, "rw", f"Base address of region {i}, bits 31:0.") for i in range(REGIONS)),
        *(Register(f"REGION{i}_HIGH", 0x044 + 8 * i, "rw", f"Base address of region {i}, bits 63:32.") for i in range(REGIONS)),
        Register("CYCLES_LOW", 0x080, "ro", "Cycles from start to done, bits 31:0."),
        Register("CYCLES_HIGH", 0x084, "ro", "Bits 63:32."),
        *(
            Register(
                f"{unit.name}_{counter.upper()}",
                counter_offset(unit, counter),
                "ro",
                f"{unit.name.lower()} unit: {counter} cycles.",
            )
            for unit in Unit
            for counter in COUNTERS
        ),
    )
}
