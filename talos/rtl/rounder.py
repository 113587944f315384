"""The end of a requantization lane: from the 52-bit fixed-point sum to an int8 code."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.rtl.leading_zeros import leading_zeros
from talos.rtl.pipeline import delay

__all__ = ["ROUND", "SUM_WIDTH", "Rounder"]

ROUND = 10
"""Cycles from the sum to the code."""

SUM_WIDTH = 52

_SIGNIFICANT = 24
# value = significand · 2^-right with a significand in [2^23, 2^24]. From 25 on, |value| <= 1/2 rounds to 0; up to 14, |value| >= 2^9
# saturates. So only shifts of 15 … 24 are built: a left shift by 24 − right <= 9 in front of a fixed binary point.
_POINT = 24
_NOTHING = _POINT + 1
_REACH = 9


class Rounder(wiring.Component):
    """`numerics._rounding.finish`: sum · 2^-shift rounded to 24 significant bits, then to an integer, plus zero point, clamped.

    Members
    -------
    sum : signed, SUM_WIDTH bits
    shift : signed
        The exponent k of the sum, one cycle later than `sum`, before `adjust` is added.
    adjust
        Added to `shift` less 8 (normalization of the operand); in the cycle of `shift`.
    zero_point, low, high
        Belonging to the same sum, 7 cycles later than it.
    code : signed(8)
        ROUND cycles after the sum.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "sum": In(signed(SUM_WIDTH)),
                "shift": In(signed(9)),
                "adjust": In(6),
                "zero_point": In(signed(8)),
                "low": In(signed(8)),
                "high": In(signed(8)),
                "code": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        magnitude = Signal(SUM_WIDTH, reset_less=True)
        m.d.sync += magnitude.eq(Mux(self.sum[-1], -self.sum, self.sum))
        negative = delay(m, self.sum[-1], 8, "negative")

        counted = Signal(SUM_WIDTH, reset_less=True)
        zeros = Signal(6, reset_less=True)
        nonzero = Signal(reset_less=True)
        exponent = Signal(signed(11), reset_less=True)
        m.d.sync += [
            counted.eq(magnitude),
            zeros.eq(leading_zeros(magnitude)),
            nonzero.eq(magnitude.any()),
            exponent.eq(self.shift + self.adjust),
        ]

        coarse = Signal(SUM_WIDTH, reset_less=True)
        fine = Signal(3, reset_less=True)
        right = Signal(signed(11), reset_less=True)
        m.d.sync += [
            coarse.eq(counted << Cat(Const(0, 3), zeros[3:])),
            fine.eq(zeros[:3]),
            right.eq(exponent + zeros - (8 + SUM_WIDTH - _SIGNIFICANT)),
        ]

        # The fine shift moves the low 20 bits by at most 7: they stay below the guard bit and only count as "not all zero".
        window = Signal(32, reset_less=True)
        rest = Signal(reset_less=True)
        m.d.sync += [window.eq(coarse[20:] << fine), rest.eq(coarse[:20].any())]
        right_window = delay(m, right, 1, "right")[1]
        nonzero_window = delay(m, nonzero, 2, "nonzero")[2]

        kept = Signal(_SIGNIFICANT, reset_less=True)
        carry = Signal(reset_less=True)
        significand = Signal(_SIGNIFICANT + 1, reset_less=True)
        place = Signal(range(_REACH + 1), reset_less=True)
        nothing = Signal(reset_less=True)
        huge = Signal(reset_less=True)
        m.d.sync += [
            kept.eq(window[8:]),
            carry.eq(window[7] & (window[8] | window[:7].any() | rest)),
            significand.eq(kept + carry),
            place.eq(_POINT - right_window),
            nothing.eq(~nonzero_window | (right_window >= _NOTHING)),
            huge.eq(right_window < _POINT - _REACH),
        ]

        placed = Signal(_SIGNIFICANT + 1 + _REACH, reset_less=True)
        m.d.sync += placed.eq(significand << delay(m, place, 1, "place")[1])
        nothing_placed = delay(m, nothing, 2, "nothing")[2]
        huge_placed = delay(m, huge, 2, "huge")[2]

        whole = Signal(_REACH + 1, reset_less=True)
        up = Signal(reset_less=True)
        zero_point = Signal(signed(8), reset_less=True)
        with m.If(nothing_placed):
            m.d.sync += [whole.eq(0), up.eq(0)]
        with m.Elif(huge_placed):
            m.d.sync += [whole.eq(1 << _REACH), up.eq(0)]
        with m.Else():
            m.d.sync += [
                whole.eq(placed[_POINT:]),
                up.eq(placed[_POINT - 1] & (placed[_POINT] | placed[: _POINT - 1].any())),
            ]
        over_low = Signal(signed(9), reset_less=True)
        over_high = Signal(signed(9), reset_less=True)
        m.d.sync += [
            zero_point.eq(self.zero_point),
            over_low.eq(self.zero_point - self.low),
            over_high.eq(self.zero_point + ~self.high),
        ]

        # −(whole + up) = ~whole + (1 − up): one adder for the rounding, the sign and the zero point. The comparisons with the bounds
        # are two more of that kind beside it: value < low if value − low is negative, value > high if value − high − 1 is not.
        sign = negative[8]
        flipped = Signal(signed(_REACH + 2))
        value = Signal(signed(_REACH + 3), reset_less=True)
        m.d.comb += flipped.eq(Cat(whole, Const(0, 1)) ^ sign.replicate(_REACH + 2))
        above_low = Signal.like(value, reset_less=True)
        above_high = Signal.like(value, reset_less=True)
        one = Signal()
        m.d.comb += one.eq(sign ^ up)
        m.d.sync += [
            value.eq(flipped + zero_point + one),
            above_low.eq(flipped + over_low + one),
            above_high.eq(flipped + over_high + one),
        ]

        low = delay(m, self.low, 2, "low")[2]
        high = delay(m, self.high, 2, "high")[2]
        code = Signal(signed(8), reset_less=True)
        m.d.sync += code.eq(Mux(above_low[-1], low, Mux(above_high[-1], value, high)))
        m.d.comb += self.code.eq(code)
        return m
