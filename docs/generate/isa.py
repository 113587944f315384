"""The instruction set reference, from `talos.isa`."""

import textwrap

from talos.isa import INSTRUCTION_BYTES, INSTRUCTIONS, SYNC_UNITS, Field, Format, Source, Space, TableKind, Unit, unit_width

__all__ = ["isa_page"]

_ENUMERATIONS = {"source": Source, "space": Space, "kind": TableKind}

_INTRODUCTION = """\
# Instruction set

Made from `talos/isa.py` by `python -m docs.generate`.

A program is a list of descriptors of {bytes} bytes, little-endian. Each describes a whole loop nest: one instruction moves a tile of a tensor, runs
one tile of a convolution through the array, or requantizes one. Fields are packed from bit 0 in the order of the tables. A *count* is stored
minus one, so that no count is wasted on zero; *signed* fields are two's complement; bits that no field uses are 0.

Fetch hands each descriptor to the queue of its unit. The units run concurrently; each runs its own instructions in order. Between units, order
exists only where a program asks for it: `post` adds one to a semaphore when an instruction ends, `wait` takes one before an instruction
starts. Bit i of both masks stands for unit i of {units}; there is one counting semaphore for each ordered pair of them.

Why loop nests and not single operations: one fetch of {bytes} bytes keeps a unit busy for hundreds or thousands of cycles, so instruction
bandwidth never limits the array, and a layer is a handful of instructions that a person can read (`talos disasm`).

| instruction | unit | bits used | does |
|---|---|---:|---|
{summary}

Bits of an instruction that a unit's queue stores: {queues}.
"""


def isa_page() -> str:
    """The Markdown page."""
    summary = "\n".join(
        f"| [{fmt.opcode.name}](#{fmt.opcode.name.lower()}) | {fmt.unit.name.lower()} | {fmt.width} | {fmt.doc} |"
        for fmt in INSTRUCTIONS.values()
    )
    queues = ", ".join(f"{unit.name.lower()} {unit_width(unit)}" for unit in Unit if unit is not Unit.FETCH)
    text = _INTRODUCTION.format(
        bytes=INSTRUCTION_BYTES, units=", ".join(unit.name.lower() for unit in SYNC_UNITS), summary=summary, queues=queues
    )
    return text + "\n" + "\n".join(_format(fmt) for fmt in INSTRUCTIONS.values())


def _format(fmt: Format) -> str:
    rows = "\n".join(_row(fmt, field) for field in fmt.fields)
    return (
        textwrap.dedent(f"""\
        ## {fmt.opcode.name}
        Opcode {int(fmt.opcode)}, {fmt.unit.name.lower()} unit. {fmt.doc}

        | bits | field | range | meaning |
        |---|---|---|---|
        """)
        + rows
        + "\n"
    )


def _row(fmt: Format, field: Field) -> str:
    low = fmt.offsets[field.name]
    bits = f"{low + field.width - 1}:{low}" if field.width > 1 else str(low)
    kind = " (count)" if field.count else ""
    names = _ENUMERATIONS.get(field.name)
    values = "; ".join(f"{int(value)} {value.name}" for value in names) if names else f"{field.low:,} … {field.high:,}{kind}"
    return f"| {bits} | `{field.name}` | {values} | {field.doc} |"
