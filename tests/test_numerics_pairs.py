"""Multiplication and the float operations of two tensors: the formulas, the fit of the tables, the fields and the refusals."""

from fractions import Fraction
from typing import get_args

import numpy as np
import pytest

from benchmarks.comparisons import float_pair, multiply
from benchmarks.numerics import Operation, compare
from talos import numerics
from talos.errors import TalosError
from talos.numerics import PairOperation, PairParameters
from talos.numerics._fit import fit
from talos.parameters import pack_add_table

CODES = np.arange(-128, 128).astype(np.int8)
A, B = np.repeat(CODES, 256), np.tile(CODES, 256)


def f32(value: Fraction) -> Fraction:
    """The nearest float32, ties to even; normal numbers only."""
    if value == 0:
        return value
    exponent = abs(value).numerator.bit_length() - abs(value).denominator.bit_length()
    if abs(value) < Fraction(2) ** exponent:
        exponent -= 1
    unit = Fraction(2) ** (exponent - 23)
    return round(value / unit) * unit


def exact_product(a: int, b: int, scales: list[np.float32], zeros: list[int], offset: int) -> int:
    """QLinearMul's formula with exact fractions and a rounding after each step; codes and zero points int8."""
    sa, sb, sc = (Fraction(float(scale)) for scale in scales)
    ratio = f32(f32(sa * sb) / sc)
    value = f32(f32((a - zeros[0]) * (b - zeros[1]) * ratio) + zeros[2] + offset)
    return min(max(round(value) - offset, -128), 127)


def product_scales(rng: np.random.Generator, case: int) -> list[np.float32]:
    sa, sb = (np.float32(2 ** rng.uniform(-9, 0)) for _ in range(2))
    if case % 3 == 0:
        sa, sb = (np.float32(2.0 ** rng.integers(-9, 0)) for _ in range(2))
        return [sa, sb, np.float32(sa * sb * 2.0 ** rng.integers(-2, 16))]
    return [sa, sb, np.float32(sa * sb * 2 ** rng.uniform(-2, 16))]


@pytest.mark.parametrize("unsigned", [False, True])
def test_multiply_is_the_exact_formula(unsigned: bool) -> None:
    rng = np.random.default_rng(1)
    for case in range(30):
        scales = product_scales(rng, case)
        zeros = [int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))])) for _ in range(3)]
        za, zb, zc = (zero + 128 * unsigned for zero in zeros)
        p = numerics.multiply_parameters(scales[0], za, scales[1], zb, scales[2], zc, unsigned=unsigned)
        assert p.mismatches == 0
        a, b = rng.integers(-128, 128, (2, 100)).astype(np.int8)
        a[:8], b[4:12] = [-128, 127] * 4, [-128, 127, 0, -1] * 2
        expected = [exact_product(int(x), int(y), scales, zeros, 128 * unsigned) for x, y in zip(a, b, strict=True)]
        np.testing.assert_array_equal(numerics.combine(a, b, p), expected)
        np.testing.assert_array_equal(numerics.combine_fast(a, b, p), expected)
        np.testing.assert_array_equal(numerics.combine(a, b, p, -5, 9), np.clip(expected, -5, 9))


@pytest.mark.parametrize("unsigned", [False, True])
def test_a_million_products_equal_onnxruntime(unsigned: bool) -> None:
    result = compare(Operation("multiply", multiply(unsigned)), 1_200_000, seed=11)
    assert result.values >= 1_200_000 and result.mismatches == 0


@pytest.mark.parametrize("op", get_args(PairOperation))
def test_a_million_float_results_equal_onnxruntime(op: PairOperation) -> None:
    """Ties are possible but rare: none among these. (The comparison itself checks `mismatches`.)"""
    result = compare(Operation(op, float_pair(op)), 1_200_000, seed=12)
    assert result.values >= 1_200_000 and result.mismatches == 0


@pytest.mark.parametrize(
    ("op", "scales", "zeros"),
    [
        ("subtract", (0.05, 0.05, 0.1), (0, 0, 0)),  # half of all differences are ties
        ("subtract", (0.05, 0.05, 0.05), (-3, 100, 127)),
        ("add", (0.25, 0.5, 0.75), (-128, 5, -128)),
        ("add", (2.0**-20, 0.1, 0.1), (7, -128, 0)),  # the first operand hardly counts
        ("add", (0.1, 2.0**-30, 0.1), (127, 1, -1)),
        ("multiply", (0.05, 0.05, 0.3), (0, 0, 0)),  # a ratio of 1/120: some products are ties
        ("multiply", (0.5, 0.5, 2.0**-20), (-128, 127, 40)),  # everything but 0 saturates
        ("multiply", (2.0**-15, 2.0**-10, 0.5), (0, 0, 3)),  # everything is 0
    ],
)
def test_float_formula_and_its_mismatches(op: PairOperation, scales: tuple[float, ...], zeros: tuple[int, ...]) -> None:
    sa, sb, sc = (np.float32(scale) for scale in scales)
    x = (A.astype(np.float32) - np.float32(zeros[0])) * sa
    y = (B.astype(np.float32) - np.float32(zeros[1])) * sb
    value = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}[op](x, y) / sc
    expected = np.clip(np.rint(value) + np.float32(zeros[2]), -128, 127)
    p = numerics.float_pair_parameters(op, scales[0], zeros[0], scales[1], zeros[1], scales[2], zeros[2])
    difference = numerics.combine(A, B, p) - expected
    assert np.count_nonzero(difference) == p.mismatches and np.abs(difference).max() <= 1
    ties = {("subtract", 0.1): 0.1, ("multiply", 0.3): 0.01}
    if (op, scales[2]) in ties:
        assert 0 < p.mismatches < ties[op, scales[2]] * 65536
    else:
        assert p.mismatches == 0


def test_fit_moves_entries_where_the_natural_ones_do_not_serve() -> None:
    """Products of 2^-3, rounded half up: with T = 0 ties would go to even, with a little more none is left."""
    exact = np.outer(CODES.astype(np.int64), CODES.astype(np.int64))
    wanted = np.clip(np.floor(exact / 8 + 0.5), -128, 127).astype(np.int8)
    zeros = np.zeros(256, np.int64)
    start = PairParameters(1 << 23, 0, 26, zeros, zeros, multiply=True)
    natural = numerics.combine(A, B, start).reshape(256, 256)
    assert np.count_nonzero(natural != wanted) > 500
    p = fit(wanted, zeros, start)
    assert p.mismatches == 0 and (p.mantissa, p.align, p.shift) == (start.mantissa, start.align, start.shift)
    np.testing.assert_array_equal(numerics.combine(A, B, p).reshape(256, 256), wanted)
    moved = p.table_mantissa << p.table_shift
    assert (moved[np.unique(B[(natural != wanted).reshape(-1)]).astype(int) + 128] > 0).all()
    assert not moved[128] and not moved[128 + 8]  # rows without a tie keep their natural entry


def test_fit_takes_what_serves_most() -> None:
    """A function that no table gives: all but the chosen operands of each row are kept right."""
    zeros = np.zeros(256, np.int64)
    start = PairParameters(1 << 23, 0, 23, zeros, zeros)
    wanted = np.repeat(CODES, 256).reshape(256, 256)  # a itself
    spoilt = wanted.copy()
    spoilt[100:103] = 50
    p = fit(spoilt, zeros, start)
    assert p.mismatches == 3 * 256
    np.testing.assert_array_equal(numerics.combine(A, B, p).reshape(256, 256), wanted)
    shifted = np.clip(wanted.astype(int) + np.arange(256) // 10, -128, 127).astype(np.int8)
    p = fit(shifted, zeros, start)
    assert p.mismatches == 0
    np.testing.assert_array_equal(numerics.combine(A, B, p).reshape(256, 256), shifted)


def test_parameters_fit_their_fields() -> None:
    rng = np.random.default_rng(3)
    accepted = 0
    for case in range(60):
        sa, sb, sc = (float(np.float32(2 ** rng.uniform(-20, 20))) for _ in range(3))
        za, zb, zc = (int(zero) for zero in rng.integers(-128, 128, 3))
        try:
            if case % 4:
                p = numerics.float_pair_parameters(get_args(PairOperation)[case % 4 - 1], sa, za, sb, zb, sc, zc)
            else:
                p = numerics.multiply_parameters(sa, za, sb, zb, sc, zc)
        except TalosError:
            continue
        accepted += 1
        pack_add_table(p.table_mantissa, p.table_shift)
        operand = max(128 + p.zero_a, 127 - p.zero_a) * max(128 + p.zero_b, 127 - p.zero_b) if p.multiply else 128
        assert 0 <= p.mantissa < 1 << 24 and operand << p.align < 1 << 24 and -256 <= p.shift <= 255
        table = p.table_mantissa << p.table_shift
        assert (operand << p.align) * p.mantissa + int(np.abs(table).max()) < 1 << 51
        assert p.multiply or (p.zero_a, p.zero_b) == (0, 0)
    assert accepted > 40


def test_parameters_refuse() -> None:
    with pytest.raises(TalosError, match=r"multiply: zero points are outside"):
        numerics.multiply_parameters(1.0, 200, 1.0, 0, 1.0, 0)
    with pytest.raises(TalosError, match=r"multiply: zero points are outside"):
        numerics.multiply_parameters(1.0, -1, 1.0, 0, 1.0, 0, unsigned=True)
    with pytest.raises(TalosError, match=r"multiply: scales 0.0, 1.0, 1.0 are not all positive and finite"):
        numerics.multiply_parameters(0.0, 0, 1.0, 0, 1.0, 0)
    with pytest.raises(TalosError, match="too far apart for float32"):
        numerics.multiply_parameters(1e-30, 0, 1e-30, 0, 1.0, 0)
    with pytest.raises(TalosError, match=r"subtract: scales .* not all positive"):
        numerics.float_pair_parameters("subtract", 1.0, 0, float("nan"), 0, 1.0, 0)
    with pytest.raises(TalosError, match="add: zero points"):
        numerics.float_pair_parameters("add", 1.0, 0, 1.0, 128, 1.0, 0)
    with pytest.raises(TalosError, match=r"add: .* too far apart for the fixed point"):
        numerics.float_pair_parameters("add", 1e9, 0, 1.0, 0, 1.0, 0)
    with pytest.raises(TalosError, match=r"subtract: .* make float32 overflow"):
        numerics.float_pair_parameters("subtract", 3e38, 0, 3e38, 0, 3e38, 0)
