"""The AXI4 read master: one address channel shared by fetch, load and weights, and the way back of the data."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.latency import FETCH_AHEAD
from talos.rtl.skid import SkidBuffer

__all__ = ["READ_CLIENTS", "AxiReadMaster", "read_data_layout", "read_request_layout"]

READ_CLIENTS = ("fetch", "load", "weights")
"""A client's position is its AXI id (and its number in `talos.isa.Unit`)."""

_LEAST_WIDTH = 10  # of the count of bursts under way


def read_request_layout(config: AcceleratorConfig) -> data.StructLayout:
    """One burst: byte `address` of its first beat, `beats` minus one."""
    return data.StructLayout({"address": config.axi_addr_width, "beats": 8})


def read_data_layout(config: AcceleratorConfig) -> data.StructLayout:
    """One beat; `last` of its burst; `error` if the bus answered SLVERR or DECERR."""
    return data.StructLayout({"data": config.axi_data_width, "last": 1, "error": 1})


class AxiReadMaster(wiring.Component):
    """Arbiter of the AR channel and router of the R channel.

    AR is a buffer of two. A request enters it in a cycle in which it holds fewer, in the order fetch, urgent weights, load, weights; it
    is offered to the bus in the next cycle at the earliest. Load and weights are passed over while `read_ahead` or more of their beats
    are under way. Beats go through a two-entry buffer: accepted from the bus in cycle t, offered to the client in t + 1.

    Members
    -------
    fetch_ar, load_ar, weights_ar
        Streams of `read_request_layout`.
    fetch_r, load_r, weights_r
        Streams of `read_data_layout`. The bus stops while the client of the oldest beat is not ready.
    weights_urgent
        The weight stream comes before load.
    halt
        No request enters AR, and beats are accepted and dropped, so that what is under way can end whatever the clients do. A dropped
        beat is still offered, for one cycle: the clients must be in reset.
    pending
        A burst waits in AR or is not completely received (the dropped beats included).
    m_axi_ar*, m_axi_r*
        The flat AXI4 channels; every output is a register or a constant.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        request = stream.Signature(read_request_layout(config))
        beat = stream.Signature(read_data_layout(config))
        super().__init__(
            {f"{client}_ar": In(request) for client in READ_CLIENTS}
            | {f"{client}_r": Out(beat) for client in READ_CLIENTS}
            | {
                "weights_urgent": In(1),
                "halt": In(1),
                "pending": Out(1),
                "m_axi_araddr": Out(config.axi_addr_width),
                "m_axi_arlen": Out(8),
                "m_axi_arsize": Out(3),
                "m_axi_arburst": Out(2),
                "m_axi_arid": Out(2),
                "m_axi_arcache": Out(4),
                "m_axi_arprot": Out(3),
                "m_axi_arvalid": Out(1),
                "m_axi_arready": In(1),
                "m_axi_rid": In(2),
                "m_axi_rdata": In(config.axi_data_width),
                "m_axi_rresp": In(2),
                "m_axi_rlast": In(1),
                "m_axi_rvalid": In(1),
                "m_axi_rready": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._elaborate_address(m, [self._elaborate_limit(m, i) for i in (1, 2)])
        self._elaborate_data(m)

        # Bursts that entered AR and whose last beat has not left the bus: of one beat each, at most what the limits let through.
        most = 2 * (self.config.read_ahead + self.config.max_burst) + FETCH_AHEAD
        bursts = Signal(max(_LEAST_WIDTH, most.bit_length()))
        pending = Signal()  # bursts != 0, as a register
        entered = Signal()
        finished = Signal()
        m.d.comb += [
            entered.eq(Cat(getattr(self, f"{c}_ar").valid & getattr(self, f"{c}_ar").ready for c in READ_CLIENTS).any()),
            finished.eq(self.m_axi_rvalid & self.m_axi_rready & self.m_axi_rlast),
            self.pending.eq(pending),
        ]
        with m.If(entered != finished):
            m.d.sync += [bursts.eq(bursts + Cat(1, finished.replicate(len(bursts) - 1))), pending.eq(entered | (bursts != 1))]
        return m

    def _elaborate_limit(self, m: Module, client: int) -> Signal:
        """1 while fewer than `read_ahead` beats of the client are between AR and the end of the R channel."""
        name = READ_CLIENTS[client]
        request = getattr(self, f"{name}_ar")
        beats = Signal(range(self.config.read_ahead + self.config.max_burst), name=f"{name}_beats")
        below = Signal(name=f"{name}_below", init=1)
        asked = Signal(name=f"{name}_asked")
        arrived = Signal(name=f"{name}_arrived")
        # Both sums are made while the arbiter decides; with a burst, `beats` of which is one less, a beat that arrives takes the carry.
        more = Signal(len(beats) + 1, name=f"{name}_more")
        fewer = Signal(len(beats), name=f"{name}_fewer")
        m.d.comb += [
            asked.eq(request.valid & request.ready),
            arrived.eq(self.m_axi_rvalid & self.m_axi_rready & (self.m_axi_rid == client)),
            more.eq(Cat(1, beats) + Cat(~arrived, request.payload.beats)),
            fewer.eq(beats - arrived),
        ]
        limit = exact_log2(self.config.read_ahead)
        m.d.sync += [beats.eq(Mux(asked, more[1:], fewer)), below.eq(~Mux(asked, more[1 + limit :].any(), fewer[limit:].any()))]
        return below

    def _elaborate_address(self, m: Module, below: list[Signal]) -> None:
        fetch, load, weights = (getattr(self, f"{client}_ar") for client in READ_CLIENTS)
        load_valid, weights_valid = load.valid & below[0], weights.valid & below[1]
        m.submodules.ar = ar = SkidBuffer(shape=data.StructLayout({"id": 2, "request": read_request_layout(self.config)}))
        free = Signal()
        pick = Signal(2)
        m.d.comb += [
            self.m_axi_arvalid.eq(ar.o.valid),
            self.m_axi_arid.eq(ar.o.payload.id),
            self.m_axi_araddr.eq(ar.o.payload.request.address),
            self.m_axi_arlen.eq(ar.o.payload.request.beats),
            self.m_axi_arsize.eq((self.config.beat_bytes - 1).bit_length()),
            self.m_axi_arburst.eq(1),  # INCR
            self.m_axi_arcache.eq(0b0011),  # normal memory, non-cacheable, bufferable
            ar.o.ready.eq(self.m_axi_arready),
            free.eq(ar.i.ready & ~self.halt),
            ar.i.valid.eq((fetch.valid | load_valid | weights_valid) & ~self.halt),
            ar.i.payload.id.eq(pick),
        ]
        load_first = load_valid & ~(weights_valid & self.weights_urgent)
        m.d.comb += [
            pick.eq(Mux(fetch.valid, 0, Mux(load_first, 1, 2))),
            # Not by `pick`: each client's `ready` need only be right while it asks.
            fetch.ready.eq(free),
            load.ready.eq(free & ~fetch.valid & below[0] & ~(weights_valid & self.weights_urgent)),
            weights.ready.eq(free & ~fetch.valid & below[1] & (~load_valid | self.weights_urgent)),
        ]
        with m.Switch(pick):
            for i, client in enumerate((fetch, load, weights)):
                with m.Case(i):
                    m.d.comb += ar.i.payload.request.eq(client.payload)

    def _elaborate_data(self, m: Module) -> None:
        beat_layout = read_data_layout(self.config)
        m.submodules.skid = skid = SkidBuffer(shape=data.StructLayout({"id": 2, "beat": beat_layout}))
        m.d.comb += [
            skid.i.valid.eq(self.m_axi_rvalid),
            skid.i.payload.id.eq(self.m_axi_rid),
            skid.i.payload.beat.data.eq(self.m_axi_rdata),
            skid.i.payload.beat.last.eq(self.m_axi_rlast),
            skid.i.payload.beat.error.eq(self.m_axi_rresp[1]),
            self.m_axi_rready.eq(skid.i.ready),
            skid.o.ready.eq(self.halt),
        ]
        for i, name in enumerate(READ_CLIENTS):
            client = getattr(self, f"{name}_r")
            m.d.comb += [
                client.payload.eq(skid.o.payload.beat),
                client.valid.eq(skid.o.valid & (skid.o.payload.id == i)),
            ]
            with m.If((skid.o.payload.id == i) & client.ready):
                m.d.comb += skid.o.ready.eq(1)
