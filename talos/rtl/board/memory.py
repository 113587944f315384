"""On-chip memory as an AXI4 slave, for the bursts that the core's master makes, with a byte-wide port for the host."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.rtl.fifo import Fifo
from talos.rtl.memories import NO_COLLISION

__all__ = ["BoardMemory"]

_AHEAD = 8  # beats read and not yet accepted; the way through memory and queue takes 4 cycles
_DECERR = 3


class BoardMemory(wiring.Component):
    """`size` bytes from address 0 on: INCR bursts of whole beats, one read and one write burst at a time, a beat per cycle each.

    A burst that begins beyond the memory is answered with DECERR and changes nothing.

    Parameters
    ----------
    config
        Of the core.
    bus
        The members m_axi_* of the core's signature.
    size
        Bytes, a multiple of 4096, so that no burst crosses the end.

    Members
    -------
    m_axi_*
        The core's master, seen from the memory.
    host_valid, host_write, host_address, host_data : In
        A byte to read or write, held until `host_ready`. The host comes first: it takes a cycle from the bus now and then.
    host_ready : Out(1)
        The byte is taken in this cycle.
    host_read_valid, host_read_data : Out
        The byte read, a few cycles after it was taken; `host_read_valid` is 1 for one cycle.
    """

    def __init__(self, *, config: AcceleratorConfig, bus: Mapping[str, wiring.Member], size: int) -> None:
        self.config = config
        self.size = size
        super().__init__(
            {
                **{name: member.flip() for name, member in bus.items()},
                "host_valid": In(1),
                "host_write": In(1),
                "host_address": In(range(size)),
                "host_data": In(8),
                "host_ready": Out(1),
                "host_read_valid": Out(1),
                "host_read_data": Out(8),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beat_bytes = self.config.beat_bytes
        m.submodules.words = memory = Memory(shape=8 * beat_bytes, depth=self.size // beat_bytes, init=[], attrs=NO_COLLISION)
        self._lane_bits = (beat_bytes - 1).bit_length()
        m.d.comb += self.host_ready.eq(self.host_valid)
        self._elaborate_write(m, memory.write_port(granularity=8))
        self._elaborate_read(m, memory.read_port())
        return m

    def _elaborate_write(self, m: Module, port: Any) -> None:
        """One burst: address, beats, response. A beat and the host's byte pass a register on their way to the memory."""
        beat_bytes = self.config.beat_bytes
        active = Signal()
        wrong = Signal()
        word = Signal(range(self.size // beat_bytes))
        host = self.host_valid & self.host_write
        m.d.comb += [self.m_axi_awready.eq(~active & ~self.m_axi_bvalid), self.m_axi_wready.eq(active & ~host)]
        with m.If(self.m_axi_awvalid & self.m_axi_awready):
            m.d.sync += [
                active.eq(1),
                word.eq(self.m_axi_awaddr[self._lane_bits :]),
                wrong.eq(self.m_axi_awaddr >= self.size),
                self.m_axi_bid.eq(self.m_axi_awid),
            ]
        taken = self.m_axi_wvalid & self.m_axi_wready
        with m.If(taken):
            m.d.sync += word.eq(word + 1)
            with m.If(self.m_axi_wlast):
                m.d.sync += [active.eq(0), self.m_axi_bvalid.eq(1), self.m_axi_bresp.eq(Mux(wrong, _DECERR, 0))]
        with m.If(self.m_axi_bvalid & self.m_axi_bready):
            m.d.sync += self.m_axi_bvalid.eq(0)

        address, values = Signal.like(port.addr, reset_less=True), Signal.like(port.data, reset_less=True)
        strobe = Signal.like(port.en)
        m.d.sync += [
            address.eq(Mux(host, self.host_address[self._lane_bits :], word)),
            values.eq(Mux(host, self.host_data.replicate(beat_bytes), self.m_axi_wdata)),
            strobe.eq(Mux(host, self._lane(self.host_address), Mux(taken & ~wrong, self.m_axi_wstrb, 0))),
        ]
        m.d.comb += [port.addr.eq(address), port.data.eq(values), port.en.eq(strobe)]

    def _elaborate_read(self, m: Module, port: Any) -> None:
        """Addresses of one burst after the other; beats come out of the memory's register into a queue."""
        beat = data.StructLayout(
            {"data": self.config.axi_data_width, "id": len(self.m_axi_rid), "last": 1, "resp": len(self.m_axi_rresp)}
        )
        m.submodules.beats = beats = Fifo(shape=beat, depth=_AHEAD)
        active, wrong = Signal(), Signal()
        word = Signal.like(port.addr)
        left = Signal.like(self.m_axi_arlen)
        identity = Signal.like(self.m_axi_arid)
        under_way = Signal(range(_AHEAD + 1))
        host = self.host_valid & ~self.host_write
        ask = Signal()
        m.d.comb += [ask.eq(active & ~host & (under_way != _AHEAD)), self.m_axi_arready.eq(~active)]
        with m.If(self.m_axi_arvalid & self.m_axi_arready):
            m.d.sync += [
                active.eq(1),
                word.eq(self.m_axi_araddr[self._lane_bits :]),
                wrong.eq(self.m_axi_araddr >= self.size),
                left.eq(self.m_axi_arlen),
                identity.eq(self.m_axi_arid),
            ]
        with m.If(ask):
            m.d.sync += [word.eq(word + 1), left.eq(left - 1)]
            with m.If(left == 0):
                m.d.sync += active.eq(0)
        accepted = self.m_axi_rvalid & self.m_axi_rready
        m.d.sync += under_way.eq(under_way + ask - accepted)

        # The address is registered, then the memory reads, then its output is registered.
        tag = data.StructLayout({"beat": beat, "valid": 1, "host": 1, "lane": self._lane_bits})
        stages = [Signal(tag, name=f"stage_{i}") for i in range(3)]
        address = Signal.like(port.addr, reset_less=True)
        output = Signal.like(port.data, reset_less=True)
        m.d.sync += [
            address.eq(Mux(host, self.host_address[self._lane_bits :], word)),
            stages[0].valid.eq(ask),
            stages[0].host.eq(host),
            stages[0].lane.eq(self.host_address[: self._lane_bits]),
            stages[0].beat.id.eq(identity),
            stages[0].beat.last.eq(left == 0),
            stages[0].beat.resp.eq(Mux(wrong, _DECERR, 0)),
            stages[1].eq(stages[0]),
            stages[2].eq(stages[1]),
            output.eq(port.data),
        ]
        m.d.comb += [port.addr.eq(address), port.en.eq(1)]
        m.d.comb += [beats.i.valid.eq(stages[2].valid), beats.i.payload.eq(stages[2].beat), beats.i.payload.data.eq(output)]
        m.d.sync += [
            self.host_read_valid.eq(stages[2].host),
            self.host_read_data.eq(output.word_select(stages[2].lane, 8)),
        ]
        head = beats.o.payload
        m.d.comb += [
            self.m_axi_rvalid.eq(beats.o.valid),
            beats.o.ready.eq(self.m_axi_rready),
            self.m_axi_rdata.eq(head.data),
            self.m_axi_rid.eq(head.id),
            self.m_axi_rlast.eq(head.last),
            self.m_axi_rresp.eq(head.resp),
        ]

    def _lane(self, address: Any) -> Any:
        """Write strobe of the one byte at `address`."""
        return Cat(address[: self._lane_bits] == lane for lane in range(self.config.beat_bytes))
