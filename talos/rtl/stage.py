"""The register in front of load's and store's two sides: an instruction enters it with its semaphores and leaves it for both."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.isa import ADDRESS
from talos.rtl.requests import request_layout
from talos.rtl.rows import ROW_COUNT, ROW_FLAGS, rows_layout

__all__ = ["RowStage", "stage_layout"]


def stage_layout(config: AcceleratorConfig, tag_width: int) -> data.StructLayout:
    """An instruction of planes × rows. Counts are minus one, `address` includes the region's base, `local` is on chip."""
    return data.StructLayout(
        {
            "address": config.axi_addr_width,
            "row_stride": signed(32),
            "plane_stride": signed(32),
            **ROW_COUNT,
            **ROW_FLAGS,
            "local": ADDRESS,
            "local_row_stride": ADDRESS,
            "local_plane_stride": ADDRESS,
            "tag": tag_width,
        }
    )


class RowStage(wiring.Component):
    """Gives an instruction to the address side and to the data side, each when it is ready for it.

    ::

        instruction ──► stage ─┬─► requests
                               └─► join ──► rows

    Taken in cycle t: offered on `requests` in t + 1 and on `rows` in t + 2. The stage is free again when both sides have theirs; the
    join lets the address side run one instruction further ahead.

    Parameters
    ----------
    tag_width, request_tag_width : bits that go with the instruction, and how many of the low ones the address side gets.

    Members
    -------
    load : In(1)
        Take `instruction`; only while `ready`.
    asks : In(1)
        It has requests. If not, `address` and its strides mean nothing and every row begins at byte 0 of a beat.
    ready : Out(1)
        The stage is free or becomes free in this cycle; from registers if the two sides' `ready` are registers.
    requests : Out(stream of requests.request_layout)
    rows : Out(stream of rows.rows_layout)
    active : Out(1)
        An instruction is in the stage or in the join.
    """

    def __init__(self, *, config: AcceleratorConfig, tag_width: int, request_tag_width: int = 1) -> None:
        self.config = config
        self.tag_width = tag_width
        self.request_tag_width = request_tag_width
        super().__init__(
            {
                "load": In(1),
                "asks": In(1),
                "instruction": In(stage_layout(config, tag_width)),
                "ready": Out(1),
                "requests": Out(stream.Signature(request_layout(config, request_tag_width))),
                "rows": Out(stream.Signature(rows_layout(config, tag_width))),
                "active": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        stage = Signal(stage_layout(self.config, self.tag_width), reset_less=True)
        asks = Signal()  # the address side has not got it yet
        walks = Signal()  # the join has not got it yet
        in_dram = Signal(reset_less=True)
        join = Signal(rows_layout(self.config, self.tag_width), reset_less=True)
        join_valid = Signal()
        join_free = Signal()
        m.d.comb += [
            join_free.eq(~join_valid | self.rows.ready),
            self.ready.eq((~asks | self.requests.ready) & (~walks | join_free)),
            self.requests.valid.eq(asks),
            *(getattr(self.requests.payload, name).eq(stage[name]) for name in request_layout(self.config, 1).members),
            self.rows.valid.eq(join_valid),
            self.rows.payload.eq(join),
            self.active.eq(walks | join_valid | asks),
        ]
        # What enters without `load` is not valid: so the late `load` enables nothing.
        with m.If(self.ready):
            m.d.sync += [stage.eq(self.instruction), in_dram.eq(self.asks), asks.eq(self.load & self.asks), walks.eq(self.load)]
        with m.Else():
            with m.If(self.requests.ready):
                m.d.sync += asks.eq(0)
            with m.If(join_free):
                m.d.sync += walks.eq(0)
        with m.If(join_free):
            m.d.sync += [
                join_valid.eq(walks),
                *(
                    join[name].eq(stage[name])
                    for name in (*ROW_COUNT, *ROW_FLAGS, "local", "local_row_stride", "local_plane_stride", "tag")
                ),
                join.offset.eq(Mux(in_dram, stage.address, 0)),
                join.offset_row_stride.eq(Mux(in_dram, stage.row_stride, 0)),
                join.offset_plane_stride.eq(Mux(in_dram, stage.plane_stride, 0)),
            ]
        return m
