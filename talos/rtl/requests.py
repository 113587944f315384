"""Planes × rows of DRAM bytes as AXI bursts: the address side of load and store."""

from collections.abc import Sequence
from typing import Any

from amaranth import Array, Module, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.rtl.axi_read import read_request_layout
from talos.rtl.burst import BurstSplitter
from talos.rtl.loopnest import LoopNest
from talos.rtl.rows import ROW_COUNT, ROW_FLAGS

__all__ = ["RowRequests", "region_address", "request_layout"]


def region_address(bases: Sequence[Signal], region: Value, address: Value) -> Value:
    """An instruction's DRAM address: relative `address` plus the base of its `region`."""
    return Array(bases)[region] + address


def request_layout(config: AcceleratorConfig, tag_width: int) -> data.StructLayout:
    """Planes of rows of DRAM bytes. Counts are minus one, `address` includes the region's base."""
    strides = {"row_stride": signed(32), "plane_stride": signed(32)}
    return data.StructLayout({"address": config.axi_addr_width, **strides, **ROW_COUNT, **ROW_FLAGS, "tag": tag_width})


class RowRequests(wiring.Component):
    """Asks for every row of an instruction, in order.

    Accepted in cycle t: the first row is at the loop nest's output in t + 1, its first burst on offer in t + 2, then one burst per cycle.
    `i.ready` is a register.

    Parameters
    ----------
    tag_width : bits that go with the instruction's bursts.

    Members
    -------
    i : In(stream of request_layout)
    burst : Out(stream of axi_read.read_request_layout)
    burst_tag : Out(tag_width)
    burst_last : Out(1)
        The burst on offer is the last of its instruction.
    active : Out(1)
        Bursts are still to be asked for.
    """

    def __init__(self, *, config: AcceleratorConfig, tag_width: int = 1) -> None:
        self.config = config
        self.tag_width = tag_width
        super().__init__(
            {
                "i": In(stream.Signature(request_layout(config, tag_width))),
                "burst": Out(stream.Signature(read_request_layout(config))),
                "burst_tag": Out(tag_width),
                "burst_last": Out(1),
                "active": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.nest = nest = LoopNest(
            address_width=self.config.axi_addr_width,
            count_widths=(ROW_COUNT["rows"], ROW_COUNT["planes"]),
            stride_widths=(32, 32),
        )
        m.submodules.splitter = splitter = BurstSplitter(
            config=self.config, bytes_width=ROW_COUNT["row_bytes"], tag_width=self.tag_width + 1
        )
        valid = Signal()
        row_bytes = Signal(ROW_COUNT["row_bytes"], reset_less=True)
        tag = Signal(self.tag_width, reset_less=True)

        i = self.i.payload
        m.d.comb += [
            self.i.ready.eq(~valid),
            nest.load.eq(self.i.valid & ~valid),
            nest.follow.eq(nest.load),
            nest.ones.eq(i.ones),
            nest.twos.eq(i.twos),
            nest.base.eq(i.address),
            nest.count_0.eq(i.rows),
            nest.count_1.eq(i.planes),
            nest.stride_0.eq(i.row_stride),
            nest.stride_1.eq(i.plane_stride),
            nest.step.eq(valid & splitter.run.ready),
            splitter.run.valid.eq(valid),
            splitter.run.payload.address.eq(nest.address),
            splitter.run.payload.bytes.eq(row_bytes),
            splitter.run.payload.tag[0].eq(nest.last),
            splitter.run.payload.tag[1:].eq(tag),
            self.burst_last.eq(splitter.final & splitter.tag[0]),
            self.burst_tag.eq(splitter.tag[1:]),
            self.active.eq(valid | splitter.burst.valid),
        ]
        wiring.connect(m, splitter.burst, wiring.flipped(self.burst))
        with m.If(~valid):
            m.d.sync += [valid.eq(self.i.valid), row_bytes.eq(i.row_bytes), tag.eq(i.tag)]
        with m.Elif(nest.step & nest.last):
            m.d.sync += valid.eq(0)
        return m
