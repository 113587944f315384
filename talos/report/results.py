"""The JSON forms of verifications and programs; their keys are fixed, scripts depend on them."""

from dataclasses import asdict
from typing import Any

from talos import __version__
from talos.program import Program
from talos.report.layer_check import layer_check_json
from talos.report.placement import host_json
from talos.runtime.verify import Verification

__all__ = ["compilation_json", "verification_json"]


def verification_json(result: Verification, model: str) -> dict[str, Any]:
    """What `talos verify --json` writes; `model` is the file's name as given. Cycles are those of one image.

    `rtl.cycles` and `cycles_equal` are null when the Verilog was not run, `layer_check` when the layers were not compared.
    """
    program, rtl = result.program, result.rtl
    ran = rtl.images > 0
    return {
        "model": model,
        "config": program.config.name,
        "config_hash": program.config.hash,
        "version": __version__,
        "memory": asdict(result.memory),
        "images": result.source,
        "macs": program.macs,
        "cycles": result.timing.cycles,
        "utilization": result.utilization,
        "onnxruntime": {
            "images": result.images,
            "bytes": result.bytes,
            "mismatched_bytes": result.mismatched_bytes,
            "max_difference": max((output.max_difference for output in result.outputs), default=0),
        },
        "rtl": {"images": rtl.images, "bytes": rtl.bytes, "mismatched_bytes": rtl.mismatched_bytes, "cycles": rtl.cycles},
        "cycles_equal": rtl.cycles_equal if ran else None,
        "trace_equal": rtl.trace_equal if ran else None,
        "counters_equal": rtl.counters_equal if ran else None,
        "first_difference": rtl.difference or None,
        "equal": result.equal,
        "accuracy": _accuracy(result),
        "outputs": [asdict(output) for output in result.outputs],
        "layers": [asdict(layer) for layer in result.layers],
        "host": host_json(program),
        "layer_check": None if result.layer_check is None else layer_check_json(result.layer_check),
    }


def _accuracy(result: Verification) -> dict[str, float | None] | None:
    if result.accuracy is None:
        return None
    return {
        "float": result.accuracy.float32,
        "onnxruntime": result.accuracy.onnxruntime,
        "talos": result.accuracy.talos,
    }


def compilation_json(program: Program, model: str) -> dict[str, Any]:
    """What `talos compile --json` writes."""
    counts: dict[str, int] = {}
    for row in program.placements:
        counts[row.placement] = counts.get(row.placement, 0) + 1
    return {
        "model": model,
        "config": program.config.name,
        "config_hash": program.config.hash,
        "version": __version__,
        "macs": program.macs,
        "batch": program.batch,
        "layers": len(program.layers),
        "instructions": program.instruction_count,
        "constants_bytes": len(program.constants),
        "dram_bytes": sum(program.region_bytes),
        "placement_counts": counts,
        "host": host_json(program),
        "placements": [asdict(row) for row in program.placements],
    }
