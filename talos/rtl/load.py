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
from talos.rtl.loopnest import count_flags
from talos.rtl.requests import RowRequests, region_address
from talos.rtl.rows import ROW_COUNT, RowWalker
from talos.rtl.skid import SkidBuffer
from talos.rtl.stage import RowStage
from talos.rtl.unit import WritePort, unit_ports

__all__ = ["LoadUnit"]

_TAG = data.StructLayout({"post": 4, "fill": 1, "parameter": 1, "value": 8})


def _write_layout(config: AcceleratorConfig) -> data.StructLayout:
    """One beat on its way into a memory: `count` bytes of `data` to `address`; `last` of its instruction, which then posts `post`."""
    sizes = {"count": range(config.beat_bytes + 1), "data": config.axi_data_width}
    return data.StructLayout({"parameter": 1, "address": ADDRESS, **sizes, "last": 1, "post": 4})


class LoadUnit(wiring.Component):
    """Executes LOAD and FILL.

    ::

        instr ──► RowStage ─┬─► RowRequests ──► ar                                 (address side)
                            └─► RowWalker ──► write buffer ──► write, param        (receiving side)
                                  r ──────────────┘

    An instruction starts when the stage is free for it; a FILL goes to the receiving side only. A beat enters the write buffer while
    that holds fewer than two, whatever the grant is, and is written from it in the next cycle or later.
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
        for instr, chosen in ((fill, is_fill), (load, ~is_fill)):
            ones, twos = count_flags((instr.rows, instr.planes))
            with m.If(chosen):
                m.d.comb += [to.ones.eq(ones), to.twos.eq(twos)]
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
        """Beats, their bytes moved to byte 0, through the write buffer. Returns the buffer's valid bit."""
        beat_bytes = self.config.beat_bytes
        m.submodules.buffer = buffer = SkidBuffer(shape=_write_layout(self.config))
        beat = walker.beat.payload
        tag = data.View(_TAG, beat.tag)
        entry: Any = buffer.i.payload
        head: Any = buffer.o.payload
        m.d.comb += [
            self.r.ready.eq(buffer.i.ready & walker.beat.valid & ~tag.fill),
            walker.beat.ready.eq(buffer.i.ready & (tag.fill | self.r.valid)),
            buffer.i.valid.eq(walker.beat.valid & (tag.fill | self.r.valid)),
            entry.parameter.eq(tag.parameter),
            entry.address.eq(beat.address),
            entry.count.eq(beat.stop - beat.start + 1),
            entry.data.eq(Mux(tag.fill, tag.value.replicate(beat_bytes), self.r.payload.data >> (beat.start << 3))),
            entry.last.eq(beat.last),
            entry.post.eq(tag.post),
            self.write.valid.eq(buffer.o.valid & ~head.parameter),
            self.write.address.eq(head.address),
            self.write.count.eq(head.count),
            self.write.data.eq(head.data),
            self.param_valid.eq(buffer.o.valid & head.parameter),
            self.param_address.eq(head.address[exact_log2(beat_bytes) :]),
            self.param_data.eq(head.data),
            buffer.o.ready.eq(head.parameter | self.write.grant),
        ]
        m.d.sync += [
            self.error.eq(self.r.valid & self.r.ready & self.r.payload.error),
            self.done.eq(buffer.o.valid & buffer.o.ready & head.last),
            self.post.eq(head.post),
        ]
        valid: Signal = buffer.o.valid
        return valid
