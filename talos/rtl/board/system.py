"""The core with memory, bridge and UART: everything on a board but its clock."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.board import Board
from talos.rtl.board.bridge import HostBridge
from talos.rtl.board.memory import BoardMemory
from talos.rtl.board.uart import UartReceiver, UartTransmitter
from talos.rtl.top import Talos

__all__ = ["BoardSystem"]

_LEDS = 8
_HEARTBEAT = 25  # bits: about a second at tens of MHz


class BoardSystem(wiring.Component):
    """A board inside.

    ::

        rx ──► UartReceiver ──► HostBridge ──── registers ────► Talos
        tx ◄── UartTransmitter ◄──┘   └── bytes ──► BoardMemory ◄──┘

    Members
    -------
    rx : In(1); tx : Out(1)
        The UART's lines.
    led : Out(8)
        0 blinks; 1: a run has ended and the host has not yet seen it (irq); 2: a byte comes in; 3: a byte goes out.
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), "led": Out(_LEDS)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        board = self.board
        m.submodules.core = core = Talos(board.config)
        bus = {name: member for name, member in core.signature.members.items() if name.startswith("m_axi_")}
        m.submodules.memory = memory = BoardMemory(config=board.config, bus=bus, size=board.ram_bytes)
        m.submodules.bridge = bridge = HostBridge(size=board.ram_bytes, clock_hz=board.clock_hz, timeout=board.timeout_cycles)
        m.submodules.receiver = receiver = UartReceiver(divisor=board.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(divisor=board.divisor)
        for slave, prefix, master in ((memory, "m_axi_", core), (core, "s_axil_", bridge), (memory, "host_", bridge)):
            for name, member in slave.signature.members.items():
                if name.startswith(prefix):
                    inner, outer = getattr(slave, name), getattr(master, name)
                    m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        wiring.connect(m, bridge.tx, transmitter.i)
        m.d.comb += [
            receiver.rx.eq(self.rx),
            bridge.rx_data.eq(receiver.data),
            bridge.rx_valid.eq(receiver.valid),
            self.tx.eq(transmitter.tx),
        ]
        heartbeat = Signal(_HEARTBEAT)
        m.d.sync += [heartbeat.eq(heartbeat + 1), self.led.eq(Cat(heartbeat[-1], core.irq, ~self.rx, ~self.tx))]
        return m
