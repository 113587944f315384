"""A small first-in first-out queue in distributed memory with its head in a register: written in cycle t, at the head in t + 1."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["Fifo"]


class Fifo(wiring.Component):
    """A queue of `depth` entries whose head is a register.

    An entry accepted on `i` in cycle t is offered on `o` in cycle t + 1 when the queue was empty. `i.ready` and all of `o` are registers,
    so there is no combinational path from one side to the other, and none begins in the memory: a full queue accepts nothing, even in a
    cycle in which an entry leaves.

    Parameters
    ----------
    shape
        Shape of an entry.
    depth
        Entries, at least 2; need not be a power of two.

    Members
    -------
    i, o
        Streams of `shape`.
    filled
        Bit n is 1 if more than n entries are stored: 0, 1, 3, 7 … for 0, 1, 2, 3 …; a register.
    """

    def __init__(self, *, shape: ShapeLike, depth: int) -> None:
        if depth < 2:
            raise ValueError(f"depth={depth} must be at least 2")
        self.shape = shape
        self.depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "filled": Out(depth),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.shape, depth=self.depth, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        following = Signal(range(self.depth), init=1)  # where the entry behind the head is, or will be
        tail = Signal(range(self.depth))
        head = Signal(self.shape, reset_less=True)
        push = Signal()
        pop = Signal()

        def after(pointer: Signal) -> Any:
            if self.depth & (self.depth - 1) == 0:
                return pointer + 1
            return Mux(pointer == self.depth - 1, 0, pointer + 1)

        m.d.comb += [
            self.i.ready.eq(~self.filled[-1]),
            self.o.valid.eq(self.filled[0]),
            self.o.payload.eq(head),
            push.eq(self.i.valid & self.i.ready),
            pop.eq(self.o.valid & self.o.ready),
            # Writing without a push does no harm: the tail is free, or in a full queue the place of the head.
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(1),
            read.addr.eq(following),
        ]
        with m.If(push):
            m.d.sync += tail.eq(after(tail))
        with m.If(pop):
            m.d.sync += following.eq(after(following))
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += head.eq(Mux(self.filled[1], read.data, self.i.payload))
        with m.If(push & ~pop):
            m.d.sync += self.filled.eq(Cat(Const(1, 1), self.filled))
        with m.Elif(pop & ~push):
            m.d.sync += self.filled.eq(self.filled[1:])
        return m
