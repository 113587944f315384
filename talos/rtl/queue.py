"""Instruction queues: entries are wide and leave seldom, so a cycle between two of them buys area and clock."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.isa import Unit, unit_width

__all__ = ["InstructionQueue", "LazyFifo"]


class LazyFifo(wiring.Component):
    """A queue of `depth` entries in distributed memory; its head is a register that is filled while it is empty.

    An entry accepted on `i` in cycle t is offered on `o` in cycle t + 2 at the earliest, and in t + 2 after the entry before it left in t.
    Compared with `talos.rtl.fifo.Fifo` the head's bits need no multiplexer, and the signal that takes an entry ends in a single
    register instead of at every bit of the head. `i.ready` and all of `o` are registers.

    Parameters
    ----------
    shape
        Shape of an entry.
    depth
        Entries, at least 2, the head included; need not be a power of two.

    Members
    -------
    i, o
        Streams of `shape`.
    filled
        Bit n is 1 if more than n entries are stored; a register.
    first
        The oldest entry, while there is one. What `o` offers in a cycle is what `first` was in the cycle before.
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
                "first": Out(shape),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.shape, depth=self.depth, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        place = Signal(range(self.depth))  # of the head
        tail = Signal(range(self.depth))
        head = Signal(self.shape, reset_less=True)
        valid = Signal()
        push = Signal()
        pop = Signal()

        def after(pointer: Signal) -> Any:
            if self.depth & (self.depth - 1) == 0:
                return pointer + 1
            return Mux(pointer == self.depth - 1, 0, pointer + 1)

        m.d.comb += [
            self.i.ready.eq(~self.filled[-1]),
            self.o.valid.eq(valid),
            self.o.payload.eq(head),
            self.first.eq(Mux(valid, head, read.data)),
            push.eq(self.i.valid & self.i.ready),
            pop.eq(valid & self.o.ready),
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(1),  # without a push no harm is done: the tail is free, or in a full queue the place of the head
            read.addr.eq(place),
        ]
        with m.If(push):
            m.d.sync += tail.eq(after(tail))
        with m.If(pop):
            m.d.sync += [place.eq(after(place)), valid.eq(0)]
        with m.If(~valid):
            m.d.sync += [head.eq(read.data), valid.eq(self.filled[0])]
        with m.If(push & ~pop):
            m.d.sync += self.filled.eq(Cat(Const(1, 1), self.filled))
        with m.Elif(pop & ~push):
            m.d.sync += self.filled.eq(self.filled[1:])
        return m


class InstructionQueue(LazyFifo):
    """`config.queue_depth` instructions of `isa.unit_width(unit)` bits in front of a unit; above them `beside` bits that someone made of
    the instruction when it entered."""

    def __init__(self, config: AcceleratorConfig, *, unit: Unit, beside: int = 0) -> None:
        self.config = config
        self.unit = unit
        super().__init__(shape=unsigned(unit_width(unit) + beside), depth=config.queue_depth)
