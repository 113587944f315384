"""Weights unit: a stream of weight bytes from DRAM, as far ahead of its use as the FIFO allows."""

from typing import Any

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.isa import INSTRUCTIONS, Opcode, Unit
from talos.latency import urgent_beats
from talos.registers import REGIONS
from talos.rtl.axi_read import read_data_layout, read_request_layout
from talos.rtl.burst import BurstSplitter
from talos.rtl.layouts import header_view, instruction_view
from talos.rtl.memories import NO_COLLISION
from talos.rtl.requests import region_address
from talos.rtl.unit import unit_ports

__all__ = ["WeightFifo", "WeightsUnit"]

_BYTES_WIDTH = {field.name: field.width for field in INSTRUCTIONS[Opcode.STREAM].fields}["bytes"]


class WeightFifo(wiring.Component):
    """Beats in block RAM, read as words of `cols` bytes.

    ::

        i ──► block RAM ──► register ──► word register(s) ──► o

    The three stages behind the RAM move whenever the next one is free. A beat written in cycle t is read from the RAM in t + 1 at
    the earliest, is in the register in t + 3 and in the word register in t + 4. A word of several beats is on offer when its last
    beat is there, and leaves in the same cycle as the first beat of the next word enters; a beat of several words stays until its
    last word leaves. So neither width loses a cycle.

    Members
    -------
    i : In(stream of a beat)
        Always ready: the writer counts the room.
    o : Out(stream of a word)
    level : Out
        Beats in block RAM.
    freed : Out(1)
        A beat leaves the block RAM in this cycle.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.depth = config.weight_fifo_bytes // config.beat_bytes
        super().__init__(
            {
                "i": In(stream.Signature(config.axi_data_width, always_ready=True)),
                "o": Out(stream.Signature(8 * config.cols)),
                "level": Out(range(self.depth + 1)),
                "freed": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.config.axi_data_width, depth=self.depth, init=[], attrs=NO_COLLISION)
        write = memory.write_port()
        read = memory.read_port()
        fetch = Signal()
        head = Signal(range(self.depth))
        tail = Signal(range(self.depth))
        fetched = Signal()  # the RAM's output holds a beat
        held_valid = Signal()
        held = Signal(self.config.axi_data_width, reset_less=True)
        held_free = Signal()
        accept = Signal()  # the word register takes the held beat

        m.d.comb += [
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid),
            held_free.eq(~held_valid | accept),
            read.addr.eq(head),
            read.en.eq(fetch),
            fetch.eq(~fetched | held_free),
            self.freed.eq(fetch & (self.level != 0)),
        ]
        # `freed` is the end of a long path, so it only enables.
        m.d.sync += tail.eq(tail + self.i.valid)
        with m.If(self.freed):
            m.d.sync += head.eq(head + 1)
        with m.If(self.freed ^ self.i.valid):
            m.d.sync += self.level.eq(self.level + Mux(self.i.valid, 1, -1))
        with m.If(fetch):
            m.d.sync += fetched.eq(self.level != 0)
        with m.If(held_free):
            m.d.sync += [held.eq(read.data), held_valid.eq(fetched)]

        if self.config.cols < self.config.beat_bytes:
            self._elaborate_split(m, held, held_valid, accept)
        else:
            self._elaborate_join(m, held, held_valid, accept)
        return m

    def _elaborate_split(self, m: Module, held: Signal, held_valid: Signal, accept: Signal) -> None:
        """A beat is several words: they leave from the low end."""
        words = self.config.beat_bytes // self.config.cols
        valid = Signal(name="word_valid")
        left = Signal(range(words), name="words_left", reset_less=True)
        beat = Signal(self.config.axi_data_width, name="word_beat", reset_less=True)
        m.d.comb += [
            self.o.valid.eq(valid),
            self.o.payload.eq(beat),
            accept.eq(held_valid & (~valid | (self.o.ready & (left == 0)))),
        ]
        with m.If(accept):
            m.d.sync += [valid.eq(1), beat.eq(held), left.eq(words - 1)]
        with m.Elif(self.o.ready):
            m.d.sync += [beat.eq(beat >> (8 * self.config.cols)), left.eq(left - 1)]
            with m.If(left == 0):
                m.d.sync += valid.eq(0)

    def _elaborate_join(self, m: Module, held: Signal, held_valid: Signal, accept: Signal) -> None:
        """A word is one or several beats: they are put in place in turn."""
        beats = self.config.cols // self.config.beat_bytes
        filled = Signal(range(beats + 1), name="beats_filled")
        word = Signal(8 * self.config.cols, name="word", reset_less=True)
        place = Signal(range(beats + 1), name="beats_kept")
        m.d.comb += [
            self.o.valid.eq(filled == beats),
            self.o.payload.eq(word),
            place.eq(Mux(self.o.valid & self.o.ready, 0, filled)),
            accept.eq(held_valid & (~self.o.valid | self.o.ready)),
        ]
        m.d.sync += filled.eq(place + accept)
        with m.If(accept):
            # The word shifts down, so that the first beat ends at the low end.
            m.d.sync += word.eq(((held << (8 * self.config.cols)) | word) >> self.config.axi_data_width)


class WeightsUnit(wiring.Component):
    """Executes STREAM: the bytes go through the FIFO to the matrix unit as words of `cols` bytes.

    An instruction started in cycle t has its first burst on offer in t + 2 if there is room for the longest burst beside the beats
    stored and under way in the cycle before, and for another one if a burst was asked for in that cycle. `done` comes with the last
    burst's request; the next instruction can start as soon as this one's run is in the splitter, and its bursts follow. Weights take
    no part in the semaphores' order: MATMUL waits for the words themselves.

    Members
    -------
    bases : In(axi_addr_width), four
        Base address of each DRAM region.
    ar : Out(stream of axi_read.read_request_layout)
    r : In(stream of axi_read.read_data_layout)
        Always ready.
    words : Out(stream of 8 · cols bits)
    urgent : Out(1)
        Fewer than `latency.urgent_beats` were stored and under way two cycles before.
    error : Out(1)
        The bus answered a beat of the cycle before with an error.

    The other ports are those of `unit_ports`; `busy` counts beats received.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                **unit_ports(Unit.WEIGHTS),
                "bases": In(config.axi_addr_width).array(REGIONS),
                "ar": Out(stream.Signature(read_request_layout(config))),
                "r": In(stream.Signature(read_data_layout(config))),
                "words": Out(stream.Signature(8 * config.cols)),
                "urgent": Out(1),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fifo = fifo = WeightFifo(self.config)
        m.submodules.splitter = splitter = BurstSplitter(config=self.config, bytes_width=_BYTES_WIDTH, tag_width=4)
        wiring.connect(m, wiring.flipped(self.words), fifo.o)

        instr = instruction_view(Opcode.STREAM, self.instr.payload)
        run_valid = Signal()
        run = Signal.like(splitter.run.payload, reset_less=True)
        # What was asked for and freed in a cycle is counted in the next one: `space` is of the cycle before, and a burst asked for since
        # takes the room of a longest one.
        burst = self.config.max_burst
        space = Signal(signed(exact_log2(fifo.depth) + 2), init=fifo.depth - burst)  # beats beside the longest burst
        under_way = Signal(range(fifo.depth + 1))
        asked = Signal()
        room = Signal()
        was_asked = Signal()
        was_freed = Signal()
        beats = Signal.like(self.ar.payload.beats, name="beats_asked", reset_less=True)  # minus one
        counted = Signal(range(burst + 1))
        m.d.comb += [
            self.wait.eq(Mux(self.instr.valid, header_view(self.instr.payload).wait, 0)),
            self.start.eq(self.instr.valid & self.sync_ready & ~run_valid),
            self.instr.ready.eq(self.start),
            splitter.run.valid.eq(run_valid),
            splitter.run.payload.eq(run),
            room.eq((space >= 0) & (~was_asked | (space >= burst))),
            counted.eq(Mux(was_asked, beats + 1, 0)),
            self.ar.valid.eq(splitter.burst.valid & room),
            self.ar.payload.eq(splitter.burst.payload),
            splitter.burst.ready.eq(self.ar.ready & room),
            asked.eq(self.ar.valid & self.ar.ready),
            self.done.eq(asked & splitter.final),
            self.post.eq(splitter.tag),
            self.r.ready.eq(1),
            fifo.i.valid.eq(self.r.valid),
            fifo.i.payload.eq(self.r.payload.data),
        ]
        m.d.sync += [
            was_asked.eq(asked),
            was_freed.eq(fifo.freed),
            beats.eq(self.ar.payload.beats),
            space.eq(space - counted + was_freed),
            under_way.eq(under_way + counted - self.r.valid),
            self.urgent.eq(space > fifo.depth - burst - urgent_beats(self.config)),
            self.error.eq(self.r.valid & self.r.payload.error),
        ]
        with m.If(self.start):
            m.d.sync += [
                run_valid.eq(1),
                run.address.eq(region_address(self.bases, instr.region, instr.address)),
                run.bytes.eq(instr.bytes),
                run.tag.eq(instr.post),
            ]
        with m.Elif(splitter.run.ready):
            m.d.sync += run_valid.eq(0)

        running = Signal()
        m.d.comb += [
            running.eq(run_valid | splitter.burst.valid | was_asked | (under_way != 0)),
            self.idle.eq(~running),
            self.busy.eq(self.r.valid),
            self.stall.eq(running & ~self.r.valid),
            self.sync.eq(~running & self.instr.valid & ~self.sync_ready),
        ]
        return m
