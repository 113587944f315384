"""The multiplier of one PE: the part that becomes a DSP block."""

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["MULTIPLIER_LATENCY", "Multiplier"]

MULTIPLIER_LATENCY = 2
"""Cycles from the operands to the product."""


class Multiplier(wiring.Component):
    """Signed `width` × `width` bits with registered operands and a registered product, the registers that DSP blocks contain.

    Members
    -------
    i_a, i_b : In(signed(width))
    o_product : Out(signed(2 · width))
        i_a · i_b of MULTIPLIER_LATENCY cycles ago.
    """

    def __init__(self, *, width: int = 8) -> None:
        self.width = width
        super().__init__({"i_a": In(signed(width)), "i_b": In(signed(width)), "o_product": Out(signed(2 * width))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        a = Signal(signed(self.width), reset_less=True)
        b = Signal(signed(self.width), reset_less=True)
        product = Signal(signed(2 * self.width), reset_less=True)
        m.d.sync += [a.eq(self.i_a), b.eq(self.i_b), product.eq(a * b)]
        m.d.comb += self.o_product.eq(product)
        return m
