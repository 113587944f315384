"""A UART: 8 data bits, no parity, one stop bit, lowest bit first."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["UartReceiver", "UartTransmitter"]


class UartReceiver(wiring.Component):
    """Bytes from a line.

    Parameters
    ----------
    divisor
        Clock cycles per bit, at least 4.

    Members
    -------
    rx : In(1)
        The line, of any clock; 1 when idle.
    data, valid : Out
        `valid` is 1 for one cycle per byte. A byte without its stop bit is dropped, as is a start bit shorter than half a bit.
    """

    def __init__(self, *, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"rx": In(1, init=1), "data": Out(8), "valid": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        left = Signal(range(self.divisor))
        bits = Signal(range(9))
        m.d.sync += [self.valid.eq(0), left.eq(left - 1)]
        with m.FSM(name="receiver"):
            with m.State("IDLE"):
                m.d.sync += [left.eq(self.divisor // 2 - 1), bits.eq(0)]
                with m.If(~line):
                    m.next = "START"
            with m.State("START"), m.If(left == 0):
                m.d.sync += left.eq(self.divisor - 1)
                with m.If(line):
                    m.next = "IDLE"
                with m.Else():
                    m.next = "BITS"
            with m.State("BITS"), m.If(left == 0):
                m.d.sync += [left.eq(self.divisor - 1), bits.eq(bits + 1)]
                with m.If(bits == 8):
                    m.d.sync += self.valid.eq(line)
                    m.next = "WAIT"
                with m.Else():
                    m.d.sync += self.data.eq(Cat(self.data[1:], line))
            with m.State("WAIT"), m.If(line):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Bytes to a line; `divisor` clock cycles per bit.

    Members
    -------
    i : In(stream of a byte)
    tx : Out(1)
        The line, 1 when idle.
    """

    def __init__(self, *, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left = Signal(range(self.divisor))
        bits = Signal(range(11))  # with the start and the stop bit
        shift = Signal(9, init=0x1FF)
        m.d.comb += self.i.ready.eq(bits == 0)
        with m.If(bits == 0), m.If(self.i.valid):
            m.d.sync += [self.tx.eq(0), shift.eq(Cat(self.i.payload, 1)), bits.eq(10), left.eq(self.divisor - 1)]
        with m.Elif(left == 0):
            m.d.sync += [self.tx.eq(shift[0]), shift.eq(Cat(shift[1:], 1)), bits.eq(bits - 1), left.eq(self.divisor - 1)]
        with m.Else():
            m.d.sync += left.eq(left - 1)
        return m
