"""What Jupyter shows of configurations, programs, placement reports and traces: HTML without scripts, styled in place."""

from collections.abc import Iterable, Sequence
from html import escape

from talos.config import AcceleratorConfig
from talos.model.timing.core import Timing
from talos.program import Program
from talos.report.info import config_lines
from talos.report.placement import host_line
from talos.report.unit_picture import unit_picture
from talos.runtime.layers import LayerCycles

__all__ = ["config_html", "placement_html", "program_html", "trace_html"]

_SHOWN = 60  # rows of a table; the frames have them all
_RIGHT = "text-align:right"
_LEFT = "text-align:left"
_BAR = "background:linear-gradient(90deg,rgba(76,120,168,0.4) {share:.1f}%,transparent {share:.1f}%)"


def config_html(config: AcceleratorConfig) -> str:
    """The configuration in words, one row per line of `talos info`."""
    title, *lines = config_lines(config)
    rows = [tuple(part.strip() for part in line.strip().partition("  ")[::2]) for line in lines]
    return _section(title, _table(("", ""), rows))


def program_html(program: Program) -> str:
    """Layers, inputs and results of a program."""
    facts = [
        f"{len(program.layers)} layers, {program.instruction_count:,} instructions, {program.macs:,} MACs per image",
        f"{len(program.constants):,} bytes of constants, {sum(program.region_bytes):,} bytes of DRAM",
        *([f"one run takes {program.batch} images"] if program.batch > 1 else []),
        "inputs: " + ", ".join(f"{feed.name} ({feed.dtype} {_shape(feed.shape)})" for feed in program.feeds),
        "results: " + ", ".join(program.results),
    ]
    hosted = host_line(program)
    rows = [(layer.name, layer.op, layer.placement, f"{layer.macs:,}") for layer in program.layers]
    table = _table(("layer", "op", "runs on", "MACs"), rows, right=(3,))
    name = f"Program {program.name} for {program.config.name} (hash {program.config.hash})"
    return _section(name, _facts([*facts, *([hosted] if hosted else [])]), table)


def placement_html(program: Program) -> str:
    """Every ONNX node with its place and the reason; nodes on the host are marked."""
    rows = [(row.node, row.op, row.placement, row.layer, _reason(row.reason, row.suggestion)) for row in program.placements]
    marked = [row.placement == "host" for row in program.placements]
    hosted = host_line(program) or "everything runs on the accelerator"
    table = _table(("node", "op", "runs on", "layer", "reason"), rows, marked=marked)
    return _section(f"Placement of {program.name} on {program.config.name}", _facts([hosted]), table)


def trace_html(program: Program, timing: Timing, layers: Sequence[LayerCycles]) -> str:
    """Cycles and utilization by layer, and a picture of all units over time."""
    macs = program.batch * program.macs
    share = macs / (program.config.peak_macs * timing.cycles)
    rows = [
        (
            row.name,
            row.op,
            row.placement,
            f"{row.macs:,}",
            f"{row.cycles:,}",
            f"{row.utilization:.1%}" if row.macs else "–",
            row.bound,
        )
        for row in layers
    ]
    bars = [row.utilization if row.macs else 0.0 for row in layers]
    header = ("layer", "op", "runs on", "MACs", "cycles", "utilization", "bound by")
    table = _table(header, rows, right=(3, 4, 5), bars=(5, bars))
    title = f"{program.name} on {program.config.name}: {timing.cycles:,} cycles, {share:.1%} of {program.config.peak_macs} MACs per cycle"
    return _section(title, unit_picture(program, timing), table)


def _reason(reason: str, suggestion: str) -> str:
    return "; ".join(text for text in (reason, suggestion) if text) or "–"


def _section(title: str, *parts: str) -> str:
    return f'<div class="talos" style="max-width:100em"><p><b>{escape(title)}</b></p>{"".join(parts)}</div>'


def _facts(lines: Iterable[str]) -> str:
    return f'<p style="margin:0.3em 0">{"<br>".join(escape(line) for line in lines)}</p>'


def _table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    bars: tuple[int, Sequence[float]] | None = None,
    marked: Sequence[bool] = (),
) -> str:
    """right: columns set flush right. bars: a column and its shares of 1, drawn behind the text. marked: rows to point out."""
    head = "".join(f'<th style="{_RIGHT if place in right else _LEFT}">{escape(name)}</th>' for place, name in enumerate(header))
    body = []
    for number, row in enumerate(rows[:_SHOWN]):
        cells = []
        for place, text in enumerate(row):
            style = _RIGHT if place in right else _LEFT
            if bars is not None and bars[0] == place:
                style += ";" + _BAR.format(share=100 * bars[1][number])
            cells.append(f'<td style="{style}">{escape(text)}</td>')
        paint = ' style="background:#fde8e8;color:#000"' if marked and marked[number] else ""
        body.append(f"<tr{paint}>{''.join(cells)}</tr>")
    more = f"<p>… and {len(rows) - _SHOWN} more</p>" if len(rows) > _SHOWN else ""
    top = f"<thead><tr>{head}</tr></thead>" if any(header) else ""
    return f"<table>{top}<tbody>{''.join(body)}</tbody></table>{more}"


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"
