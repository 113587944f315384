"""Counts the cells of a flat netlist, and says which module of the core each one belongs to."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields

from talos.synth.devices import Device, Family
from talos.synth.harness import CORE

__all__ = [
    "HARNESS",
    "Hierarchy",
    "NetlistCell",
    "Resources",
    "count_cells",
    "group",
    "mark_modules",
    "netlist_cells",
    "shortages",
    "total",
]

HARNESS = "harness"
"""What the pins around the module take; it does not count as the module's."""

_MARK = "module"
_LINE = re.compile(r"^(module|end$|  cell|  process|  memory)(?: \\(\S+))?.*$", re.MULTILINE)
_SOURCE = re.compile(r'^  attribute \\src "(.*)"$')
_CELL = re.compile(r"^  cell \\(\S+) (\S+)$")


@dataclass(frozen=True)
class NetlistCell:
    """A mapped cell: type, name, and where it was made from: full names of marked modules, `harness`, or nothing for LUTs."""

    kind: str
    name: str
    origins: tuple[str, ...] = ()


def mark_modules(rtlil: str) -> str:
    """`rtlil` with each module's cells, processes and memories marked with its name, which Yosys then hands on like a source location."""
    names = set(re.findall(r"^module \\(\S+)$", rtlil, re.MULTILINE))
    module = ""

    def mark(match: re.Match[str]) -> str:
        nonlocal module
        if match[1] == "module":
            module = match[2]
        elif match[1].startswith(" ") and match[2] not in names:  # not the instances of modules
            return f'  attribute \\src "{_MARK}:{module}"\n{match[0]}'
        return match[0]

    return _LINE.sub(mark, rtlil)


@dataclass(frozen=True)
class Resources:
    """What a module takes. lut: LUTs, those of carry chains and distributed RAM included. Half a block counts 0.5."""

    lut: float = 0
    ff: float = 0
    dsp: float = 0
    bram: float = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.lut + other.lut, self.ff + other.ff, self.dsp + other.dsp, self.bram + other.bram)

    def to_json(self) -> dict[str, int | float]:
        """Whole numbers as integers."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: int(value) if value == int(value) else value for name, value in values.items()}


class Hierarchy:
    """The modules below the synthesized one, and which of them a cell of the flat netlist belongs to.

    Registers, multipliers, memories and carries carry the mark of their module. LUTs lose it; Yosys names them after the nearest signal
    (pass `autoname`), whose name begins with the module's path, so a LUT between two modules counts to one of them.
    """

    def __init__(self, modules: Iterable[str], top: str) -> None:
        """modules: all names as in RTLIL. top: the one that was synthesized."""
        self._paths = {name.removeprefix(f"{top}.") for name in modules if name.startswith(f"{top}.")}
        self._top = top
        self._top_name = top.rpartition(".")[2]

    def module_of(self, cell: NetlistCell) -> str:
        """Path of the module that `cell` came from, by its mark, else by its name."""
        for origin in cell.origins:
            if origin == self._top:
                return self._top_name
            if origin.startswith(f"{self._top}."):
                return origin.removeprefix(f"{self._top}.")
        return HARNESS if HARNESS in cell.origins else self.component(cell.name)

    def component(self, cell: str) -> str:
        """Path of the module that a cell named `cell` lies in; the synthesized module's own name for what lies in none below it."""
        first, *parts = cell.lstrip("\\").split(".")
        if first != CORE:
            return HARNESS
        path = ""
        for part in parts:
            longer = f"{path}.{part}" if path else part
            if longer not in self._paths:
                break
            path = longer
        return path or self._top_name


def netlist_cells(lines: Iterable[str]) -> Iterator[NetlistCell]:
    """The mapped cells in the lines of an RTLIL file."""
    origins: tuple[str, ...] = ()
    for line in lines:
        source = _SOURCE.match(line)
        if source is not None:
            sources = (re.split(r"[:.]", text, maxsplit=1) for text in source[1].split("|"))
            origins = tuple(rest if first == _MARK else first for first, rest in sources if first in {_MARK, HARNESS})
        elif not line.startswith("  attribute "):
            cell = _CELL.match(line)
            if cell is not None:
                yield NetlistCell(cell[1], cell[2], origins)
            origins = ()


def count_cells(cells: Iterable[NetlistCell], family: Family, hierarchy: Hierarchy) -> dict[str, Resources]:
    """Resources by module path, `harness` among them."""
    kinds: dict[str, Resources | None] = {}
    modules: dict[str, Resources] = {}
    for cell in cells:
        if cell.kind not in kinds:
            kinds[cell.kind] = _of_type(cell.kind, family)
        amount = kinds[cell.kind]
        if amount is not None:
            module = hierarchy.module_of(cell)
            modules[module] = modules.get(module, Resources()) + amount
    return modules


def _of_type(kind: str, family: Family) -> Resources | None:
    for cell in family.cells:
        if re.fullmatch(cell.pattern, kind):
            return Resources(**{cell.resource: cell.amount})
    return None


def group(modules: Mapping[str, Resources], depth: int) -> dict[str, Resources]:
    """The core's modules down to `depth` levels; deeper ones count to the one above, and numbered copies (lane_0, lane_1, …) add up.

    The rows partition the core: a module's row holds what is not in the row of one of its parts.
    """
    rows: dict[str, Resources] = {}
    for path, resources in sorted(modules.items()):
        if path != HARNESS:
            row = ".".join(re.sub(r"(_\d+)+$", "", part) for part in path.split(".")[:depth])
            rows[row] = rows.get(row, Resources()) + resources
    return rows


def total(modules: Mapping[str, Resources]) -> Resources:
    """The sum without the harness."""
    return sum((resources for path, resources in modules.items() if path != HARNESS), Resources())


def shortages(modules: Mapping[str, Resources], device: Device) -> list[str]:
    """What does not fit the device, e.g. `96 DSP of 28`; with the harness, which has to fit too."""
    needed = total(modules) + modules.get(HARNESS, Resources())
    names = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "block RAM"}
    return [
        f"{getattr(needed, resource):,g} {names[resource]} of {there:,}"
        for resource, there in device.capacity
        if getattr(needed, resource) > there
    ]
