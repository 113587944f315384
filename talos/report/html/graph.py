"""The network graph as a drawing (SVG): every box is a layer, a host part, or an input or output of the network."""

from html import escape

from talos.report.html.data import ReportData
from talos.report.html.graph_layout import BOX_HEIGHT, BOX_WIDTH, Point, lay_out
from talos.report.html.labels import dimensions, joined, percent, plural, short_names
from talos.report.html.palette import PLACEMENTS

__all__ = ["graph_legend", "graph_svg"]

_ROOM = 1180  # pixels of a laptop's window
_TITLES = {
    "array": "systolic array",
    "vector": "vector unit",
    "placement": "placement only (no work: where bytes lie)",
    "host": "host (onnxruntime)",
}


def graph_legend(data: ReportData) -> str:
    """The colours of the boxes, with how many there are of each."""
    chips = []
    for place, title in _TITLES.items():
        count = sum(node.placement == place for node in data.network)
        if count:
            chips.append(f'<span class="chip"><i style="background:{PLACEMENTS[place]}"></i>{title} <b>{count}</b></span>')
    return "".join(chips)


def graph_svg(data: ReportData) -> str:
    """The drawing. Boxes of layers have the attribute data-layer, all have data-tip: the text shown beside the pointer."""
    layout = lay_out([node.inputs for node in data.network], _ROOM)
    parts = [
        f'<svg width="{layout.width:.0f}" height="{layout.height:.0f}" viewBox="0 0 {layout.width:.0f} {layout.height:.0f}" '
        'role="img" aria-label="network graph">'
    ]
    parts += [f'<path class="edge" d="{_curve(points)}"/>' for points in layout.edges.values()]
    inner = [number for number, node in enumerate(data.network) if node.placement not in ("input", "output")]
    names = [short_names([node.name], 20)[0] for node in data.network]
    for number, name in zip(inner, short_names([data.network[number].name for number in inner], 18), strict=True):
        names[number] = name
    for number, (x, y) in enumerate(layout.centres):
        parts.append(_box(data, number, names[number], x, y))
    return "\n".join([*parts, "</svg>"])


def _box(data: ReportData, number: int, name: str, x: float, y: float) -> str:
    node, layer = data.network[number], data.layer_of_node[number]
    left, top = x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2
    facts = [node.op if node.placement not in ("input", "output") else node.placement, dimensions(node.shape)]
    if layer >= 0 and data.layers[layer].macs:
        facts.append(percent(data.layers[layer].utilization))
    title = f"{layer} · {name}" if layer >= 0 else name
    attribute = f' data-layer="{layer}" tabindex="0"' if layer >= 0 else ""
    colour = PLACEMENTS[node.placement]
    return (
        f'<g class="node {node.placement}"{attribute} data-tip="{escape(_tip(data, number))}">'
        f'<rect class="body" x="{left:.1f}" y="{top:.1f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<rect x="{left + 4:.1f}" y="{top + 5:.1f}" width="4" height="{BOX_HEIGHT - 10}" rx="2" fill="{colour}"/>'
        f'<text class="name" x="{left + 15:.1f}" y="{y - 3:.1f}">{escape(title)}</text>'
        f'<text class="fact" x="{left + 15:.1f}" y="{y + 12:.1f}">{escape(" · ".join(filter(None, facts)))}</text></g>'
    )


def _tip(data: ReportData, number: int) -> str:
    """What the box is, in sentences (HTML)."""
    node, layer = data.network[number], data.layer_of_node[number]
    name = f"<b>{escape(joined([node.name]))}</b>"
    if node.placement in ("input", "output"):
        return f"{name}<br>The network's {node.placement}{' ' + dimensions(node.shape) if node.shape else ''}."
    nodes = f"<br>ONNX nodes: {escape(joined(node.nodes))}" if node.nodes else ""
    if node.placement == "host":
        return f"{name}<br>{escape(node.op)} runs on the host, in onnxruntime.{nodes}"
    if layer < 0:
        return f"{name}<br>Takes no work: the layers around it write and read its bytes where they are needed.{nodes}"
    row = data.layers[layer]
    runs = "systolic array" if node.placement == "array" else "vector unit"
    used = f", which uses {percent(row.utilization)} of the array's multipliers" if row.macs else ""
    return (
        f"{name}<br>{node.op} on the {runs}; makes {dimensions(node.shape)} values with {plural(row.macs, 'multiply-accumulate')}.<br>"
        f"Takes {row.cycles:,} cycles ({percent(row.cycles / data.timing.cycles)} of the run){used}.<br>Bound by: {row.bound}.{nodes}"
        "<br><i>Click to see it in the timeline.</i>"
    )


def _curve(points: list[Point]) -> str:
    """A path from box to box: straight down, with a bend between one rank and the next."""
    (x, y), *rest = points
    y += BOX_HEIGHT / 2
    path = [f"M{x:.1f} {y:.1f}"]
    for index, (next_x, next_y) in enumerate(rest):
        last = index == len(rest) - 1
        end = next_y - BOX_HEIGHT / 2 if last else next_y
        if next_y == points[index][1] or next_y < y or (next_x == x):
            path.append(f"L{next_x:.1f} {end:.1f}")
        else:
            entry = end if last else next_y - BOX_HEIGHT / 2
            middle = (y + entry) / 2
            path.append(f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {entry:.1f}")
            if not last:
                path.append(f"L{next_x:.1f} {next_y + BOX_HEIGHT / 2:.1f}")
                end = next_y + BOX_HEIGHT / 2
        x, y = next_x, end
    return "".join(path)
