"""A small first-in first-out queue in registers or distributed memory: written in cycle t, at the head in cycle t + 1."""

from typing import Any

from amaranth.hdl import Module, Mux, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["Fifo"]


class Fifo(wiring.Component):
    """A queue of `depth` entries with an asynchronously read head.

    An entry accepted on `i` in cycle t is offered on `o` in cycle t + 1 when the queue was empty. `i.ready` and `o.valid` depend on the
    registered level only, so there is no combinational path from one side to the other: a full queue accepts nothing, even in a cycle
    in which an entry leaves.

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
    level
        Entries stored, 0 … depth, a register.
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
                "level": Out(range(depth + 1)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.shape, depth=self.depth, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        head = Signal(range(self.depth))
        tail = Signal(range(self.depth))
        push = Signal()
        pop = Signal()

        def after(pointer: Signal) -> Any:
            if self.depth & (self.depth - 1) == 0:
                return pointer + 1
            return Mux(pointer == self.depth - 1, 0, pointer + 1)

        m.d.comb += [
            self.i.ready.eq(self.level != self.depth),
            self.o.valid.eq(self.level != 0),
            self.o.payload.eq(read.data),
            push.eq(self.i.valid & self.i.ready),
            pop.eq(self.o.valid & self.o.ready),
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(push),
            read.addr.eq(head),
        ]
        with m.If(push):
            m.d.sync += tail.eq(after(tail))
        with m.If(pop):
            m.d.sync += head.eq(after(head))
        with m.If(push & ~pop):
            m.d.sync += self.level.eq(self.level + 1)
        with m.Elif(pop & ~push):
            m.d.sync += self.level.eq(self.level - 1)
        return m
