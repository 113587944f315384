"""The placement report: every node of the user's model with where it runs and why, and what would bring more to the accelerator."""

from collections import Counter
from typing import Any

from rich import box
from rich.table import Table

from talos.program import Program

__all__ = ["host_json", "host_line", "host_table", "placement_table"]

_DRESSING = ("DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that the line about the host leaves out if others are there."""

_OPS_SHOWN = 6
_OP, _PLACE, _GAPS = 17, 9, 5  # columns of the table that do not depend on the terminal


def placement_table(program: Program, width: int) -> Table:
    """Every ONNX node with where it runs, and why, for a terminal of `width` columns."""
    room = width - _OP - _PLACE - _GAPS
    node, layer = max(12, min(40, room * 2 // 7)), max(10, min(36, room // 4))
    table = _table(node=node, op=_OP, runs_on=_PLACE, as_part_of_layer=layer, reason=max(16, room - node - layer))
    for row in program.placements:
        part = "itself" if row.layer == row.node else _short(row.layer, layer)
        table.add_row(_short(row.node, node), _short(row.op, _OP), row.placement, part or "–", row.reason or "–")
    return table


def host_table(program: Program, width: int) -> Table | None:
    """The nodes that the accelerator refused, with the reasons and suggested rewrites; None if nothing runs on the host."""
    reasons = [(part.stage, why) for part in program.host for why in part.reasons]
    if not reasons:
        return None
    room = width - _OP - _PLACE - _GAPS
    node = max(12, min(40, room * 2 // 7))
    reason = max(16, (room - node) // 2)
    table = _table(on_the_host=node, op=_OP, stage=_PLACE, reason=reason, suggestion=max(16, room - node - reason))
    for stage, why in reasons:
        table.add_row(_short(why.node, node), _short(why.op, _OP), stage, why.reason, why.suggestion)
    return table


def host_line(program: Program) -> str | None:
    """What runs on the host, in a line; None if nothing does."""
    if not program.host:
        return None
    rows = [row for row in program.placements if row.placement == "host"]
    counts = Counter(row.op for row in rows) or Counter(op for part in program.host for op in part.op_types)
    named = {op: count for op, count in counts.items() if op not in _DRESSING} or counts
    ops = [f"{op} × {count}" if count > 1 else op for op, count in list(named.items())[:_OPS_SHOWN]]
    ops += ["…"] if len(named) > _OPS_SHOWN else []
    total = sum(row.macs for row in program.placements)
    share = sum(row.macs for row in rows) / total if total else 0.0
    count = f"{len(rows)} of {len(program.placements)} nodes" if rows else "only what quantization added"
    return f"on the host (onnxruntime): {count} ({', '.join(ops)}), {share:.1%} of the multiply-accumulates"


def host_json(program: Program) -> dict[str, Any]:
    """The same for scripts: how many nodes, of which types, their multiply-accumulates and their share of the model's."""
    rows = [row for row in program.placements if row.placement == "host"]
    macs, total = sum(row.macs for row in rows), sum(row.macs for row in program.placements)
    return {
        "nodes": len(rows),
        "op_types": dict(Counter(row.op for row in rows)),
        "macs": macs,
        "share": macs / total if total else 0.0,
        "reasons": [
            {"stage": part.stage, "node": why.node, "op": why.op, "reason": why.reason, "suggestion": why.suggestion}
            for part in program.host
            for why in part.reasons
        ],
    }


def _table(**columns: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name, room in columns.items():
        table.add_column(name.replace("_", " "), max_width=room)
    return table


def _short(name: str, room: int) -> str:
    """A name in at most `room` characters: the end of a path, the beginning of anything else."""
    if len(name) <= room:
        return name
    return f"…{name[1 - room :]}" if "/" in name and ";" not in name else f"{name[: room - 1]}…"
