"""Four pins around a module: the core has hundreds of ports, more than a package has pins.

Inputs come out of a shift register; outputs are captured, and shifted out through one pin. With a register on both sides of every
port, the clock is that of the module, and nothing of it can be optimized away.
"""

import re
from dataclasses import dataclass

from talos.errors import TalosError

__all__ = ["CORE", "TOP", "Port", "find_module", "harness_verilog", "module_names", "module_ports"]

TOP = "harness"
CORE = "core"
"""Name of the module's instance in the harness: what is below it belongs to the module."""

_MODULE = re.compile(r"^module \\(\S+)$", re.MULTILINE)
_PORT = re.compile(r"^  wire (?:width (\d+) )?(?:signed )?(input|output) \d+ +(?:signed +)?\\(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Port:
    """A port of a module in RTLIL; width in bits."""

    name: str
    width: int
    output: bool


def module_names(rtlil: str) -> list[str]:
    """Names of the modules, as the hierarchy has them: `talos`, `talos.matrix`, `talos.matrix.array`, …"""
    return _MODULE.findall(rtlil)


def find_module(rtlil: str, top: str, path: str | None) -> str:
    """Full name of the module at `path` below `top` (None: `top` itself). TalosError that lists what there is otherwise."""
    names = module_names(rtlil)
    name = top if path is None else f"{top}.{path}"
    if name in names:
        return name
    # The nearest level that exists, so that the list stays short and a mistake in the last part shows its alternatives.
    parent = name
    while parent not in names:
        parent = parent.rpartition(".")[0] or top
    depth = parent.count(".") + 1
    below = [other.removeprefix(f"{top}.") for other in names if other.startswith(f"{parent}.") and other.count(".") == depth]
    there = ", ".join(below) if below else f"nothing below {parent.removeprefix(f'{top}.')}"
    raise TalosError(f"--module {path}: the core has no such module; there is {there}")


def module_ports(rtlil: str, module: str) -> list[Port]:
    """Ports of `module` in the order of its declaration."""
    start = re.search(rf"^module \\{re.escape(module)}$", rtlil, re.MULTILINE)
    assert start is not None, module
    body = rtlil[start.end() : rtlil.index("\nend\n", start.end())]
    return [Port(name, int(width or 1), way == "output") for width, way, name in _PORT.findall(body)]


def harness_verilog(module: str, ports: list[Port]) -> str:
    """Verilog of module `harness` (clk, rst_pin, din, dout) with one instance of `module`, named `core`."""
    inputs = [port for port in ports if not port.output and port.name not in {"clk", "rst"}]
    outputs = [port for port in ports if port.output]
    ins, outs = sum(port.width for port in inputs), sum(port.width for port in outputs)
    connections = [f".{name}({name})" for name in ("clk", "rst") if any(port.name == name for port in ports)]
    for group, bus in ((inputs, "shift_in"), (outputs, "out")):
        low = 0
        for port in group:
            connections.append(f".\\{port.name} ({bus}[{low + port.width - 1}:{low}])")
            low += port.width
    return "\n".join(
        (
            f"module {TOP}(input clk, input rst_pin, input din, output reg dout);",
            "  reg rst;",
            f"  reg [{max(ins, 1) - 1}:0] shift_in;",
            f"  wire [{max(outs, 1) - 1}:0] out;",
            f"  reg [{max(outs, 1) - 1}:0] captured, shift_out;",
            "  always @(posedge clk) begin",
            "    rst <= rst_pin;",
            "    shift_in <= {shift_in, din};",
            "    captured <= out;",
            "    shift_out <= (shift_out << 1) ^ captured;",
            f"    dout <= shift_out[{max(outs, 1) - 1}];",
            "  end",
            f"  \\{module} {CORE} (",
            "    " + ",\n    ".join(connections),
            "  );",
            "endmodule",
            "",
        )
    )
