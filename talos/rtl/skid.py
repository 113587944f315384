"""A two-entry stream buffer whose `ready` and `valid` are both registers: it cuts every path between its sides at full throughput."""

from typing import Any

from amaranth.hdl import Module, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SkidBuffer"]


class SkidBuffer(wiring.Component):
    """A two-entry buffer: accepted in cycle t, offered in t + 1, one entry per cycle.

    `i.ready` is 1 while fewer than two entries are stored; `o.payload` is a register as well.

    Members
    -------
    i, o
        Streams of `shape`.
    level
        Entries stored, 0 … 2.
    """

    def __init__(self, *, shape: ShapeLike) -> None:
        self.shape = shape
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "level": Out(2),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # The head register feeds `o`; the spare takes the one entry that arrives while the head is held.
        valid = Signal()
        ready = Signal(init=1)  # the spare register is free
        head = Signal(self.shape, reset_less=True)
        spare = Signal(self.shape, reset_less=True)

        m.d.comb += [
            self.o.valid.eq(valid),
            self.o.payload.eq(head),
            self.i.ready.eq(ready),
            self.level.eq(valid + ~ready),
        ]
        with m.If(~valid | self.o.ready):
            m.d.sync += ready.eq(1)
            with m.If(ready):
                m.d.sync += [head.eq(self.i.payload), valid.eq(self.i.valid)]
            with m.Else():
                m.d.sync += [head.eq(spare), valid.eq(1)]
        with m.Elif(ready):
            m.d.sync += ready.eq(~self.i.valid)
        # Written whether or not it will be used: so neither a late `i.valid` nor a late `o.ready` enables it.
        with m.If(ready):
            m.d.sync += spare.eq(self.i.payload)
        return m
