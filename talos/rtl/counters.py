"""Cycle counters: the run's cycles and, per unit, its busy, sync and stall cycles."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.isa import Unit
from talos.registers import COUNTERS

__all__ = ["Counters"]

UNITS = len(Unit)


class Counters(wiring.Component):
    """Counters that run while `enable` is 1 and hold their value afterwards.

    The inputs, which come from all over the core, are registered twice, so a count is complete three cycles after the last cycle counted.

    Members
    -------
    clear
        All counters become 0. What is counted in this cycle and the next ones is not lost: the first count of a run may be that of the
        cycle with `clear`.
    enable
        Count this cycle.
    busy, sync, stall
        Status of each unit; bit u is `isa.Unit(u)`.
    cycles
        Cycles with `enable`, 64 bits.
    counts[u·3 + c]
        Cycles in which unit u had status `registers.COUNTERS[c]`, 32 bits.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "clear": In(1),
                "enable": In(1),
                "busy": In(UNITS),
                "sync": In(UNITS),
                "stall": In(UNITS),
                "cycles": Out(64),
                "counts": Out(32).array(UNITS * len(COUNTERS)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        arrived = Signal()
        enable = Signal()
        m.d.sync += [arrived.eq(self.enable), enable.eq(arrived)]
        # The high half follows one cycle behind its carry: a 64-bit carry chain would limit the clock.
        carry = Signal()
        low, high = self.cycles[:32], self.cycles[32:]
        m.d.sync += carry.eq(enable & low.all())
        with m.If(enable):
            m.d.sync += low.eq(low + 1)
        with m.If(carry):
            m.d.sync += high.eq(high + 1)
        with m.If(self.clear):
            m.d.sync += [self.cycles.eq(0), carry.eq(0)]
        for unit in Unit:
            for position, counter in enumerate(COUNTERS):
                seen = Signal(name=f"{unit.name.lower()}_{counter}_seen")
                event = Signal(name=f"{unit.name.lower()}_{counter}")
                count = self.counts[unit * len(COUNTERS) + position]
                m.d.sync += [seen.eq(getattr(self, counter)[unit]), event.eq(seen)]
                with m.If(event & enable):
                    m.d.sync += count.eq(count + 1)
                with m.If(self.clear):
                    m.d.sync += count.eq(0)
        return m
