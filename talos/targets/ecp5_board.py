"""Target `ecp5-board`: everything on a ULX3S-85F, as Verilog, constraints and a script that builds the bitstream with the open tools."""

import json

from talos.board import OSCILLATOR_MHZ, Board
from talos.errors import TalosError
from talos.targets.render import render
from talos.uart_frames import PROTOCOL_VERSION

__all__ = ["BOARD_NAME", "board_constraints", "board_files"]

BOARD_NAME = "talos_board"
"""Of the top module, and of the files, without suffix."""

# Pins of the ULX3S, versions 2.x and 3.x.
_PINS: tuple[tuple[str, str, str], ...] = (
    ("clk_25mhz", "G2", "PULLMODE=NONE"),
    ("fire1", "R1", "PULLMODE=DOWN"),
    ("ftdi_txd", "M1", "PULLMODE=UP"),
    ("ftdi_rxd", "L4", "PULLMODE=UP DRIVE=4"),
    ("wifi_gpio0", "L2", "PULLMODE=UP DRIVE=4"),
    *((f"led[{i}]", site, "PULLMODE=NONE DRIVE=4") for i, site in enumerate(("B2", "C2", "C1", "D2", "D1", "E2", "E1", "H3"))),
)


def board_constraints() -> str:
    """The pins and the oscillator in Lattice's preference language."""
    lines = ["SYSCONFIG CONFIG_IOVOLTAGE=3.3 COMPRESS_CONFIG=ON MCCLK_FREQ=62 SLAVE_SPI_PORT=DISABLE MASTER_SPI_PORT=ENABLE;"]
    lines.append(f'FREQUENCY PORT "clk_25mhz" {OSCILLATOR_MHZ} MHZ;')
    for name, site, options in _PINS:
        lines += [f'LOCATE COMP "{name}" SITE "{site}";', f'IOBUF PORT "{name}" IO_TYPE=LVCMOS33 {options};']
    return "\n".join(lines) + "\n"


def board_files(board: Board) -> dict[str, str]:
    """Texts by file name. Raises TalosError when Amaranth is missing."""
    try:
        from talos.rtl.board.ulx3s import board_verilog
    except ModuleNotFoundError as error:
        raise TalosError(
            f"generating Verilog needs the package '{error.name}'; install it with: pip install 'talos-accelerator[rtl]'"
        ) from error
    config = board.config
    description = {
        "config": config.name,
        "config_hash": config.hash,
        "clock_mhz": board.clock_mhz,
        "ram_bytes": board.ram_bytes,
        "baud": board.baud,
        "protocol_version": PROTOCOL_VERSION,
    }
    values = {
        "CONFIG_NAME": config.name,
        "CONFIG_HASH": config.hash,
        "CLOCK_MHZ": f"{board.clock_mhz:g}",
        "RAM_KIB": board.ram_bytes >> 10,
        "BAUD": board.baud,
    }
    return {
        f"{BOARD_NAME}.v": board_verilog(board),
        f"{BOARD_NAME}.lpf": board_constraints(),
        f"{BOARD_NAME}.json": json.dumps(description, indent=1) + "\n",
        "build.sh": render("ecp5_board/build.sh", {"NAME": BOARD_NAME}),
        "README.md": render("ecp5_board/README.md", values),
    }
