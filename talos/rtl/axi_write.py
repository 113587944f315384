"""The AXI4 write master: the store unit's address, data and response channels."""

from typing import Any

from amaranth import Cat, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.latency import MAX_WRITES
from talos.rtl.axi_read import read_request_layout

__all__ = ["AxiWriteMaster", "write_data_layout"]


def write_data_layout(config: AcceleratorConfig) -> data.StructLayout:
    """One beat: `data`, a `strobe` bit for each byte, `last` of its burst."""
    return data.StructLayout({"data": config.axi_data_width, "strobe": config.beat_bytes, "last": 1})


class AxiWriteMaster(wiring.Component):
    """Registers in front of the AW and W channels and behind the B channel.

    AW and W take an entry in a cycle in which they are empty or being accepted by the bus. A beat enters W when its burst's address
    entered AW in an earlier cycle, accepted or not: a slave may wait for WVALID before it accepts the address. A response is accepted
    at once and offered in the next cycle.

    Members
    -------
    aw : In(stream of axi_read.read_request_layout)
    w : In(stream of write_data_layout)
    b : Out(stream of 1 bit: the bus answered with SLVERR or DECERR)
        The client must be ready.
    halt : In(1)
        No burst enters AW; those that did are finished.
    pending : Out(1)
        A burst waits in AW or for its response.
    m_axi_aw*, m_axi_w*, m_axi_b*
        The flat AXI4 channels; every output is a register or a constant. The id is 0.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "aw": In(stream.Signature(read_request_layout(config))),
                "w": In(stream.Signature(write_data_layout(config))),
                "b": Out(stream.Signature(1)),
                "halt": In(1),
                "pending": Out(1),
                "m_axi_awaddr": Out(config.axi_addr_width),
                "m_axi_awlen": Out(8),
                "m_axi_awsize": Out(3),
                "m_axi_awburst": Out(2),
                "m_axi_awid": Out(2),
                "m_axi_awcache": Out(4),
                "m_axi_awprot": Out(3),
                "m_axi_awvalid": Out(1),
                "m_axi_awready": In(1),
                "m_axi_wdata": Out(config.axi_data_width),
                "m_axi_wstrb": Out(config.beat_bytes),
                "m_axi_wlast": Out(1),
                "m_axi_wvalid": Out(1),
                "m_axi_wready": In(1),
                "m_axi_bid": In(2),
                "m_axi_bresp": In(2),
                "m_axi_bvalid": In(1),
                "m_axi_bready": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        pending = Signal(range(MAX_WRITES + 1))  # bursts that entered AW and have no response
        opened = Signal(range(MAX_WRITES + 1))  # bursts whose address entered AW and whose last beat has not entered W
        some_pending = Signal()  # pending != 0
        some_opened = Signal()  # opened != 0
        entered = Signal()
        closing = Signal()
        answered = Signal()
        payloads: list[Signal] = []  # of AW and W: registers without reset, which is their `valid`'s alone
        for port in (self.m_axi_awaddr, self.m_axi_awlen, self.m_axi_wdata, self.m_axi_wstrb, self.m_axi_wlast):
            payload = Signal.like(port, name_suffix="_payload", reset_less=True)
            m.d.comb += port.eq(payload)
            payloads.append(payload)
        address, beats, content, strobe, last = payloads
        m.d.comb += [
            self.m_axi_awsize.eq((self.config.beat_bytes - 1).bit_length()),
            self.m_axi_awburst.eq(1),  # INCR
            self.m_axi_awcache.eq(0b0011),  # normal memory, non-cacheable, bufferable
            self.m_axi_bready.eq(1),
            self.aw.ready.eq((~self.m_axi_awvalid | self.m_axi_awready) & ~self.halt),
            self.w.ready.eq((~self.m_axi_wvalid | self.m_axi_wready) & some_opened),
            self.pending.eq(some_pending),
            entered.eq(self.aw.valid & self.aw.ready),
            closing.eq(self.w.valid & self.w.ready & self.w.payload.last),
            answered.eq(self.m_axi_bvalid),
        ]
        for count, some, less in ((pending, some_pending, answered), (opened, some_opened, closing)):
            with m.If(entered != less):
                m.d.sync += [count.eq(count + Cat(1, less.replicate(len(count) - 1))), some.eq(entered | (count != 1))]
        m.d.sync += [
            self.b.valid.eq(answered),
            self.b.payload.eq(self.m_axi_bresp[1]),
        ]
        with m.If(self.aw.ready):
            m.d.sync += [address.eq(self.aw.payload.address), beats.eq(self.aw.payload.beats)]
        with m.If(entered | self.m_axi_awready):
            m.d.sync += self.m_axi_awvalid.eq(entered)
        with m.If(self.w.ready):
            m.d.sync += [
                content.eq(self.w.payload.data),
                strobe.eq(self.w.payload.strobe),
                last.eq(self.w.payload.last),
                self.m_axi_wvalid.eq(self.w.valid),
            ]
        with m.Elif(self.m_axi_wready):
            m.d.sync += self.m_axi_wvalid.eq(0)
        return m
