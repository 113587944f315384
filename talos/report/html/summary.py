"""The numbers on top of the page, and the accuracy."""

from html import escape
from pathlib import Path

from talos.report.html.data import ReportData
from talos.report.html.labels import percent, plural, size, time_at
from talos.report.html.palette import PLACEMENTS
from talos.runtime.traffic import KINDS
from talos.runtime.verify import Verification

__all__ = ["accuracy_section", "summary_tiles"]


def summary_tiles(data: ReportData, mhz: float) -> str:
    """Cycles, time at `mhz` megahertz (which the reader can change), work, and what it took (HTML)."""
    program, cycles = data.program, data.timing.cycles
    config = program.config
    written = int(data.layer_bytes[:, KINDS.index("activations out")].sum())
    read = int(data.layer_bytes.sum()) - written + data.traffic.fetched
    seconds = cycles / (mhz * 1e6)
    clock = (
        f'<span id="clock-time">{time_at(cycles, mhz)}</span><small>at <input id="mhz" type="number" min="1" max="5000" step="any" value="{mhz:g}" '
        f'aria-label="clock in MHz"> MHz:<br><span id="rate">{1 / seconds:,.1f}</span> images per second</small>'
    )
    tiles = [
        ("Cycles of one image", f"{cycles:,}<small>start to interrupt, all DRAM traffic included</small>"),
        ("Time", clock),
        ("Multiply-accumulates", f"{_large(program.macs)}<small>{program.macs:,}</small>"),
        (
            "Of the array's peak",
            f"{percent(data.utilization)}<small>{config.rows} × {config.cols} = {config.peak_macs} MACs per cycle</small>",
        ),
        ("DRAM traffic", f"{size(read + written)}<small>{size(read)} read, {size(written)} written</small>"),
        (
            "Program",
            f"{plural(len(program.layers), 'layer')}<small>{plural(program.instruction_count, 'instruction')}{_on_host(data)}</small>",
        ),
    ]
    return "".join(f'<div class="tile"><h3>{title}</h3><p>{text}</p></div>' for title, text in tiles)


def _on_host(data: ReportData) -> str:
    return f", {plural(len(data.host), 'host part')}" if data.host else ""


def _large(count: int) -> str:
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= factor:
            return f"{count / factor:,.3g} {unit}"
    return str(count)


def accuracy_section(data: ReportData) -> str:
    """The accuracy of the float model, of onnxruntime's int8 and of Talos, and how many bytes are equal (HTML)."""
    result = data.verification
    if result is None:
        return (
            "<p>No images were given. With <code>--data IMAGES.npz</code> the report compares results with onnxruntime, "
            "and with labels <code>y</code> in it the accuracy.</p>"
        )
    rows = []
    if result.accuracy is not None:
        found = {
            "float model": result.accuracy.float32,
            "onnxruntime int8": result.accuracy.onnxruntime,
            "Talos": result.accuracy.talos,
        }
        for (name, share), colour in zip(found.items(), ("#94a3b8", "#64748b", PLACEMENTS["array"]), strict=True):
            if share is not None:
                bar = f'<span class="track"><span style="width:{100 * share:.2f}%;background:{colour}"></span></span>'
                rows.append(f'<div class="share"><span>{name}</span>{bar}<b>{100 * share:.2f} %</b></div>')
    else:
        rows.append("<p>The images have no labels, or the network names no class: no accuracy.</p>")
    return "".join([*rows, f"<p>{escape(_bytes(result))}</p>"])


def _bytes(result: Verification) -> str:
    images = f"{plural(result.images, 'image')} ({Path(result.source).name})"
    if not result.mismatched_bytes:
        return f"All {result.bytes:,} output bytes of {images} equal onnxruntime's."
    names = ", ".join(f"'{o.name}' by up to {o.max_difference:g}" for o in result.outputs if o.mismatched_bytes)
    return f"{result.mismatched_bytes:,} of {result.bytes:,} output bytes of {images} differ from onnxruntime's: {names}."
