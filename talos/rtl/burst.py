"""Splits a run of DRAM bytes into AXI bursts."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.rtl.axi_read import read_request_layout
from talos.rtl.spare import SpareBuffer

__all__ = ["BurstSplitter", "cut_layout", "run_layout"]


def run_layout(config: AcceleratorConfig, bytes_width: int, tag_width: int = 1) -> data.StructLayout:
    """Contiguous DRAM bytes: any byte `address`, `bytes` minus one, and a `tag` that goes with its bursts."""
    return data.StructLayout({"address": config.axi_addr_width, "bytes": bytes_width, "tag": tag_width})


def cut_layout(config: AcceleratorConfig, bytes_width: int, tag_width: int) -> data.StructLayout:
    """A run seen from one of its bursts, in segments of `max_burst` beats that begin at multiples of that."""
    segment_bits = exact_log2(config.beat_bytes * config.max_burst)
    width = max(1, exact_log2(config.max_burst))  # no signal may be 0 bits wide: Verilog has none
    return data.StructLayout(
        {
            "segment": config.axi_addr_width - segment_bits,  # number of the burst's segment
            "begin": width,  # position of the burst's first beat in its segment
            "end": width,  # position of the run's last beat in the run's last segment
            "beats": width,  # of the burst, minus one
            "left": max(1, bytes_width - segment_bits),  # segments after this one, without `extra`
            "extra": 1,  # one more of them
            "final": 1,  # left and extra are 0
            "tag": tag_width,
        }
    )


class BurstSplitter(wiring.Component):
    """Turns each run into the bursts that cover it, one burst per cycle.

    Bursts end at the run's last beat and at addresses that are multiples of `max_burst` beats. So none is longer than `max_burst`
    or crosses a 4 KiB boundary (`max_burst` beats divide 4096 bytes), and the length of a burst needs no comparison: it ends at the
    last position of its segment unless it is the run's last. A run accepted in cycle t has its first burst on offer in t + 1 if no
    other is before it; the next run is accepted while this one's bursts leave, and its first burst follows at once. `run.ready` and
    `burst` are registers.

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
        layout = cut_layout(self.config, self.bytes_width, self.tag_width)
        m.submodules.spare = spare = SpareBuffer(shape=layout)

        valid = Signal()
        now = Signal(layout, reset_less=True)

        # The run's length in segments is known before the address: the offset in the first one adds at most `extra`.
        run = self.run.payload
        first: Any = spare.i.payload
        span = Signal(
            segment_bits + 1
        )  # offset of the run's last byte, its whole segments left out, from its first segment's begin
        beyond = Signal(segment_bits + 1)  # the same from its first beat's begin
        begin = run.address[beat_bits:segment_bits]
        next_final = Signal()
        m.d.comb += [
            span.eq(run.address[:segment_bits] + run.bytes[:segment_bits]),
            beyond.eq(run.address[:beat_bits] + run.bytes[:segment_bits]),
            self.run.ready.eq(spare.i.ready),
            spare.i.valid.eq(self.run.valid),
            first.segment.eq(run.address[segment_bits:]),
            first.begin.eq(begin),
            first.end.eq(span[beat_bits:segment_bits]),
            first.beats.eq(Mux(first.final, beyond[beat_bits:segment_bits], top ^ begin)),
            first.left.eq(run.bytes[segment_bits:]),
            first.extra.eq(span[segment_bits]),
            first.final.eq((run.bytes[segment_bits:] == 0) & ~span[segment_bits]),
            first.tag.eq(run.tag),
            next_final.eq(Mux(now.extra, now.left == 0, now.left == 1)),
            spare.o.ready.eq(~valid | (self.burst.ready & now.final)),
            self.burst.valid.eq(valid),
            self.burst.payload.address.eq(Cat(Const(0, beat_bits), now.begin[:position_bits], now.segment)),
            self.burst.payload.beats.eq(now.beats),
            self.final.eq(now.final),
            self.tag.eq(now.tag),
        ]
        with m.If(~valid | self.burst.ready):
            with m.If(~valid | now.final):
                m.d.sync += [valid.eq(spare.o.valid), now.eq(spare.o.payload)]
            with m.Else():
                m.d.sync += [
                    now.segment.eq(now.segment + 1),
                    now.begin.eq(0),
                    now.beats.eq(Mux(next_final, now.end, top)),
                    now.left.eq(now.left - ~now.extra),
                    now.extra.eq(0),
                    now.final.eq(next_final),
                ]
        return m
