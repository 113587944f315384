"""Weights unit: a stream of weight bytes from DRAM, as far ahead of its use as the FIFO allows."""

from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.isa import INSTRUCTIONS, Opcode, Unit
from talos.latency import NEAR_BEATS, urgent_beats
from talos.registers import REGIONS
from talos.rtl.axi_read import read_data_layout, read_request_layout
from talos.rtl.burst import BurstSplitter
from talos.rtl.fifo import Fifo
from talos.rtl.layouts import header_view, instruction_view
from talos.rtl.memories import NO_COLLISION
from talos.rtl.requests import region_address
from talos.rtl.unit import unit_ports

__all__ = ["WeightFifo", "WeightsUnit"]

_BYTES_WIDTH = {field.name: field.width for field in INSTRUCTIONS[Opcode.STREAM].fields}["bytes"]


class WeightFifo(wiring.Component):
    """Beats in block RAM, read as words of `cols` bytes.

    ::

        i ──► block RAM ──► its output register ──► near queue ──► word register(s) ──► o

    A beat is read from the RAM when the near queue has a place for it, beside those that are on their way there; so nothing stops on
    that way, and the word's way back ends at the near queue. A beat written in cycle t is read in t + 1 at the earliest, is at the
    near queue's head in t + 4 and in the word register in t + 5. A word of several beats is on offer when its last beat is there, and
    leaves in the same cycle as the first beat of the next word enters; a beat of several words stays until its last word leaves. So
    neither width loses a cycle.

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
        m.submodules.near = near = Fifo(shape=unsigned(self.config.axi_data_width), depth=NEAR_BEATS)
        write = memory.write_port()
        read = memory.read_port()
        head = Signal(range(self.depth))
        tail = Signal(range(self.depth))
        stored = Signal()  # level != 0
        places = Signal(NEAR_BEATS, init=(1 << NEAR_BEATS) - 1)  # bit i: more than i are free in the near queue
        under_way = Signal(2)  # to the near queue: bit 0 at the RAM's output, bit 1 in the register behind it
        held = Signal(self.config.axi_data_width, reset_less=True)
        leaves = Signal()  # the near queue's head goes into the word register
        m.d.comb += [
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(self.i.valid),
            read.addr.eq(head),
            self.freed.eq(stored & places[0]),
            near.i.valid.eq(under_way[1]),
            near.i.payload.eq(held),
            leaves.eq(near.o.valid & near.o.ready),
        ]
        m.d.sync += [tail.eq(tail + self.i.valid), under_way.eq(Cat(self.freed, under_way)), held.eq(read.data)]
        with m.If(self.freed):
            m.d.sync += head.eq(head + 1)
        with m.If(self.freed ^ self.i.valid):
            m.d.sync += [self.level.eq(self.level + Mux(self.i.valid, 1, -1)), stored.eq(self.i.valid | (self.level != 1))]
        with m.If(leaves & ~self.freed):
            m.d.sync += places.eq(Cat(Const(1, 1), places))
        with m.Elif(self.freed & ~leaves):
            m.d.sync += places.eq(places[1:])

        if self.config.cols < self.config.beat_bytes:
            self._elaborate_split(m, near)
        else:
            self._elaborate_join(m, near)
        return m

    def _elaborate_split(self, m: Module, near: Fifo) -> None:
        """A beat is several words: they leave from the low end."""
        words = self.config.beat_bytes // self.config.cols
        valid = Signal(name="word_valid")
        left = Signal(range(words), name="words_left", reset_less=True)
        beat = Signal(self.config.axi_data_width, name="word_beat", reset_less=True)
        m.d.comb += [
            self.o.valid.eq(valid),
            self.o.payload.eq(beat),
            near.o.ready.eq(~valid | (self.o.ready & (left == 0))),
        ]
        with m.If(near.o.ready):
            m.d.sync += [valid.eq(near.o.valid), beat.eq(near.o.payload), left.eq(words - 1)]
        with m.Elif(self.o.ready):
            m.d.sync += [beat.eq(beat >> (8 * self.config.cols)), left.eq(left - 1)]

    def _elaborate_join(self, m: Module, near: Fifo) -> None:
        """A word is one or several beats: they are put in place in turn."""
        beats = self.config.cols // self.config.beat_bytes
        filled = Signal(range(beats + 1), name="beats_filled")
        word = Signal(8 * self.config.cols, name="word", reset_less=True)
        place = Signal(range(beats + 1), name="beats_kept")
        m.d.comb += [
            self.o.valid.eq(filled == beats),
            self.o.payload.eq(word),
            place.eq(Mux(self.o.valid & self.o.ready, 0, filled)),
            near.o.ready.eq(~self.o.valid | self.o.ready),
        ]
        m.d.sync += filled.eq(place + (near.o.valid & near.o.ready))
        with m.If(near.o.valid & near.o.ready):
            # The word shifts down, so that the first beat ends at the low end.
            m.d.sync += word.eq(((near.o.payload << (8 * self.config.cols)) | word) >> self.config.axi_data_width)


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
        # takes the room of a longest one. `room` is space >= 0, or space >= burst after a burst was asked for: a register.
        burst = self.config.max_burst
        space = Signal(signed(exact_log2(fifo.depth) + 2), init=fifo.depth - burst)  # beats beside the longest burst
        under_way = Signal(range(fifo.depth + 1))  # with the beat received in the cycle before
        received = Signal()
        asked = Signal()
        room = Signal(init=1)
        was_asked = Signal()
        was_freed = Signal()
        counted = Signal(signed(len(self.ar.payload.beats) + 1))  # minus the beats asked for in the cycle before
        space_left = Signal.like(space)
        m.d.comb += [
            self.wait.eq(Mux(self.instr.valid, header_view(self.instr.payload).wait, 0)),
            self.start.eq(self.instr.valid & self.sync_ready & ~run_valid),
            self.instr.ready.eq(self.start),
            splitter.run.valid.eq(run_valid),
            splitter.run.payload.eq(run),
            space_left.eq(Cat(1, space).as_signed() + Cat(was_freed, counted).as_signed() >> 1),
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
            counted.eq(Mux(asked, ~Cat(self.ar.payload.beats, 0).as_signed(), 0)),
            space.eq(space_left),
            room.eq(~space_left[-1] & (~asked | space_left[exact_log2(burst) : -1].any())),
            received.eq(self.r.valid),
            under_way.eq(under_way - counted - received),
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
            running.eq(run_valid | splitter.burst.valid | was_asked | (under_way != received)),
            self.idle.eq(~running),
            self.busy.eq(self.r.valid),
            self.stall.eq(running & ~self.r.valid),
            self.sync.eq(~running & self.instr.valid & ~self.sync_ready),
        ]
        return m
