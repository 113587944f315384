"""Addresses of an affine loop nest, one per cycle without a bubble."""

from collections.abc import Sequence
from functools import reduce
from operator import or_

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LoopNest", "count_flags"]


def count_flags(counts: Sequence[Value]) -> tuple[Value, Value]:
    """`ones` and `twos` of a nest for these counts, which are minus one."""
    return Cat(count == 0 for count in counts), Cat(count == 1 for count in counts)


def _lowest_zero(bits: Value) -> Value:
    """One-hot: the lowest 0 of `bits`; 0 if there is none."""
    return Cat(bits[:i].all() & ~bits[i] for i in range(len(bits)))


class LoopNest(wiring.Component):
    """Walks address = base + Σ index_i · stride_i, level 0 innermost, each index from 0 to count_i − 1.

    Nearly all steps move the innermost level that has more than one index: they add its stride. After each step of another level
    one of that level follows, so there is always a cycle in which the outer levels' next addresses are computed, and a step to one
    of them only selects a register; which level moves next is known a cycle ahead (`move`, one-hot). After the last step the
    outputs mean nothing until the next `load`, which may be in the cycle of that last step: the first address of the next nest
    then follows at once.

    Parameters
    ----------
    address_width : bits of the address; it wraps.
    count_widths : per level, bits of the count (minus one).
    stride_widths : per level, bits of the signed stride; 0 means that the level does not move the address and has no stride port.

    Members
    -------
    load, base, count_0 …, stride_0 … : In
        In the cycle of `load` the nest begins; counts are minus one. `load` wins over `step`.
    ones, twos : In(levels)
        Bit i: count_i is 0, is 1; so that a user can compare them ahead of time. See `count_flags`.
    follow : In(1)
        Counts and strides are taken in every cycle of `follow`, that of `load` among them. At the last element, and when there is none,
        it may come before `load`, which so decides about few registers.
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
                "follow": In(1),
                "ones": In(self.levels),
                "twos": In(self.levels),
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
        inner = Signal(self.levels, reset_less=True)  # one-hot: the innermost level with more than one index; 0 if there is none
        move = Signal(self.levels, reset_less=True)  # one-hot: the level that the next step moves; 0 at the last element
        at_inner = Signal(reset_less=True)  # the next step moves `inner`
        before_last = Signal(self.levels, reset_less=True)  # the level has one more step
        last = Signal(self.levels, reset_less=True)
        first = Signal(self.levels, reset_less=True)
        whole_first = Signal(reset_less=True)
        whole_last = Signal(reset_less=True)
        single = self.ones  # of the nest to be loaded
        further = Signal(self.levels)  # the next step moves a level outside this one

        for i in range(self.levels):
            count = getattr(self, f"count_{i}")
            limit = Signal.like(count, name=f"limit_{i}", reset_less=True)
            limit_is = Signal(2, name=f"limit_{i}_is", reset_less=True)  # 0, 1
            remaining = Signal.like(count, name=f"remaining_{i}", reset_less=True)
            m.d.comb += further[i].eq(move[i + 1 :].any())
            with m.If(self.follow):
                m.d.sync += [limit.eq(count), limit_is.eq(Cat(single[i], self.twos[i])), remaining.eq(count)]
                m.d.sync += before_last[i].eq(self.twos[i])
            with m.Elif(self.step & further[i]):
                m.d.sync += [remaining.eq(limit), before_last[i].eq(limit_is[1])]
            with m.Elif(self.step & move[i]):
                m.d.sync += [remaining.eq(remaining - 1), before_last[i].eq(remaining == 2)]
            with m.If(self.load):
                m.d.sync += [first[i].eq(1), last[i].eq(single[i])]
            with m.Elif(self.step & further[i]):
                m.d.sync += [first[i].eq(1), last[i].eq(limit_is[0])]
            with m.Elif(self.step & move[i]):
                m.d.sync += [first[i].eq(0), last[i].eq(before_last[i])]

        # Which level moves next. Levels inside `inner` never move, and any level outside it is followed by `inner`.
        outer = Signal(self.levels)  # the level that moves after the last step of `inner`
        leave = Signal()  # the next step is the last one of `inner`
        m.d.comb += [
            outer.eq(_lowest_zero(last | inner)),
            leave.eq(at_inner & (inner & before_last).any()),
        ]
        with m.If(self.follow):
            m.d.sync += [inner.eq(_lowest_zero(single)), move.eq(_lowest_zero(single)), at_inner.eq(1)]
        with m.Elif(self.step):
            m.d.sync += [move.eq(Mux(leave, outer, inner)), at_inner.eq(~leave)]
        with m.If(self.load):
            m.d.sync += [whole_first.eq(1), whole_last.eq(single.all())]
        with m.Elif(self.step):
            m.d.sync += [whole_first.eq(0), whole_last.eq(leave & (last | inner).all())]

        # Addresses. After a step of level i the address is where the iterations of all levels up to i begin, so in the cycle after that
        # their next ones can be computed from it; none of these is needed before another step has moved `inner`.
        address = Signal(self.address_width, reset_less=True)
        strides = [getattr(self, f"stride_{i}") if width else Const(0) for i, width in enumerate(self.stride_widths)]
        increment: Value = Const(
            0
        )  # the stride of `inner`: of two levels it is selected at `follow`, of several such pairs at the step
        for i in reversed(range(0, self.levels, 2)):
            outside = strides[i + 1] if i + 1 < self.levels else strides[i]
            pair = Signal.like(Mux(single[i], outside, strides[i]), name=f"pair_stride_{i}", reset_less=True)
            with m.If(self.follow):
                m.d.sync += pair.eq(Mux(single[i], outside, strides[i]))
            if i + 2 >= self.levels:
                increment = pair
            else:
                here = Signal(name=f"inner_in_{i}", reset_less=True)
                with m.If(self.follow):
                    m.d.sync += here.eq(~single[i : i + 2].all())
                increment = Mux(here, pair, increment)
        nexts: list[Value] = [Const(0)]
        for i in range(1, self.levels):
            stride = Signal.like(strides[i], name=f"held_stride_{i}", reset_less=True)
            moved = Signal(name=f"moved_{i}", reset_less=True)  # the step before moved this level or one outside it
            following = Signal(self.address_width, name=f"next_{i}", reset_less=True)  # where the level's next iteration begins
            with m.If(self.follow):
                m.d.sync += stride.eq(strides[i])
            m.d.sync += moved.eq(self.load | (self.step & (move[i] | further[i])))
            with m.If(moved):
                m.d.sync += following.eq(address + stride)
            nexts.append(Mux(move[i], following, 0))
        with m.If(self.load):
            m.d.sync += address.eq(self.base)
        with m.Elif(self.step):
            m.d.sync += address.eq(Mux(at_inner, address + increment, reduce(or_, nexts)))

        m.d.comb += [
            self.address.eq(address),
            self.firsts.eq(first),
            self.lasts.eq(last),
            self.first.eq(whole_first),
            self.last.eq(whole_last),
        ]
        return m
