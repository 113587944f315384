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
from talos.rtl.rows import ROW_COUNT

__all__ = ["RowRequests", "region_address"]


def region_address(bases: Sequence[Signal], region: Value, address: Value) -> Value:
    """An instruction's DRAM address: relative `address` plus the base of its `region`."""
    return Array(bases)[region] + address


class RowRequests(wiring.Component):
    """Asks for every row of an instruction, in order.

    `load` in cycle t: the instruction is in a register in t + 1, its first row at the loop nest's output in t + 2, the first burst on
    offer in t + 3, then one burst per cycle. The register keeps what is slow (semaphores, the region's base) away from the nest.

    Parameters
    ----------
    tag_width : bits that go with the instruction's bursts.

    Members
    -------
    load : In(1)
        Take an instruction; only while `ready`.
    ready : Out(1)
        The register is free, or moves into the loop nest in this cycle; from registers.
    address, row_stride, plane_stride, row_bytes, rows, planes, tag : In
        The instruction; counts are minus one, `address` includes the region's base.
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
                "load": In(1),
                "ready": Out(1),
                "address": In(config.axi_addr_width),
                "row_stride": In(signed(32)),
                "plane_stride": In(signed(32)),
                **{name: In(width) for name, width in ROW_COUNT.items()},
                "tag": In(tag_width),
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
        fields = {
            "address": self.config.axi_addr_width,
            "row_stride": signed(32),
            "plane_stride": signed(32),
            **ROW_COUNT,
            "tag": self.tag_width,
        }
        staged = Signal(data.StructLayout(fields), reset_less=True)
        staged_valid = Signal()
        valid = Signal()
        row_bytes = Signal(ROW_COUNT["row_bytes"], reset_less=True)
        tag = Signal(self.tag_width, reset_less=True)

        m.d.comb += [
            self.ready.eq(~staged_valid | ~valid),
            nest.load.eq(staged_valid & ~valid),
            nest.base.eq(staged.address),
            nest.count_0.eq(staged.rows),
            nest.count_1.eq(staged.planes),
            nest.stride_0.eq(staged.row_stride),
            nest.stride_1.eq(staged.plane_stride),
            nest.step.eq(valid & splitter.run.ready),
            splitter.run.valid.eq(valid),
            splitter.run.payload.address.eq(nest.address),
            splitter.run.payload.bytes.eq(row_bytes),
            splitter.run.payload.tag[0].eq(nest.last),
            splitter.run.payload.tag[1:].eq(tag),
            self.burst_last.eq(splitter.final & splitter.tag[0]),
            self.burst_tag.eq(splitter.tag[1:]),
            self.active.eq(staged_valid | valid | splitter.burst.valid),
        ]
        wiring.connect(m, splitter.burst, wiring.flipped(self.burst))
        # What enters without `load` is not valid: so the late `load` enables nothing.
        with m.If(self.ready):
            m.d.sync += [staged_valid.eq(self.load), *(getattr(staged, name).eq(getattr(self, name)) for name in fields)]
        with m.If(~valid):
            m.d.sync += [valid.eq(staged_valid), row_bytes.eq(staged.row_bytes), tag.eq(staged.tag)]
        with m.Elif(nest.step & nest.last):
            m.d.sync += valid.eq(0)
        return m
