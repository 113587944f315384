"""Control: register file, start, done, abort and error handling, interrupt, semaphores and cycle counters."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, ResetInserter, Signal, Value, ValueLike
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.isa import SYNC_UNITS, Unit
from talos.registers import COUNTERS, IDENTIFICATION, REGIONS, REGISTERS, ErrorCause, counter_offset
from talos.rtl.axil import BUS_MEMBERS, AxiLiteSlave
from talos.rtl.counters import Counters
from talos.rtl.semaphores import Semaphores

__all__ = ["Control"]

UNITS = len(Unit)
MASK = len(SYNC_UNITS)
READERS = (Unit.FETCH, Unit.LOAD, Unit.WEIGHTS)  # clients of the read master
BLOCK_WORDS = 4  # registers that the first stage of the read multiplexer selects from


class Control(wiring.Component):
    """The control plane. Vectors over units have bit or entry `isa.Unit`; fetch takes part with `wait` = 0.

    A write of CONTROL.start that is acted upon in cycle t makes t + 1 the first cycle of the run: `begin` is 1 in it and CYCLES counts
    it. The run's last cycle, the last one in CYCLES, is the first one after it in which every unit is idle and every queue is empty;
    STATUS tells the end three cycles later. Between runs `core_reset` is 1, so every run starts from the same state; memories keep
    their contents.

    The first error of a run raises `halt` two cycles later, the overflow of a semaphore three; an abort in the next cycle. An error in the
    run's last cycle is not lost. When no transfer is outstanding after a halt the core is reset. STATUS, ERROR_CAUSE and ERROR_INFO then
    tell the error until the next start.

    Members
    -------
    s_axil_*, irq
        The AXI4-Lite slave and the interrupt (level), all registers.
    core_reset
        Synchronous reset of the store unit, the activation memory and the AXI masters.
    unit_reset
        Synchronous reset of fetch and the other units: `core_reset` or `halt`, as a register. They end at a halt, so that nothing keeps
        the store unit, whose bursts must be finished, from reading the activation memory.
    halt
        No new burst is asked for; STORE, which `unit_reset` leaves alone, starts no instruction.
    begin, program, count
        To fetch: start of the run, byte address of the program, number of instructions.
    bases
        Base address of each DRAM region.
    first
        `wait` of each unit's oldest instruction, a cycle before the queue offers it and as long as it does.
    wait, start, done, post, sync_ready
        The synchronization ports of each unit (`talos.rtl.unit.unit_ports`).
    busy, sync, stall
        Status of each unit, for the counters.
    idle
        Unit is idle and its queue is empty; for fetch, that all instructions are handed over.
    error
        A transfer of the unit failed.
    bad_opcode, bad_index
        From fetch.
    pending
        A bus transfer is outstanding, reads and writes together.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                **BUS_MEMBERS,
                "irq": Out(1),
                "core_reset": Out(1, init=1),
                "unit_reset": Out(1, init=1),
                "halt": Out(1),
                "begin": Out(1),
                "program": Out(config.axi_addr_width),
                "count": Out(32),
                "bases": Out(config.axi_addr_width).array(REGIONS),
                "first": In(MASK).array(UNITS),
                "wait": In(MASK).array(UNITS),
                "start": In(UNITS),
                "done": In(UNITS),
                "post": In(MASK).array(UNITS),
                "sync_ready": Out(UNITS),
                "busy": In(UNITS),
                "sync": In(UNITS),
                "stall": In(UNITS),
                "idle": In(UNITS),
                "error": In(UNITS),
                "bad_opcode": In(1),
                "bad_index": In(32),
                "pending": In(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.axil = axil = AxiLiteSlave()
        semaphores = Semaphores()
        m.submodules.semaphores = ResetInserter(self.core_reset)(semaphores)
        m.submodules.counters = counters = Counters()
        for name, member in BUS_MEMBERS.items():
            outer, inner = getattr(self, name), getattr(axil, name)
            m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)

        stored = self._elaborate_stored(m, axil)
        m.d.comb += [
            self.program.eq(Cat(stored["PROGRAM_LOW"], stored["PROGRAM_HIGH"])),
            self.count.eq(stored["PROGRAM_COUNT"]),
            *(self.bases[i].eq(Cat(stored[f"REGION{i}_LOW"], stored[f"REGION{i}_HIGH"])) for i in range(REGIONS)),
        ]
        status = self._elaborate_state(m, axil, stored["IRQ_ENABLE"], semaphores.overflow)
        self._elaborate_semaphores(m, semaphores)
        m.d.comb += [
            counters.clear.eq(self.begin),
            counters.enable.eq(status.pop("counting")),
            counters.busy.eq(self.busy),
            counters.sync.eq(self.sync),
            counters.stall.eq(self.stall),
        ]
        values: dict[int, ValueLike] = {
            REGISTERS["IDENTIFICATION"].offset: Const(IDENTIFICATION, 32),
            REGISTERS["CONFIG_HASH"].offset: Const(int(self.config.hash, 16), 32),
            REGISTERS["CYCLES_LOW"].offset: counters.cycles[:32],
            REGISTERS["CYCLES_HIGH"].offset: counters.cycles[32:],
            **{REGISTERS[name].offset: value for name, value in (stored | status).items()},
            **{
                counter_offset(unit, counter): counters.counts[unit * len(COUNTERS) + i]
                for unit in Unit
                for i, counter in enumerate(COUNTERS)
            },
        }
        self._elaborate_read(m, axil, values)
        return m

    def _written(self, m: Module, axil: AxiLiteSlave, name: str, bit: int) -> Signal:
        """In the cycle before, a one was written to a bit of the lowest byte of register `name`."""
        written = Signal(name=f"{name.lower()}_{bit}")
        here = axil.write & (axil.write_word == REGISTERS[name].offset // 4)
        m.d.sync += written.eq(here & axil.write_strobe[bit // 8] & axil.write_data[bit])
        return written

    def _elaborate_stored(self, m: Module, axil: AxiLiteSlave) -> dict[str, Value]:
        """The registers that keep what is written, byte by byte. Bits without a meaning are not there and read 0."""
        widths = {"IRQ_ENABLE": 2}
        stored: dict[str, Value] = {}
        for name, register in REGISTERS.items():
            if register.access != "rw":
                continue
            width = self.config.axi_addr_width - 32 if name.endswith("_HIGH") else widths.get(name, 32)
            if width == 0:
                stored[name] = Const(0, 0)
                continue
            stored[name] = Signal(width, name=name.lower())
            chosen = Signal(name=f"write_{name.lower()}")  # the slave holds data and strobes for this cycle too
            m.d.sync += chosen.eq(axil.write & (axil.write_word == register.offset // 4))
            with m.If(chosen):
                for low in range(0, width, 8):
                    high = min(low + 8, width)
                    with m.If(axil.write_strobe[low // 8]):
                        m.d.sync += stored[name][low:high].eq(axil.write_data[low:high])
        return stored

    def _elaborate_state(self, m: Module, axil: AxiLiteSlave, enable: Value, overflow: Value) -> dict[str, Value]:
        """Start, done, abort, errors and interrupt. Returns the status registers' values and `counting`."""
        running = Signal()  # stopped: core_reset; draining: halt
        begun = Signal()  # a start is acted upon
        done = Signal()
        failed = Signal()
        failed_pending = Signal()  # the error interrupt
        start, abort = (self._written(m, axil, "CONTROL", bit) for bit in range(2))
        clear_done, clear_failed = (self._written(m, axil, "IRQ_CLEAR", bit) for bit in range(2))
        wrong = self._elaborate_errors(m, running, overflow)

        # The end of a run is looked at in two steps, later than the errors of its last cycle.
        resting = Signal(UNITS)
        quiet = Signal()
        with m.If(running & ~self.begin):  # fetch has not taken `count` yet in the first cycle
            m.d.sync += [resting.eq(self.idle), quiet.eq(resting.all())]
        with m.Else():
            m.d.sync += [resting.eq(0), quiet.eq(0)]

        m.d.comb += begun.eq(start & self.core_reset)
        m.d.sync += [
            self.begin.eq(begun),
            self.irq.eq((done & enable[0]) | (failed_pending & enable[1])),
        ]
        with m.If(clear_done):
            m.d.sync += done.eq(0)
        with m.If(clear_failed):
            m.d.sync += failed_pending.eq(0)
        with m.If(begun):
            m.d.sync += [running.eq(1), self.core_reset.eq(0), self.unit_reset.eq(0)]
            m.d.sync += [done.eq(0), failed.eq(0), failed_pending.eq(0)]
        with m.If(running):
            with m.If(wrong.any() | abort):
                m.d.sync += [failed.eq(wrong.any()), running.eq(0), self.halt.eq(1), self.unit_reset.eq(1)]
            with m.Elif(quiet):
                m.d.sync += [done.eq(1), running.eq(0), self.core_reset.eq(1), self.unit_reset.eq(1)]
        with m.If(self.halt & ~self.pending):
            m.d.sync += [failed_pending.eq(failed), self.core_reset.eq(1), self.halt.eq(0)]
        cause, info = self._elaborate_cause(m, running, failed, wrong)
        return {
            "counting": running & ~resting.all(),
            "STATUS": Cat(running | self.halt, done, failed, self.halt),
            "ERROR_CAUSE": cause,
            "ERROR_INFO": info,
        }

    def _elaborate_errors(self, m: Module, running: Signal, overflow: Value) -> Value:
        """The errors to be acted upon in this cycle, a bit for each, in the order of their priority; see `_elaborate_cause`."""
        sources = (*(self.error[unit] for unit in (*READERS, Unit.STORE)), self.bad_opcode)
        caught = Signal(len(sources))
        m.d.sync += caught.eq(Cat(source & running for source in sources))
        return Cat(caught, overflow)

    def _elaborate_cause(self, m: Module, running: Signal, failed: Signal, wrong: Value) -> tuple[Value, Value]:
        """Values of ERROR_CAUSE and ERROR_INFO. What was wrong in the run's last cycle is kept and told when it is read."""
        kept = Signal(len(wrong))
        index = Signal(32)
        with m.If(running):
            m.d.sync += [kept.eq(wrong), index.eq(self.bad_index)]
        causes: tuple[tuple[ErrorCause, ValueLike], ...] = (
            *((ErrorCause.READ_ERROR, unit) for unit in READERS),
            (ErrorCause.WRITE_ERROR, Unit.STORE),
            (ErrorCause.BAD_OPCODE, index),
            *((ErrorCause.SEMAPHORE_OVERFLOW, unit) for unit in SYNC_UNITS),
        )
        cause = Signal(ErrorCause)
        info = Signal(32)
        for i, (code, value) in reversed(list(enumerate(causes))):  # the last assignment wins: the first source has priority
            with m.If(kept[i] & failed):
                m.d.comb += [cause.eq(code), info.eq(value)]
        return cause, info

    def _elaborate_semaphores(self, m: Module, semaphores: Semaphores) -> None:
        m.d.comb += self.sync_ready.eq(-1)  # of units that do not wait
        for i, unit in enumerate(SYNC_UNITS):
            m.d.comb += [
                semaphores.first[i].eq(self.first[unit]),
                semaphores.wait[i].eq(self.wait[unit]),
                semaphores.start[i].eq(self.start[unit]),
                semaphores.done[i].eq(self.done[unit]),
                semaphores.post[i].eq(self.post[unit]),
                self.sync_ready[unit].eq(semaphores.ready[i] & ~(self.halt if unit == Unit.STORE else 0)),
            ]

    def _elaborate_read(self, m: Module, axil: AxiLiteSlave, values: dict[int, ValueLike]) -> None:
        """Two stages: a register per block of BLOCK_WORDS registers, 0 in all blocks but one, then all of them. Unmapped words read 0."""
        select = (BLOCK_WORDS - 1).bit_length()
        blocks = sorted({offset // 4 // BLOCK_WORDS for offset in values})
        chosen = {block: Signal(32, name=f"block_{block}", reset_less=True) for block in blocks}
        for block in blocks:
            with m.Switch(axil.read_word[:select]):
                for offset, value in values.items():
                    if offset // 4 // BLOCK_WORDS == block:
                        with m.Case(offset // 4 % BLOCK_WORDS):
                            m.d.sync += chosen[block].eq(value)
                with m.Default():
                    m.d.sync += chosen[block].eq(0)
            with m.If(axil.read_word[select:] != block):
                m.d.sync += chosen[block].eq(0)
        m.d.comb += axil.read_data.eq(reduce(or_, chosen.values()))
