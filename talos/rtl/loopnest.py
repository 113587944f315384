"""Addresses of an affine loop nest, one per cycle without a bubble."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LoopNest"]


class LoopNest(wiring.Component):
    """Walks address = base + Σ index_i · stride_i, level 0 innermost, each index from 0 to count_i − 1.

    Every level keeps the address at which its current iteration began, so a step is one selection and one addition however many
    levels wrap; which level moves next is known a cycle ahead (`move`, one-hot). After the last step the outputs mean nothing
    until the next `load`, which may be in the cycle of that last step: the first address of the next nest then follows at once.

    Parameters
    ----------
    address_width : bits of the address; it wraps.
    count_widths : per level, bits of the count (minus one).
    stride_widths : per level, bits of the signed stride; 0 means that the level does not move the address and has no stride port.

    Members
    -------
    load, base, count_0 …, stride_0 … : In
        In the cycle of `load` the nest's parameters are taken; counts are minus one. `load` wins over `step`.
    step : In(1)
        Go to the next element at the end of this cycle.
    address : Out(address_width)
        Address of the current element, a register.
    firsts, lasts : Out(levels)
        Bit i: the index of level i is 0, or is its count minus one. Registers.
    first, last : Out(1)
        The first and the last element of the whole nest.
    """

    def __init__(self, *, address_width: int, count_widths: Sequence[int], stride_widths: Sequence[int]) -> None:
        self.address_width = address_width
        self.count_widths = tuple(count_widths)
        self.stride_widths = tuple(stride_widths)
        self.levels = len(self.count_widths)
        if not self.levels or self.levels != len(self.stride_widths):
            raise ValueError("LoopNest: needs one count width and one stride width for each level")
        super().__init__(
            {
                "load": In(1),
                "base": In(address_width),
                "step": In(1),
                "address": Out(address_width),
                "firsts": Out(self.levels),
                "lasts": Out(self.levels),
                "first": Out(1),
                "last": Out(1),
                **{f"count_{i}": In(width) for i, width in enumerate(self.count_widths)},
                **{f"stride_{i}": In(signed(width)) for i, width in enumerate(self.stride_widths) if width},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        move = Signal(self.levels, reset_less=True)  # one-hot: the innermost level that is not at its last index
        first = Signal(self.levels, reset_less=True)
        last = Signal(self.levels, reset_less=True)
        next_last = Signal(self.levels)
        moved = Signal(self.address_width)

        starts: list[Value] = []
        increments: list[Value] = [Const(0)]
        for i in range(self.levels):
            count = getattr(self, f"count_{i}")
            limit = Signal.like(count, name=f"limit_{i}", reset_less=True)
            remaining = Signal.like(count, name=f"remaining_{i}", reset_less=True)
            with m.If(self.load):
                m.d.comb += next_last[i].eq(count == 0)
                m.d.sync += [limit.eq(count), remaining.eq(count), first[i].eq(1)]
            with m.Elif(self.step & move[i + 1 :].any()):
                m.d.comb += next_last[i].eq(limit == 0)
                m.d.sync += [remaining.eq(limit), first[i].eq(1)]
            with m.Elif(self.step & move[i]):
                m.d.comb += next_last[i].eq(remaining == 1)
                m.d.sync += [remaining.eq(remaining - 1), first[i].eq(0)]
            with m.Else():
                m.d.comb += next_last[i].eq(last[i])

            start = Signal(self.address_width, name=f"start_{i}", reset_less=True)  # where this level's iteration began
            with m.If(self.load):
                m.d.sync += start.eq(self.base)
            with m.Elif(self.step & move[i:].any()):
                m.d.sync += start.eq(moved)
            starts.append(start)
            if self.stride_widths[i]:
                stride = getattr(self, f"stride_{i}")
                held = Signal.like(stride, name=f"held_stride_{i}", reset_less=True)
                with m.If(self.load):
                    m.d.sync += held.eq(stride)
                increments.append(Mux(move[i], held, 0))

        origin = reduce(or_, (Mux(move[i], start, 0) for i, start in enumerate(starts)))
        m.d.comb += moved.eq(origin + reduce(or_, increments))

        chooses: list[Value] = []
        inner: Value = Const(1, 1)
        for i in range(self.levels):
            chooses.append(inner & ~next_last[i])
            inner = inner & next_last[i]
        m.d.sync += [last.eq(next_last), move.eq(Cat(chooses))]
        m.d.comb += [
            self.address.eq(starts[0]),
            self.firsts.eq(first),
            self.lasts.eq(last),
            self.first.eq(first.all()),
            self.last.eq(last.all()),
        ]
        return m
