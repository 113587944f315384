"""The report's data and page, without a browser."""

import importlib.util
import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from talos.compiler.pipeline import Compiled
from talos.errors import TalosError
from talos.report.html.data import ReportData, collect
from talos.report.html.graph import graph_svg
from talos.report.html.memory_map import memory_data
from talos.report.html.packed import pack, unpack
from talos.report.html.page import page_data, render_page
from talos.report.html.plotting import library_source, require_plotly
from talos.report.html.timeline import timeline_data
from talos.runtime.traffic import dram_bytes


@pytest.fixture(scope="module")
def shown(data: ReportData, page: str) -> dict[str, Any]:
    """What the page's script reads, from the page itself."""
    (text,) = re.findall(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    values = json.loads(text)
    assert values == json.loads(json.dumps(page_data(data)))
    return dict(values)


@pytest.mark.parametrize("values", [[], [0], [-5, 2**31 - 1], [2**31, -(2**40)]])
def test_packed_arrays(values: list[int]) -> None:
    packed = pack(np.array(values, np.int64))
    assert unpack(packed).tolist() == values
    assert packed["t"] == ("f8" if any(abs(value) >= 2**31 for value in values) else "i4")


def test_timeline_is_the_trace(data: ReportData) -> None:
    values = timeline_data(data)
    assert unpack(values["start"]).tolist() == data.timing.starts.tolist()
    assert unpack(values["end"]).tolist() == data.timing.ends.tolist()
    assert unpack(values["layer"]).tolist() == list(data.program.layer_of)
    assert [values["opcodes"][code] for code in unpack(values["opcode"])] == [i.opcode.name for i in data.program.instructions]
    assert [row["nodes"] for row in values["layers"]][3] == "residual/block2/conv/Conv, residual/Add"
    assert [unit["name"] for unit in values["units"]] == ["load", "weights", "array", "vector", "store"]


def test_stretches_are_the_layers_cycles(data: ReportData) -> None:
    owned = timeline_data(data)["owned"]
    begins, layers = unpack(owned["begin"]), unpack(owned["layer"])
    lengths = np.diff(begins, append=data.timing.cycles)
    assert begins[0] == 0 and (lengths > 0).all() and (np.diff(layers) != 0).all()
    cycles = [int(lengths[layers == number].sum()) for number in range(len(data.layers))]
    assert cycles == [layer.cycles for layer in data.layers]


def test_memory_map_fits_and_nothing_shares_a_place(data: ReportData) -> None:
    config = data.program.config
    values = memory_data(data)
    for space, capacity in (("activation", config.activation_bytes), ("accumulators", config.accumulator_depth)):
        low, high, begin, end, place = (unpack(values[space][key]) for key in ("low", "high", "begin", "end", "place"))
        assert (
            len(low)
            and (low >= 0).all()
            and (high <= capacity).all()
            and (begin <= end).all()
            and (end < data.timing.cycles).all()
        )
        for first, stop in ((low, high), (place, place + high - low)):  # also where they are drawn
            space_meets = (first[:, None] < stop[None]) & (first[None] < stop[:, None])
            time_meets = (begin[:, None] < end[None]) & (begin[None] < end[:, None])
            assert np.array_equal(space_meets & time_meets, np.eye(len(low), dtype=bool) & (begin < end))


def test_every_layer_is_on_the_roofline(data: ReportData, shown: dict[str, Any]) -> None:
    roof, *points = shown["figures"]["roofline"]["data"]
    tips = [tip for trace in points for tip in trace["hovertext"]]
    assert sorted(int(re.match(r"<b>(\d+) ·", tip)[1]) for tip in tips) == list(range(len(data.layers)))  # type: ignore[index]
    assert max(roof["y"]) == data.program.config.peak_macs
    speeds = [speed for trace in points for speed in trace["y"]]
    assert min(speeds) > 0 and max(speeds) <= data.program.config.peak_macs
    for layer in data.layers:
        if layer.macs:
            share = f"{layer.macs / layer.cycles:.1f} MACs per cycle, {100 * layer.utilization:.1f} % of the array's multipliers"
            assert sum(f"{share}; bound by {layer.bound}" in tip for tip in tips) == 1, share


def test_bars_of_the_layers(data: ReportData, shown: dict[str, Any]) -> None:
    traces = shown["figures"]["utilization"]["data"]
    assert sum(width for trace in traces for width in trace["width"]) == data.timing.cycles
    assert {trace["name"] for trace in traces} == {"bound by array", "bound by vector", "bound by weights"}


def test_traffic_adds_up(data: ReportData, shown: dict[str, Any]) -> None:
    assert int(data.layer_bytes.sum()) + data.traffic.fetched == dram_bytes(data.program)
    traces = shown["figures"]["traffic"]["data"]
    assert [trace["name"] for trace in traces] == ["activations in", "weights", "parameters", "activations out"]
    assert sum(sum(trace["y"]) for trace in traces) == pytest.approx(data.layer_bytes.sum() / 1024)


def test_graph_has_all_boxes_and_edges(data: ReportData) -> None:
    svg = graph_svg(data)
    assert svg.count('<g class="node') == len(data.network)
    assert svg.count('<path class="edge"') == sum(len(node.inputs) for node in data.network)
    assert sorted(map(int, re.findall(r'data-layer="(\d+)"', svg))) == list(range(len(data.layers)))
    assert svg.count("node array") == 5 and svg.count("node vector") == 2


def test_page_is_complete_and_loads_nothing(page: str, data: ReportData) -> None:
    cycles = data.timing.cycles
    used = f"{100 * data.program.macs / cycles / data.program.config.peak_macs:.1f} %"
    own = page.replace(library_source(), "")
    assert len(own) < 200_000
    assert not re.search(r'(src|href)="(?!#|data:)|https?://|@import|url\(', own)
    for words in (
        f"{cycles:,}",
        "101,696",
        used,
        f"{cycles / 100:.3g} µs",
        "stem/conv",
        "onnxruntime int8",
        "All 50 output bytes of 5 images",
    ):
        assert words in own, words
    assert page.count("100.00 %") == 3  # float, onnxruntime and Talos


def test_page_without_images(compiled: Compiled) -> None:
    data = collect(compiled, "digits.onnx")
    page = render_page(data, 50.0)
    assert "No images were given" in page and f"{data.timing.cycles / 50:.3g} µs" in page


def test_names_cannot_break_the_page(data: ReportData) -> None:
    evil = "</script><img src=x>"
    page = render_page(replace(data, names=[evil] * len(data.names)), 100.0)
    assert evil not in page


def test_without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TalosError, match=r"pip install 'talos-accelerator\[report\]'"):
        require_plotly()


def test_batches_are_refused(compiled: Compiled) -> None:
    with pytest.raises(TalosError, match="takes 4; compile it for one"):
        collect(replace(compiled, program=replace(compiled.program, batch=4)), "digits.onnx")
