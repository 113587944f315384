"""The 24 × 24-bit multiplier of a requantization lane."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.rtl.pipeline import delay

__all__ = ["WIDE_MULTIPLY", "WideMultiplier"]

WIDE_MULTIPLY = 4
"""Cycles from the operands to the product."""

_WIDTH = 24
_HALF = _WIDTH // 2


class WideMultiplier(wiring.Component):
    """`o` is the product of the unsigned `a` and `b` of WIDE_MULTIPLY cycles ago, inverted if `invert` was 1 then; a new pair every cycle.

    Four 12 × 12-bit products with registered inputs and outputs, each the size of one DSP block, then the middle sum, then the total.
    """

    def __init__(self) -> None:
        super().__init__({"a": In(_WIDTH), "b": In(_WIDTH), "invert": In(1), "o": Out(2 * _WIDTH)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a = Signal(_WIDTH, reset_less=True)
        b = Signal(_WIDTH, reset_less=True)
        m.d.sync += [a.eq(self.a), b.eq(self.b)]

        low, cross_a, cross_b, high = (
            Signal(2 * _HALF, name=name, reset_less=True) for name in ("low", "cross_a", "cross_b", "high")
        )
        m.d.sync += [
            low.eq(a[:_HALF] * b[:_HALF]),
            cross_a.eq(a[_HALF:] * b[:_HALF]),
            cross_b.eq(a[:_HALF] * b[_HALF:]),
            high.eq(a[_HALF:] * b[_HALF:]),
        ]

        outer = Signal(2 * _WIDTH, reset_less=True)
        middle = Signal(2 * _HALF + 1, reset_less=True)
        m.d.sync += [outer.eq((high << _WIDTH) | low), middle.eq(cross_a + cross_b)]

        product = Signal(2 * _WIDTH, reset_less=True)
        invert = delay(m, self.invert, WIDE_MULTIPLY - 1, "invert")[-1]
        m.d.sync += product.eq((outer + (middle << _HALF)) ^ invert.replicate(2 * _WIDTH))
        m.d.comb += self.o.eq(product)
        return m
