"""The two 256-entry tables of a requantization lane.

They are written only while no operand is in the lane; never reading and writing in one cycle spares the logic that would define what
such a read gives.
"""

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from talos.parameters import CODES
from talos.rtl.memories import NO_COLLISION
from talos.rtl.pipeline import delay

__all__ = ["ADD_TABLE", "ENTRY_WIDTH", "LOOKUP", "AddTable", "LookupTable"]

ADD_TABLE = 5
"""Cycles from the code to the shifted entry."""

LOOKUP = 3
"""Cycles from the code to the result."""

ENTRY_WIDTH = 30
"""Bits of an ADD entry: 24:0 signed mantissa, 29:25 left shift. A LOOKUP entry is its low 8 bits."""

_MANTISSA = 25


class AddTable(wiring.Component):
    """`addend` is mantissa << shift of the entry of `code` + 128, ADD_TABLE cycles after `code`; 0 if `enable` was 0 then.

    Parameters
    ----------
    width : bits of the addend.

    Members
    -------
    write, index, entry
        Write `entry` at `index` (code + 128) at the end of this cycle.
    """

    def __init__(self, *, width: int) -> None:
        self.width = width
        super().__init__(
            {
                "write": In(1),
                "index": In(8),
                "entry": In(ENTRY_WIDTH),
                "code": In(8),
                "enable": In(1),
                "addend": Out(signed(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(ENTRY_WIDTH), depth=CODES, init=[], attrs=NO_COLLISION)
        write = memory.write_port()
        read = memory.read_port()
        m.d.comb += [write.en.eq(self.write), write.addr.eq(self.index), write.data.eq(self.entry)]

        address = Signal(8, reset_less=True)
        entry = Signal(ENTRY_WIDTH, reset_less=True)
        m.d.sync += [address.eq(Cat(self.code[:7], ~self.code[7])), entry.eq(read.data)]
        m.d.comb += [read.addr.eq(address), read.en.eq(~self.write)]

        shift = entry[_MANTISSA:]
        coarse = Signal(signed(self.width), reset_less=True)
        fine = Signal(3, reset_less=True)
        m.d.sync += [coarse.eq(entry[:_MANTISSA].as_signed() << Cat(Const(0, 3), shift[3:])), fine.eq(shift[:3])]

        enable = delay(m, self.enable, ADD_TABLE - 1, "enable")[-1]
        addend = Signal(signed(self.width), reset_less=True)
        m.d.sync += addend.eq(Mux(enable, coarse << fine, 0))
        m.d.comb += self.addend.eq(addend)
        return m


class LookupTable(wiring.Component):
    """`result` is the entry of `code` + 128, LOOKUP cycles after `code`; `code` itself if `enable` was 0 then.

    Parameters
    ----------
    present : without it there is no memory and `enable` is ignored; the latency stays.

    Members
    -------
    write, index, entry
        Write `entry` at `index` (code + 128) at the end of this cycle.
    """

    def __init__(self, *, present: bool) -> None:
        self.present = present
        super().__init__(
            {
                "write": In(1),
                "index": In(8),
                "entry": In(8),
                "code": In(signed(8)),
                "enable": In(1),
                "result": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        code = delay(m, self.code, LOOKUP - 1, "code")[-1]
        enable = delay(m, self.enable, LOOKUP - 1, "enable")[-1]
        result = Signal(signed(8), reset_less=True)
        m.d.sync += result.eq(code)
        m.d.comb += self.result.eq(result)
        if self.present:
            m.submodules.memory = memory = Memory(shape=unsigned(8), depth=CODES, init=[], attrs=NO_COLLISION)
            write = memory.write_port()
            read = memory.read_port()
            entry = Signal(8, reset_less=True)
            m.d.comb += [
                write.en.eq(self.write),
                write.addr.eq(self.index),
                write.data.eq(self.entry),
                read.addr.eq(Cat(self.code[:7], ~self.code[7])),
                read.en.eq(~self.write),
            ]
            m.d.sync += entry.eq(read.data)
            with m.If(enable):
                m.d.sync += result.eq(entry)
        return m
