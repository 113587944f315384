"""The numbers of the page as JSON, for scripts."""

from dataclasses import asdict
from typing import Any

from talos import __version__
from talos.report.html.data import ReportData
from talos.runtime.traffic import KINDS

__all__ = ["report_json"]


def report_json(data: ReportData, mhz: float) -> dict[str, Any]:
    """What `talos report --json` writes. `seconds` is the time of an image at `mhz`; `bytes` of a layer are those moved over AXI, by kind.

    `peak_activation_bytes` and `peak_accumulators` are the most in use at a time; `accuracy` is null without labelled images.
    """
    program, result = data.program, data.verification
    moved = data.layer_bytes.sum(axis=0).tolist()
    return {
        "model": data.model,
        "config": program.config.name,
        "config_hash": program.config.hash,
        "version": __version__,
        "memory": asdict(data.memory),
        "macs": program.macs,
        "cycles": data.timing.cycles,
        "mhz": mhz,
        "seconds": data.timing.cycles / (mhz * 1e6),
        "utilization": data.utilization,
        "instructions": program.instruction_count,
        "dram_bytes": dict(zip(KINDS, moved, strict=True)) | {"instructions": data.traffic.fetched},
        "peak_activation_bytes": data.activation.peak,
        "peak_accumulators": data.accumulators.peak,
        "images": result.images if result else 0,
        "mismatched_bytes": result.mismatched_bytes if result else None,
        "accuracy": asdict(result.accuracy) if result and result.accuracy else None,
        "layers": [
            asdict(layer) | {"bytes": dict(zip(KINDS, counts, strict=True))}
            for layer, counts in zip(data.layers, data.layer_bytes.tolist(), strict=True)
        ],
    }
