"""Talos as a LiteX module: `self.talos = Talos(platform)` and `self.talos.add_to(self)` in a SoC. See README.md."""

import json
from pathlib import Path
from typing import Any

from litex.gen import ClockSignal, Instance, LiteXModule, ResetSignal
from litex.soc.integration.soc import SoCRegion
from litex.soc.interconnect import axi
from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel
from migen import Signal

__all__ = ["Talos"]

FOLDER = Path(__file__).resolve().parent
REGISTER_BYTES = 4096
BUSES = {"m_axi": "memory", "s_axil": "registers"}  # prefix of the ports: attribute of the module
CHANNELS = ("aw", "w", "b", "ar", "r")


class Talos(LiteXModule):
    """The core in the clock domain `sys`.

    `memory` is its AXI4 master, `registers` its AXI4-Lite slave, `ev.done` the interrupt as an event: a level, which ends when
    the register IRQ_CLEAR is written. `trace_start` and `trace_done` have a bit per unit, for a logic analyser. `config` is the
    configuration that the Verilog was generated for.
    """

    def __init__(self, platform: Any, name: str = "") -> None:
        """name: of the core's files beside this one without suffix; may be left out if there is one only."""
        names = [name] if name else [path.stem for path in sorted(FOLDER.glob("talos_*.json"))]
        if len(names) != 1:
            raise ValueError(f"{FOLDER}: choose one core with name=…; there are: {', '.join(names) or 'none'}")
        description = json.loads((FOLDER / f"{names[0]}.json").read_text())
        self.config = description["config"]
        widths = {port: values["width"] for port, values in description["ports"].items()}
        self.memory = axi.AXIInterface(
            data_width=widths["m_axi_wdata"], address_width=widths["m_axi_awaddr"], id_width=widths["m_axi_awid"]
        )
        self.registers = axi.AXILiteInterface(data_width=32, address_width=32)
        self.ev = EventManager()
        self.ev.done = EventSourceLevel(description="The core has finished a program, or stopped with an error.")
        self.ev.finalize()

        self.trace_start, self.trace_done = Signal(widths["trace_start"]), Signal(widths["trace_done"])
        others = {
            "clk": ClockSignal("sys"), "rst": ResetSignal("sys"), "irq": self.ev.done.trigger,
            "trace_start": self.trace_start, "trace_done": self.trace_done,
        }  # fmt: skip
        ports = {}
        for port, values in description["ports"].items():
            signal = others[port] if port in others else self._bus_signal(port)[: values["width"]]
            ports[f"{values['direction'][0]}_{port}"] = signal
        self.specials += Instance(description["module"], **ports)
        platform.add_source(str(FOLDER / f"{names[0]}.v"))

    def _bus_signal(self, port: str) -> Any:
        """The bus signal that a port belongs to: of `m_axi_awaddr`, `memory.aw.addr`."""
        prefix = next(prefix for prefix in BUSES if port.startswith(f"{prefix}_"))
        member = port.removeprefix(f"{prefix}_")
        channel = next(channel for channel in CHANNELS if member.startswith(channel))
        return getattr(getattr(getattr(self, BUSES[prefix]), channel), member.removeprefix(channel))

    def add_to(self, soc: Any, name: str = "talos", origin: int | None = None) -> None:
        """Connect registers, memory and interrupt to `soc`: its bus, its DMA bus if the CPU has one, its interrupt controller if any.

        origin: address of the registers; None lets LiteX choose one.
        """
        dma_bus = getattr(soc, "dma_bus", soc.bus)
        if dma_bus.data_width > self.memory.data_width:
            # LiteX's up-converter needs bursts of whole wide beats, and the core's may be of any number of its own beats.
            raise ValueError(
                f"the SoC's bus has {dma_bus.data_width} bits, more than the core's {self.memory.data_width}: generate the core "
                f"with axi_data_width={dma_bus.data_width} or more"
            )
        if dma_bus.address_width != self.memory.address_width:
            raise ValueError(f"the core has {self.memory.address_width} address bits, the SoC's bus {dma_bus.address_width}")
        soc.bus.add_slave(name, self.registers, SoCRegion(origin=origin, size=REGISTER_BYTES, mode="rw", cached=False))
        dma_bus.add_master(f"{name}_memory", self.memory)
        if soc.irq.enabled:
            soc.irq.add(name, use_loc_if_exists=True)
