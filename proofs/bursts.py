"""Bursts: the splitter on the address side and the row walker on the data side cut a run of bytes at the same places."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data
from amaranth.utils import exact_log2

from proofs.harness import Harness
from proofs.proof import Fault, Proof, Source
from talos.config import PRESETS, AcceleratorConfig

__all__ = ["PROOFS", "small"]


def small(**changes: Any) -> AcceleratorConfig:
    """A configuration with short bursts and little read-ahead, so that every limit is met within a few cycles."""
    return PRESETS["4x4"].replace(**{"max_burst": 4, "read_ahead": 4, "axi_data_width": 32, "axi_addr_width": 32} | changes)


class _Run:
    """Definition of what a run of bytes asks for: the beat `next`, `left` beats from there on, cut at multiples of `max_burst`."""

    def __init__(self, config: AcceleratorConfig, address_width: int, bytes_width: int) -> None:
        self._lane = exact_log2(config.beat_bytes)
        self._config = config
        self.valid = Signal(name="run_valid")
        self.next = Signal(address_width - self._lane, name="run_next")
        self.left = Signal(bytes_width + 2, name="run_left")
        self.room = Signal(range(config.max_burst + 1), name="run_room")  # beats up to the next cut
        self.beats = Signal(range(config.max_burst + 1), name="run_beats")  # of the burst that begins at `next`
        self.burst_ends = Signal(name="run_burst_ends")  # with the beat `next`

    def connect(self, m: Module) -> None:
        cut = self._config.max_burst
        position = self.next[: exact_log2(cut)]
        m.d.comb += [
            self.room.eq(cut - position),
            self.beats.eq(Mux(self.left < self.room, self.left, self.room)),
            self.burst_ends.eq(self.beats == 1),
        ]

    def load(self, address: Any, length: Any) -> list[Any]:
        """Begin with a run of `length` + 1 bytes from `address` on."""
        span = address[: self._lane] + length
        return [self.next.eq(address[self._lane :]), self.left.eq((span >> self._lane) + 1), self.valid.eq(1)]

    def advance(self, beats: Any) -> list[Any]:
        return [self.next.eq(self.next + beats), self.left.eq(self.left - beats)]


def _agrees(entry: Any, left: Any, cut: int) -> Any:
    """The splitter's registers stand for `left` beats from the burst's first one on."""
    segments = entry.left + entry.extra
    return (entry.final == (segments == 0)) & (left == (segments << exact_log2(cut)) + entry.end + 1 - entry.begin)


def _splitter(source: Source, config: AcceleratorConfig, bytes_width: int) -> Harness:
    h = Harness()
    burst = source("burst")
    dut = burst.BurstSplitter(config=config, bytes_width=bytes_width, tag_width=2)
    opened = h.add(dut)
    leaving = h.named(dut.burst.valid & dut.burst.ready & dut.final, "leaving")
    free = h.named(~dut.burst.valid | leaving, "free")
    # A run that finds the splitter busy waits; this is the run as it came.
    waiting = Signal(name="waiting")
    kept = Signal(burst.run_layout(config, bytes_width, 2), name="kept")
    with h.m.If(free):
        h.m.d.sync += waiting.eq(0)
    with h.m.Elif(dut.run.valid & dut.run.ready):
        h.m.d.sync += [waiting.eq(1), kept.eq(dut.run.payload)]
    entering = h.named(free & (waiting | dut.run.valid), "entering")
    offered = data.View(burst.run_layout(config, bytes_width, 2), Mux(waiting, kept, dut.run.payload))
    run = _Run(config, config.axi_addr_width, bytes_width)
    run.connect(h.m)
    lane, cut = exact_log2(config.beat_bytes), config.max_burst
    address, beats = dut.burst.payload.address, dut.burst.payload.beats
    tag = Signal(2, name="run_tag")
    with h.m.If(dut.burst.valid & dut.burst.ready):
        h.m.d.sync += run.advance(run.beats)
        with h.m.If(dut.final):
            h.m.d.sync += run.valid.eq(0)
    with h.m.If(entering):
        h.m.d.sync += [*run.load(offered.address, offered.bytes), tag.eq(offered.tag)]

    h.always(dut.burst.valid == run.valid)
    with h.m.If(run.valid):
        h.always((run.left != 0) & (address == run.next << lane) & (beats + 1 == run.beats) & (dut.tag == tag))
        h.always(dut.final == (run.left == run.beats))
        h.always(beats < cut)
        last_byte = h.named(address + ((beats + 1) << lane) - 1, "last_byte")
        h.always((last_byte >> 12) == (address >> 12))
    # What the registers mean.
    layout = burst.cut_layout(config, bytes_width, 2)
    h.implies(run.valid, _agrees(data.View(layout, opened["now"]), run.left, cut))
    saved = data.View(layout, opened["spare.spare"])
    kept_left = h.named(((kept.address[:lane] + kept.bytes) >> lane) + 1, "kept_left")
    h.always(opened["spare.full"] == waiting)
    h.implies(waiting, _agrees(saved, kept_left, cut))
    h.implies(waiting, (Cat(saved.begin, saved.segment) == kept.address[lane:]) & (saved.tag == kept.tag))
    beats_kept = h.named(Mux(kept_left < cut - saved.begin, kept_left, cut - saved.begin), "beats_kept")
    h.implies(waiting, saved.beats + 1 == beats_kept)
    # A run waits only behind another: nothing is in the splitter when no burst is on offer.
    h.implies(opened["spare.full"], dut.burst.valid)
    h.stable(dut.burst.valid, dut.burst.ready, dut.burst.payload.as_value(), "burst")
    h.cover(dut.burst.valid & (beats == cut - 1) & ~dut.final)
    h.cover(dut.burst.valid & dut.final & (beats == 0))
    return h


def _walker(source: Source) -> Harness:
    """One row of an instruction; the loop nests that make the rows are the same on both sides."""
    h = Harness()
    config = small()
    rows = source("rows")
    dut = rows.RowWalker(config=config, tag_width=1)
    opened = h.add(dut)
    lane, segment = exact_log2(config.beat_bytes), exact_log2(config.max_burst * config.beat_bytes)
    width = rows.ROW_COUNT["row_bytes"]
    run = _Run(config, segment, width)
    run.connect(h.m)
    entering = h.named(opened["spare.o__valid"] & opened["o__ready"], "entering")
    row = data.View(rows.row_layout(config, 1), opened["spare.o__payload"])
    h.implies(opened["nest_valid"], opened["nest_short"] == (opened["nest_bytes"][lane:] == 0))
    h.implies(opened["spare.o__valid"], row.short == (row.bytes[lane:] == 0))
    h.implies(opened["spare.full"], dut.beat.valid)  # a row waits only behind another
    leaving = dut.beat.valid & dut.beat.ready
    beat = dut.beat.payload
    first = Signal(name="first_beat")
    start = Signal(lane, name="row_start")
    stop = Signal(lane, name="row_stop")
    with h.m.If(leaving):
        h.m.d.sync += [*run.advance(1), first.eq(0)]
        with h.m.If(run.left == 1):
            h.m.d.sync += run.valid.eq(0)
    with h.m.If(entering):
        offset, length = row.offset, row.bytes
        h.m.d.sync += [*run.load(offset, length), first.eq(1), start.eq(offset), stop.eq(offset + length)]
    h.always(dut.beat.valid == run.valid)
    with h.m.If(run.valid):
        h.always((run.left != 0) & (opened["left"] + opened["extra"] + 1 == run.left) & (opened["final"] == (run.left == 1)))
        h.always(opened["position"] == run.next)
        h.always(opened["end"] == stop)
        h.always(beat.burst_last == run.burst_ends)
        h.always(beat.start == Mux(first, start, 0))
        h.always(beat.stop == Mux(run.left == 1, stop, config.beat_bytes - 1))
        h.implies(run.left == 1, beat.start <= beat.stop)
        # An only beat ends after it began: bytes are counted from 1.
        h.implies(first & (run.left == 1), start <= stop)
    h.stable(dut.beat.valid, dut.beat.ready, beat.as_value(), "beat")
    h.cover(leaving & beat.burst_last & ~opened["final"])
    return h


_LONG = PRESETS["4x4"].replace(rows=8, cols=8, axi_data_width=512, max_burst=64, weight_fifo_bytes=8192)

PROOFS = (
    Proof(
        "bursts",
        "splitter",
        "a run's bursts cover its beats once, in order, end at multiples of max_burst, never cross 4 KiB, final exact; 4 beats of 4 bytes",
        lambda source: _splitter(source, small(), 8),
        3,
        (
            Fault(
                "cuts the run's last burst one beat short",
                "burst",
                "first.end.eq(span[beat_bits:segment_bits])",
                "first.end.eq(span[beat_bits:segment_bits] - 1)",
            ),
            Fault(
                "bursts do not stop at the segment's end", "burst", "beats.eq(Mux(next_final, now.end, top))", "beats.eq(now.end)"
            ),
            Fault("the next burst begins where the last did", "burst", "now.begin.eq(0),", ""),
            Fault("forgets the segment that the offset adds", "burst", "first.extra.eq(span[segment_bits])", "first.extra.eq(0)"),
        ),
    ),
    Proof(
        "bursts",
        "splitter-4k",
        "the same with the longest bursts there are: 64 beats of 64 bytes, 4096 bytes",
        lambda source: _splitter(source, _LONG, 16),
        3,
        (),
    ),
    Proof(
        "bursts",
        "walker",
        "the data side marks as last of a burst exactly the beats at which the splitter ends bursts: WLAST is exact",
        _walker,
        3,
        (
            Fault(
                "ends bursts one beat early",
                "rows",
                "position == self.config.max_burst - 1",
                "position == self.config.max_burst - 2",
            ),
            Fault("forgets the beat that the offset adds", "rows", "extra.eq(span[lane_bits])", "extra.eq(0)"),
            Fault("forgets the row's end", "rows", "burst_last.eq(final | (", "burst_last.eq(0 | ("),
        ),
    ),
)
