"""Place and route with nextpnr: maximum frequency, and the critical path by component of the core."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from talos.errors import TalosError
from talos.synth.devices import Device
from talos.synth.resources import Hierarchy
from talos.synth.sites import Floor
from talos.yowasp import run_tool

__all__ = ["CriticalPath", "Placement", "Step", "parse_report", "place", "place_blocks"]

_REPORT = "report.json"


@dataclass(frozen=True)
class Step:
    """A stretch of the critical path inside one component. levels: cells passed, the first and last register not counted."""

    component: str
    levels: int
    logic_ns: float
    routing_ns: float


@dataclass(frozen=True)
class CriticalPath:
    """The slowest path from register to register, begin and end as cells of the netlist, times in ns.

    Routing counts to the component at its far end.
    """

    begin: str
    end: str
    logic_ns: float
    routing_ns: float
    steps: tuple[Step, ...]

    @property
    def levels(self) -> int:
        """Cells between the two registers."""
        return sum(step.levels for step in self.steps)

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return asdict(self) | {"ns": round(self.logic_ns + self.routing_ns, 3), "levels": self.levels}


@dataclass(frozen=True)
class Placement:
    """Result of one seed."""

    seed: int
    fmax_mhz: float
    critical_path: CriticalPath

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {"seed": self.seed, "fmax_mhz": self.fmax_mhz, "critical_path": self.critical_path.to_json()}

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Placement":
        """Inverse of `to_json`."""
        path = values["critical_path"]
        steps = tuple(Step(**step) for step in path["steps"])
        critical = CriticalPath(path["begin"], path["end"], path["logic_ns"], path["routing_ns"], steps)
        return Placement(values["seed"], values["fmax_mhz"], critical)


def place(
    folder: Path, netlist: str, device: Device, speed: int | None, seed: int, hierarchy: Hierarchy, stage: Callable[[str], None]
) -> Placement:
    """Place and route `netlist`, a file in `folder`, with one seed.

    stage: called with what is done. Raises TalosError if nextpnr or scipy is missing, or nextpnr fails, e.g. because the design does
    not fit.
    """
    tool = device.family.placer
    assert tool is not None, device.name
    if device.floor is not None:
        stage("placing blocks")
        place_blocks(folder / netlist, device.floor, seed)
    stage("placing")
    arguments = [argument.format(speed=speed) for argument in device.arguments]
    # A path slower than the target is a result here, not a failure.
    arguments += [
        "--json",
        netlist,
        "--seed",
        str(seed),
        "--freq",
        str(device.target),
        "--timing-allow-fail",
        "--report",
        _REPORT,
    ]

    def line(text: str) -> None:
        for words, name in (("placer", "placing"), ("annealing", "placing, refinement"), ("Routing", "routing")):
            if words in text:
                stage(name)

    run_tool(tool, [*arguments, *device.family.options], folder, line)
    return parse_report(json.loads((folder / _REPORT).read_text()), seed, hierarchy)


def place_blocks(path: Path, floor: Floor, seed: int) -> None:
    """Give the multipliers and block RAMs of the top module of a netlist's file their sites. TalosError if scipy is missing."""
    try:
        from talos.synth.floorplan import floorplan
    except ModuleNotFoundError as error:
        raise TalosError(
            f"place and route needs the package '{error.name}'; install it with: pip install 'talos-accelerator[synth]'"
        ) from error
    design = json.loads(path.read_bytes())
    (top,) = (module for module in design["modules"].values() if int(module["attributes"].get("top", "0"), 2))
    floorplan(top, floor, seed)
    path.write_text(json.dumps(design))


def parse_report(report: dict[str, Any], seed: int, hierarchy: Hierarchy) -> Placement:
    """What nextpnr's --report says. TalosError if there is no path from register to register."""
    paths = [path for path in report["critical_paths"] if path["from"] == path["to"] and path["from"] != "<async>"]
    if not paths or not report["fmax"]:
        raise TalosError("nextpnr found no path from register to register; synthesize a module with registers")
    slowest = max(paths, key=lambda path: sum(piece["delay"] for piece in path["path"]))
    fmax = min(clock["achieved"] for clock in report["fmax"].values())
    return Placement(seed, round(fmax, 2), _critical_path(slowest["path"], hierarchy))


def _critical_path(pieces: list[dict[str, Any]], hierarchy: Hierarchy) -> CriticalPath:
    steps: list[Step] = []
    for piece in pieces:
        component = hierarchy.component(piece["to"]["cell"])
        routing = piece["delay"] if piece["type"] == "routing" else 0.0
        new = Step(component, int(piece["type"] == "logic"), piece["delay"] - routing, routing)
        if steps and steps[-1].component == component:
            old = steps.pop()
            new = Step(component, old.levels + new.levels, old.logic_ns + new.logic_ns, old.routing_ns + new.routing_ns)
        steps.append(new)
    rounded = tuple(Step(s.component, s.levels, round(s.logic_ns, 3), round(s.routing_ns, 3)) for s in steps)
    logic, routing = sum(step.logic_ns for step in steps), sum(step.routing_ns for step in steps)
    return CriticalPath(pieces[0]["from"]["cell"], pieces[-1]["to"]["cell"], round(logic, 3), round(routing, 3), rounded)
