"""Example: a small LiteX SoC with Talos, written as Verilog: `python soc_example.py --build DIR`.

A host (a processor, a bridge, a test bench) reaches the SoC through an AXI4-Lite port; programs and tensors lie in on-chip RAM. On a
board, take the SoC of litex-boards instead and add the two lines with `talos`.
"""

import argparse
import contextlib
from pathlib import Path
from typing import Any

from litex.build.generic_platform import GenericPlatform, Pins
from litex.gen import LiteXModule
from litex.soc.integration.builder import Builder
from litex.soc.integration.soc_core import SoCMini
from litex.soc.interconnect import axi
from migen import ClockDomain
from talos_litex import Talos

REGISTERS = 0x1000_0000
RAM = 0x4000_0000
CLOCK_HZ = 50_000_000


class Platform(GenericPlatform):
    """No board: the top module's ports are the SoC's."""

    def build(self, fragment: Any, build_dir: str, build_name: str, **options: Any) -> None:
        """Write the SoC's Verilog; the core's is a source of its own."""
        with contextlib.chdir(build_dir):  # memory contents are written beside it
            self.get_verilog(fragment, name=build_name).write(f"{build_name}.v")


class ClockAndReset(LiteXModule):
    """Clock domain `sys` from the pins."""

    def __init__(self, platform: Platform) -> None:
        self.cd_sys = ClockDomain()
        self.comb += [self.cd_sys.clk.eq(platform.request("clk")), self.cd_sys.rst.eq(platform.request("rst"))]


class ExampleSoC(SoCMini):
    """Host port, RAM, Talos."""

    def __init__(self, ram_bytes: int, ram_contents: list[int]) -> None:
        host = axi.AXILiteInterface(data_width=32, address_width=32)
        platform = Platform("", [("clk", 0, Pins(1)), ("rst", 0, Pins(1)), ("irq", 0, Pins(1)), *host.get_ios("host")])
        platform.name = "generic"
        super().__init__(platform, CLOCK_HZ)
        self.crg = ClockAndReset(platform)
        self.comb += host.connect_to_pads(platform.request("host"), mode="slave")
        self.bus.add_master("host", host)
        self.add_ram("main_ram", RAM, ram_bytes, contents=ram_contents)

        self.talos = Talos(platform)
        self.talos.add_to(self, origin=REGISTERS)

        self.comb += platform.request("irq").eq(self.talos.ev.done.trigger)


def main() -> None:
    """Build."""
    parser = argparse.ArgumentParser(description="Verilog of a small SoC with Talos.")
    parser.add_argument("--build", type=Path, default=Path("build"), help="folder to write to")
    parser.add_argument("--ram-bytes", type=lambda text: int(text, 0), default=1 << 18, help="size of the on-chip RAM")
    parser.add_argument("--ram-file", type=Path, help="binary contents of the RAM")
    arguments = parser.parse_args()
    data = arguments.ram_file.read_bytes() if arguments.ram_file else b""
    words = [int.from_bytes(data[start : start + 4], "little") for start in range(0, len(data), 4)]
    soc = ExampleSoC(arguments.ram_bytes, words)
    Builder(soc, output_dir=str(arguments.build), compile_software=False).build(build_name="talos_soc")


if __name__ == "__main__":
    main()
