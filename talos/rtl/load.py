"""Load unit: DRAM → activation or parameter memory, and constant fill of activation memory."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.isa import ADDRESS, Opcode, Unit
from talos.registers import REGIONS
from talos.rtl.axi_read import read_data_layout, read_request_layout
from talos.rtl.layouts import header_view, instruction_view
from talos.rtl.requests import RowRequests, region_address
from talos.rtl.rows import ROW_COUNT, RowWalker
from talos.rtl.spare import SpareBuffer
from talos.rtl.stage import RowStage
from talos.rtl.unit import WritePort, unit_ports

__all__ = ["LoadUnit"]

_TAG = data.StructLayout({"post": 4, "fill": 1, "parameter": 1, "value": 8})


class LoadUnit(wiring.Component):
    """Executes LOAD and FILL.

    ::

        instr ──► RowStage ─┬─► RowRequests ──► ar                                 (address side)
                            └─► RowWalker ──► write register ──► write, param      (receiving side)
                                  r ──► spare beat ──┘

    An instruction starts when the stage is free for it; a FILL goes to the receiving side only. A beat enters the write
    register in a cycle in which that is empty or its write is done; one that cannot enter waits beside it, so `r.ready` is a register.
    `done` comes in the cycle after the last write was granted.

    Members
    -------
    bases : In(axi_addr_width), four
        Base address of each DRAM region.
    ar : Out(stream of axi_read.read_request_layout)
    r : In(stream of axi_read.read_data_layout)
    write : Out(WritePort of beat_bytes)
        Activation memory.
    param_valid, param_address, param_data : Out
        Parameter memory: one beat at a word address; always accepted.
    error : Out(1)
        The bus answered a beat of the cycle before with an error.

    The other ports are those of `unit_ports`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                **unit_ports(Unit.LOAD),
                "bases": In(config.axi_addr_width).array(REGIONS),
                "ar": Out(stream.Signature(read_request_layout(config))),
                "r": In(stream.Signature(read_data_layout(config))),
                "write": Out(WritePort(config.beat_bytes)),
                "param_valid": Out(1),
                "param_address": Out(exact_log2(config.parameter_bytes // config.beat_bytes)),
                "param_data": Out(config.axi_data_width),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.requests = requests = RowRequests(config=self.config)
        m.submodules.stage = stage = RowStage(config=self.config, tag_width=_TAG.size)
        m.submodules.walker = walker = RowWalker(config=self.config, tag_width=_TAG.size)
        wiring.connect(m, wiring.flipped(self.ar), requests.burst)
        wiring.connect(m, stage.requests, requests.i)
        wiring.connect(m, stage.rows, walker.i)

        m.d.comb += [
            self.wait.eq(Mux(self.instr.valid, header_view(self.instr.payload).wait, 0)),
            self.start.eq(self.instr.valid & self.sync_ready & stage.ready),
            self.instr.ready.eq(self.start),
        ]
        self._elaborate_start(m, stage)
        stage_valid = self._elaborate_write(m, walker)

        running = Signal()
        m.d.comb += [
            running.eq(stage.active | requests.active | walker.active | stage_valid | self.done),
            self.idle.eq(~running),
            self.busy.eq(self.param_valid | (self.write.valid & self.write.grant)),
            self.stall.eq(running & ~self.busy),
            self.sync.eq(~running & self.instr.valid & ~self.sync_ready),
        ]
        return m

    def _elaborate_start(self, m: Module, stage: RowStage) -> None:
        load = instruction_view(Opcode.LOAD, self.instr.payload)
        fill = instruction_view(Opcode.FILL, self.instr.payload)
        is_fill = Signal()
        tag = Signal(_TAG)
        to: Any = stage.instruction
        m.d.comb += [
            is_fill.eq(load.opcode == Opcode.FILL),
            stage.load.eq(self.start),
            stage.asks.eq(~is_fill),
            to.address.eq(region_address(self.bases, load.region, load.address)),
            to.row_stride.eq(load.row_stride),
            to.plane_stride.eq(load.plane_stride),
            tag.post.eq(load.post),
            tag.fill.eq(is_fill),
            tag.parameter.eq(load.space & ~is_fill),
            tag.value.eq(fill.value),
            to.tag.eq(tag),
        ]
        with m.If(is_fill):
            m.d.comb += [to[name].eq(fill[name]) for name in ROW_COUNT]
            m.d.comb += [
                to.local.eq(fill.dst),
                to.local_row_stride.eq(fill.dst_row_stride),
                to.local_plane_stride.eq(fill.dst_plane_stride),
            ]
        with m.Else():
            m.d.comb += [to[name].eq(load[name]) for name in ROW_COUNT]
            m.d.comb += [
                to.local.eq(load.dst),
                to.local_row_stride.eq(load.dst_row_stride),
                to.local_plane_stride.eq(load.dst_plane_stride),
            ]

    def _elaborate_write(self, m: Module, walker: RowWalker) -> Signal:
        """The write register: one beat, its bytes moved to byte 0. Returns its valid bit."""
        beat_bytes = self.config.beat_bytes
        valid = Signal(name="write_valid")
        parameter = Signal(name="write_parameter", reset_less=True)
        address = Signal(ADDRESS, name="write_address", reset_less=True)
        count = Signal(range(beat_bytes + 1), name="write_count", reset_less=True)
        content = Signal(self.config.axi_data_width, name="write_data", reset_less=True)
        last = Signal(name="write_last", reset_less=True)
        post = Signal(4, name="write_post", reset_less=True)

        beat = walker.beat.payload
        tag = data.View(_TAG, beat.tag)
        m.submodules.spare = spare = SpareBuffer(shape=self.config.axi_data_width)
        free = Signal()
        m.d.comb += [
            free.eq(~valid | parameter | self.write.grant),
            spare.i.valid.eq(self.r.valid),
            spare.i.payload.eq(self.r.payload.data),
            self.r.ready.eq(spare.i.ready),
            spare.o.ready.eq(walker.beat.valid & ~tag.fill & free),
            walker.beat.ready.eq(free & (tag.fill | spare.o.valid)),
            self.write.valid.eq(valid & ~parameter),
            self.write.address.eq(address),
            self.write.count.eq(count),
            self.write.data.eq(content),
            self.param_valid.eq(valid & parameter),
            self.param_address.eq(address[exact_log2(beat_bytes) :]),
            self.param_data.eq(content),
        ]
        m.d.sync += [
            self.error.eq(self.r.valid & self.r.ready & self.r.payload.error),
            self.done.eq(valid & last & free),
            self.post.eq(post),
        ]
        with m.If(free):
            m.d.sync += [
                valid.eq(walker.beat.valid & walker.beat.ready),
                parameter.eq(tag.parameter),
                address.eq(beat.address),
                count.eq(beat.stop - beat.start + 1),
                content.eq(Mux(tag.fill, tag.value.replicate(beat_bytes), spare.o.payload >> (beat.start << 3))),
                last.eq(beat.last),
                post.eq(tag.post),
            ]
        return valid
