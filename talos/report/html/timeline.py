"""The timeline: start and end of every instruction, for the page's script, which draws as many slices as the window can show."""

from typing import Any

import numpy as np

from talos.isa import Instruction, Opcode, Unit
from talos.report.html.data import ReportData
from talos.report.html.labels import joined
from talos.report.html.packed import pack
from talos.report.html.palette import UNIT_NAMES, UNITS
from talos.report.html.plotting import figure_json
from talos.runtime.layers import cycle_owners

__all__ = ["ROWS", "timeline_data", "timeline_figure"]

ROWS = (Unit.LOAD, Unit.WEIGHTS, Unit.MATRIX, Unit.VECTOR, Unit.STORE)
"""From top to bottom, below the row of layers. Fetch has no instructions of its own."""


def timeline_data(data: ReportData) -> dict[str, Any]:
    """Packed arrays, an entry per instruction in program order, and the names that they refer to by number.

    `amount`: bytes of a LOAD, FILL, STREAM, STORE or TABLE, vectors of a MATMUL, pixels × blocks of a VECTOR. `kind`: see
    `Traffic.kinds`. `owned`: the stretches of the run that belong to one layer (as in `layer_cycles`): layers and first cycles.
    """
    program, timing = data.program, data.timing
    lengths, layers, _ = cycle_owners(program, timing)
    begins = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    first = np.flatnonzero(np.diff(layers, prepend=-2))
    return {
        "cycles": timing.cycles,
        "units": [{"name": UNIT_NAMES[unit], "color": UNITS[unit], "unit": int(unit)} for unit in ROWS],
        "opcodes": {int(opcode): opcode.name for opcode in Opcode},
        "layers": [
            {"name": name, "op": layer.op, "nodes": joined(layer.nodes), "placement": layer.placement}
            for name, layer in zip(data.names, program.layers, strict=True)
        ],
        "unit": pack(np.array([int(i.unit) for i in program.instructions], np.int64)),
        "opcode": pack(np.array([int(i.opcode) for i in program.instructions], np.int64)),
        "layer": pack(np.array(program.layer_of, np.int64)),
        "start": pack(timing.starts),
        "end": pack(timing.ends),
        "amount": pack(np.array([_amount(i) for i in program.instructions], np.int64)),
        "kind": pack(data.traffic.kinds),
        "owned": {"layer": pack(layers[first]), "begin": pack(begins[first])},
    }


def timeline_figure(data: ReportData) -> dict[str, Any]:
    """The frame: a row for the layers and one for each unit."""
    names = ["layer", *(UNIT_NAMES[unit] for unit in ROWS)]
    return figure_json(
        [],
        height=300,
        barmode="overlay",
        xaxis={"title": {"text": "cycle"}, "range": [0, data.timing.cycles], "tickformat": ",d"},
        yaxis={
            "tickvals": list(range(len(names))), "ticktext": names, "range": [len(names) - 0.5, -0.5], "fixedrange": True, "showgrid": False,
            "zeroline": False,
        },
        hovermode="closest",
        showlegend=False,
    )  # fmt: skip


def _amount(i: Instruction) -> int:
    match i.opcode:
        case Opcode.LOAD | Opcode.FILL | Opcode.STORE:
            return i["row_bytes"] * i["rows"] * i["planes"]
        case Opcode.STREAM:
            return i["bytes"]
        case Opcode.MATMUL:
            return i["blocks"] * i["taps_h"] * i["taps_w"] * i["slices"] * i["out_h"] * i["out_w"]
        case Opcode.VECTOR:
            return i["blocks"] * i["out_h"] * i["out_w"]
        case _:
            return 0
