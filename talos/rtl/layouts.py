"""Instruction fields as Amaranth layouts, derived from `talos.isa`. Counts are the raw values: minus one."""

from functools import cache

from amaranth import Shape, ValueLike, signed, unsigned
from amaranth.hdl import Value
from amaranth.lib import data

from talos.isa import HEADER, INSTRUCTIONS, Field, Opcode

__all__ = ["field_shape", "header_layout", "header_view", "instruction_layout", "instruction_view"]


def field_shape(field: Field) -> Shape:
    """The shape of one field; a count is unsigned and holds count − 1."""
    return signed(field.width) if field.signed else unsigned(field.width)


@cache
def instruction_layout(opcode: Opcode) -> data.StructLayout:
    """All fields of `opcode`, header included, in declaration order from bit 0."""
    return data.StructLayout({field.name: field_shape(field) for field in INSTRUCTIONS[opcode].fields})


@cache
def header_layout() -> data.StructLayout:
    """The fields common to all instructions."""
    return data.StructLayout({field.name: field_shape(field) for field in HEADER})


def instruction_view(opcode: Opcode, bits: ValueLike) -> data.View:
    """The low bits of `bits` (an instruction, or a unit's queue entry) as the fields of `opcode`."""
    layout = instruction_layout(opcode)
    return data.View(layout, Value.cast(bits)[: layout.size])


def header_view(bits: ValueLike) -> data.View:
    """The low bits of `bits` as the header fields (opcode, wait, post, reserved)."""
    layout = header_layout()
    return data.View(layout, Value.cast(bits)[: layout.size])
