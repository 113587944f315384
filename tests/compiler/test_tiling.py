"""Tile choice: within the memories, never refused while one pixel fits, and rows that stay whole when they can."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talos.compiler.scheduling.tiling import ConvShape, choose_tile, splits
from talos.config import PRESETS

CONFIG = PRESETS["4x4"]


def _shape(**values: int) -> ConvShape:
    defaults: dict[str, Any] = {
        "out_h": 16,
        "out_w": 16,
        "stride_h": 1,
        "stride_w": 1,
        "extent_h": 3,
        "extent_w": 3,
        "load_channels": 8,
        "store_channels": 8,
        "residual_channels": 0,
        "blocks": 2,
        "tiles": 18,
        "warmup": 0,
        "passes": 1,
    }
    return ConvShape(**{**defaults, **values})


@pytest.mark.parametrize("length", [1, 2, 7, 12, 97])
def test_splits_are_the_sizes_of_equal_parts(length: int) -> None:
    assert set(splits(length)) == {-(-length // parts) for parts in range(1, length + 1)}
    assert splits(length) == sorted(splits(length), reverse=True)
    assert splits(length)[0] == length
    assert splits(length)[-1] == 1


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 3),
    st.integers(1, 7),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(0, 20),
    st.integers(1, 6),
    st.integers(300, 8000),
)
def test_tiles_fit(
    out_h: int, out_w: int, stride: int, extent: int, load: int, store: int, residual: int, blocks: int, budget: int
) -> None:
    shape = _shape(
        out_h=out_h,
        out_w=out_w,
        stride_h=stride,
        extent_w=extent,
        load_channels=load,
        store_channels=store,
        residual_channels=residual,
        blocks=blocks,
    )
    tile = choose_tile(shape, CONFIG, budget)
    slack = 3 * (2 * CONFIG.line_bytes + CONFIG.matrix_bytes)
    if tile is None:
        assert 3 * extent * load + store + residual + 2 + slack > budget
        return
    assert 1 <= tile.rows <= out_h
    assert 1 <= tile.columns <= out_w
    assert 1 <= tile.group <= tile.blocks <= blocks
    assert tile.rows * tile.columns * tile.group <= CONFIG.half_depth
    inputs = ((tile.rows - 1) * stride + 3) * (tile.columns - 1 + extent) * load
    share = tile.blocks / blocks
    assert inputs + int(tile.rows * tile.columns * (store + residual) * share) - 2 <= budget


def test_a_resident_layer_needs_no_memory() -> None:
    tile = choose_tile(_shape(load_channels=0, store_channels=0), CONFIG, 0)
    assert tile is not None
    assert tile.columns == 16


def test_no_room_is_none() -> None:
    assert choose_tile(_shape(extent_h=7, extent_w=7, load_channels=100), CONFIG, 4000) is None


def test_buffers_fit_twice_if_they_can() -> None:
    """So that the next tile is loaded while this one is computed."""
    shape, budget = _shape(out_h=32, out_w=32), 8000
    tile = choose_tile(shape, CONFIG, budget)
    assert tile is not None
    assert 2 * ((tile.rows + 2) * (tile.columns + 2) * 8 + tile.rows * tile.columns * 8 * tile.blocks // 2) <= budget
