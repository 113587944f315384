"""A one-entry stream buffer that registers `ready` and adds no latency."""

from typing import Any

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SpareBuffer"]


class SpareBuffer(wiring.Component):
    """Cuts the path from `o.ready` to `i.ready`: an entry that `o` does not take in the cycle of its arrival waits in a register.

    An entry offered on `i` in cycle t is offered on `o` in t, one entry per cycle. `i.ready` is 1 while no entry waits.

    Members
    -------
    i, o
        Streams of `shape`.
    """

    def __init__(self, *, shape: ShapeLike) -> None:
        self.shape = shape
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        full = Signal()
        free = Signal(init=1)  # ~full, in a register of its own: both have many readers
        spare = Signal(self.shape, reset_less=True)
        m.d.comb += [
            self.o.valid.eq(self.i.valid | full),
            self.o.payload.eq(Mux(full, spare, self.i.payload)),
            self.i.ready.eq(free),
        ]
        m.d.sync += [full.eq(self.o.valid & ~self.o.ready), free.eq(~self.o.valid | self.o.ready)]
        # Written whether or not it will be used: so the late `o.ready` enables nothing but `full`.
        with m.If(~full):
            m.d.sync += spare.eq(self.i.payload)
        return m
