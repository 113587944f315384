"""Counting semaphores between the units: one of 8 bits for each ordered pair (poster, waiter) of `isa.SYNC_UNITS`."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.isa import SYNC_UNITS

__all__ = ["SEMAPHORE_MAXIMUM", "Semaphores"]

COUNT = len(SYNC_UNITS)
SEMAPHORE_MAXIMUM = 255


class Semaphores(wiring.Component):
    """The semaphores; bit and array positions are positions in `isa.SYNC_UNITS`.

    Counts are registers: a post in cycle t can release its waiter in cycle t + 1. Taking and posting in one cycle leaves a count as
    it is.

    Members
    -------
    clear
        All counts become 0.
    wait[w], ready[w]
        `ready[w]` is 1 if every semaphore posted to w by a unit in the mask `wait[w]` is above 0.
    start[w]
        Unit w takes one of each semaphore in `wait[w]`. Only in a cycle with `ready[w]`.
    done[p], post[p]
        Unit p posts one to each unit in the mask `post[p]`.
    overflow[p]
        Unit p posts to a semaphore that stands at 255; the count stays.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": In(1),
                "wait": In(COUNT).array(COUNT),
                "ready": Out(COUNT),
                "start": In(COUNT),
                "done": In(COUNT),
                "post": In(COUNT).array(COUNT),
                "overflow": Out(COUNT),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        available = [[Signal(name=f"available_{p}_{w}") for w in range(COUNT)] for p in range(COUNT)]
        overflow = [[Signal(name=f"overflow_{p}_{w}") for w in range(COUNT)] for p in range(COUNT)]
        for p in range(COUNT):
            for w in range(COUNT):
                count = Signal(range(SEMAPHORE_MAXIMUM + 1), name=f"count_{p}_{w}")
                post = Signal(name=f"post_{p}_{w}")
                take = Signal(name=f"take_{p}_{w}")
                m.d.comb += [
                    post.eq(self.done[p] & self.post[p][w]),
                    take.eq(self.start[w] & self.wait[w][p]),
                    overflow[p][w].eq(post & ~take & (count == SEMAPHORE_MAXIMUM)),
                ]
                # `available` repeats count != 0 as a register: it stands on the path from a queue's head to its pop.
                with m.If(post & ~take & ~overflow[p][w]):
                    m.d.sync += [count.eq(count + 1), available[p][w].eq(1)]
                with m.Elif(take & ~post):
                    m.d.sync += [count.eq(count - 1), available[p][w].eq(count != 1)]
                with m.If(self.clear):
                    m.d.sync += [count.eq(0), available[p][w].eq(0)]
        for w in range(COUNT):
            m.d.comb += self.ready[w].eq(Cat(~self.wait[w][p] | available[p][w] for p in range(COUNT)).all())
        for p in range(COUNT):
            m.d.comb += self.overflow[p].eq(Cat(overflow[p]).any())
        return m
