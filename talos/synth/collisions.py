"""Tells Yosys which memories are never read where they are written in the same cycle, or do not mind what they then read.

A block RAM of an FPGA leaves open what a port reads where the other one writes. Unless told that it does not matter, Yosys builds the old
word around the RAM: a copy of every read bit and a multiplexer behind it. In Verilog the attribute `no_rw_check` of a memory tells it; in
RTLIL, where read ports are cells with a clock, Yosys looks at the parameter COLLISION_X_MASK alone.
"""

import re

__all__ = ["NO_RW_CHECK", "declare_collisions"]

NO_RW_CHECK = "no_rw_check"

_MEMORY = re.compile(r"((?:^  attribute .*\n)+)^  memory [^\\\n]*\\(\S+)$", re.MULTILINE)
_PORT = re.compile(r"^  cell \$memrd_v2 .*\n(?:    .*\n)*", re.MULTILINE)
_NAME = re.compile(r'parameter \\MEMID "\\\\(\S+)"')
_MASK = re.compile(r"(parameter \\COLLISION_X_MASK \d+')([01]+)")
_CLOCKED = re.compile(r"parameter \\CLK_ENABLE (1')?1$", re.MULTILINE)


def declare_collisions(rtlil: str) -> str:
    """`rtlil` with a collision declared to read anything, for each clocked read port of a memory with the attribute `no_rw_check`."""
    parts = re.split(r"^(?=module )", rtlil, flags=re.MULTILINE)
    return "".join(_declare(part) for part in parts)


def _declare(module: str) -> str:
    free = {match[2] for match in _MEMORY.finditer(module) if f"\\{NO_RW_CHECK} " in match[1]}

    def declare(match: re.Match[str]) -> str:
        name = _NAME.search(match[0])
        if name is None or name[1] not in free or not _CLOCKED.search(match[0]):
            return match[0]
        return _MASK.sub(lambda mask: mask[1] + "1" * len(mask[2]), match[0])

    return _PORT.sub(declare, module)
