"""The comparison of every layer with onnxruntime, as a table, a verdict and JSON."""

from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from talos.runtime.layer_check import FirstDifference, LayerCheck, LayerComparison

__all__ = ["layer_check_json", "layer_check_table", "layer_check_verdict"]

NAME_WIDTH = 40
"""Most columns for the names of a layer and of an ONNX value: exporters join dozens of names into one."""


def layer_check_table(check: LayerCheck) -> Table:
    """One row per layer in the order of execution; layers that differ in red."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    numbers = ("values", "different", "largest difference")
    for column in ("layer", "op", "ONNX value", *numbers):
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for layer in check.layers:
        cells = (f"{layer.values:,}", f"{layer.different:,}", str(layer.max_difference)) if layer.value else ("–", "–", "–")
        row = (_short(layer.layer), layer.op, _short(layer.value) or "none: moves data", *cells)
        table.add_row(*(Text(cell) for cell in row), style="red" if layer.different else "")
    return table


def layer_check_verdict(check: LayerCheck) -> list[Text]:
    """The outcome in sentences, one line each."""
    compared = [layer for layer in check.layers if layer.value]
    equal = sum(not layer.different for layer in compared)
    images = f"{check.images} image{'s' if check.images != 1 else ''}"
    lines = [_line(equal == len(compared), f"Layers = onnxruntime: {len(compared)} layers of {images} compared, {equal} equal")]
    first = check.first_different
    if first is not None and first.first is not None:
        lines.append(_line(False, f"first layer that differs: {_difference(first, first.first)}"))
    if check.reference_changed:
        lines.append(
            Text(
                f"note: onnxruntime's own results change in {check.reference_changed:,} elements when inner values are made visible: "
                "a layer may differ for that reason alone"
            )
        )
    if check.program_changed:
        lines.append(
            _line(
                False,
                f"the program that shows its layers differs from the ordinary one in {check.program_changed:,} output bytes; "
                "report this as a bug",
            )
        )
    return lines


def layer_check_json(check: LayerCheck) -> dict[str, Any]:
    """What `talos verify --layers --json` has under `layer_check`."""
    first = check.first_different
    return {
        "images": check.images,
        "equal": check.equal,
        "first_different": None if first is None else first.layer,
        "reference_changed": check.reference_changed,
        "program_changed": check.program_changed,
        "layers": [asdict(layer) for layer in check.layers],
    }


def _difference(layer: LayerComparison, first: FirstDifference) -> str:
    place = "[" + ", ".join(map(str, first.position)) + "]"
    theirs = f"{first.onnxruntime_value:g}"
    if first.onnxruntime_code is not None:
        theirs = f"code {first.onnxruntime_code} ({theirs})"
    return (
        f"'{layer.layer}' ({layer.op}): {layer.different:,} of {layer.values:,} elements of '{layer.value}', first at {place} of image "
        f"{first.image}: Talos code {first.talos_code} ({first.talos_value:g}), onnxruntime {theirs}"
    )


def _short(name: str) -> str:
    return name if len(name) <= NAME_WIDTH else f"…{name[1 - NAME_WIDTH :]}"


def _line(good: bool, text: str) -> Text:
    return Text.assemble(("✓ ", "bold green") if good else ("✗ ", "bold red"), text if good else (text, "red"))
