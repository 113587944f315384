"""Verifications as tables for the terminal."""

from rich import box
from rich.table import Table
from rich.text import Text

from talos.runtime.verify import Verification

__all__ = ["layer_table", "verdict"]

NAME_WIDTH = 16, 40
"""Least and most columns for a layer's name; exporters join dozens of names into one."""

_NUMBER_COLUMNS = 68  # columns that the rest of the layer table takes, if the numbers have up to ten digits


def _table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    return table


def layer_table(result: Verification, width: int) -> Table:
    """Layers with their cycles and utilization, and the sum, for a terminal of `width` columns."""
    least, most = NAME_WIDTH
    room = max(least, min(most, width - _NUMBER_COLUMNS))
    numbers = ("MACs", "cycles", "utilization", "array idle")
    table = _table("layer", "op", "runs on", *numbers, "bound by", right=numbers)
    for layer in result.layers:
        used = f"{layer.utilization:.1%}" if layer.macs else "–"
        bound = "–" if layer.placement == "host" else layer.bound
        table.add_row(
            _short(layer.name, room),
            _short(layer.op, least),
            layer.placement,
            f"{layer.macs:,}",
            f"{layer.cycles:,}",
            used,
            f"{layer.lost:,}",
            bound,
        )
    table.add_section()
    table.add_row(
        "total",
        "",
        "",
        f"{result.program.macs:,}",
        f"{result.timing.cycles:,}",
        f"{result.utilization:.1%}",
        f"{sum(layer.lost for layer in result.layers):,}",
        "",
    )
    return table


def _short(name: str, room: int) -> str:
    """A name in at most `room` characters: the end of a path, the beginning of anything else."""
    if len(name) <= room:
        return name
    return f"…{name[1 - room :]}" if "/" in name and ";" not in name else f"{name[: room - 1]}…"


def verdict(result: Verification) -> list[Text]:
    """The outcome in sentences, one line each, what differs in red."""
    rtl, program = result.rtl, result.program
    lines = []
    if result.accuracy is not None:
        parts = [f"onnxruntime int8 {result.accuracy.onnxruntime:.2%}", f"Talos {result.accuracy.talos:.2%}"]
        if result.accuracy.float32 is not None:
            parts.insert(0, f"float {result.accuracy.float32:.2%}")
        lines.append(Text(f"Accuracy over {result.images} images: {', '.join(parts)}"))
    lines.append(
        _line(
            not result.mismatched_bytes,
            f"Talos = onnxruntime: {result.bytes:,} output bytes of {result.images} images compared, "
            f"{result.bytes - result.mismatched_bytes:,} equal",
        )
    )
    for output in result.outputs:
        if output.mismatched_bytes:
            unit = "codes" if output.kind == "codes" else "in value"
            lines.append(
                _line(
                    False,
                    f"output '{output.name}': {output.mismatched_bytes:,} bytes differ, by up to {output.max_difference:g} {unit}",
                )
            )
    if not rtl.images:
        lines.append(Text("The generated Verilog was not run (--rtl-images 0)"))
        return lines
    lines.append(
        _line(
            not rtl.mismatched_bytes,
            f"Verilog = functional model: {rtl.bytes:,} output bytes of {_images(rtl.images)} compared, "
            f"{rtl.bytes - rtl.mismatched_bytes:,} equal",
        )
    )
    lines.append(
        _line(
            rtl.cycles_equal, f"Cycles of one image: {result.timing.cycles:,} in the cycle model, {rtl.cycles:,} in the Verilog"
        )
    )
    lines.append(
        _line(
            rtl.trace_equal and rtl.counters_equal,
            f"Start and end of each of the {program.instruction_count} instructions, and all units' counters: "
            + ("equal" if rtl.trace_equal and rtl.counters_equal else "not equal"),
        )
    )
    if rtl.difference:
        lines.append(_line(False, f"first difference: {rtl.difference}"))
    return lines


def _images(count: int) -> str:
    return f"{count} image{'s' if count != 1 else ''}"


def _line(good: bool, text: str) -> Text:
    return Text.assemble(("✓ ", "bold green") if good else ("✗ ", "bold red"), text if good else (text, "red"))
