"""The page: all parts in one HTML file that needs nothing else, neither files nor a network."""

import json
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from talos import __version__
from talos.report.html.data import ReportData
from talos.report.html.graph import graph_legend, graph_svg
from talos.report.html.memory_map import MEMORY_COLOURS, memory_data, memory_figure, memory_sentence
from talos.report.html.palette import TRAFFIC
from talos.report.html.plotting import library_source
from talos.report.html.roofline import roofline_figure
from talos.report.html.summary import accuracy_section, summary_tiles
from talos.report.html.timeline import timeline_data, timeline_figure
from talos.report.html.traffic import traffic_figure, traffic_over_time_figure, traffic_sentence
from talos.report.html.utilization import layer_rows, utilization_figure
from talos.runtime.traffic import KINDS

__all__ = ["page_data", "render_page"]

_MEMORY_WORDS = {
    "loaded": "loaded from DRAM",
    "computed": "computed by the vector unit",
    "padding": "padding",
    "sums": "sums of the array",
}


def page_data(data: ReportData) -> dict[str, Any]:
    """What the page's script draws, as JSON values."""
    return {
        "figures": {
            "roofline": roofline_figure(data),
            "utilization": utilization_figure(data),
            "timeline": timeline_figure(data),
            "memory": memory_figure(data),
            "traffic": traffic_figure(data),
            "traffic-time": traffic_over_time_figure(data),
        },
        "timeline": timeline_data(data),
        "memory": memory_data(data),
        "traffic": [{"name": kind, "color": TRAFFIC[kind]} for kind in KINDS],
        "beatBytes": data.bandwidth,
    }


def render_page(data: ReportData, mhz: float) -> str:
    """The whole page; times are given at `mhz` megahertz until the reader changes it. Needs plotly (`require_plotly`)."""
    program = data.program
    values = {
        "title": escape(f"{program.name} on {program.config.name}"),
        "subtitle": escape(
            f"{Path(data.model).name} · configuration {program.config.name} (hash {program.config.hash}) · DRAM: {_dram(data)}"
        ),
        "version": escape(__version__),
        "style": _asset("page.css"),
        "script": _asset("page.js"),
        "plotly": library_source(),
        "data": json.dumps(page_data(data), separators=(",", ":"), allow_nan=False).replace("</", "<\\/"),
        "tiles": summary_tiles(data, mhz),
        "graph_legend": graph_legend(data),
        "graph": graph_svg(data),
        "layer_rows": layer_rows(data),
        "layer_options": "".join(f'<option value="{n}">{n} · {escape(name)}</option>' for n, name in enumerate(data.names)),
        "memory_legend": "".join(
            f'<span class="chip"><i style="background:linear-gradient(90deg,{first} 50%,{second} 50%)"></i>{_MEMORY_WORDS[kind]}</span>'
            for kind, (first, second) in MEMORY_COLOURS.items()
        ),
        "memory_sentence": escape(memory_sentence(data)),
        "traffic_sentence": escape(traffic_sentence(data)),
        "accuracy": accuracy_section(data),
    }
    return Template(_asset("page.html")).substitute(values)


def _dram(data: ReportData) -> str:
    memory = data.memory
    pauses = f", pauses {memory.stall}/256" if memory.stall else ""
    return f"{memory.latency} cycles of latency, {data.bandwidth} bytes per cycle, {memory.outstanding} bursts{pauses}"


def _asset(name: str) -> str:
    return files("talos.report.html").joinpath("assets", name).read_text(encoding="utf-8")
