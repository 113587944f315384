"""Where the cycles go: each layer as a bar as wide as its cycles and as high as the use of the array, and the table of all layers."""

from html import escape
from typing import Any

from talos.report.html.data import ReportData
from talos.report.html.labels import joined, percent, size
from talos.report.html.palette import BOUNDS
from talos.report.html.plotting import figure_json
from talos.runtime.traffic import KINDS

__all__ = ["layer_rows", "utilization_figure"]


def utilization_figure(data: ReportData) -> dict[str, Any]:
    """Bars side by side in program order; the area of a bar is the layer's MACs."""
    starts, position = [], 0
    for layer in data.layers:
        starts.append(position)
        position += layer.cycles
    traces: list[dict[str, Any]] = []
    for bound, colour in BOUNDS.items():
        members = [n for n, layer in enumerate(data.layers) if layer.bound == bound]
        if members:
            traces.append(
                {
                    "type": "bar", "name": f"bound by {bound}", "offset": 0,
                    "x": [starts[n] for n in members], "width": [data.layers[n].cycles for n in members],
                    "y": [max(100 * data.layers[n].utilization, 0.6) for n in members],
                    "hovertext": [_tip(data, n) for n in members], "hovertemplate": "%{hovertext}<extra></extra>",
                    "marker": {"color": colour, "line": {"color": "#ffffff", "width": 0.7}},
                }
            )  # fmt: skip
    return figure_json(
        traces,
        height=270,
        xaxis={"title": {"text": "cycles of the layers, side by side in program order"}, "range": [0, data.timing.cycles], "tickformat": ",d"},
        yaxis={"title": {"text": "multipliers used (%)"}, "range": [0, 105], "fixedrange": True},
        hovermode="closest",
        showlegend=True,
    )  # fmt: skip


def _tip(data: ReportData, number: int) -> str:
    layer = data.layers[number]
    used = f"uses {percent(layer.utilization)} of the array's multipliers" if layer.macs else "multiplies nothing"
    return (
        f"<b>{number} · {data.names[number]}</b> ({layer.op})<br>Takes {layer.cycles:,} cycles and {used}.<br>"
        f"The array took none of its vectors in {layer.lost:,} of them. Bound by: {layer.bound}.<br>"
        f"ONNX nodes: {joined(data.program.layers[number].nodes, 3)}"
    )


def layer_rows(data: ReportData) -> str:
    """The body of the table of layers, host parts last (HTML); data-v of a cell is what it is sorted by."""
    most = max([layer.cycles for layer in data.layers] + [1])
    rows = []
    for number, layer in enumerate([*data.layers, *data.host]):
        on_host = number >= len(data.layers)
        moved = None if on_host else data.layer_bytes[number]
        written = 0 if moved is None else int(moved[KINDS.index("activations out")])
        read = 0 if moved is None else int(moved.sum()) - written
        name = joined([layer.name]) if on_host else data.names[number]
        used = percent(layer.utilization) if layer.macs else "–"
        bar = f'<span class="bar" style="width:{100 * layer.cycles / most:.1f}%;background:{BOUNDS[layer.bound]}"></span>'
        share = f'<span class="bar" style="width:{100 * layer.utilization:.1f}%;background:{BOUNDS["array"]}"></span>'
        attribute = "" if on_host else f' data-layer="{number}"'
        rows.append(
            f'<tr{attribute}><td class="n" data-v="{number}">{"" if on_host else number}</td>'
            f'<td title="{escape(layer.name)}">{escape(name)}</td><td>{escape(layer.op)}</td><td>{layer.placement}</td>'
            f'<td class="n" data-v="{layer.macs}">{layer.macs:,}</td>'
            f'<td class="n barred" data-v="{layer.cycles}">{bar}<span>{layer.cycles:,}</span></td>'
            f'<td class="n barred" data-v="{layer.utilization:.6f}">{share}<span>{used}</span></td>'
            f'<td class="n" data-v="{layer.lost}">{layer.lost:,}</td>'
            f'<td><span class="chip"><i style="background:{BOUNDS[layer.bound]}"></i>{layer.bound}</span></td>'
            f'<td class="n" data-v="{read}">{size(read) if read else "–"}</td><td class="n" data-v="{written}">{size(written) if written else "–"}</td></tr>'
        )
    return "\n".join(rows)
