"""The area estimate of `talos explore`: `python -m benchmarks.area [--points N] [--write]`.

Synthesizes the configurations in POINTS for ECP5 (Yosys only; 1 to 4 minutes each on an idle core, nothing if `talos synth` has them in
its cache), fits LUTs and registers of each unit to the sizes it grows with (`talos.explore.structure`), checks that DSPs and block RAMs
are counted exactly, and prints the errors: of the fit, and of each configuration predicted from the others alone. `--write` stores points
and fit where `talos explore` reads them. To be run again when the RTL changes.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls  # comes with scikit-learn, which the tests need

import talos.explore
from talos.config import PRESETS, AcceleratorConfig
from talos.errors import TalosError
from talos.explore.area import DATA_FILE, AreaModel
from talos.explore.structure import UNITS, by_unit, ecp5_brams, ecp5_dsps
from talos.synth.devices import find_device
from talos.synth.flow import synthesize
from talos.synth.resources import Resources
from talos.yowasp import YOSYS, tool_version

__all__ = ["POINTS", "Point", "errors", "fit", "main"]

_4X4, _8X8 = PRESETS["4x4"], PRESETS["8x8"]
_BARE = dict.fromkeys(("residual", "lookup", "pool", "depthwise", "multiply"), False)

POINTS: tuple[AcceleratorConfig, ...] = (
    _4X4,
    _4X4.replace(**_BARE),
    _4X4.replace(
        **{"rows": 8, "lanes": 2, "axi_data_width": 64, "activation_banks": 2, "activation_bytes": 1 << 16, "queue_depth": 4},
        **{"accumulator_depth": 512, "weight_fifo_bytes": 1 << 13, "max_burst": 16, "read_ahead": 32},
    ),
    _4X4.replace(
        **{"cols": 8, "lanes": 4, "activation_banks": 8, "parameter_bytes": 2048, "queue_depth": 16, "read_ahead": 512},
        **{"multiply": False, "max_burst": 64},
    ),
    _4X4.replace(
        **{"rows": 16, "cols": 8, "lanes": 2, "activation_bytes": 1 << 18, "activation_banks": 2, "accumulator_depth": 256},
        **{"weight_fifo_bytes": 1 << 14, "multiply": False, "residual": False},
    ),
    _8X8.replace(
        **{"lanes": 2, "axi_data_width": 32, "activation_bytes": 1 << 16, "depthwise": False, "lookup": False, "queue_depth": 4},
    ),
    _4X4.replace(
        **{"cols": 16, "lanes": 1, "axi_data_width": 128, "activation_bytes": 1 << 16, "accumulator_depth": 4096},
        **{"parameter_bytes": 8192, "queue_depth": 2, "pool": False, "activation_banks": 1},
    ),
    PRESETS["8x16"].replace(lanes=4, axi_data_width=64, multiply=False, accumulator_depth=1024, activation_banks=2),
    _4X4.replace(**_BARE | {"residual": True}),
    _8X8,
    _4X4.replace(**_BARE | {"residual": True, "multiply": True}),
    _4X4.replace(**_BARE | {"depthwise": True}),
    _4X4.replace(**_BARE | {"lookup": True}),
    _4X4.replace(**_BARE | {"pool": True}),
)
"""Small ones that differ in everything at once: each unit is fitted by itself, so they need not be combined. The most telling first."""

_FITTED = ("lut", "ff")


@dataclass(frozen=True)
class Point:
    """A synthesized configuration: resources by unit."""

    config: AcceleratorConfig
    units: Mapping[str, Resources]

    @property
    def total(self) -> Resources:
        """The sum over the units."""
        return sum(self.units.values(), Resources())

    def to_json(self) -> dict[str, Any]:
        """For the data file."""
        return {
            "config": self.config.to_json(),
            "total": self.total.to_json(),
            "units": {name: {kind: getattr(used, kind) for kind in _FITTED} for name, used in self.units.items()},
        }


def fit(points: Sequence[Point]) -> AreaModel:
    """Least squares with factors that are not negative, each unit by itself; errors count relative to the whole core's size."""
    coefficients: dict[str, dict[str, tuple[float, ...]]] = {}
    for kind in _FITTED:
        weights = np.array([1 / getattr(point.total, kind) for point in points])
        coefficients[kind] = {}
        for unit, terms in UNITS.items():
            sizes = np.array([terms(point.config) for point in points], float) * weights[:, None]
            scale = np.maximum(np.abs(sizes).max(axis=0), 1e-12)
            wanted = np.array([getattr(point.units[unit], kind) for point in points]) * weights
            factors, _ = nnls(sizes / scale, wanted)
            coefficients[kind][unit] = tuple(round(float(factor), 4) for factor in factors / scale)
    return AreaModel(coefficients)


def errors(points: Sequence[Point]) -> Iterator[tuple[Point, dict[str, float], dict[str, float]]]:
    """For each point: relative error of the fit to all points, and of the fit to all others; by resource."""
    model = fit(points)
    for number, point in enumerate(points):
        others = fit([*points[:number], *points[number + 1 :]])
        yield point, _errors(model, point), _errors(others, point)


def _errors(model: AreaModel, point: Point) -> dict[str, float]:
    estimate = model.estimate(point.config)
    return {kind: round(getattr(estimate, kind) / getattr(point.total, kind) - 1, 4) for kind in _FITTED}


def main(arguments: list[str]) -> int:
    """Print the table; 0, 1 if DSPs or block RAMs are counted wrongly, 2 after a message if a synthesis fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.area", description="Fits the area estimate of talos explore.")
    parser.add_argument("--points", type=int, default=len(POINTS), help=f"use the first N configurations (default {len(POINTS)})")
    parser.add_argument("--write", action="store_true", help=f"store the fit in talos/explore/{DATA_FILE}")
    options = parser.parse_args(arguments)
    try:
        points = [_point(number, config) for number, config in enumerate(POINTS[: options.points], 1)]
        version = tool_version(YOSYS)
    except TalosError as error:
        print(f"benchmarks.area: {error}", file=sys.stderr)
        return 2
    wrong = [text for point in points for text in _miscounted(point)]
    table = list(errors(points))
    print("| configuration | LUT | FF | DSP | block RAM | LUT error | FF error | LUT, predicted | FF, predicted |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for point, fitted, predicted in table:
        used = " | ".join(f"{value:,}" for value in point.total.to_json().values())
        shown = " | ".join(f"{found[kind]:+.1%}" for found in (fitted, predicted) for kind in _FITTED)
        print(f"| `{point.config.name}` | {used} | {shown} |")
    summary = {
        name: {kind: {"mean": _mean(rows, kind), "largest": max(abs(row[kind]) for row in rows)} for kind in _FITTED}
        for name, rows in (("fit", [row[1] for row in table]), ("predicted", [row[2] for row in table]))
    }
    print(json.dumps(summary))
    for text in wrong:
        print(text, file=sys.stderr)
    if wrong:
        return 1
    if options.write:
        values = {
            "yosys": version,
            "error": summary,
            "coefficients": {
                kind: {unit: list(row) for unit, row in units.items()} for kind, units in fit(points).coefficients.items()
            },
            "points": [point.to_json() for point in points],
        }
        target = Path(talos.explore.__file__).parent / DATA_FILE
        target.write_text(json.dumps(values, indent=1) + "\n")
        print(f"written: {target}")
    return 0


def _point(number: int, config: AcceleratorConfig) -> Point:
    print(f"{number}: {config.name} …", file=sys.stderr, flush=True)
    return Point(config, by_unit(synthesize(config, find_device("ecp5-85k")[0], seeds=0).modules))


def _miscounted(point: Point) -> Iterator[str]:
    for kind, counted in (("dsp", ecp5_dsps(point.config)), ("bram", ecp5_brams(point.config))):
        found = getattr(point.total, kind)
        if found != counted:
            yield f"{point.config.name}: {counted} {kind} counted, Yosys made {found:g}; mend talos/explore/structure.py"


def _mean(rows: Sequence[Mapping[str, float]], kind: str) -> float:
    return round(float(np.mean([abs(row[kind]) for row in rows])), 4)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
