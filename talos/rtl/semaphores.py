"""Counting semaphores between the units: one of 8 bits for each ordered pair (poster, waiter) of `isa.SYNC_UNITS`."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.isa import SYNC_UNITS

__all__ = ["SEMAPHORE_MAXIMUM", "Semaphores"]

COUNT = len(SYNC_UNITS)
SEMAPHORE_MAXIMUM = 255


class Semaphores(wiring.Component):
    """The semaphores; bit and array positions are positions in `isa.SYNC_UNITS`. Reset makes all of them 0.

    A post in cycle t can release its waiter in cycle t + 2. Taking and posting in one cycle leaves a semaphore as it is.

    Members
    -------
    first[w], ready[w]
        `ready[w]`, a register, is 1 if in the cycle before every semaphore posted to w by a unit in the mask `first[w]` was above 0.
    start[w], wait[w]
        Unit w takes one of each semaphore in `wait[w]`, the value of `first[w]` in the cycle before. Only in a cycle with `ready[w]`, and
        not in two cycles running.
    done[p], post[p]
        Unit p posts one to each unit in the mask `post[p]`.
    overflow[p]
        A semaphore that unit p posts to is above 255: it was posted to at least two cycles before. The run must then be stopped before
        255 more posts. A register.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "first": In(COUNT).array(COUNT),
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
        pairs = [[self._elaborate_pair(m, p, w) for w in range(COUNT)] for p in range(COUNT)]
        for w in range(COUNT):
            m.d.sync += self.ready[w].eq(Cat(~self.first[w][p] | pairs[p][w][0] for p in range(COUNT)).all())
        for p in range(COUNT):
            m.d.sync += self.overflow[p].eq(Cat(overflow for _, overflow in pairs[p]).any())
        return m

    def _elaborate_pair(self, m: Module, p: int, w: int) -> tuple[Value, Value]:
        """One semaphore; returns whether it is above 0 in this cycle, and above 255 in the next.

        `start` and `done` come late in a cycle: two registers keep what they do, the count and its flags follow a cycle later.
        """
        count = Signal(range(2 * (SEMAPHORE_MAXIMUM + 1)), name=f"count_{p}_{w}")  # without `up` and `down`
        available = Signal(name=f"available_{p}_{w}")  # count > 0
        several = Signal(name=f"several_{p}_{w}")  # count > 1
        up = Signal(name=f"up_{p}_{w}")
        down = Signal(name=f"down_{p}_{w}")
        post = Signal(name=f"post_{p}_{w}")
        take = Signal(name=f"take_{p}_{w}")
        total = Signal.like(count, name=f"total_{p}_{w}")
        above = Signal(name=f"above_{p}_{w}")  # count + up − down > 0
        m.d.comb += [
            post.eq(self.done[p] & self.post[p][w]),
            take.eq(self.start[w] & self.wait[w][p]),
            total.eq(count + Cat(Const(1, 1), down.replicate(len(count) - 1))),  # plus or minus one
            above.eq(up | Mux(down, several, available)),
        ]
        m.d.sync += [up.eq(post & ~take), down.eq(take & ~post), available.eq(above)]
        with m.If(up | down):
            m.d.sync += [count.eq(total), several.eq(Mux(up, available, count[2:].any() | count[:2].all()))]
        return above, Mux(up | down, total[-1], count[-1])
