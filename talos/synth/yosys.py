"""Synthesis: the core's RTLIL and the harness into a flat netlist of the device's cells."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from talos.synth.collisions import declare_collisions
from talos.synth.devices import Family
from talos.synth.harness import TOP, find_module, harness_verilog, module_names, module_ports
from talos.synth.resources import Hierarchy, Resources, count_cells, mark_modules, netlist_cells
from talos.yowasp import YOSYS, run_tool

__all__ = ["NETLIST", "synthesize_netlist"]

NETLIST = "netlist.json"
_CELLS = "netlist.il"
_HARNESS = "harness.v"


def synthesize_netlist(
    rtlil: str, top: str, module: str | None, family: Family, folder: Path, stage: Callable[[str], None]
) -> dict[str, Resources]:
    """Resources by module of the core.

    rtlil: the core, its top module named `top`. It is read as RTLIL, not as Verilog: the same design in a tenth of the time. module:
    path of the one to synthesize (None: all). folder: working files; `netlist.json` is left there if the family can be placed.
    stage: called with the name of each step. Raises TalosError if there is no such module, or Yosys is missing or fails.
    """
    name = find_module(rtlil, top, module)
    (folder / "design.il").write_text(mark_modules(declare_collisions(rtlil)))
    (folder / _HARNESS).write_text(harness_verilog(name, module_ports(rtlil, name)))
    placed = family.placer is not None
    script = [
        "read_rtlil design.il",
        f"read_verilog {_HARNESS}",
        f"hierarchy -top {TOP}",
        family.synthesis.format(top=TOP),
        "autoname",
        f"write_rtlil {_CELLS}",
        *([f"write_json {NETLIST}"] if placed else []),
    ]

    def line(text: str) -> None:
        number, _, rest = text.partition(". Executing ")
        if rest and number.count(".") == 1:
            stage(rest.split(" ")[0])

    run_tool(YOSYS, ["-p", "; ".join(script)], folder, line)
    gone: frozenset[str] = frozenset()
    if placed and family.pack is not None:
        stage("packing registers")
        gone = _pack(folder / NETLIST, family.pack)
    with (folder / _CELLS).open() as file:
        cells = (cell for cell in netlist_cells(file) if cell.name not in gone)
        return count_cells(cells, family, Hierarchy(module_names(rtlil), name))


def _pack(path: Path, pack: Callable[[dict[str, Any], str | None], frozenset[str]]) -> frozenset[str]:
    """Pack the netlist at `path`; the names of the registers that are gone."""
    design = json.loads(path.read_bytes())
    gone = pack(design["modules"][TOP], _HARNESS)
    path.write_text(json.dumps(design))
    return gone
