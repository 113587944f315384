"""Splits a run of DRAM bytes into AXI bursts."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.rtl.axi_read import read_request_layout
from talos.rtl.spare import SpareBuffer

__all__ = ["BurstSplitter", "run_layout"]


def run_layout(config: AcceleratorConfig, bytes_width: int, tag_width: int = 1) -> data.StructLayout:
    """Contiguous DRAM bytes: any byte `address`, `bytes` minus one, and a `tag` that goes with its bursts."""
    return data.StructLayout({"address": config.axi_addr_width, "bytes": bytes_width, "tag": tag_width})


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
        width = max(1, position_bits)  # no signal may be 0 bits wide: Verilog has none
        m.submodules.spare = spare = SpareBuffer(shape=self.run.payload.shape())
        wiring.connect(m, wiring.flipped(self.run), spare.i)

        valid = Signal()
        segment = Signal(self.config.axi_addr_width - segment_bits, reset_less=True)  # address of the burst's segment
        begin = Signal(width, reset_less=True)  # position of the burst's first beat in its segment
        end = Signal(width, reset_less=True)  # position of the run's last beat in the run's last segment
        beats = Signal(width, reset_less=True)  # of the burst, minus one
        left = Signal(max(1, self.bytes_width - segment_bits), reset_less=True)  # segments after this one, without `extra`
        extra = Signal(reset_less=True)  # one more of them
        final = Signal(reset_less=True)  # left and extra are 0
        tag = Signal(self.tag_width, reset_less=True)

        # The run's length in segments is known before the address: the offset in the first one adds at most `extra`.
        run = spare.o.payload
        span = Signal(
            segment_bits + 1
        )  # offset of the run's last byte, its whole segments left out, from its first segment's begin
        beyond = Signal(segment_bits + 1)  # the same from its first beat's begin
        more = run.bytes[segment_bits:]
        first_final = Signal()
        next_final = Signal()
        m.d.comb += [
            span.eq(run.address[:segment_bits] + run.bytes[:segment_bits]),
            beyond.eq(run.address[:beat_bits] + run.bytes[:segment_bits]),
            first_final.eq((more == 0) & ~span[segment_bits]),
            next_final.eq(Mux(extra, left == 0, left == 1)),
            spare.o.ready.eq(~valid | (self.burst.ready & final)),
            self.burst.valid.eq(valid),
            self.burst.payload.address.eq(Cat(Const(0, beat_bits), begin[:position_bits], segment)),
            self.burst.payload.beats.eq(beats),
            self.final.eq(final),
            self.tag.eq(tag),
        ]
        with m.If(~valid | self.burst.ready):
            with m.If(~valid | final):
                m.d.sync += [
                    valid.eq(spare.o.valid),
                    segment.eq(run.address[segment_bits:]),
                    begin.eq(run.address[beat_bits:segment_bits]),
                    end.eq(span[beat_bits:segment_bits]),
                    beats.eq(Mux(first_final, beyond[beat_bits:segment_bits], top ^ run.address[beat_bits:segment_bits])),
                    left.eq(more),
                    extra.eq(span[segment_bits]),
                    final.eq(first_final),
                    tag.eq(run.tag),
                ]
            with m.Else():
                m.d.sync += [
                    segment.eq(segment + 1),
                    begin.eq(0),
                    beats.eq(Mux(next_final, end, top)),
                    left.eq(left - ~extra),
                    extra.eq(0),
                    final.eq(next_final),
                ]
        return m
