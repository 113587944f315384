"""The AXI4-Lite slave: turns bus transactions into single-cycle register writes and reads. All its bus outputs are registers."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["ADDRESS_WIDTH", "BUS_MEMBERS", "AxiLiteSlave"]

ADDRESS_WIDTH = 12
WORD = ADDRESS_WIDTH - 2

BUS_MEMBERS: dict[str, wiring.Member] = {
    "s_axil_awaddr": In(ADDRESS_WIDTH),
    "s_axil_awprot": In(3),
    "s_axil_awvalid": In(1),
    "s_axil_awready": Out(1, init=1),
    "s_axil_wdata": In(32),
    "s_axil_wstrb": In(4),
    "s_axil_wvalid": In(1),
    "s_axil_wready": Out(1, init=1),
    "s_axil_bresp": Out(2),
    "s_axil_bvalid": Out(1),
    "s_axil_bready": In(1),
    "s_axil_araddr": In(ADDRESS_WIDTH),
    "s_axil_arprot": In(3),
    "s_axil_arvalid": In(1),
    "s_axil_arready": Out(1, init=1),
    "s_axil_rdata": Out(32),
    "s_axil_rresp": Out(2),
    "s_axil_rvalid": Out(1),
    "s_axil_rready": In(1),
}
"""The flat AXI4-Lite ports: byte addresses, 32-bit data."""


class AxiLiteSlave(wiring.Component):
    """One write and one read at a time; write address and write data may come in any order. Every access is answered with OKAY.

    Members
    -------
    s_axil_*
        `BUS_MEMBERS`.
    write, write_word, write_data, write_strobe
        `write` is 1 for one cycle per transaction; `write_word` is the address in words, `write_strobe` marks the bytes written.
    read_word, read_data
        `read_data` must be the value of the register `read_word` from the cycle after `read_word` changed.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                **BUS_MEMBERS,
                "write": Out(1),
                "write_word": Out(WORD),
                "write_data": Out(32),
                "write_strobe": Out(4),
                "read_word": Out(WORD),
                "read_data": In(32),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._elaborate_write(m)
        self._elaborate_read(m)
        return m

    def _elaborate_write(self, m: Module) -> None:
        # A channel's ready is 0 exactly while its half of the transaction is held.
        with m.If(self.s_axil_awvalid & self.s_axil_awready):
            m.d.sync += [self.write_word.eq(self.s_axil_awaddr[2:]), self.s_axil_awready.eq(0)]
        with m.If(self.s_axil_wvalid & self.s_axil_wready):
            m.d.sync += [
                self.write_data.eq(self.s_axil_wdata),
                self.write_strobe.eq(self.s_axil_wstrb),
                self.s_axil_wready.eq(0),
            ]
        m.d.comb += self.write.eq(~self.s_axil_awready & ~self.s_axil_wready & ~self.s_axil_bvalid)
        with m.If(self.write):
            m.d.sync += self.s_axil_bvalid.eq(1)
        with m.If(self.s_axil_bvalid & self.s_axil_bready):
            m.d.sync += [self.s_axil_bvalid.eq(0), self.s_axil_awready.eq(1), self.s_axil_wready.eq(1)]

    def _elaborate_read(self, m: Module) -> None:
        settled = Signal()  # the first stage of the read multiplexer holds what `read_word` selects
        with m.If(self.s_axil_arvalid & self.s_axil_arready):
            m.d.sync += [self.read_word.eq(self.s_axil_araddr[2:]), self.s_axil_arready.eq(0), settled.eq(0)]
        with m.Elif(~self.s_axil_arready & ~self.s_axil_rvalid):
            m.d.sync += settled.eq(1)
            with m.If(settled):
                m.d.sync += [self.s_axil_rdata.eq(self.read_data), self.s_axil_rvalid.eq(1)]
        with m.If(self.s_axil_rvalid & self.s_axil_rready):
            m.d.sync += [self.s_axil_rvalid.eq(0), self.s_axil_arready.eq(1)]
