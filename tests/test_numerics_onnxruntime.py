"""The arithmetic against onnxruntime's kernels: random values through the benchmark's comparisons, and the edges."""

import numpy as np
import pytest

from benchmarks.numerics import OPERATIONS, Operation, compare, main
from benchmarks.witness import Witness
from talos import numerics

# Of outputs; what decides is onnxruntime's float32 noise at ties. 10 million values: docs/decisions/0002-arithmetic.md.
ALLOWED = {"(float order)": 0.15, "(ties)": 0.01, "(near ties)": 1e-4, "(all ties)": 0.15}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_random_values(operation: Operation) -> None:
    result = compare(operation, 150_000, seed=3)
    assert result.values >= 150_000
    if operation.exact:
        assert result.mismatches == 0
    else:
        allowed = next(share for mark, share in ALLOWED.items() if mark in operation.name)
        assert result.mismatches <= allowed * result.values and result.largest <= 1


def test_the_comparison_notices_a_difference(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    right = numerics.requantize
    monkeypatch.setattr(numerics, "requantize", lambda acc, bias, *rest: right(np.asarray(acc) + 7, bias, *rest))
    assert main(["--values", "1000", "--only", "QLinearConv int8"]) == 1
    monkeypatch.undo()
    assert main(["--values", "1000", "--only", "QLinearConv int8"]) == 0
    assert capsys.readouterr().out.count("requantize: QLinearConv int8") == 2


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("zero_y", [-128, -7, 0, 127])
def test_requantize_edges(unsigned: bool, zero_y: int) -> None:
    """Ties, saturation, |acc| beyond 2^24, INT32_MIN, subnormal and large multipliers: each accumulator enters as a bias."""
    accumulators = [s * (1 << p) + d for s in (1, -1) for p in (0, 1, 5, 8, 23, 24, 25, 30) for d in (-1, 0, 1)]
    accumulators += [-(1 << 31), (1 << 31) - 1, (1 << 31) - 64, 3 << 23, (1 << 25) + 2, (1 << 25) + 6, 85, 255]
    multipliers = np.array([2**-149, 1e-40, 2**-126, 2**-30, 2**-24, 2**-8, 0.5, 1.0, 1.5, 100.0, 1 / 3, 1e30], np.float32)
    bias = np.repeat(np.array(accumulators, np.int64), multipliers.size).astype(np.int32)
    scale = np.tile(multipliers, len(accumulators))
    witness = Witness("QLinearConv", "x sx zx w sw zw sy zy B", domain="", unsigned=unsigned)
    theirs = witness(
        x=np.full((1, 1, 1, 1), 11),
        sx=1.0,
        zx=11,
        w=np.ones((bias.size, 1, 1, 1)),
        sw=scale,
        zw=np.zeros(bias.size),
        sy=1.0,
        zy=zero_y,
        B=bias,
    )
    ours = numerics.requantize(np.zeros(bias.size, np.int32), bias, *numerics.split_multiplier(scale), zero_y)
    np.testing.assert_array_equal(ours, theirs.reshape(-1))
    assert len(np.unique(ours)) > 8


def test_bias_wraps_as_in_onnxruntime() -> None:
    witness = Witness("QLinearConv", "x sx zx w sw zw sy zy B", domain="")
    bias = np.array([(1 << 31) - 1, -(1 << 31), (1 << 31) - 100])
    scale = np.full(3, 2.0**-25, np.float32)
    x, w = np.full((1, 1, 1, 1), 100), np.array([100, -100, 1]).reshape(3, 1, 1, 1)
    theirs = witness(x=x, sx=1.0, zx=0, w=w, sw=scale, zw=np.zeros(3), sy=1.0, zy=0, B=bias)
    ours = numerics.requantize(np.array([10000, -10000, 100]), bias, *numerics.split_multiplier(scale), 0)
    np.testing.assert_array_equal(ours, theirs.reshape(-1))
    assert ours.tolist() == [-64, 64, -64]


@pytest.mark.parametrize("unsigned", [False, True])
def test_add_with_scales_far_apart(unsigned: bool) -> None:
    codes = np.arange(-128, 128).astype(np.int8)
    a, b = np.repeat(codes, 256), np.tile(codes, 256)
    witness = Witness("QLinearAdd", "a sa za b sb zb sc zc", unsigned=unsigned)
    up = 128 * unsigned
    for sa, sb, sc in [(1, 1, 1), (2**-15, 1, 1), (1, 2**-20, 1), (100, 0.01, 1), (3e-3, 7e-3, 1e-5), (1e-3, 1e-3, 10)]:
        for za, zb, zc in [(0, 0, 0), (-128, 127, 5), (127, -128, -128)]:
            parameters = numerics.add_parameters(sa, za + up, sb, zb + up, sc, zc + up, unsigned=unsigned)
            theirs = witness(a=a, sa=sa, za=za, b=b, sb=sb, zb=zb, sc=sc, zc=zc)
            np.testing.assert_array_equal(numerics.combine_fast(a, b, parameters), theirs)


def test_quantize_edges() -> None:
    values = np.array([0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 126.5, 127.5, -128.5, 1e30, -1e30, np.inf, -np.inf, 1e-45], np.float32)
    for zero in (-128, -3, 0, 1, 127):
        theirs = Witness("QuantizeLinear", "f s z", domain="")(f=values, s=1.0, z=zero)
        np.testing.assert_array_equal(numerics.quantize(values, 1.0, zero), theirs)
