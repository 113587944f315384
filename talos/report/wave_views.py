"""Save files for waveform viewers: the signals of each unit in a group, under the instruction and the layer that it works on.

For GTKWave a save file (.gtkw), for Surfer a command file (.sucl). What a unit executes is text in the waves themselves (harness/running.v),
so both viewers show it as ASCII and need no table of opcodes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from talos.config import AcceleratorConfig
from talos.isa import Unit
from talos.program import write_atomically
from talos.runtime.verilog_cache import cached_verilog

__all__ = ["Group", "Signal", "signal_groups", "write_save_files"]

_TOP = "talos.talos"  # the module inside the harness's instance of it
_OPCODE_BITS, _LAYER_BITS, _INDEX_BITS = 64, 384, 32  # of the registers in harness/running.v
_EXECUTING = (Unit.MATRIX, Unit.VECTOR, Unit.WEIGHTS, Unit.LOAD, Unit.STORE)
_STATE = ("instr__valid", "start", "busy", "sync", "stall", "done", "idle")
_LEFT_OUT = re.compile(r"clk|rst|\w+_reset|bases__\d+|m_axi_\w+|s_axil_\w+")
_CHANNELS = ("ar", "r", "aw", "w", "b")
_PORT = re.compile(r"^  (?:input|output) (?:\[(\d+):0\] )?([a-z]\w*);", re.MULTILINE)  # escaped names (keywords) are left out

_GTKWAVE = {"hex": 0x22, "decimal": 0x24, "binary": 0x28, "text": 0x820}
_GROUP, _END, _CLOSED, _COLLAPSED = 0x800200, 0x1000200, 0x400000, 0x1000
_SURFER = {"decimal": "Unsigned", "text": "ASCII"}  # the others are its defaults


@dataclass(frozen=True)
class Signal:
    """A signal by its path in the waves, its width in bits, and how it is shown: hex, decimal, binary or text."""

    path: str
    width: int
    form: str

    @property
    def name(self) -> str:
        """With its range, where it has one, as GTKWave wants it."""
        return self.path if self.width == 1 else f"{self.path}[{self.width - 1}:0]"


@dataclass(frozen=True)
class Group:
    """Signals under a heading; `closed` groups are folded at first."""

    name: str
    signals: tuple[Signal, ...]
    closed: bool = False


def write_save_files(waves: Path, config: AcceleratorConfig) -> tuple[Path, Path]:
    """Write the .gtkw and the .sucl beside `waves`, and return their paths. Raises TalosError if they cannot be written."""
    groups = signal_groups(cached_verilog(config))
    gtkwave, surfer = waves.with_suffix(".gtkw"), waves.with_suffix(".sucl")
    for path, lines in ((gtkwave, _gtkwave_lines(waves, groups)), (surfer, _surfer_lines(groups))):
        text = "".join(f"{line}\n" for line in lines)
        write_atomically(path, lambda file, text=text: file.write(text.encode()))
    return gtkwave, surfer


def signal_groups(verilog: str) -> list[Group]:
    """Groups of the core in `verilog`: the core, a group for each unit, and one for each AXI channel."""
    ports = _ports(verilog)
    core = ("clk", "rst", "irq", "trace_start", "trace_done")
    groups = [Group("core", tuple(_signal(_TOP, name, ports["talos"][name]) for name in core))]
    for unit in _EXECUTING:
        name = unit.name.lower()
        running = tuple(
            Signal(f"{_TOP}.running.{name}_{what}", width, form)
            for what, width, form in (
                ("opcode", _OPCODE_BITS, "text"),
                ("layer", _LAYER_BITS, "text"),
                ("index", _INDEX_BITS, "decimal"),
            )
        )
        groups.append(Group(name, running + tuple(_unit_signals(name, ports[f"talos.{name}"]))))
    groups.append(Group("fetch", tuple(_unit_signals("fetch", ports["talos.fetch"]))))
    for bus in ("m_axi", "s_axil"):
        for channel in _CHANNELS:
            names = sorted(name for name in ports["talos"] if name.startswith(f"{bus}_") and _channel(name) == channel)
            groups.append(
                Group(f"{bus} {channel}", tuple(_signal(_TOP, name, ports["talos"][name]) for name in names), closed=True)
            )
    return groups


def _channel(port: str) -> str:
    """Of an AXI port: aw and ar before w and r, which they end like."""
    signal = port.rpartition("_")[2]
    return next(channel for channel in ("ar", "aw", "r", "w", "b") if signal.startswith(channel))


def _ports(verilog: str) -> dict[str, dict[str, int]]:
    """Widths of the ports of every module, by the modules' names."""
    modules = {}
    for text in verilog.split("\nendmodule"):
        start = re.search(r"^module \\?([\w.]+)", text, re.MULTILINE)
        if start is not None:
            modules[start[1]] = {port[2]: int(port[1] or 0) + 1 for port in _PORT.finditer(text)}
    return modules


def _unit_signals(unit: str, ports: dict[str, int]) -> Iterable[Signal]:
    state = [name for name in _STATE if name in ports]
    others = sorted(name for name in ports if name not in state and not _LEFT_OUT.fullmatch(name))
    return (_signal(f"{_TOP}.{unit}", name, ports[name]) for name in [*state, *others])


def _signal(scope: str, name: str, width: int) -> Signal:
    return Signal(f"{scope}.{name}", width, "binary" if width <= len(Unit) else "hex")


def _gtkwave_lines(waves: Path, groups: Iterable[Group]) -> Iterable[str]:
    yield "[*] Signals of each unit; what a unit executes is text"
    yield f'[dumpfile] "{waves.absolute()}"'
    yield "[timestart] 0"
    for group in groups:
        begin, end = (_GROUP | _CLOSED, _END | _CLOSED | _COLLAPSED) if group.closed else (_GROUP, _END)
        yield f"@{begin:x}"
        yield f"-{group.name}"
        form = None
        for signal in group.signals:
            if signal.form != form:
                form = signal.form
                yield f"@{_GTKWAVE[form]:x}"
            yield signal.name
        yield f"@{end:x}"
        yield f"-{group.name}"


def _surfer_lines(groups: Iterable[Group]) -> Iterable[str]:
    place = 0  # of the item in the list
    for group in groups:
        if group.closed:
            continue  # a command file cannot fold groups by name; these are one click away in the side panel
        yield f"divider_add {group.name}"
        place += 1
        for signal in group.signals:
            yield f"variable_add {signal.path}"
            if signal.form in _SURFER:
                yield f"item_focus {_letters(place)}"
                yield f"item_set_format {_SURFER[signal.form]}"
                yield "item_unfocus"  # what is added next would come behind the item in focus
            place += 1
    yield "zoom_fit"


def _letters(place: int) -> str:
    """Surfer's names of items: hexadecimal with the letters a to p."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in f"{place:x}")
