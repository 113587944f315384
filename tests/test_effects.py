"""Declared accesses cover every address that an instruction touches, counted out loop by loop."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talos.config import PRESETS
from talos.effects import ACTIVATION, DRAM, Access, effects
from talos.isa import Instruction, Opcode, Source, Unit

CONFIG = PRESETS["4x4"]
BASE = 1 << 12  # so that negative strides stay above 0

counts = st.integers(1, 4)
strides = st.integers(-40, 40)
lanes = st.sampled_from([(0, 0), (4, 1), (4, 3), (6, 2), (8, 5), (12, 3)])
accesses = st.builds(
    lambda low, length, lane: Access(ACTIVATION, low, low + length, True, *lane), st.integers(0, 30), st.integers(1, 30), lanes
)


def _addresses(access: Access) -> set[int]:
    return {
        place
        for place in range(access.low, access.high)
        if not access.period or (place - access.low) % access.period < access.width
    }


def _walk(base: int, loops: list[tuple[int, int]], length: int) -> set[int]:
    """Every address of `length` bytes at each step of the loops (count, stride)."""
    places: set[int] = set()
    for step in product(*(range(count) for count, _ in loops)):
        start = base + sum(index * stride for index, (_, stride) in zip(step, loops, strict=True))
        places.update(range(start, start + length))
    return places


def _declared(instruction: Instruction, space: str, write: bool) -> set[int]:
    found = [access for access in effects(instruction, CONFIG) if (access.space, access.write) == (space, write)]
    return set().union(*(_addresses(access) for access in found))


@settings(max_examples=150, deadline=None)
@given(accesses, accesses)
def test_accesses_that_share_an_address_meet(a: Access, b: Access) -> None:
    shared = bool(_addresses(a) & _addresses(b))
    assert a.meets(b) == b.meets(a)
    assert a.meets(b) or not shared
    assert not a.meets(Access(DRAM[0], 0, 100, True))


def test_slices_of_one_tensor_do_not_meet() -> None:
    first, second = Access(ACTIVATION, 0, 60, True, 10, 4), Access(ACTIVATION, 4, 66, True, 10, 6)
    assert not first.meets(second)
    assert first.meets(Access(ACTIVATION, 3, 63, True, 10, 1))


@settings(max_examples=150, deadline=None)
@given(counts, counts, st.integers(1, 20), strides, strides, strides, strides)
def test_transfers(
    rows: int, planes: int, length: int, row_stride: int, plane_stride: int, local_row: int, local_plane: int
) -> None:
    common = {"region": 1, "address": BASE, "row_bytes": length, "rows": rows, "planes": planes}
    common |= {"row_stride": row_stride, "plane_stride": plane_stride}
    dram = _walk(BASE, [(rows, row_stride), (planes, plane_stride)], length)
    local = _walk(BASE, [(rows, local_row), (planes, local_plane)], length)
    load = Instruction(Opcode.LOAD, dst=BASE, dst_row_stride=local_row, dst_plane_stride=local_plane, **common)
    assert dram <= _declared(load, DRAM[1], False)
    assert local <= _declared(load, ACTIVATION, True)
    store = Instruction(Opcode.STORE, src=BASE, src_row_stride=local_row, src_plane_stride=local_plane, **common)
    assert dram <= _declared(store, DRAM[1], True)
    assert local <= _declared(store, ACTIVATION, False)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(counts, strides), min_size=6, max_size=6))
def test_matrix_reads(loops: list[tuple[int, int]]) -> None:
    names = [("blocks", "block_stride"), ("taps_h", "tap_h_stride"), ("taps_w", "tap_w_stride")]
    names += [("slices", "slice_stride"), ("out_h", "row_stride"), ("out_w", "pixel_stride")]
    values = {name: value for pair, loop in zip(names, loops, strict=True) for name, value in zip(pair, loop, strict=True)}
    instruction = Instruction(Opcode.MATMUL, act=BASE, **values)
    assert _walk(BASE, loops, CONFIG.rows) <= _declared(instruction, ACTIVATION, False)


@settings(max_examples=150, deadline=None)
@given(counts, counts, counts, counts, st.integers(1, 3), st.integers(1, 4), st.lists(strides, min_size=8, max_size=8))
def test_vector(out_h: int, out_w: int, win_h: int, win_w: int, blocks: int, tail: int, steps: list[int]) -> None:
    a_row, a_pixel, a_down, a_right, b_row, b_pixel, row, pixel = steps
    instruction = Instruction(
        Opcode.VECTOR,
        source=Source.MAXIMUM,
        add=1,
        blocks=blocks,
        tail=tail,
        out_h=out_h,
        out_w=out_w,
        win_h=win_h,
        win_w=win_w,
        a=BASE,
        a_row_stride=a_row,
        a_pixel_stride=a_pixel,
        a_win_h_stride=a_down,
        a_win_w_stride=a_right,
        b=2 * BASE,
        b_row_stride=b_row,
        b_pixel_stride=b_pixel,
        dst=3 * BASE,
        dst_row_stride=row,
        dst_pixel_stride=pixel,
    )
    channels = (blocks - 1) * CONFIG.cols + tail
    reads = _walk(BASE, [(out_h, a_row), (out_w, a_pixel), (win_h, a_down), (win_w, a_right)], channels)
    reads |= _walk(2 * BASE, [(out_h, b_row), (out_w, b_pixel)], channels)
    assert reads <= _declared(instruction, ACTIVATION, False)
    assert _walk(3 * BASE, [(out_h, row), (out_w, pixel)], channels) <= _declared(instruction, ACTIVATION, True)


@pytest.mark.parametrize("opcode", list(Opcode))
def test_every_instruction_has_effects(opcode: Opcode) -> None:
    found = effects(Instruction(opcode), CONFIG)
    assert found
    assert all(access.low < access.high or Instruction(opcode).unit == Unit.WEIGHTS for access in found)
