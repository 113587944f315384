"""The front of a requantization lane: bias, magnitude, and the 24-bit significand that goes into the multiplier."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.rtl.leading_zeros import leading_zeros
from talos.rtl.pair_product import PAIR_PRODUCT, PairProduct
from talos.rtl.pipeline import delay

__all__ = ["NORMALIZE", "Normalizer"]

NORMALIZE = 7
"""Cycles from the operand to the significand (which still passes through the rounding adder: feed it into a register)."""

_DROP = 8  # bits of the normalized 32-bit magnitude below the significand


class Normalizer(wiring.Component):
    """Steps 1 and 2 of `numerics.requantize`, and the shifted operand of `numerics.combine`. All inputs belong to one cycle.

    Parameters
    ----------
    pairs : whether operands can be products of two codes; without it `multiply` is ignored.

    Members
    -------
    operand
        Accumulator, window result, or sign-extended int8 code.
    bias
        The channel's bias; used if `add` is 0.
    addend
        Code that goes with the operand; used if `add` and `multiply` are 1.
    add
        The operand P is an int8 code (or a product): no bias, and a fixed shift `align` (static) instead of the normalization.
    unsigned
        Static. If `add` is 1 and `multiply` 0, P is the code + 128.
    multiply, operand_zero, addend_zero
        Static. If `add` is 1, P is (operand − operand_zero) · (addend − addend_zero).
    significand
        m24, or |P| << align; NORMALIZE cycles after its operand, combinational behind the last register.
    negative
        Its sign, with the same timing.
    adjust
        Leading zeros less carry, what the exponent is raised by; 8 if `add` is 1. One cycle later than `significand`.
    """

    def __init__(self, *, pairs: bool) -> None:
        self.pairs = pairs
        super().__init__(
            {
                "operand": In(signed(32)),
                "bias": In(signed(32)),
                "addend": In(signed(8)),
                "add": In(1),
                "align": In(5),
                "unsigned": In(1),
                "multiply": In(1),
                "operand_zero": In(signed(8)),
                "addend_zero": In(signed(8)),
                "significand": Out(24),
                "negative": Out(1),
                "adjust": Out(6),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        add = delay(m, self.add, 3, "add")

        operand = Signal(signed(32), reset_less=True)
        bias = Signal(signed(32), reset_less=True)
        code = Cat(self.operand[:7], ~self.operand[7])
        m.d.sync += [
            operand.eq(Mux(self.add & self.unsigned, code, self.operand)),
            bias.eq(Mux(self.add, 0, self.bias)),
        ]

        total = Signal(signed(32), reset_less=True)
        m.d.sync += total.eq(operand + bias)

        magnitude = Signal(32, reset_less=True)
        m.d.sync += magnitude.eq(Mux(total[-1], -total, total))
        sign = Signal(reset_less=True)
        m.d.sync += sign.eq(total[-1])

        # A product takes the place of the magnitude here: additions have no use for its leading zeros.
        chosen = Signal(32)
        negative = Signal()
        m.d.comb += [chosen.eq(magnitude), negative.eq(sign)]
        if self.pairs:
            m.submodules.product = product = PairProduct()
            m.d.comb += [
                product.a.eq(self.operand),
                product.b.eq(self.addend),
                product.zero_a.eq(self.operand_zero),
                product.zero_b.eq(self.addend_zero),
            ]
            with m.If(add[PAIR_PRODUCT] & self.multiply):
                m.d.comb += [chosen.eq(product.magnitude), negative.eq(product.negative)]
        m.d.comb += self.negative.eq(delay(m, negative, NORMALIZE - PAIR_PRODUCT, "negative")[-1])

        counted = Signal(32, reset_less=True)
        amount = Signal(5, reset_less=True)
        adjust = Signal(5, reset_less=True)
        zeros = Signal(5)
        m.d.comb += zeros.eq(leading_zeros(magnitude))
        m.d.sync += [
            counted.eq(chosen),
            amount.eq(Mux(add[3], self.align + _DROP, zeros)),
            adjust.eq(Mux(add[3], _DROP, zeros)),
        ]

        coarse = Signal(32, reset_less=True)
        fine = Signal(3, reset_less=True)
        normal = Signal(32, reset_less=True)
        m.d.sync += [
            coarse.eq(counted << Cat(Const(0, 3), amount[3:])),
            fine.eq(amount[:3]),
            normal.eq(coarse << fine),
        ]

        # A carry out of the rounding leaves only zeros behind it: putting back the top bit halves the value, `adjust` says so.
        kept = Signal(24, reset_less=True)
        up = Signal(reset_less=True)
        rounded = Signal(25)
        m.d.sync += [kept.eq(normal[_DROP:]), up.eq(normal[_DROP - 1] & (normal[: _DROP - 1].any() | normal[_DROP]))]
        m.d.comb += [
            rounded.eq(kept + up),
            self.significand.eq(Cat(rounded[:23], rounded[23] | rounded[24])),
        ]
        adjusted = Signal(6, reset_less=True)
        m.d.sync += adjusted.eq(delay(m, adjust, 3, "adjust")[3] - rounded[24])
        m.d.comb += self.adjust.eq(adjusted)
        return m
