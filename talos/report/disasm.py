"""Instruction listings: the words of a program as a person reads them."""

from collections.abc import Iterator
from typing import Any

from talos.effects import DRAM
from talos.isa import INSTRUCTIONS, SYNC_UNITS, Instruction, Source, Space, TableKind
from talos.program import Program

__all__ = ["disassembly_json", "disassembly_lines"]

_NAMES = {"source": Source, "space": Space, "kind": TableKind}
_HEADER = ("opcode", "wait", "post", "reserved")


def disassembly_lines(program: Program) -> Iterator[str]:
    """One line an instruction, under a comment line for each layer. Fields at their default (0; counts: 1) are left out."""
    yield f"# {program.name} for {program.config.name} (hash {program.config.hash}): {program.instruction_count} instructions"
    width = len(str(max(program.instruction_count - 1, 0)))
    layer = None
    for index, instruction in enumerate(program.instructions):
        if program.layer_of[index] != layer:
            layer = program.layer_of[index]
            info = program.layers[layer]
            yield ""
            yield f"# layer {layer}: {info.name} ({info.op}, {info.macs:,} MACs)"
        words = [f"{name}={value}" for name, value in _fields(instruction).items()]
        for name in ("wait", "post"):
            units = _units(instruction[name])
            if units:
                words.append(f"{name}={'+'.join(units)}")
        yield f"{index:{width}}  {instruction.opcode.name:<7}{' '.join(words)}"


def disassembly_json(program: Program) -> list[dict[str, Any]]:
    """One object an instruction, with all its fields as numbers."""
    return [
        {
            "index": index,
            "layer": program.layers[program.layer_of[index]].name,
            "unit": instruction.unit.name.lower(),
            "opcode": instruction.opcode.name,
            "wait": _units(instruction["wait"]),
            "post": _units(instruction["post"]),
            "fields": {name: value for name, value in instruction if name not in _HEADER},
        }
        for index, instruction in enumerate(program.instructions)
    ]


def _fields(instruction: Instruction) -> dict[str, str]:
    """The fields worth reading: those that differ from what `Instruction` fills in."""
    shown = {}
    for field in INSTRUCTIONS[instruction.opcode].fields:
        value = instruction[field.name]
        if field.name in _HEADER or value == int(field.count):
            continue
        if field.name in _NAMES:
            shown[field.name] = _NAMES[field.name](value).name.lower()
        elif field.name == "region":
            shown[field.name] = DRAM[value]
        else:
            shown[field.name] = str(value)
    return shown


def _units(mask: int) -> list[str]:
    return [unit.name.lower() for bit, unit in enumerate(SYNC_UNITS) if mask >> bit & 1]
