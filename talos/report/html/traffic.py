"""DRAM traffic: by layer, and the frame of the plot over time (whose lines the page draws from the instructions)."""

from typing import Any

from talos.report.html.data import ReportData
from talos.report.html.labels import percent, size
from talos.report.html.palette import TRAFFIC
from talos.report.html.plotting import figure_json
from talos.runtime.traffic import KINDS

__all__ = ["traffic_figure", "traffic_over_time_figure", "traffic_sentence"]

_UNITS = (("B", 1), ("KiB", 1024), ("MiB", 1024**2), ("GiB", 1024**3))


def traffic_sentence(data: ReportData) -> str:
    """What the run moves in all, in a sentence."""
    totals = data.layer_bytes.sum(axis=0)
    written = int(totals[KINDS.index("activations out")])
    read = int(totals.sum()) - written + data.traffic.fetched
    share = percent(max(read, written) / (data.bandwidth * data.timing.cycles))
    return (
        f"A run reads {size(read)} ({size(data.traffic.fetched)} of it instructions) and writes {size(written)}. "
        f"The busier direction is in use {share} of the time."
    )


def traffic_figure(data: ReportData) -> dict[str, Any]:
    """Bytes by layer, stacked by what they are."""
    most = int(data.layer_bytes.sum(axis=1).max(initial=1))
    unit, factor = [pair for pair in _UNITS if most >= pair[1]][-1]
    numbers = list(range(len(data.layers)))
    traces: list[dict[str, Any]] = [
        {
            "type": "bar", "name": kind, "x": numbers, "y": (data.layer_bytes[:, column] / factor).tolist(), "marker": {"color": TRAFFIC[kind]},
            "hovertext": [
                f"<b>{n} · {data.names[n]}</b><br>{size(int(data.layer_bytes[n, column]))} of {kind}, {size(int(data.layer_bytes[n].sum()))} in all."
                for n in numbers
            ],
            "hovertemplate": "%{hovertext}<extra></extra>",
        }
        for column, kind in enumerate(KINDS)
    ]  # fmt: skip
    ticks: dict[str, Any] = {"tickmode": "linear", "dtick": 1} if len(numbers) <= 32 else {}
    return figure_json(
        traces,
        height=270,
        barmode="stack",
        bargap=0.25,
        xaxis={"title": {"text": "layer"}, "range": [-0.6, len(numbers) - 0.4], **ticks},
        yaxis={"title": {"text": f"DRAM traffic ({unit})"}, "fixedrange": True},
        hovermode="closest",
        showlegend=True,
    )


def traffic_over_time_figure(data: ReportData) -> dict[str, Any]:
    """The frame: bytes per cycle over the cycles, reads above and writes below the axis, with the DRAM's limits as lines."""
    limit = data.bandwidth
    line = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": {"color": "#475569", "width": 1, "dash": "dot"}}
    return figure_json(
        [],
        height=270,
        xaxis={"title": {"text": "cycle"}, "range": [0, data.timing.cycles], "tickformat": ",d"},
        yaxis={
            "title": {"text": "bytes per cycle"},
            "range": [-1.15 * limit, 1.15 * limit],
            "fixedrange": True,
            "tickvals": [-limit, -limit / 2, 0, limit / 2, limit],
            "ticktext": [f"{abs(value):g}" for value in (-limit, -limit / 2, 0, limit / 2, limit)],
        },
        shapes=[{**line, "y0": limit, "y1": limit}, {**line, "y0": -limit, "y1": -limit}],
        hovermode="closest",
        showlegend=True,
    )
