"""Instruction fetch: reads the program over AXI, in order, and hands each instruction to its unit's queue."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.isa import INSTRUCTION_BYTES, Unit, unit_formats, unit_width
from talos.latency import FETCH_AHEAD
from talos.rtl.axi_read import read_data_layout, read_request_layout
from talos.rtl.layouts import header_view
from talos.rtl.queue import LazyFifo

__all__ = ["TARGETS", "Fetch", "instruction_beats", "request_beats"]

TARGETS = tuple(unit for unit in Unit if unit != Unit.FETCH)
"""The units that execute instructions."""

_ENTRY = data.StructLayout({"bits": max(map(unit_width, TARGETS)), "target": len(TARGETS), "unknown": 1})
"""An instruction that waits to be handed over: to `target`, one bit of `TARGETS`, or none if its opcode is `unknown`."""


def instruction_beats(config: AcceleratorConfig) -> int:
    """AXI beats of one instruction."""
    return INSTRUCTION_BYTES // config.beat_bytes


def request_beats(config: AcceleratorConfig) -> int:
    """AXI beats of one of fetch's bursts: an instruction, or the longest burst if that is shorter."""
    return min(instruction_beats(config), config.max_burst)


class Fetch(wiring.Component):
    """Reads `count` instructions from `program` on, with up to `latency.FETCH_AHEAD` of them asked for and not yet handed over.

    With `begin` in cycle t the first burst is asked for in t + 1. An instruction whose last beat arrives in cycle t is handed to its
    unit's queue in t + 3 at the earliest, one every three cycles, strictly in order: a full queue holds back everything behind it.

    Members
    -------
    begin, program, count
        Start of a run; `program` (byte address, low 6 bits ignored) and `count` (may be 0) are read with `begin`.
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
                "ar": Out(stream.Signature(read_request_layout(config))),
                "r": In(stream.Signature(read_data_layout(config))),
                **{unit.name.lower(): Out(stream.Signature(unit_width(unit))) for unit in TARGETS},
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
        to_ask = Signal(signed(33), init=-1)  # instructions to ask for after this one; negative: no more
        room = Signal(
            range(-1, FETCH_AHEAD), init=FETCH_AHEAD - 1
        )  # instructions for which there is room after this one; negative: none
        accepted = Signal()
        asked = Signal()  # the last burst of an instruction is accepted
        last = self._counted(m, accepted, bursts, "part")
        m.d.comb += [
            self.ar.valid.eq(~to_ask[-1] & ~room[-1]),
            self.ar.payload.address.eq(block << (step - 1).bit_length()),
            self.ar.payload.beats.eq(burst - 1),
            accepted.eq(self.ar.valid & self.ar.ready),
            asked.eq(accepted & last),
        ]
        with m.If(accepted):
            m.d.sync += block.eq(block + 1)
        with m.If(self.begin):
            aligned = self.program[(INSTRUCTION_BYTES - 1).bit_length() :]
            m.d.sync += block.eq(aligned << (bursts - 1).bit_length())
        with m.If(asked | self.begin):
            m.d.sync += to_ask.eq(Mux(self.begin, self.count, to_ask) - 1)
        with m.If(asked & ~dispatched):
            m.d.sync += room.eq(room - 1)
        with m.Elif(dispatched & ~asked):
            m.d.sync += room.eq(room + 1)

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
        """Join beats to instructions; the queue keeps the bits that some unit looks at, and which unit that is."""
        beats = instruction_beats(self.config)
        width = self.config.axi_data_width
        m.submodules.instructions = fifo = LazyFifo(shape=_ENTRY, depth=FETCH_AHEAD)
        last = self._counted(m, self.r.valid, beats, "beat")
        earlier = Signal((beats - 1) * width, reset_less=True) if beats > 1 else Const(0, 0)
        if beats > 1:
            with m.If(self.r.valid):
                m.d.sync += earlier.eq(Cat(earlier, self.r.payload.data)[width:])
        instruction = Signal(_ENTRY["bits"].shape)
        opcode = header_view(instruction).opcode
        for i, unit in enumerate(TARGETS):
            m.d.comb += fifo.i.payload.target[i].eq(Cat(opcode == fmt.opcode for fmt in unit_formats(unit)).any())
        m.d.comb += [
            instruction.eq(Cat(earlier, self.r.payload.data)),
            self.r.ready.eq(1),
            self.error.eq(self.r.valid & self.r.payload.error),
            fifo.i.valid.eq(self.r.valid & last),
            fifo.i.payload.bits.eq(instruction),
            fifo.i.payload.unknown.eq(Cat(opcode != fmt.opcode for unit in TARGETS for fmt in unit_formats(unit)).all()),
        ]
        return fifo.o

    def _elaborate_dispatch(self, m: Module, head: stream.Interface, dispatched: Signal) -> None:
        """An instruction is handed over in the cycle after its queue had room: a queue that had room still has."""
        to_dispatch = Signal(signed(33), init=-1)  # instructions to hand over after this one; negative: no more
        room = Signal()
        queues = [getattr(self, unit.name.lower()) for unit in TARGETS]
        for i, queue in enumerate(queues):
            m.d.comb += [
                queue.payload.eq(head.payload.bits),
                queue.valid.eq(dispatched & head.payload.target[i]),
            ]
        m.d.comb += [
            room.eq(Cat(head.payload.target[i] & queue.ready for i, queue in enumerate(queues)).any()),
            head.ready.eq(dispatched),
            self.start.eq(dispatched),
            self.done.eq(dispatched),
            self.busy.eq(dispatched),
            self.stall.eq(~self.idle & ~dispatched),
            self.idle.eq(to_dispatch[-1]),
            self.bad_opcode.eq(head.valid & head.payload.unknown),
        ]
        m.d.sync += dispatched.eq(head.valid & room & ~dispatched)
        with m.If(dispatched | self.begin):
            m.d.sync += to_dispatch.eq(Mux(self.begin, self.count, to_dispatch) - 1)
        with m.If(dispatched):
            m.d.sync += self.index.eq(self.index + 1)
        with m.If(self.begin):
            m.d.sync += self.index.eq(0)
