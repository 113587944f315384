"""The binary forms of the vector unit's parameters."""

import numpy as np
import pytest

from talos import numerics
from talos.errors import TalosError
from talos.parameters import (
    SHIFT_HIGH,
    SHIFT_LOW,
    pack_add_table,
    pack_lookup,
    pack_parameters,
    unpack_add_table,
    unpack_lookup,
    unpack_parameters,
)

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


def test_record_layout():
    data = pack_parameters([-2, 5], [0x800001, 0xFFFFFF], [20, 30])
    assert data == bytes.fromhex("feffffff 010080 14 05000000 ffffff 1e")
    bias, mantissa, shift = unpack_parameters(data)
    assert (bias.tolist(), mantissa.tolist(), shift.tolist()) == ([-2, 5], [0x800001, 0xFFFFFF], [20, 30])


@pytest.mark.parametrize("mantissa", [0, 1, 0x7FFFFF, 1 << 23, (1 << 23) + 1, (1 << 24) - 1])
@pytest.mark.parametrize("zero_point", [-128, -1, 0, 127])
def test_moving_the_shift_into_its_field_changes_no_result(mantissa, zero_point):
    rng = np.random.default_rng(mantissa)
    x = np.concatenate([[0, 1, -1, 2, -3, INT32_MIN, INT32_MIN + 1, INT32_MAX], rng.integers(INT32_MIN, INT32_MAX, 20)])
    shifts = np.arange(-256, 256)
    records = unpack_parameters(pack_parameters(0, mantissa, shifts))
    assert records.shift.min() >= SHIFT_LOW and records.shift.max() <= SHIFT_HIGH
    grid = np.repeat(x[:, None], len(shifts), axis=1)
    packed = numerics.requantize(grid, *records, zero_point)
    np.testing.assert_array_equal(packed, numerics.requantize(grid, 0, mantissa, shifts, zero_point))


def test_bounds_of_the_shift_are_tight():
    """One step further inside, results do differ: the field is not narrower than it must be."""
    one, most = np.array([1]), np.array([INT32_MIN])
    assert numerics.requantize(one, 0, 1 << 23, SHIFT_LOW, -128) == 127
    assert numerics.requantize(one, 0, 1 << 23, SHIFT_LOW + 1, -128) == 0
    assert numerics.requantize(most, 0, (1 << 24) - 1, SHIFT_HIGH, 0) == 0
    assert numerics.requantize(most, 0, (1 << 24) - 1, SHIFT_HIGH - 1, 0) == -1


def test_tables_round_trip():
    rng = np.random.default_rng(1)
    lookup = rng.integers(-128, 128, 256).astype(np.int8)
    assert len(pack_lookup(lookup)) == 256
    np.testing.assert_array_equal(unpack_lookup(pack_lookup(lookup)), lookup)
    mantissa, shift = rng.integers(-(1 << 24), 1 << 24, 256), rng.integers(0, 32, 256)
    data = pack_add_table(mantissa, shift)
    assert len(data) == 1024
    assert int.from_bytes(data[:4], "little") == (int(mantissa[0]) & 0x1FFFFFF) | int(shift[0]) << 25
    for packed, original in zip(unpack_add_table(data), (mantissa, shift), strict=True):
        np.testing.assert_array_equal(packed, original)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pack_parameters(1 << 31, 1 << 23, 20), "bias 2147483648"),
        (lambda: pack_parameters(0, 1 << 24, 20), "mantissa 16777216"),
        (lambda: pack_parameters(0, 1 << 23, 256), "shift 256"),
        (lambda: pack_parameters(0.5, 1 << 23, 20), "not integers"),
        (lambda: pack_parameters([0, 0], [1 << 23] * 3, 20), "differ in length"),
        (lambda: pack_parameters(np.zeros((2, 2), int), 1 << 23, 20), "not one entry per channel"),
        (lambda: pack_lookup(np.zeros(255, int)), "shape (255,)"),
        (lambda: pack_lookup(np.full(256, 128)), "128"),
        (lambda: pack_add_table(np.full(256, 1 << 24), np.zeros(256, int)), "mantissa"),
        (lambda: pack_add_table(np.zeros(256, int), np.full(256, 32)), "shift"),
        (lambda: unpack_parameters(bytes(7)), "7 bytes"),
        (lambda: unpack_lookup(bytes(255)), "255 bytes"),
        (lambda: unpack_add_table(bytes(1023)), "1023 bytes"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(TalosError, match=message.replace("(", r"\(").replace(")", r"\)")) as caught:
        call()
    assert "\n" not in str(caught.value)
