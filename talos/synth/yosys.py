"""Synthesis: the core's RTLIL and the harness into a flat netlist of the device's cells."""

from collections.abc import Callable
from pathlib import Path

from talos.synth.devices import Family
from talos.synth.harness import TOP, find_module, harness_verilog, module_names, module_ports
from talos.synth.resources import Hierarchy, Resources, count_cells, mark_modules, netlist_cells
from talos.yowasp import YOSYS, run_tool

__all__ = ["NETLIST", "synthesize_netlist"]

NETLIST = "netlist.json"
_CELLS = "netlist.il"


def synthesize_netlist(
    rtlil: str, top: str, module: str | None, family: Family, folder: Path, stage: Callable[[str], None]
) -> dict[str, Resources]:
    """Resources by module of the core.

    rtlil: the core, its top module named `top`. It is read as RTLIL, not as Verilog: the same design in a tenth of the time. module:
    path of the one to synthesize (None: all). folder: working files; `netlist.json` is left there if the family can be placed.
    stage: called with the name of each step. Raises TalosError if there is no such module, or Yosys is missing or fails.
    """
    name = find_module(rtlil, top, module)
    (folder / "design.il").write_text(mark_modules(rtlil))
    (folder / "harness.v").write_text(harness_verilog(name, module_ports(rtlil, name)))
    json = f" -json {NETLIST}" if family.placer is not None else ""
    script = [
        "read_rtlil design.il",
        "read_verilog harness.v",
        f"hierarchy -top {TOP}",
        f"{family.synthesis} -top {TOP}{json}",
        "autoname",
        f"write_rtlil {_CELLS}",
        *([f"write_json {NETLIST}"] if json else []),
    ]

    def line(text: str) -> None:
        number, _, rest = text.partition(". Executing ")
        if rest and number.count(".") == 1:
            stage(rest.split(" ")[0])

    run_tool(YOSYS, ["-p", "; ".join(script)], folder, line)
    with (folder / _CELLS).open() as file:
        return count_cells(netlist_cells(file), family, Hierarchy(module_names(rtlil), name))
