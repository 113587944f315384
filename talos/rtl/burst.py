"""Splits a run of DRAM bytes into AXI bursts."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.rtl.axi_read import read_request_layout

__all__ = ["BurstSplitter", "run_layout"]


def run_layout(config: AcceleratorConfig, bytes_width: int, tag_width: int = 1) -> data.StructLayout:
    """Contiguous DRAM bytes: any byte `address`, `bytes` minus one, and a `tag` that goes with its bursts."""
    return data.StructLayout({"address": config.axi_addr_width, "bytes": bytes_width, "tag": tag_width})


class BurstSplitter(wiring.Component):
    """Turns each run into the bursts that cover it, one burst per cycle.

    Bursts end at the run's last beat and at addresses that are multiples of `max_burst` beats. So none is longer than `max_burst`
    or crosses a 4 KiB boundary (`max_burst` beats divide 4096 bytes), and the length of a burst needs no comparison: it ends at the
    last position of its segment unless it is the run's last. A run accepted in cycle t has its first burst on offer in t + 1; the
    next run is accepted in the cycle in which the last burst of this one leaves.

    Parameters
    ----------
    bytes_width : bits of a run's length.
    tag_width : bits of a run's tag.

    Members
    -------
    run : In(stream of run_layout)
    burst : Out(stream of axi_read.read_request_layout)
    final : Out(1)
        The burst on offer is the last of its run.
    tag : Out(tag_width)
        Tag of the run of the burst on offer.
    """

    def __init__(self, *, config: AcceleratorConfig, bytes_width: int, tag_width: int = 1) -> None:
        self.config = config
        self.bytes_width = bytes_width
        self.tag_width = tag_width
        super().__init__(
            {
                "run": In(stream.Signature(run_layout(config, bytes_width, tag_width))),
                "burst": Out(stream.Signature(read_request_layout(config))),
                "final": Out(1),
                "tag": Out(tag_width),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        beat_bits = exact_log2(self.config.beat_bytes)
        position_bits = exact_log2(self.config.max_burst)
        segment_bits = beat_bits + position_bits
        top = self.config.max_burst - 1
        width = max(1, position_bits)  # no signal may be 0 bits wide: Verilog has none

        valid = Signal()
        segment = Signal(self.config.axi_addr_width - segment_bits, reset_less=True)  # address of the burst's segment
        begin = Signal(width, reset_less=True)  # position of the burst's first beat in its segment
        end = Signal(width, reset_less=True)  # position of the run's last beat in the run's last segment
        left = Signal(self.bytes_width + 1, reset_less=True)  # segments after this one
        final = Signal(reset_less=True)  # left is 0
        tag = Signal(self.tag_width, reset_less=True)

        payload = self.run.payload
        span = Signal(max(self.bytes_width, segment_bits) + 1)  # offset of the run's last byte from its first segment's begin
        stop = Signal(width)
        m.d.comb += [
            span.eq(payload.address[:segment_bits] + payload.bytes),
            stop.eq(Mux(final, end, top)),
            self.run.ready.eq(~valid | (self.burst.ready & final)),
            self.burst.valid.eq(valid),
            self.burst.payload.address.eq(Cat(Const(0, beat_bits), begin[:position_bits], segment)),
            self.burst.payload.beats.eq(stop - begin),
            self.final.eq(final),
            self.tag.eq(tag),
        ]
        with m.If(self.run.ready):
            m.d.sync += [
                valid.eq(self.run.valid),
                segment.eq(payload.address[segment_bits:]),
                begin.eq(payload.address[beat_bits:segment_bits]),
                end.eq(span[beat_bits:segment_bits]),
                left.eq(span[segment_bits:]),
                final.eq(span[segment_bits:] == 0),
                tag.eq(payload.tag),
            ]
        with m.Elif(self.burst.ready):
            m.d.sync += [segment.eq(segment + 1), begin.eq(0), left.eq(left - 1), final.eq(left == 1)]
        return m
