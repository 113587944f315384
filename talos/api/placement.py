"""The placement report of a program, as text, as HTML and as a table."""

from typing import TYPE_CHECKING

from rich.console import Console

from talos.api.frames import frame
from talos.program import Program
from talos.report.notebook import placement_html
from talos.report.placement import host_line, host_table, placement_table

if TYPE_CHECKING:
    import pandas

__all__ = ["PlacementReport"]

_WIDTH = 160


class PlacementReport:
    """Where every ONNX node of a program runs, and why. Prints as a table; `nodes` is a pandas frame."""

    def __init__(self, program: Program) -> None:
        self.program = program

    @property
    def nodes(self) -> "pandas.DataFrame":
        """One row per ONNX node: op, placement, layer, reason, suggestion, macs; the index is the node's name."""
        columns = ("node", "op", "placement", "layer", "reason", "suggestion", "macs")
        rows = self.program.placements
        return frame({name: [getattr(row, name) for row in rows] for name in columns}, index="node")

    def __str__(self) -> str:
        console = Console(width=_WIDTH, no_color=True, force_terminal=False, force_jupyter=False)  # text, wherever it is printed
        with console.capture() as captured:
            console.print(placement_table(self.program, _WIDTH))
            hosts = host_table(self.program, _WIDTH)
            if hosts is not None:
                console.print(host_line(self.program), hosts, sep="\n")
        return captured.get()

    def _repr_html_(self) -> str:
        return placement_html(self.program)
