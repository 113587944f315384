"""Store unit: activation memory → DRAM."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.isa import ADDRESS, Opcode, Unit
from talos.latency import ACT_READ, MAX_WRITES, STORE_AHEAD
from talos.registers import REGIONS
from talos.rtl.axi_read import read_request_layout
from talos.rtl.axi_write import write_data_layout
from talos.rtl.fifo import Fifo
from talos.rtl.layouts import header_view, instruction_view
from talos.rtl.loopnest import count_flags
from talos.rtl.requests import RowRequests, region_address
from talos.rtl.rows import ROW_COUNT, RowWalker
from talos.rtl.skid import SkidBuffer
from talos.rtl.stage import RowStage
from talos.rtl.unit import ReadPort, unit_ports

__all__ = ["StoreUnit"]


class StoreUnit(wiring.Component):
    """Executes STORE.

    ::

        instr ──► RowStage ─┬─► RowRequests ──► aw ──► responses, MAX_WRITES entries ◄── b     (address side)
                            └─► RowWalker ──► read … data ──► align ──► FIFO ──► w             (data side)

    A beat is read only when the FIFO has room for it and all beats in front of it. A read granted in cycle t has its data aligned in
    t + ACT_READ + 1 and on offer on `w` in t + ACT_READ + 2. Every burst asked for leaves (last of its instruction, post) in the
    responses queue; the instruction is done in the cycle of its last response.

    Members
    -------
    bases : In(axi_addr_width), four
        Base address of each DRAM region.
    read : Out(ReadPort of beat_bytes)
        Activation memory.
    aw : Out(stream of axi_read.read_request_layout)
    w : Out(stream of axi_write.write_data_layout)
    b : In(stream of 1 bit: the bus answered with an error)
        Always ready.
    error : Out(1)
        The response of the cycle before was an error.

    The other ports are those of `unit_ports`; `busy` counts beats that leave on `w`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                **unit_ports(Unit.STORE),
                "bases": In(config.axi_addr_width).array(REGIONS),
                "read": Out(ReadPort(config.beat_bytes)),
                "aw": Out(stream.Signature(read_request_layout(config))),
                "w": Out(stream.Signature(write_data_layout(config))),
                "b": In(stream.Signature(1)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.requests = requests = RowRequests(config=self.config, tag_width=4)
        m.submodules.stage = stage = RowStage(config=self.config, tag_width=4, request_tag_width=4)
        m.submodules.walker = walker = RowWalker(config=self.config, tag_width=4)
        m.submodules.responses = responses = Fifo(shape=data.StructLayout({"last": 1, "post": 4}), depth=MAX_WRITES)
        wiring.connect(m, stage.requests, requests.i)
        wiring.connect(m, stage.rows, walker.i)

        m.d.comb += [
            self.wait.eq(Mux(self.instr.valid, header_view(self.instr.payload).wait, 0)),
            self.start.eq(self.instr.valid & self.sync_ready & stage.ready),
            self.instr.ready.eq(self.start),
            self.aw.valid.eq(requests.burst.valid & responses.i.ready),
            self.aw.payload.eq(requests.burst.payload),
            requests.burst.ready.eq(self.aw.ready & responses.i.ready),
            responses.i.valid.eq(requests.burst.valid & self.aw.ready),
            responses.i.payload.last.eq(requests.burst_last),
            responses.i.payload.post.eq(requests.burst_tag),
            self.b.ready.eq(1),
            responses.o.ready.eq(self.b.valid),
            self.done.eq(self.b.valid & responses.o.payload.last),
            self.post.eq(responses.o.payload.post),
        ]
        m.d.sync += self.error.eq(self.b.valid & self.b.payload)
        self._elaborate_start(m, stage)
        moving = self._elaborate_data(m, walker)

        running = Signal()
        m.d.comb += [
            running.eq(stage.active | requests.active | walker.active | moving | responses.o.valid),
            self.idle.eq(~running),
            self.busy.eq(self.w.valid & self.w.ready),
            self.stall.eq(running & ~self.busy),
            self.sync.eq(~running & self.instr.valid & ~self.sync_ready),
        ]
        return m

    def _elaborate_start(self, m: Module, stage: RowStage) -> None:
        instr = instruction_view(Opcode.STORE, self.instr.payload)
        to: Any = stage.instruction
        ones, twos = count_flags((instr.rows, instr.planes))
        m.d.comb += [
            to.ones.eq(ones),
            to.twos.eq(twos),
            stage.load.eq(self.start),
            stage.asks.eq(1),
            to.address.eq(region_address(self.bases, instr.region, instr.address)),
            to.row_stride.eq(instr.row_stride),
            to.plane_stride.eq(instr.plane_stride),
            *(to[name].eq(instr[name]) for name in ROW_COUNT),
            to.local.eq(instr.src),
            to.local_row_stride.eq(instr.src_row_stride),
            to.local_plane_stride.eq(instr.src_plane_stride),
            to.tag.eq(instr.post),
        ]

    def _elaborate_data(self, m: Module, walker: RowWalker) -> Value:
        """From the walker's beats to `w`. Returns whether a beat is on its way."""
        top = self.config.beat_bytes - 1
        beat_lane = exact_log2(self.config.beat_bytes)
        m.submodules.fifo = fifo = Fifo(shape=write_data_layout(self.config), depth=STORE_AHEAD)
        wiring.connect(m, wiring.flipped(self.w), fifo.o)

        # The grant comes late: between it and the walker is a buffer.
        asked_layout = data.StructLayout({"address": ADDRESS, "start": beat_lane, "stop": beat_lane, "last": 1})
        m.submodules.asked = asked = SkidBuffer(shape=asked_layout)
        m.d.comb += [
            asked.i.valid.eq(walker.beat.valid),
            asked.i.payload.address.eq(walker.beat.payload.address),
            asked.i.payload.start.eq(walker.beat.payload.start),
            asked.i.payload.stop.eq(walker.beat.payload.stop),
            asked.i.payload.last.eq(walker.beat.payload.burst_last),
            walker.beat.ready.eq(asked.i.ready),
        ]
        beat = asked.o.payload
        reserved = Signal(range(STORE_AHEAD + 1), name="reserved")
        room = Signal()
        issued = Signal()
        taken = Signal()
        m.d.comb += [
            room.eq(~reserved[exact_log2(STORE_AHEAD)]),
            self.read.valid.eq(asked.o.valid & room),
            self.read.address.eq(beat.address),
            asked.o.ready.eq(self.read.grant & room),
            issued.eq(self.read.valid & self.read.grant),
            taken.eq(self.w.valid & self.w.ready),
        ]
        # The late `issued` selects one of two sums; with it, a beat that is taken takes the carry.
        more, fewer = Signal.like(reserved), Signal.like(reserved)
        m.d.comb += [more.eq(reserved + ~taken), fewer.eq(reserved - taken)]
        m.d.sync += reserved.eq(Mux(issued, more, fewer))

        # What is known about a beat accompanies its read.
        travelling = data.StructLayout({"start": beat_lane, "stop": beat_lane, "last": 1})
        valid = issued
        info = Signal(travelling, name="info_0")
        m.d.comb += [info.start.eq(beat.start), info.stop.eq(beat.stop), info.last.eq(beat.last)]
        for stage in range(1, ACT_READ + 1):
            next_valid = Signal(name=f"valid_{stage}")
            next_info = Signal(travelling, name=f"info_{stage}", reset_less=True)
            m.d.sync += [next_valid.eq(valid), next_info.eq(info)]
            valid, info = next_valid, next_info

        aligned_valid = Signal()
        aligned = Signal(write_data_layout(self.config), reset_less=True)
        m.d.sync += [
            aligned_valid.eq(valid),
            aligned.data.eq(self.read.data << (info.start << 3)),
            aligned.strobe.eq(Cat((info.start <= i if i < top else 1) & (info.stop >= i if i else 1) for i in range(top + 1))),
            aligned.last.eq(info.last),
        ]
        m.d.comb += [fifo.i.valid.eq(aligned_valid), fifo.i.payload.eq(aligned)]
        return asked.o.valid | (reserved != 0)
