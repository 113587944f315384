"""The two 256-entry tables of a requantization lane.

They are written only while no operand is in the lane. The register behind the read has no enable and no other source: it becomes the
block RAM's output register.
"""

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
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


def _table(m: Module, address: Value, write: Value, index: Value, entry: Value) -> Signal:
    """The word at `address`, two cycles later; `entry` is written at `index` with `write`."""
    m.submodules.memory = memory = Memory(shape=unsigned(len(entry)), depth=CODES, init=[], attrs=NO_COLLISION)
    writing = memory.write_port()
    reading = memory.read_port()
    m.d.comb += [writing.en.eq(write), writing.addr.eq(index), writing.data.eq(entry), reading.addr.eq(address), reading.en.eq(1)]
    word = Signal(len(entry), reset_less=True)
    m.d.sync += word.eq(reading.data)
    return word


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
        address = Signal(8, reset_less=True)
        m.d.sync += address.eq(Cat(self.code[:7], ~self.code[7]))
        entry = _table(m, address, self.write, self.index, self.entry)

        # The fine shift first: it is the wider choice, of fewer bits then.
        shift = entry[_MANTISSA:]
        fine = Signal(signed(_MANTISSA + 7), reset_less=True)
        coarse = Signal(2, reset_less=True)
        m.d.sync += [fine.eq(entry[:_MANTISSA].as_signed() << shift[:3]), coarse.eq(shift[3:])]

        enable = delay(m, self.enable, ADD_TABLE - 1, "enable")[-1]
        addend = Signal(signed(self.width), reset_less=True)
        m.d.sync += addend.eq(Mux(enable, fine << Cat(Const(0, 3), coarse), 0))
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
            entry = _table(m, Cat(self.code[:7], ~self.code[7]), self.write, self.index, self.entry)
            with m.If(enable):
                m.d.sync += result.eq(entry)
        return m
