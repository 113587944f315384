"""The multiplier of a requantization lane for element-wise products of two int8 tensors."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PAIR_PRODUCT", "PairProduct"]

PAIR_PRODUCT = 2
"""Cycles from the codes to their product."""

_DIFFERENCE = 9  # bits of code - zero point
_MAGNITUDE = 16  # 255 · 255


class PairProduct(wiring.Component):
    """|(a − zero_a) · (b − zero_b)|, PAIR_PRODUCT cycles after the codes; a new pair every cycle.

    The differences and the product are registers right in front of and behind the multiplier: those that a DSP block contains. The
    magnitude is combinational behind the product.

    Members
    -------
    a, b : signed(8)
    zero_a, zero_b : signed(8)
        Static.
    magnitude
    negative
        The product's sign, in the cycle of `magnitude`.
    """

    def __init__(self) -> None:
        codes = {name: In(signed(8)) for name in ("a", "b", "zero_a", "zero_b")}
        super().__init__({**codes, "magnitude": Out(_MAGNITUDE), "negative": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        x = Signal(signed(_DIFFERENCE), reset_less=True)
        y = Signal(signed(_DIFFERENCE), reset_less=True)
        product = Signal(signed(_MAGNITUDE + 1), reset_less=True)
        m.d.sync += [
            x.eq(self.a - self.zero_a),
            y.eq(self.b - self.zero_b),
            product.eq(x * y),
        ]
        m.d.comb += [self.magnitude.eq(Mux(product[-1], -product, product)), self.negative.eq(product[-1])]
        return m
