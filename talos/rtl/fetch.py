"""Instruction fetch: reads the program over AXI, in order, and hands each instruction to its unit's queue."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.isa import INSTRUCTION_BYTES, Unit, unit_formats, unit_width
from talos.latency import FETCH_AHEAD
from talos.rtl.axi_read import read_data_layout, read_request_layout
from talos.rtl.fifo import Fifo
from talos.rtl.layouts import header_view

__all__ = ["TARGETS", "Fetch", "instruction_beats", "request_beats"]

TARGETS = tuple(unit for unit in Unit if unit != Unit.FETCH)
"""The units that execute instructions."""


def instruction_beats(config: AcceleratorConfig) -> int:
    """AXI beats of one instruction."""
    return INSTRUCTION_BYTES // config.beat_bytes


def request_beats(config: AcceleratorConfig) -> int:
    """AXI beats of one of fetch's bursts: an instruction, or the longest burst if that is shorter."""
    return min(instruction_beats(config), config.max_burst)


class Fetch(wiring.Component):
    """Reads `count` instructions from `program` on, with up to `latency.FETCH_AHEAD` of them asked for and not yet handed over.

    With `begin` in cycle t the first burst is asked for in t + 1. An instruction whose last beat arrives in cycle t is handed to its
    unit's queue in t + 1 at the earliest, one per cycle, strictly in order: a full queue holds back everything behind it.

    Members
    -------
    begin, program, count
        Start of a run; `program` (byte address, low 6 bits ignored) and `count` (may be 0) are read with `begin`.
    halt
        Nothing is handed over.
    ar, r
        Client of the read master. Room is reserved before asking, so `r.ready` is always 1.
    load, weights, matrix, vector, store
        Streams into the queues.
    start, done
        Both are 1 in the cycle in which an instruction is handed over.
    busy, sync, stall
        An instruction is handed over; never; some are left but the next is not there or its queue is full.
    idle
        All instructions are handed over.
    error
        A beat came with an AXI error.
    bad_opcode, index
        The next instruction, number `index` of the program, has an unknown opcode. It stays where it is.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "begin": In(1),
                "program": In(config.axi_addr_width),
                "count": In(32),
                "halt": In(1),
                "ar": Out(stream.Signature(read_request_layout(config))),
                "r": In(stream.Signature(read_data_layout(config))),
                **{unit.name.lower(): Out(stream.Signature(unsigned(unit_width(unit)))) for unit in TARGETS},
                "start": Out(1),
                "done": Out(1),
                "busy": Out(1),
                "sync": Out(1),
                "stall": Out(1),
                "idle": Out(1),
                "error": Out(1),
                "bad_opcode": Out(1),
                "index": Out(32),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        dispatched = Signal()
        self._elaborate_requests(m, dispatched)
        head = self._elaborate_assembly(m)
        self._elaborate_dispatch(m, head, dispatched)
        return m

    def _elaborate_requests(self, m: Module, dispatched: Signal) -> None:
        """Ask for bursts while fewer than FETCH_AHEAD instructions are asked for and not handed over."""
        burst = request_beats(self.config)
        bursts = instruction_beats(self.config) // burst
        step = burst * self.config.beat_bytes
        block = Signal(self.config.axi_addr_width - (step - 1).bit_length())  # address in units of a burst
        to_ask = Signal(32)
        asking = Signal()  # to_ask != 0, as a register
        reserved = Signal(range(FETCH_AHEAD + 1))
        accepted = Signal()
        asked = Signal()  # the last burst of an instruction is accepted
        last = self._counted(m, accepted, bursts, "part")
        m.d.comb += [
            self.ar.valid.eq(asking & (reserved != FETCH_AHEAD)),
            self.ar.payload.address.eq(block << (step - 1).bit_length()),
            self.ar.payload.beats.eq(burst - 1),
            accepted.eq(self.ar.valid & self.ar.ready),
            asked.eq(accepted & last),
        ]
        with m.If(accepted):
            m.d.sync += block.eq(block + 1)
        with m.If(asked):
            m.d.sync += [to_ask.eq(to_ask - 1), asking.eq(to_ask != 1)]
        with m.If(asked & ~dispatched):
            m.d.sync += reserved.eq(reserved + 1)
        with m.Elif(dispatched & ~asked):
            m.d.sync += reserved.eq(reserved - 1)
        with m.If(self.begin):
            aligned = self.program[(INSTRUCTION_BYTES - 1).bit_length() :]
            m.d.sync += [
                block.eq(aligned << (bursts - 1).bit_length()),
                to_ask.eq(self.count),
                asking.eq(self.count != 0),
            ]

    @staticmethod
    def _counted(m: Module, event: Value, period: int, name: str) -> Value:
        """1 while `event` would be the last of `period` events."""
        if period == 1:
            return Const(1, 1)
        count = Signal(range(period), name=name)  # every period is a power of two
        with m.If(event):
            m.d.sync += count.eq(count + 1)
        return count == period - 1

    def _elaborate_assembly(self, m: Module) -> stream.Interface:
        """Join beats to instructions; the queue keeps the bits that some unit looks at."""
        beats = instruction_beats(self.config)
        width = self.config.axi_data_width
        m.submodules.instructions = fifo = Fifo(shape=unsigned(max(map(unit_width, TARGETS))), depth=FETCH_AHEAD)
        last = self._counted(m, self.r.valid, beats, "beat")
        earlier = Signal((beats - 1) * width, reset_less=True) if beats > 1 else Const(0, 0)
        if beats > 1:
            with m.If(self.r.valid):
                m.d.sync += earlier.eq(Cat(earlier, self.r.payload.data)[width:])
        m.d.comb += [
            self.r.ready.eq(1),
            self.error.eq(self.r.valid & self.r.payload.error),
            fifo.i.valid.eq(self.r.valid & last),
            fifo.i.payload.eq(Cat(earlier, self.r.payload.data)),
        ]
        return fifo.o

    def _elaborate_dispatch(self, m: Module, head: stream.Interface, dispatched: Signal) -> None:
        to_dispatch = Signal(32)
        waiting = Signal()  # to_dispatch != 0, as a register
        opcode = header_view(head.payload).opcode
        known = Signal()
        for unit in TARGETS:
            queue = getattr(self, unit.name.lower())
            selected = Signal(name=f"is_{unit.name.lower()}")
            m.d.comb += [
                selected.eq(Cat(opcode == fmt.opcode for fmt in unit_formats(unit)).any()),
                queue.payload.eq(head.payload),
                queue.valid.eq(head.valid & selected & ~self.halt),
            ]
            with m.If(selected):
                m.d.comb += [known.eq(1), dispatched.eq(queue.valid & queue.ready)]
        m.d.comb += [
            head.ready.eq(dispatched),
            self.start.eq(dispatched),
            self.done.eq(dispatched),
            self.busy.eq(dispatched),
            self.stall.eq(waiting & ~dispatched),
            self.idle.eq(~waiting),
            self.bad_opcode.eq(head.valid & ~known & ~self.halt),
        ]
        with m.If(dispatched):
            m.d.sync += [to_dispatch.eq(to_dispatch - 1), waiting.eq(to_dispatch != 1), self.index.eq(self.index + 1)]
        with m.If(self.begin):
            m.d.sync += [to_dispatch.eq(self.count), waiting.eq(self.count != 0), self.index.eq(0)]
