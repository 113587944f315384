"""The pins of a ULX3S around a board's system: clock, reset, UART, LEDs."""

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import In, Out

from talos.board import OSCILLATOR_MHZ, Board
from talos.rtl.board.system import BoardSystem
from talos.rtl.export import zero_loops
from talos.rtl.verilog import to_rtlil, to_verilog

__all__ = ["BOARD_MODULE", "Ulx3s", "board_rtlil", "board_verilog", "system_verilog"]

BOARD_MODULE = "talos_board"


class Ulx3s(wiring.Component):
    """Top of the FPGA; the members are the names of the board's constraints.

    Members
    -------
    clk_25mhz : In(1)
    fire1 : In(1)
        The button F1, 1 when pressed: reset.
    ftdi_txd : In(1); ftdi_rxd : Out(1)
        The UART, named from the USB chip's side.
    wifi_gpio0 : Out(1)
        1, or the board's ESP32 starts and may reset the FPGA.
    led : Out(8)
    """

    def __init__(self, board: Board) -> None:
        self.board = board
        super().__init__(
            {
                "clk_25mhz": In(1),
                "fire1": In(1),
                "ftdi_txd": In(1),
                "ftdi_rxd": Out(1),
                "wifi_gpio0": Out(1),
                "led": Out(8),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        locked = Signal()
        m.submodules.reset = ResetSynchronizer(~locked | self.fire1, domain="sync")
        pll = self.board.pll
        if pll is None:
            m.d.comb += [ClockSignal().eq(self.clk_25mhz), locked.eq(1)]
        else:
            m.submodules.pll = Instance(
                "EHXPLLL",
                a_FREQUENCY_PIN_CLKI=f"{OSCILLATOR_MHZ:g}",
                a_FREQUENCY_PIN_CLKOP=f"{self.board.clock_mhz:g}",
                a_ICP_CURRENT="12",
                a_LPF_RESISTOR="8",
                p_PLLRST_ENA="DISABLED",
                p_INTFB_WAKE="DISABLED",
                p_STDBY_ENABLE="DISABLED",
                p_DPHASE_SOURCE="DISABLED",
                p_OUTDIVIDER_MUXA="DIVA",
                p_CLKOP_ENABLE="ENABLED",
                p_CLKI_DIV=pll.input,
                p_CLKFB_DIV=pll.feedback,
                p_CLKOP_DIV=pll.output,
                p_CLKOP_CPHASE=pll.output - 1,
                p_CLKOP_FPHASE=0,
                p_FEEDBK_PATH="CLKOP",
                i_CLKI=self.clk_25mhz,
                i_CLKFB=ClockSignal(),
                i_RST=0,
                i_STDBY=0,
                i_ENCLKOP=0,
                i_PHASESEL0=0,
                i_PHASESEL1=0,
                i_PHASEDIR=0,
                i_PHASESTEP=0,
                i_PHASELOADREG=0,
                i_PLLWAKESYNC=0,
                o_CLKOP=ClockSignal(),
                o_LOCK=locked,
            )
        m.submodules.system = system = BoardSystem(self.board)
        m.d.comb += [system.rx.eq(self.ftdi_txd), self.ftdi_rxd.eq(system.tx), self.led.eq(system.led), self.wifi_gpio0.eq(1)]
        return m


def board_rtlil(board: Board) -> str:
    """Yosys's intermediate language of the whole FPGA, top module `BOARD_MODULE`."""
    return to_rtlil(Ulx3s(board), BOARD_MODULE)


def board_verilog(board: Board) -> str:
    """The same as Verilog. Raises TalosError if Yosys is missing."""
    return zero_loops(to_verilog(Ulx3s(board), BOARD_MODULE))


def system_verilog(board: Board) -> str:
    """Verilog of what is behind the pins, without clock and reset of the board, for simulation: ports clk, rst, rx, tx, led."""
    return zero_loops(to_verilog(BoardSystem(board), BOARD_MODULE))
