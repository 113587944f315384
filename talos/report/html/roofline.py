"""The roofline: how fast each layer runs, against what the array and the DRAM allow.

A layer with M multiply-accumulates that moves B bytes over the busier direction of the DRAM takes at least max(M / peak, B / bandwidth)
cycles: its M per cycle lie below min(peak, bandwidth · M / B) (Williams, Waterman, Patterson, "Roofline", CACM 2009).
"""

from typing import Any

import numpy as np

from talos.report.html.data import ReportData
from talos.report.html.labels import percent, plural, size
from talos.report.html.palette import BOUNDS, INK, MUTED
from talos.report.html.plotting import figure_json
from talos.runtime.traffic import KINDS

__all__ = ["roofline_figure"]

_WRITTEN = KINDS.index("activations out")
_MARKER = 8, 30  # pixels of the smallest and the largest


def roofline_figure(data: ReportData) -> dict[str, Any]:
    """Every layer: MACs per byte against MACs per cycle, both logarithmic. Layers without MACs stand on the lower edge, in their order."""
    peak, bandwidth = data.program.config.peak_macs, data.bandwidth
    points = []
    for number, layer in enumerate(data.layers):
        moved = data.layer_bytes[number]
        busier = max(int(moved[_WRITTEN]), int(moved.sum() - moved[_WRITTEN]))
        points.append((layer.macs / busier if busier else 0.0, layer.macs / layer.cycles if layer.cycles else 0.0))
    real = [point for point in points if point[0] and point[1]]
    low_x = min([x for x, _ in real] + [peak / bandwidth]) / 3
    high_x = max([x for x, _ in real] + [peak / bandwidth]) * 3
    low_y = min([y for _, y in real] + [peak]) / 4
    ridge = peak / bandwidth
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter", "mode": "lines", "name": f"roof: {peak} MACs, {bandwidth} bytes per cycle", "showlegend": True,
            "x": [low_x, min(max(ridge, low_x), high_x), high_x], "y": [bandwidth * low_x, min(peak, bandwidth * high_x), peak],
            "line": {"color": INK, "width": 1.5}, "hoverinfo": "skip",
        }
    ]  # fmt: skip
    for bound, colour in BOUNDS.items():
        members = [n for n, layer in enumerate(data.layers) if layer.bound == bound and all(points[n])]
        if members:
            traces.append(
                {
                    "type": "scatter", "mode": "markers", "name": f"bound by {bound}",
                    "x": [points[n][0] for n in members], "y": [points[n][1] for n in members],
                    "hovertext": [_tip(data, n, *points[n]) for n in members], "hovertemplate": "%{hovertext}<extra></extra>",
                    "marker": {"color": colour, "opacity": 0.75, "size": [_marker(data, n) for n in members], "line": {"color": "#ffffff", "width": 1}},
                }
            )  # fmt: skip
    rest = [n for n in range(len(data.layers)) if not all(points[n])]
    if rest:
        places = np.geomspace(low_x * 1.3, high_x / 1.3, len(rest) + 2)[1:-1].tolist()
        traces.append(
            {
                "type": "scatter", "mode": "markers", "name": "no multiplications (lower edge, in order)", "x": places, "y": [low_y * 1.25] * len(rest),
                "hovertext": [_tip(data, n, *points[n]) for n in rest], "hovertemplate": "%{hovertext}<extra></extra>",
                "marker": {"color": [BOUNDS[data.layers[n].bound] for n in rest], "symbol": "diamond", "size": 10, "opacity": 0.75},
            }
        )  # fmt: skip
    return figure_json(
        traces,
        height=430,
        xaxis={"type": "log", "range": [float(np.log10(low_x)), float(np.log10(high_x))], "title": {"text": "MACs per byte of DRAM traffic (busier direction)"},
               **_ticks(low_x, high_x)},
        yaxis={"type": "log", "range": [float(np.log10(low_y)), float(np.log10(peak * 1.6))], "title": {"text": "MACs per cycle"},
               **_ticks(low_y, peak * 1.6)},
        hovermode="closest",
        annotations=[{"x": float(np.log10(high_x)), "y": float(np.log10(peak)), "xanchor": "right", "yanchor": "bottom", "showarrow": False,
                      "text": f"all {peak} multipliers", "font": {"color": MUTED, "size": 11}}],
    )  # fmt: skip


def _ticks(low: float, high: float) -> dict[str, Any]:
    """1, 2, 5, 10 … between `low` and `high`; powers of ten alone over more than three decades."""
    steps = (1, 2, 5) if high / low <= 1e3 else (1,)
    values = [step * 10.0**power for power in range(-9, 12) for step in steps if low <= step * 10.0**power <= high]
    return {"tickvals": values, "ticktext": [f"{value:,.12g}" for value in values]}


def _marker(data: ReportData, layer: int) -> float:
    """Its area grows with the layer's share of the run."""
    least, most = _MARKER
    return least + (most - least) * float(np.sqrt(data.layers[layer].cycles / max(row.cycles for row in data.layers)))


def _tip(data: ReportData, number: int, intensity: float, speed: float) -> str:
    layer, moved = data.layers[number], data.layer_bytes[number]
    name = f"<b>{number} · {data.names[number]}</b> ({layer.op})<br>"
    read, written = size(int(moved.sum() - moved[_WRITTEN])), size(int(moved[_WRITTEN]))
    traffic = f"Reads {read} from DRAM and writes {written}."
    if not layer.macs:
        return f"{name}Multiplies nothing: {plural(layer.cycles, 'cycle')}, bound by {layer.bound}.<br>{traffic}"
    return (
        f"{name}{speed:,.1f} MACs per cycle, {percent(layer.utilization)} of the array's multipliers; bound by {layer.bound}.<br>"
        f"{intensity:,.1f} MACs per byte: {traffic}<br>Takes {layer.cycles:,} cycles, {percent(layer.cycles / data.timing.cycles)} of the run."
    )
