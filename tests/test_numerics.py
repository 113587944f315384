"""The arithmetic at its edges, against exact rational arithmetic and its own stated widths."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from talos import numerics
from talos.errors import TalosError
from talos.numerics._rounding import bit_length, round_shift, round_significant

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1

ACCUMULATORS = sorted(
    {
        sign * value
        for sign in (1, -1)
        for power in (0, 1, 7, 8, 22, 23, 24, 25, 29, 30)
        for value in (2**power - 1, 2**power, 2**power + 1)
    }
    | {3 << 23, (3 << 23) + 2, (1 << 25) + 2, (1 << 25) + 6, (1 << 31) - 64, (1 << 31) - 65, -(1 << 31) + 63}
    | {INT32_MIN, INT32_MIN + 1, INT32_MAX, 85, -85, 255, -255, 1000001}
)
MULTIPLIERS = np.array(
    [2**-149, 1.1e-40, 2**-126, 2**-31, 2**-30, 2**-25, 2**-24, 2**-23, 2**-8, 2**-7, 2**-1, 1.0, 1.5, 2.0, 3.5, 127.0, 3e38]
    + [np.nextafter(np.float32(v), np.float32(d)) for v in (1.0, 0.5, 2**-7, 2**-23) for d in (0.0, 2.0)]
    + [1 / 3, 0.1, 0.0123, 1 / 510],
    np.float32,
)


def nearest(value: Fraction, bits: int | None = None) -> Fraction:
    """`value` to an integer or to `bits` significant bits, ties to even, with Python's exact arithmetic."""
    if bits is None or value == 0:
        return Fraction(round(value))
    unit = Fraction(1)
    while abs(value) >= unit * 2**bits:
        unit *= 2
    while abs(value) < unit * 2 ** (bits - 1):
        unit /= 2
    return round(value / unit) * unit


def requantize_exactly(acc: int, multiplier: np.float32, zero_point: int, low: int, high: int) -> int:
    """onnxruntime's formula, each float32 operation as an exact one followed by a rounding to 24 bits."""
    value = nearest(nearest(Fraction(acc), 24) * Fraction(float(multiplier)), 24)
    return min(max(int(nearest(value)) + zero_point, low), high)


@pytest.mark.parametrize(("zero_point", "low", "high"), [(0, -128, 127), (-128, -128, 127), (127, -128, 127), (5, 5, 100)])
def test_requantize_at_the_edges(zero_point: int, low: int, high: int) -> None:
    acc = np.array(ACCUMULATORS, np.int64)[:, None]
    acc = np.repeat(acc, MULTIPLIERS.size, axis=1)
    mantissa, shift = numerics.split_multiplier(MULTIPLIERS)
    expected = [[requantize_exactly(a, m, zero_point, low, high) for m in MULTIPLIERS] for a in ACCUMULATORS]
    np.testing.assert_array_equal(numerics.requantize(acc, 0, mantissa, shift, zero_point, low, high), expected)
    np.testing.assert_array_equal(numerics.requantize_fast(acc, 0, mantissa, shift, zero_point, low, high), expected)


def test_requantize_ties_go_to_even() -> None:
    mantissa, shift = numerics.split_multiplier(0.5)
    codes = numerics.requantize(np.array([-5, -3, -1, 1, 3, 5]), 0, mantissa, shift, 0)
    assert codes.tolist() == [-2, -2, 0, 0, 2, 2]
    # The zero point is added after the rounding: an odd one makes ties odd.
    assert numerics.requantize(np.array([1, 3]), 0, mantissa, shift, 1).tolist() == [1, 3]


def test_requantize_rounds_to_24_bits_before_it_rounds_to_an_integer() -> None:
    # Just above 0.5 + 2^-26: as a float32 it is the tie 0.5, which goes to 0; one rounding alone would give 1.
    acc, multiplier = (1 << 23) + 1, np.float32(2**-24 * (1 - 2**-24))
    mantissa, shift = numerics.split_multiplier(multiplier)
    assert Fraction(acc) * Fraction(float(multiplier)) > Fraction(1, 2) + Fraction(1, 1 << 26)
    for function in (numerics.requantize, numerics.requantize_fast):
        assert function(np.array([acc, -acc]), 0, mantissa, shift, 0).tolist() == [0, 0]


@pytest.mark.parametrize("function", [numerics.requantize, numerics.requantize_fast])
def test_bias_wraps_and_parameters_broadcast(function: Callable[..., npt.NDArray[np.int8]]) -> None:
    mantissa, shift = numerics.split_multiplier([2**-25, 2**-24, 2**-25])
    acc = np.array([[INT32_MAX, INT32_MIN, 1 << 30]] * 2, np.int32)
    codes = function(acc, np.array([1, -1, 0]), mantissa, shift, 0)
    assert codes.dtype == np.int8
    assert codes.tolist() == [[-64, 127, 32]] * 2
    scalar = function(np.int32(1 << 30), 0, mantissa[0], shift[0], 3)
    assert scalar.shape == () and scalar == 35
    assert function(np.zeros((0, 3), np.int32), 0, mantissa, shift, 0).shape == (0, 3)


def test_requantize_fast_is_requantize_for_every_program_field() -> None:
    """Also for mantissas and shifts that no float32 multiplier splits into, since a program could hold them."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        mantissa = rng.integers(0, 1 << 24, 64) >> rng.integers(0, 24, 64)
        shift = rng.integers(-256, 256, 64)
        shift[::2] = rng.integers(0, 60, 32)
        acc = rng.integers(INT32_MIN, INT32_MAX + 1, (256, 64)) >> rng.integers(0, 31, (256, 64))
        zero_point = int(rng.integers(-128, 128))
        low, high = sorted(int(v) for v in rng.integers(-128, 128, 2))
        arguments = (acc, 0, mantissa, shift, zero_point, low, high)
        np.testing.assert_array_equal(numerics.requantize_fast(*arguments), numerics.requantize(*arguments))


def test_split_multiplier_is_exact_and_normalized() -> None:
    mantissa, shift = numerics.split_multiplier(MULTIPLIERS)
    for m, left, right in zip(MULTIPLIERS, mantissa, shift, strict=True):
        assert Fraction(int(left)) * Fraction(2) ** -int(right) == Fraction(float(m))
    assert mantissa.min() >= 1 << 23 and mantissa.max() < 1 << 24
    assert shift.min() >= -104 and shift.max() <= 172


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_split_multiplier_refuses(bad: float) -> None:
    with pytest.raises(TalosError, match=r"not positive and finite.*recalibrate"):
        numerics.split_multiplier([1.0, bad])


def test_conv_multiplier_rounds_twice() -> None:
    x, w, y = np.float32(0.1), np.array([0.3, 0.7], np.float32), np.float32(0.05)
    expected = [np.float32(np.float32(x * v) / y) for v in w]
    multiplier = numerics.conv_multiplier(x, w, y)
    assert multiplier.dtype == np.float32 and multiplier.tolist() == [float(e) for e in expected]
    with pytest.raises(TalosError, match="multiplier 0"):
        numerics.split_multiplier(numerics.conv_multiplier(1e-30, [1e-30], 1.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"acc": np.zeros(3, np.float32)}, "acc has type float32"),
        ({"acc": np.array([1 << 31, 0, 0])}, "acc leaves int32"),
        ({"bias": np.array([1 << 31, 0, 0])}, "bias"),
        ({"bias": np.zeros(2, np.int32)}, r"bias has shape \(2,\) for 3 channels"),
        ({"mantissa": 1 << 24}, "mantissa"),
        ({"mantissa": 0.5}, "mantissa has type float64"),
        ({"shift": 256}, "shift"),
        ({"zero_point": 128}, "zero point 128"),
        ({"low": 4, "high": 3}, "bounds 4…3"),
    ],
)
def test_requantize_refuses(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "acc": np.zeros(3, np.int32),
        "bias": 0,
        "mantissa": 1 << 23,
        "shift": 23,
        "zero_point": 0,
    } | change
    for function in (numerics.requantize, numerics.requantize_fast):
        with pytest.raises(TalosError, match=message):
            function(**arguments)


def test_rounding_helpers_agree_with_python() -> None:
    rng = np.random.default_rng(6)
    values = rng.integers(0, 1 << 62, 500) >> rng.integers(0, 62, 500)
    values[:4] = [0, 1, (1 << 62) - 1, (1 << 24) - 1]
    assert bit_length(values).tolist() == [int(v).bit_length() for v in values]
    for shift in (0, 1, 2, 30, 61, 62):
        assert round_shift(values, shift).tolist() == [round(Fraction(int(v), 1 << shift)) for v in values]
    kept, dropped = round_significant(values)
    assert [int(k) << int(d) for k, d in zip(kept, dropped, strict=True)] == [int(nearest(Fraction(int(v)), 24)) for v in values]
    assert kept.max() <= 1 << 24


def add_exactly(a: int, b: int, scales: list[np.float32], zeros: list[int], offset: int) -> int:
    """onnxruntime's QLinearAdd with exact multiply-adds and a rounding to 24 bits after each."""
    (ra, rb), (za, zb, zc) = (Fraction(float(s / scales[2])) for s in scales[:2]), (z + offset for z in zeros)
    fixed = nearest(zc - nearest(ra * za + nearest(rb * zb, 24), 24), 24)
    value = nearest(ra * (a + offset) + nearest(rb * (b + offset) + fixed, 24), 24)
    return min(max(int(nearest(value)), -128 + offset), 127 + offset) - offset


@pytest.mark.parametrize("unsigned", [False, True])
def test_add_is_the_exact_formula(unsigned: bool) -> None:
    rng = np.random.default_rng(7)
    for case in range(40):
        scales = [np.float32(2 ** rng.uniform(-7, 0)) for _ in range(3)]
        if case % 4 == 0:
            scales = [np.float32(2.0 ** rng.integers(-6, 1)) for _ in range(3)]
        if case % 4 == 1:
            scales[1] = np.float32(scales[0] * 2 ** rng.uniform(-16, 16))
        zeros = [int(z) for z in rng.integers(-128, 128, 3)]
        za, zb, zc = (z + 128 * unsigned for z in zeros)
        parameters = numerics.add_parameters(scales[0], za, scales[1], zb, scales[2], zc, unsigned=unsigned)
        a, b = (rng.integers(-128, 128, 100, dtype=np.int8) for _ in range(2))
        a[:8], b[4:12] = [-128, 127] * 4, [-128, 127, 0, -1] * 2
        expected = [add_exactly(int(x), int(y), scales, zeros, 128 * unsigned) for x, y in zip(a, b, strict=True)]
        np.testing.assert_array_equal(numerics.combine(a, b, parameters), expected)
        np.testing.assert_array_equal(numerics.combine_fast(a, b, parameters), expected)
        np.testing.assert_array_equal(numerics.combine(a, b, parameters, -5, 9), np.clip(expected, -5, 9))
        np.testing.assert_array_equal(numerics.combine_fast(a, b, parameters, -5, 9), np.clip(expected, -5, 9))


def test_add_parameters_fit_their_fields() -> None:
    rng = np.random.default_rng(8)
    accepted = 0
    for _ in range(150):
        scales = [float(np.float32(2 ** rng.uniform(-24, 24))) for _ in range(3)]
        unsigned = bool(rng.integers(0, 2))
        za, zb, zc = (int(z) + 128 * unsigned for z in rng.integers(-128, 128, 3))
        try:
            p = numerics.add_parameters(scales[0], za, scales[1], zb, scales[2], zc, unsigned=unsigned)
        except TalosError:
            continue
        accepted += 1
        assert 1 << 23 <= p.mantissa < 1 << 24 and p.align == numerics.ADD_ALIGN and 2 <= p.shift <= 255
        assert np.abs(p.table_mantissa).max() < 1 << 24 and p.table_shift.min() >= 0 and p.table_shift.max() < 32
        operand = 255 if unsigned else 128
        largest = max(abs(int(m)) << int(s) for m, s in zip(p.table_mantissa, p.table_shift, strict=True))
        assert (operand << p.align) * p.mantissa + largest < 1 << 51
        assert p.table_mantissa.shape == p.table_shift.shape == (256,)
    assert accepted > 50


def test_add_refuses() -> None:
    with pytest.raises(TalosError, match="too far apart for the 52-bit adder"):
        numerics.add_parameters(2.0**-30, 0, 1.0, 0, 1.0, 0)
    with pytest.raises(TalosError, match="too far apart"):
        numerics.add_parameters(2.0**26, 0, 1.0, 0, 1.0, 0)
    with pytest.raises(TalosError, match="not positive and finite"):
        numerics.add_parameters(0.0, 0, 1.0, 0, 1.0, 0)
    with pytest.raises(TalosError, match=r"zero points 200.*not all in -128…127"):
        numerics.add_parameters(1.0, 200, 1.0, 0, 1.0, 0)
    with pytest.raises(TalosError, match=r"zero points -1.*not all in 0…255"):
        numerics.add_parameters(1.0, -1, 1.0, 0, 1.0, 0, unsigned=True)
    parameters = numerics.add_parameters(1.0, 0, 1.0, 0, 1.0, 0)
    with pytest.raises(TalosError, match="not two int8 arrays"):
        numerics.combine(np.zeros(2, np.uint8), np.zeros(2, np.int8), parameters)
    with pytest.raises(TalosError, match="one shape"):
        numerics.combine_fast(np.zeros(2, np.int8), np.zeros(3, np.int8), parameters)


def test_average_parameters() -> None:
    bias, multiplier = numerics.average_parameters(0.1, 3, 0.05, 49)
    assert bias == -147 and multiplier == np.float32(np.float32(0.1) / np.float32(np.float32(0.05) * np.float32(49)))
    with pytest.raises(TalosError, match="window of 0 values"):
        numerics.average_parameters(0.1, 3, 0.05, 0)
    with pytest.raises(TalosError, match=r"scale -1"):
        numerics.average_parameters(-1.0, 3, 0.05, 4)


@pytest.mark.parametrize("zero_y", [-128, -127, -1, 0, 1, 4, 127])
def test_average_window_rounds_with_its_zero_point(zero_y: int) -> None:
    """Equal scales, windows of 4: rint(sum / 4 + zero_y) for every sum."""
    bias, multiplier, zero_point = numerics.average_window_parameters(0.25, 0, 0.25, zero_y, 4)
    totals = np.arange(-512, 509)
    expected = [min(max(round(Fraction(int(t), 4) + zero_y), -128), 127) for t in totals]
    codes = numerics.requantize(totals, bias, *numerics.split_multiplier(multiplier), zero_point)
    np.testing.assert_array_equal(codes, expected)


def test_a_table_is_indexed_by_code() -> None:
    table = np.random.default_rng(2).integers(-128, 128, 256).astype(np.int8)
    codes = np.array([[-128, -10], [-9, 127]], np.int8)
    assert numerics.apply_table(table, codes).tolist() == [[table[0], table[118]], [table[119], table[255]]]


def test_quantize_and_dequantize() -> None:
    values = np.array([0.25, 0.75, 1.25, -0.25, np.inf, -np.inf, 1e38], np.float32)
    assert numerics.quantize(values, 0.5, 1).tolist() == [1, 3, 3, 1, 127, -128, 127]
    codes = numerics.quantize(values, np.float32(0.5), 128, unsigned=True)
    assert codes.dtype == np.uint8 and codes.tolist() == [128, 130, 130, 128, 255, 0, 255]
    assert numerics.dequantize(codes, 0.5, 128).tolist() == [0, 1, 1, 0, 63.5, -64, 63.5]
    assert numerics.dequantize(np.array([-128, 127], np.int8), 0.5, 1).tolist() == [-64.5, 63]
    with pytest.raises(TalosError, match="NaN"):
        numerics.quantize([np.nan], 0.5, 0)
    with pytest.raises(TalosError, match=r"zero point 128 is not in -128…127"):
        numerics.quantize([1.0], 0.5, 128)
    with pytest.raises(TalosError, match="type int32"):
        numerics.dequantize(np.zeros(2, np.int32), 0.5, 0)
