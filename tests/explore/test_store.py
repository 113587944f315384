"""Results on file."""

import json

import pytest

from talos.config import PRESETS
from talos.errors import TalosError
from talos.explore import store as module
from talos.explore.evaluate import Outcome
from talos.explore.store import Store
from talos.memory import MemoryTiming

FAST, SLOW = MemoryTiming(), MemoryTiming(latency=200)
CONFIG, OTHER = PRESETS["4x4"], PRESETS["8x8"]


def test_another_run_knows_what_was_added(tmp_path):
    path = tmp_path / "folder" / "r.jsonl"
    first = Store(path, FAST)
    first.add(CONFIG, {"a": Outcome(7), "b": Outcome(None, "does not fit")})
    second = Store(path, FAST)
    second.add(OTHER, {"a": Outcome(8)})
    third = Store(path, FAST)
    assert third.get("a", CONFIG) == Outcome(7) and third.get("b", CONFIG) == Outcome(None, "does not fit")
    assert third.get("a", OTHER) == Outcome(8) and third.get("b", OTHER) is None
    assert stored_fields(path) == [CONFIG.to_json(), CONFIG.to_json(), OTHER.to_json()]


def stored_fields(path):
    return [json.loads(line)["fields"] for line in path.read_text().splitlines()]


def test_other_memory_or_sources_are_other_results(tmp_path, monkeypatch):
    Store(tmp_path / "r", FAST).add(CONFIG, {"a": Outcome(7)})
    assert Store(tmp_path / "r", SLOW).get("a", CONFIG) is None
    monkeypatch.setattr(module, "code_hash", lambda: "other")
    assert Store(tmp_path / "r", FAST).get("a", CONFIG) is None


def test_a_line_cut_short_is_dropped(tmp_path):
    path = tmp_path / "r"
    Store(path, FAST).add(CONFIG, {"a": Outcome(7)})
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    store = Store(path, FAST)
    assert path.read_bytes() == whole and store.get("a", CONFIG) == Outcome(7)
    store.add(OTHER, {"a": Outcome(8)})
    assert Store(path, FAST).get("a", OTHER) == Outcome(8)


@pytest.mark.parametrize("text", ["a table\n", "{}\n", "[1]\n"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "r").write_text(text)
    with pytest.raises(TalosError, match="line 1 is no result"):
        Store(tmp_path / "r", FAST)
    assert (tmp_path / "r").read_text() == text


def test_unwritable(tmp_path):
    with pytest.raises(TalosError, match="--results"):
        Store(tmp_path, FAST)
