"""The cache: what is in it, what is old, and the command."""

import json
import os
import time
from pathlib import Path

import pytest

from talos.cache import cache_entries, mark_used, prune_cache
from talos.errors import TalosError
from tests.cli_runner import Talos, runner

DAY = 86400


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two of each kind, one last used 40 days ago and one now."""
    root = tmp_path / "cache"
    monkeypatch.setenv("TALOS_CACHE", str(root))
    for age, key in ((40 * DAY, "old"), (0, "new")):
        files = {
            f"cores/{key}.so": 1000,
            f"cores/{key}.log": 10,
            f"cores/{key}.lock": 0,
            f"verilog/{key}.v": 100,
            f"verilog/{key}.il": 50,
        }
        files |= {f"runtime/{key}/a.o": 200, f"timing-{key}/f.nbi": 300, f"synth/{key}/netlist.json.gz": 400, f"odd-{key}/x": 7}
        for name, size in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(size))
            used = time.time() - age
            for changed in (path, *(path.parents[:1] if key in path.parent.name else ())):
                os.utime(changed, (used, used))
    return root


def test_entries_are_grouped_by_kind(cache: Path) -> None:
    entries = cache_entries()
    sizes = {(entry.kind, "old" in str(entry.paths[0])): entry.size for entry in entries}
    assert sizes[("simulations of the Verilog", True)] == 1010 and sizes[("generated Verilog", False)] == 150
    assert sizes[("compiled cycle model", False)] == 300 and sizes[("other", True)] == 7
    assert len(entries) == 12
    assert [entry.used for entry in entries] == sorted(entry.used for entry in entries)


def test_pruning_removes_what_is_old_and_nothing_else(cache: Path) -> None:
    kept = {path for path in cache.rglob("*") if "old" not in str(path)}
    removed = prune_cache(30)
    assert len(removed) == 6 and {path for path in cache.rglob("*")} == kept
    assert prune_cache(30) == []
    assert len(prune_cache(0)) == 6 and cache_entries() == []


def test_what_was_used_is_kept(cache: Path) -> None:
    mark_used(cache / "cores" / "old.so")
    mark_used(cache / "nothing" / "there")  # no error
    removed = prune_cache(30)
    assert (cache / "cores" / "old.so").exists() and (cache / "cores" / "old.log").exists() and len(removed) == 5


def test_what_cannot_be_removed_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("talos.cache.shutil.rmtree", refuse)
    with pytest.raises(TalosError, match="cannot be removed"):
        prune_cache(0)


def test_the_command_shows_and_prunes(cache: Path, talos: Talos) -> None:
    done = talos("cache")
    assert done.status == 0 and str(cache) in done.out and "simulations of the Verilog" in done.out and "total" in done.out
    values = json.loads(talos("cache", "--prune", "--json", "-").out)
    assert values["removed_entries"] == values["entries"] == 6 and values["kinds"]["netlists and placements"]["bytes"] == 400
    assert "removed 6 entries" in talos("cache", "--prune", "--days", 0).out
    assert talos("cache", "--quiet").out == ""
    refused = talos("cache", "--days", 3)
    assert refused.status == 2 and "only with --prune" in refused.err


def test_no_cache_is_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, talos: Talos) -> None:
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path / "none"))
    assert json.loads(talos("cache", "--json", "-").out)["entries"] == 0
    assert not (tmp_path / "none").exists()
