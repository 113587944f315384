"""What a trace shows: tables, the file for Perfetto, and what notebooks draw."""

import json
import sys
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import talos
from talos.isa import Unit
from talos.report.perfetto import lanes
from talos.report.unit_picture import busy_share


@pytest.fixture(scope="module")
def trace(program: talos.Program) -> talos.Trace:
    return talos.simulate(program)


def test_the_tables_agree_with_the_run(trace: talos.Trace) -> None:
    layers, instructions, counters = trace.layers, trace.instructions, trace.counters
    assert layers["cycles"].sum() == trace.cycles and layers["macs"].sum() == trace.program.macs
    assert list(layers.index) == [layer.name for layer in trace.program.layers]
    assert len(instructions) == trace.program.instruction_count
    assert (instructions["cycles"] == instructions["end"] - instructions["start"] + 1).all()
    assert instructions["end"].max() < trace.cycles and (instructions["cycles"] > 0).all()
    assert set(instructions["layer"]) <= set(layers.index)
    assert list(counters.index) == [unit.name.lower() for unit in Unit]
    assert (counters.sum(axis=1) == trace.cycles).all() and (counters >= 0).all().all()
    assert trace.utilization == pytest.approx(trace.program.macs / (16 * trace.cycles))


def test_without_pandas_the_message_says_what_to_install(trace: talos.Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(talos.TalosError, match=r"talos-accelerator\[report\]"):
        _ = talos.Trace(trace.program, trace.memory, trace.timing).layers
    assert "svg" in trace._repr_html_()


def test_the_file_for_perfetto(trace: talos.Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "trace.json")
    content = json.loads((tmp_path / "trace.json").read_text())
    events = content["traceEvents"]
    assert content["displayTimeUnit"] in ("ms", "ns") and content["otherData"]["cycles"] == trace.cycles
    tracks = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    for event in events:
        assert event["ph"] in "MXC" and isinstance(event["name"], str) and event["pid"] == 1 and isinstance(event["tid"], int)
        if event["ph"] == "X":
            assert isinstance(event["ts"], int) and isinstance(event["dur"], int) and event["dur"] > 0 and event["tid"] in tracks
        if event["ph"] == "C":
            assert set(event["args"]) == {"bytes per cycle"} and event["args"]["bytes per cycle"] >= 0
    slices = [event for event in events if event["ph"] == "X"]
    check_slices(trace, [event for event in slices if event["cat"] != "layer"])
    layers = [event for event in slices if event["cat"] == "layer"]
    assert layers[0]["ts"] == 0 and sum(event["dur"] for event in layers) == trace.cycles
    for track in tracks:  # slices of one track must not cross
        times = sorted((event["ts"], event["ts"] + event["dur"]) for event in slices if event["tid"] == track)
        assert all(before[1] <= after[0] for before, after in pairwise(times))


def check_slices(trace: talos.Trace, slices: list[dict[str, Any]]) -> None:
    """A slice for every instruction, at its time, in a track of its unit, with layer and nodes."""
    found = {event["args"]["instruction"]: event for event in slices}
    assert len(found) == len(slices) == trace.program.instruction_count
    for index, row in trace.instructions.iterrows():
        event = found[index]
        assert (event["ts"], event["dur"], event["cat"]) == (row["start"], row["cycles"], row["unit"])
        assert event["name"] == f"{row['opcode']} {row['layer']}" and row["layer"] in event["args"]["nodes"]


def test_the_counters_hold_all_bytes(trace: talos.Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    for name, units in (("DRAM read", ("load", "weights")), ("DRAM written", ("store",))):
        steps = [
            (event["ts"], event["args"]["bytes per cycle"]) for event in events if event["ph"] == "C" and event["name"] == name
        ]
        area = sum(level * (later - at) for (at, level), (later, _) in pairwise(steps))
        moved = sum(event["args"].get("bytes", 0) for event in events if event["ph"] == "X" and event["cat"] in units)
        assert steps[-1][1] == 0 and moved > 0
        assert area == pytest.approx(moved, rel=1e-2)  # levels are rounded to three places


def test_lanes_keep_intervals_apart() -> None:
    assert lanes([0, 2, 4, 5, 9], [5, 3, 6, 7, 10]) == [0, 1, 1, 0, 0]
    assert lanes([], []) == []


def test_the_picture_shows_the_share_of_time_in_instructions(trace: talos.Trace) -> None:
    for unit in (Unit.MATRIX, Unit.LOAD, Unit.STORE):
        inside = np.zeros(trace.cycles)
        for row in trace.instructions[trace.instructions["unit"] == unit.name.lower()].itertuples():
            inside[row.start : row.end + 1] = 1
        assert busy_share(trace.program, trace.timing, unit, 1)[0] == pytest.approx(inside.mean())
        parts = busy_share(trace.program, trace.timing, unit, 50)
        assert parts.mean() == pytest.approx(inside.mean()) and parts.min() >= 0 and parts.max() <= 1 + 1e-9


class Balanced(HTMLParser):
    """Fails on tags that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_notebooks_show_html(trace: talos.Trace, program: talos.Program) -> None:
    pages = {
        "trace": trace._repr_html_(),
        "program": program._repr_html_(),
        "placement": program.placement_report()._repr_html_(),
        "config": program.config._repr_html_(),
    }
    for page in pages.values():
        parser = Balanced()
        parser.feed(page)
        assert parser.open == [] and "<script" not in page
    assert f"{trace.cycles:,} cycles" in pages["trace"] and "<svg" in pages["trace"]
    assert all(layer.name in pages["program"] for layer in program.layers)
    assert all(row.node in pages["placement"] for row in program.placements)
    assert "requantization" in pages["config"]


def test_names_of_nodes_are_escaped(program: talos.Program) -> None:
    from dataclasses import replace

    named = replace(program, layers=tuple(replace(layer, name="<b>&") for layer in program.layers))
    assert "<b>&" not in named._repr_html_().replace("<b>Program", "") and "&lt;b&gt;&amp;" in named._repr_html_()


def test_the_placement_report(program: talos.Program) -> None:
    report = program.placement_report()
    assert list(report.nodes.index) == [row.node for row in program.placements]
    assert all(row.node in str(report) for row in program.placements)
