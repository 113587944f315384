"""The decorator of the cycle model's functions."""

import sys

import numba
import numpy as np

from talos.model.timing import compiled as module


def _count(state, by):
    state[0] += by
    return state[0]


def test_compiles_and_leaves_numba_as_it_was():
    before = numba.config.CACHE_DIR
    count = module.compiled(_count)
    state = np.zeros(1, np.int64)
    assert [count(state, 3), count(state, 4)] == [3, 7]
    assert count.py_func is _count
    assert before == numba.config.CACHE_DIR


def test_arrays_keep_their_reference_count():
    """Without reference counting inside, a caller's array is neither lost nor kept."""
    count = module.compiled(_count)
    state = np.zeros(1, np.int64)
    count(state, 1)
    before = sys.getrefcount(state)
    for _ in range(100):
        count(state, 1)
    assert sys.getrefcount(state) == before
    assert state[0] == 101


def test_the_cache_folder_follows_the_sources(tmp_path, monkeypatch):
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path / "cache"))
    package = tmp_path / "talos" / "model" / "timing"
    package.mkdir(parents=True)
    (package / "unit.py").write_text("A = 1\n")
    (tmp_path / "talos" / "latency.py").write_text("ACT_READ = 5\n")
    monkeypatch.setattr(module, "_PACKAGE", package)

    def folder():
        module.cache_folder.cache_clear()
        return module.cache_folder()

    try:
        first = folder()
        assert first.parent == tmp_path / "cache"
        assert folder() == first
        (tmp_path / "talos" / "latency.py").write_text("ACT_READ = 6\n")
        second = folder()
        (package / "unit.py").write_text("A = 2\n")
        assert len({first, second, folder()}) == 3
    finally:
        module.cache_folder.cache_clear()
