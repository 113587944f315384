"""Planned addresses: tensors that live at the same time never meet, small ones fill the room beside large ones."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from talos.compiler.graph.ir import Tensor
from talos.compiler.scheduling.builder import Builder
from talos.compiler.scheduling.plan import plan_residents, resident_bytes
from talos.compiler.scheduling.storage import Storage
from talos.config import PRESETS

CONFIG = PRESETS["4x4"].replace(activation_bytes=1024, activation_banks=4)

lives = st.lists(st.tuples(st.integers(1, 500), st.integers(0, 9), st.integers(0, 5)), max_size=12)


def _storage(size: int, first: int, last: int) -> Storage:
    storage = Storage([Tensor(f"{size}", (1, 1, size), np.float32(1), 0)], first, first, last)
    storage.resident = True
    return storage


@settings(max_examples=200, deadline=None)
@given(lives)
def test_against_a_map_of_bytes(tensors: list[tuple[int, int, int]]) -> None:
    b = Builder(CONFIG)
    storages = [_storage(size, first, first + length) for size, first, length in tensors]
    homeless = plan_residents(b, storages)
    owner: dict[tuple[int, int], Storage] = {}
    for storage in storages:
        if storage.start < 0:
            assert homeless is not None
            continue
        end = storage.start + resident_bytes(b, storage)
        assert storage.start >= 0 and end <= CONFIG.activation_bytes and storage.start % CONFIG.line_bytes == 0
        for slot in range(storage.first, storage.last + 1):
            for byte in range(storage.start, end):
                assert owner.setdefault((slot, byte), storage) is storage
    if homeless is not None:
        beside = [s for s in storages if s.start >= 0 and s.first <= homeless.last and homeless.first <= s.last]
        assert resident_bytes(b, homeless) + sum(resident_bytes(b, s) for s in beside) > CONFIG.activation_bytes // 2


def test_a_small_tensor_leaves_room_for_a_large_one_after_it() -> None:
    """Placed in turn, the small one would lie between what lived before it and the free end: nothing of half the memory would fit."""
    before, small, large = _storage(400, 0, 1), _storage(100, 1, 3), _storage(800, 2, 3)
    assert plan_residents(Builder(CONFIG), [before, small, large]) is None
    assert large.start == 0 and small.start >= 800


def test_tensors_of_one_time_lie_in_different_banks() -> None:
    a, b, c = _storage(200, 0, 1), _storage(180, 0, 1), _storage(60, 5, 6)
    assert plan_residents(Builder(CONFIG), [a, b, c]) is None
    assert a.start == 0 and b.start >= 768 and c.start == 0
