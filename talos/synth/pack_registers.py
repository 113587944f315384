"""Moves registers of the fabric into ECP5's multipliers and block RAMs, which Yosys does not do.

A MULT18X18D has registers for either operand and for the product; a DP16KD or PDPW16KD has one behind each read port. A block with its
registers in use has a setup time and a clock-to-output of about 1 ns instead of 4 to 6. What is moved is only a plain register, without
reset and enable, of the block's own clock, that starts at 0, as the block's do. So the netlist computes the same in every cycle.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["Netlist", "pack_registers"]

Netlist = dict[str, Any]
"""A module of Yosys's JSON: `ports`, `cells`, `netnames`. A bit is a number, or "0", "1", "x", "z"."""

Bit = int | str
_IDLE = ("0", "x", "z")


@dataclass(frozen=True)
class _ReadPort:
    """Read port of a block RAM: names of its outputs, of its clock with that one's polarity, and of what its output registers have."""

    outputs: tuple[str, ...]
    clock: str
    clock_mux: str
    enables: tuple[str, ...]
    resets: tuple[str, ...]
    modes: tuple[str, ...]


_A, _B, _WHOLE = (tuple(f"{name}{i}" for i in range(width)) for name, width in (("DOA", 18), ("DOB", 18), ("DO", 36)))
_PORT_A = _ReadPort(_A, "CLKA", "CLKAMUX", ("OCEA",), ("RSTA",), ("REGMODE_A",))
_PORT_B = _ReadPort(_B, "CLKB", "CLKBMUX", ("OCEB",), ("RSTB",), ("REGMODE_B",))
# With words of 36 bits port A only writes, and port B reads through the outputs of both.
_PORT_AB = _ReadPort((*_A, *_B), "CLKB", "CLKBMUX", ("OCEA", "OCEB"), ("RSTA", "RSTB"), ("REGMODE_A", "REGMODE_B"))
_PORT_R = _ReadPort(_WHOLE, "CLKR", "CLKRMUX", ("OCER",), ("RST",), ("REGMODE",))


def _read_ports(cell: dict[str, Any]) -> tuple[_ReadPort, ...]:
    """The read ports of a cell; none if it is no block RAM."""
    if cell["type"] == "PDPW16KD":
        return (_PORT_R,)
    if cell["type"] != "DP16KD":
        return ()
    return (_PORT_AB,) if int(cell["parameters"].get("DATA_WIDTH_B", "10010"), 2) == 36 else (_PORT_A, _PORT_B)


_OPERAND_WIDTH, _PRODUCT_WIDTH = 18, 36


def pack_registers(netlist: Netlist, keep: str | None = None) -> frozenset[str]:
    """Pack registers into the blocks of `netlist`, in place; the names of the registers that are gone.

    keep: name of a source file whose registers stay where they are: those of a harness must not make a module faster than it is.

    An output's register is moved if it is all that uses the output, for every bit of the port that is used at all. An operand's
    register is copied into the block, and goes if nothing else uses it.
    """
    packing = _Packing(netlist, keep)
    blocks = list(netlist["cells"].values())
    # Outputs first: a register between two multipliers then belongs to the first one.
    for cell in blocks:
        if cell["type"] == "MULT18X18D":
            packing.pack_product(cell)
        for port in _read_ports(cell):
            packing.pack_read(cell, port)
    for cell in blocks:
        if cell["type"] == "MULT18X18D":
            packing.pack_operand(cell, "A")
            packing.pack_operand(cell, "B")
    return frozenset(packing.removed)


class _Packing:
    """Registers of a netlist by input and output bit, and the number of users of each bit."""

    def __init__(self, netlist: Netlist, keep: str | None) -> None:
        self.removed: set[str] = set()
        self._cells = netlist["cells"]
        self._registers = {
            cell["connections"]["Q"][0]: name
            for name, cell in self._cells.items()
            if _is_plain(cell) and not (keep and f"{keep}:" in cell["attributes"].get("src", ""))
        }
        self._fed: dict[Bit, str] = {self._cells[name]["connections"]["DI"][0]: name for name in self._registers.values()}
        self._users: Counter[Bit] = Counter()
        for cell in self._cells.values():
            directions = cell["port_directions"]
            for port, bits in cell["connections"].items():
                if directions[port] != "output":
                    self._users.update(bits)
        for port in netlist["ports"].values():
            self._users.update(port["bits"])

    def pack_product(self, cell: dict[str, Any]) -> None:
        """The register behind a multiplier."""
        if "REG_OUTPUT_CLK" not in cell["parameters"] and self._pack_output(
            cell, [f"P{i}" for i in range(_PRODUCT_WIDTH)], self._clock(cell)
        ):
            cell["parameters"]["REG_OUTPUT_CLK"] = "CLK0"

    def pack_read(self, cell: dict[str, Any], port: _ReadPort) -> None:
        """The register behind a read port of a block RAM."""
        parameters, connections = cell["parameters"], cell["connections"]
        plain = (
            all(parameters.get(mode, "NOREG") == "NOREG" for mode in port.modes)
            and parameters.get(port.clock_mux, port.clock) == port.clock
            and all(connections.get(reset, ["0"])[0] in _IDLE for reset in port.resets)
        )
        clock = connections.get(port.clock, ["x"])[0]
        if not plain or isinstance(clock, str) or not self._pack_output(cell, port.outputs, clock):
            return
        parameters["GSR"] = "ENABLED"  # the register is 0 after configuration
        for mode in port.modes:
            parameters[mode] = "OUTREG"
        for enable in port.enables:
            self._connect(cell, enable, "1")
        for reset in port.resets:
            self._connect(cell, reset, "0")

    def pack_operand(self, cell: dict[str, Any], operand: str) -> None:
        """The register in front of operand A or B of a multiplier."""
        parameters, connections = cell["parameters"], cell["connections"]
        names = [name for i in range(_OPERAND_WIDTH) if (name := f"{operand}{i}") in connections]
        bits = [connections[name][0] for name in names]
        sources = {bit: self._registers.get(bit) for bit in bits if bit not in _IDLE}
        registers = [register for register in sources.values() if register is not None]
        constant = isinstance(connections.get(f"SIGNED{operand}", ["0"])[0], str)
        shifted = connections.get(f"SOURCE{operand}", ["0"])[0] not in _IDLE
        if f"REG_INPUT{operand}_CLK" in parameters or not constant or shifted or not registers or len(registers) < len(sources):
            return
        clock = self._common_clock(registers, self._clock(cell))
        if clock is None:
            return
        self._use_clock(cell, clock)
        parameters[f"REG_INPUT{operand}_CLK"] = "CLK0"
        for name, bit in zip(names, bits, strict=True):
            register = sources.get(bit)
            if register is not None:
                data = self._cells[register]["connections"]["DI"][0]
                connections[name] = [data]
                self._users[data] += 1
                self._users[bit] -= 1
        for bit, register in sources.items():
            if self._users[bit] == 0 and register is not None:
                self._remove(register)

    def _pack_output(self, cell: dict[str, Any], ports: Iterable[str], clock: Bit | None) -> bool:
        """Whether all that uses the outputs `ports` was one register for each; then that is gone, and its output is the block's."""
        connections = cell["connections"]
        used = [name for name in ports if name in connections and self._users[connections[name][0]]]
        feeds = [self._fed.get(connections[name][0]) for name in used]
        registers = [register for register in feeds if register is not None]
        alone = all(self._users[connections[name][0]] == 1 for name in used)
        if not used or not alone or len(registers) < len(used):
            return False
        common = self._common_clock(registers, clock)
        if common is None:
            return False
        if cell["type"] == "MULT18X18D":
            self._use_clock(cell, common)
        for name, register in zip(used, registers, strict=True):
            connections[name] = [self._cells[register]["connections"]["Q"][0]]
            self._remove(register)
        return True

    def _common_clock(self, registers: Iterable[str], clock: Bit | None) -> Bit | None:
        """The clock of all `registers`, if it is one, and `clock` if the block has one already."""
        clocks = {self._cells[register]["connections"]["CLK"][0] for register in registers}
        if clock is not None:
            clocks.add(clock)
        return clocks.pop() if len(clocks) == 1 else None

    def _clock(self, cell: dict[str, Any]) -> Bit | None:
        """What is connected to a multiplier's CLK0 already."""
        bit: Bit | None = cell["connections"].get("CLK0", [None])[0]
        return None if bit in _IDLE else bit

    def _use_clock(self, cell: dict[str, Any], clock: Bit) -> None:
        if self._clock(cell) is None:
            self._users[clock] += 1
            self._connect(cell, "CLK0", clock)
            self._connect(cell, "CE0", "1")
            self._connect(cell, "RST0", "0")

    def _connect(self, cell: dict[str, Any], port: str, bit: Bit) -> None:
        cell["connections"][port] = [bit]
        cell["port_directions"][port] = "input"

    def _remove(self, register: str) -> None:
        connections = self._cells.pop(register)["connections"]
        self._registers.pop(connections["Q"][0])
        self._fed.pop(connections["DI"][0], None)
        self._users[connections["DI"][0]] -= 1
        self._users[connections["CLK"][0]] -= 1
        self.removed.add(register)


def _is_plain(cell: dict[str, Any]) -> bool:
    """A register that takes its input at every rising edge, and starts at 0."""
    if cell["type"] != "TRELLIS_FF":
        return False
    parameters, connections = cell["parameters"], cell["connections"]
    # Yosys writes "1 " lest the text be taken for a bit vector.
    enable = parameters.get("CEMUX", "1").strip()
    enabled = enable == "1" or (enable == "CE" and connections.get("CE") == ["1"])
    reset = connections.get("LSR", ["0"])[0]
    return (
        parameters.get("CLKMUX", "CLK") == "CLK"
        and enabled
        and parameters.get("LSRMUX", "LSR") == "LSR"
        and reset in _IDLE
        and parameters.get("REGSET", "RESET") == "RESET"
        and "M" not in connections
        and isinstance(connections["DI"][0], int)
    )
