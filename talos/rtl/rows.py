"""Rows of bytes as AXI beats: which bytes of each beat belong to the row, and where they are in on-chip memory."""

from typing import Any

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.isa import ADDRESS, INSTRUCTIONS, Opcode
from talos.rtl.loopnest import LoopNest
from talos.rtl.spare import SpareBuffer

__all__ = ["ROW_COUNT", "ROW_FLAGS", "RowWalker", "beat_layout", "row_layout", "rows_layout"]

_WIDTHS = {field.name: field.width for field in INSTRUCTIONS[Opcode.LOAD].fields}

ROW_COUNT = {name: _WIDTHS[name] for name in ("row_bytes", "rows", "planes")}
"""Widths of the counts of a rows × planes instruction."""

ROW_FLAGS = {"ones": 2, "twos": 2}
"""`LoopNest`'s flags of rows and planes."""


def rows_layout(config: AcceleratorConfig, tag_width: int) -> data.StructLayout:
    """Planes of rows of contiguous bytes. Counts are minus one.

    `offset` and `offset_*_stride` are the DRAM address of the first row and its strides modulo the longest burst; `local` and
    `local_*_stride` are those of the on-chip address. Instruction fields can be assigned to them as they are: the low bits count.
    """
    segment = exact_log2(config.max_burst * config.beat_bytes)
    return data.StructLayout(
        {
            **ROW_COUNT,
            **ROW_FLAGS,
            "offset": segment,
            "offset_row_stride": segment,
            "offset_plane_stride": segment,
            "local": ADDRESS,
            "local_row_stride": ADDRESS,
            "local_plane_stride": ADDRESS,
            "tag": tag_width,
        }
    )


def row_layout(config: AcceleratorConfig, tag_width: int) -> data.StructLayout:
    """One row: `offset` and `local` address of its first byte, `bytes` minus one, `short` if a beat has as many, last of its instruction."""
    segment = exact_log2(config.max_burst * config.beat_bytes)
    fields = {"offset": segment, "local": ADDRESS, "bytes": ROW_COUNT["row_bytes"], "short": 1, "last": 1, "tag": tag_width}
    return data.StructLayout(fields)


def beat_layout(config: AcceleratorConfig, tag_width: int) -> data.StructLayout:
    """Bytes `start` … `stop` of a DRAM beat, the first of them at `address` on chip; last of its burst, of its instruction."""
    lane = exact_log2(config.beat_bytes)
    return data.StructLayout({"address": ADDRESS, "start": lane, "stop": lane, "burst_last": 1, "last": 1, "tag": tag_width})


class RowWalker(wiring.Component):
    """Turns planes × rows of bytes into the beats that cover them in DRAM, one per cycle, no bubble between rows.

    ::

        i ──► loop nests (offset, local) ──► spare row ──► row register ──► beat

    An instruction accepted in cycle t has its first beat on offer in t + 2. The next one is accepted once the last row has left the
    nests. `i.ready` and `beat.valid` are registers; `beat.ready` enables the row register and nothing in the nests.

    Parameters
    ----------
    tag_width : bits that travel with the instruction.

    Members
    -------
    i : In(stream of rows_layout)
    beat : Out(stream of beat_layout)
    active : Out(1)
        An instruction is in the walker.
    """

    def __init__(self, *, config: AcceleratorConfig, tag_width: int) -> None:
        self.config = config
        self.tag_width = tag_width
        super().__init__(
            {
                "i": In(stream.Signature(rows_layout(config, tag_width))),
                "beat": Out(stream.Signature(beat_layout(config, tag_width))),
                "active": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beat_bytes = self.config.beat_bytes
        lane_bits = exact_log2(beat_bytes)
        position_bits = exact_log2(self.config.max_burst)
        segment_bits = lane_bits + position_bits
        counts = (ROW_COUNT["rows"], ROW_COUNT["planes"])

        m.submodules.offsets = offsets = LoopNest(
            address_width=segment_bits, count_widths=counts, stride_widths=(segment_bits, segment_bits)
        )
        m.submodules.locals = local = LoopNest(address_width=ADDRESS, count_widths=counts, stride_widths=(ADDRESS, ADDRESS))
        m.submodules.spare = spare = SpareBuffer(shape=row_layout(self.config, self.tag_width))
        nest_valid = Signal()
        nest_bytes = Signal(ROW_COUNT["row_bytes"], reset_less=True)
        nest_short = Signal(reset_less=True)  # no more bytes than a beat has
        nest_tag = Signal(self.tag_width, reset_less=True)
        load = Signal()
        step = Signal()

        i = self.i.payload
        m.d.comb += [self.i.ready.eq(~nest_valid), load.eq(self.i.valid & self.i.ready)]
        for nest, base, row, plane in (
            (offsets, i.offset, i.offset_row_stride, i.offset_plane_stride),
            (local, i.local, i.local_row_stride, i.local_plane_stride),
        ):
            m.d.comb += [
                nest.load.eq(load),
                nest.follow.eq(load),
                nest.ones.eq(i.ones),
                nest.twos.eq(i.twos),
                nest.step.eq(step),
                nest.base.eq(base),
                nest.count_0.eq(i.rows),
                nest.count_1.eq(i.planes),
                nest.stride_0.eq(row),
                nest.stride_1.eq(plane),
            ]
        m.d.comb += [
            step.eq(nest_valid & spare.i.ready),
            spare.i.valid.eq(nest_valid),
            spare.i.payload.offset.eq(offsets.address),
            spare.i.payload.local.eq(local.address),
            spare.i.payload.bytes.eq(nest_bytes),
            spare.i.payload.short.eq(nest_short),
            spare.i.payload.last.eq(offsets.last),
            spare.i.payload.tag.eq(nest_tag),
        ]
        with m.If(~nest_valid):
            m.d.sync += [
                nest_valid.eq(self.i.valid),
                nest_bytes.eq(i.row_bytes),
                nest_short.eq(i.row_bytes[lane_bits:] == 0),
                nest_tag.eq(i.tag),
            ]
        with m.Elif(step & offsets.last):
            m.d.sync += nest_valid.eq(0)

        # The row register: what is left of the row in progress.
        valid = Signal()
        address = Signal(ADDRESS, reset_less=True)
        start = Signal(lane_bits, reset_less=True)  # first byte of the row in this beat
        advance = Signal(lane_bits + 1, reset_less=True)  # bytes of this beat, unless it is the row's last
        end = Signal(lane_bits, reset_less=True)  # last byte of the row in the row's last beat
        position = Signal(max(1, position_bits), reset_less=True)  # of this beat in the address segment that a burst may cover
        left = Signal(ROW_COUNT["row_bytes"] - lane_bits, reset_less=True)  # beats after this one, without `extra`
        extra = Signal(reset_less=True)  # one more of them
        final = Signal(reset_less=True)  # left and extra are 0
        last_row = Signal(reset_less=True)
        tag = Signal(self.tag_width, reset_less=True)

        # The row's length in beats is known before its address: the offset in the first beat adds at most `extra`.
        row = spare.o.payload
        span = Signal(lane_bits + 1)  # offset of the row's last byte, its whole beats left out, in the row's first beat
        next_final = Signal()
        m.d.comb += [
            span.eq(row.offset[:lane_bits] + row.bytes[:lane_bits]),
            next_final.eq(Mux(extra, left == 0, left == 1)),
            spare.o.ready.eq(~valid | (self.beat.ready & final)),
            self.beat.valid.eq(valid),
            self.beat.payload.address.eq(address),
            self.beat.payload.start.eq(start),
            self.beat.payload.stop.eq(Mux(final, end, beat_bytes - 1)),
            self.beat.payload.burst_last.eq(final | (position == self.config.max_burst - 1)),
            self.beat.payload.last.eq(final & last_row),
            self.beat.payload.tag.eq(tag),
            self.active.eq(nest_valid | valid),
        ]
        with m.If(~valid | self.beat.ready):
            with m.If(~valid | final):
                m.d.sync += [
                    valid.eq(spare.o.valid),
                    address.eq(row.local),
                    start.eq(row.offset[:lane_bits]),
                    advance.eq(beat_bytes - row.offset[:lane_bits]),
                    end.eq(span[:lane_bits]),
                    position.eq(row.offset[lane_bits:]),
                    left.eq(row.bytes[lane_bits:]),
                    extra.eq(span[lane_bits]),
                    final.eq(row.short & ~span[lane_bits]),
                    last_row.eq(row.last),
                    tag.eq(row.tag),
                ]
            with m.Else():
                m.d.sync += [
                    address.eq(address + advance),
                    start.eq(0),
                    advance.eq(beat_bytes),
                    position.eq((position + 1)[:position_bits]),
                    left.eq(left - ~extra),
                    extra.eq(0),
                    final.eq(next_final),
                ]
        return m
