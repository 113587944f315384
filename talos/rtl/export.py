"""The core as Verilog, with the JSON description that travels with it."""

import json
import re
from functools import lru_cache
from typing import Any

from talos.config import ISA_VERSION, AcceleratorConfig
from talos.registers import REGISTERS
from talos.rtl.top import Talos
from talos.rtl.verilog import to_rtlil, to_verilog

__all__ = ["description", "generate_rtlil", "generate_verilog", "zero_loops"]

MODULE = "talos"


@lru_cache(maxsize=8)
def generate_verilog(config: AcceleratorConfig) -> str:
    """Verilog-2005 of the core for `config`: one file, top module `talos`, the same text for the same sources and tools."""
    header = f"// Talos {config.name}, configuration {config.hash}. Generated; change the sources instead.\n"
    return header + zero_loops(to_verilog(Talos(config), MODULE))


def generate_rtlil(config: AcceleratorConfig) -> str:
    """The same design in Yosys's intermediate language, which Yosys reads much faster than Verilog."""
    return to_rtlil(Talos(config), MODULE)


_ZEROS = re.compile(r"^  initial begin\n((?:    \S+\[\d+\] = \d+'[dh]0+;\n)+)  end\n", re.MULTILINE)


def zero_loops(verilog: str) -> str:
    """`verilog` with each memory's initial zeros, one line per word (half of the file), as a loop, and for simulation only.

    Memories start at 0 so that 4-state simulators see no X. Nothing depends on it, and Yosys, which defines SYNTHESIS, would spend
    nine tenths of the time in which it reads the file on unrolling the loops.
    """
    return _ZEROS.sub(_zero_loop, verilog)


def _zero_loop(match: re.Match[str]) -> str:
    lines = match[1].splitlines()
    name, value = lines[0].split("[")[0].strip(), lines[0].split("= ")[1]
    if any(line != f"    {name}[{i}] = {value}" for i, line in enumerate(lines)):
        return match[0]
    return (
        f"`ifndef SYNTHESIS\n  initial begin : {name}_zeros\n    integer i;\n"
        f"    for (i = 0; i < {len(lines)}; i = i + 1) {name}[i] = {value}\n  end\n`endif\n"
    )


def description(config: AcceleratorConfig) -> str:
    """JSON beside the Verilog: configuration, hash, ports' widths and register map."""
    members = Talos(config).signature.members
    ports: dict[str, Any] = {"clk": {"direction": "input", "width": 1}, "rst": {"direction": "input", "width": 1}}
    for name, member in members.items():
        direction = "output" if member.flow.name == "Out" else "input"
        ports[name] = {"direction": direction, "width": member.shape if isinstance(member.shape, int) else 1}
    values = {
        "module": MODULE,
        "name": config.name,
        "config_hash": config.hash,
        "isa_version": ISA_VERSION,
        "config": config.to_json(),
        "ports": ports,
        "registers": {r.name: {"offset": r.offset, "access": r.access, "doc": r.doc} for r in REGISTERS.values()},
    }
    return json.dumps(values, indent=1) + "\n"
