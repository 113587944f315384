"""The front of a requantization lane: bias, magnitude, and the 24-bit significand that goes into the multiplier."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.rtl.leading_zeros import leading_zeros
from talos.rtl.pair_product import PairProduct
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
        Leading zeros, or 8 if `add` is 1. One cycle later than `significand`.
    carry
        The rounding to 24 bits gave 2^24: the exponent is raised by `adjust` − `carry`. In the cycle of `adjust`.
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
                "adjust": Out(5),
                "carry": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        add = delay(m, self.add, 4, "add")
        negative_at = 3  # cycles from the operand to its sign

        operand = Signal(signed(32), reset_less=True)
        bias = Signal(signed(32), reset_less=True)
        addend = Signal(signed(8), reset_less=True)
        code = Cat(self.operand[:7], ~self.operand[7])
        is_code = self.add & self.unsigned
        if self.pairs:
            is_code = is_code & ~self.multiply
        m.d.sync += [
            operand.eq(Mux(is_code, code, self.operand)),
            bias.eq(Mux(self.add, 0, self.bias)),
            addend.eq(self.addend),
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
                product.a.eq(operand),
                product.b.eq(addend),
                product.zero_a.eq(self.operand_zero),
                product.zero_b.eq(self.addend_zero),
            ]
            with m.If(add[negative_at] & self.multiply):
                m.d.comb += [chosen.eq(product.magnitude), negative.eq(product.negative)]
        m.d.comb += self.negative.eq(delay(m, negative, NORMALIZE - negative_at, "negative")[-1])

        # Leading zeros in two steps: bytes, then bits of the first byte that is not 0.
        counted = Signal(32, reset_less=True)
        coarse_amount = Signal(2, reset_less=True)
        of_byte = [Signal(3, name=f"zeros_{i}", reset_less=True) for i in range(4)]  # of the first byte, of the second, …
        shift = Signal(5, reset_less=True)  # of an operand that is not normalized
        m.d.sync += [
            counted.eq(chosen),
            coarse_amount.eq(Mux(add[3], shift[3:], leading_zeros(Cat(magnitude.word_select(i, 8).any() for i in range(4))))),
            *(zeros.eq(leading_zeros(magnitude.word_select(3 - i, 8))) for i, zeros in enumerate(of_byte)),
            shift.eq(self.align + _DROP),
        ]

        coarse = Signal(32, reset_less=True)
        fine = Signal(3, reset_less=True)
        adjust = Signal(5, reset_less=True)
        normal = Signal(32, reset_less=True)
        fine_zeros = Cat(*of_byte).word_select(coarse_amount, 3)
        m.d.sync += [
            coarse.eq(counted << Cat(Const(0, 3), coarse_amount)),
            fine.eq(Mux(add[4], shift[:3], fine_zeros)),
            adjust.eq(Mux(add[4], _DROP, Cat(fine_zeros, coarse_amount))),
            normal.eq(coarse << fine),
        ]

        # A carry out of the rounding leaves only zeros behind it: putting back the top bit halves the value, `carry` says so.
        kept = Signal(24, reset_less=True)
        up = Signal(reset_less=True)
        rounded = Signal(25)
        carry = Signal(reset_less=True)
        m.d.sync += [
            kept.eq(normal[_DROP:]),
            up.eq(normal[_DROP - 1] & (normal[: _DROP - 1].any() | normal[_DROP])),
            carry.eq(rounded[24]),
        ]
        m.d.comb += [
            rounded.eq(kept + up),
            self.significand.eq(Cat(rounded[:23], rounded[23] | rounded[24])),
            self.adjust.eq(delay(m, adjust, 3, "adjust")[3]),
            self.carry.eq(carry),
        ]
        return m
