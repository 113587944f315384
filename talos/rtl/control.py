"""Control: register file, start, done, abort and error handling, interrupt, semaphores and cycle counters."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike
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
BLOCK_WORDS = 16  # registers that the first stage of the read multiplexer selects from


class Control(wiring.Component):
    """The control plane. Vectors over units have bit or entry `isa.Unit`; fetch takes part with `wait` = 0.

    A write of CONTROL.start that is acted upon in cycle t makes t + 1 the first cycle of the run: `begin` is 1 in it and CYCLES counts
    it. The run's last cycle is the first one after it in which every unit is idle and every queue is empty. Between runs
    `core_reset` is 1, so every run starts from the same state; memories keep their contents.

    The first error of a run, or an abort, raises `halt` in the next cycle; when no transfer is outstanding the core is reset. STATUS,
    ERROR_CAUSE and ERROR_INFO then tell the error until the next start.

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
        No unit starts an instruction, fetch hands over nothing, no new burst is asked for.
    begin, program, count
        To fetch: start of the run, byte address of the program, number of instructions.
    bases
        Base address of each DRAM region.
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
        m.submodules.semaphores = semaphores = Semaphores()
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
        begun = Signal()  # a start is acted upon
        status = self._elaborate_state(m, axil, stored["IRQ_ENABLE"], begun, semaphores.overflow)
        self._elaborate_semaphores(m, semaphores)
        m.d.comb += [
            semaphores.clear.eq(begun),
            counters.clear.eq(begun),
            counters.enable.eq(status.pop("running")),
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

    def _written(self, axil: AxiLiteSlave, name: str, bit: int) -> Value:
        """A one is being written to a bit of the lowest byte of register `name`."""
        here = axil.write & (axil.write_word == REGISTERS[name].offset // 4)
        return here & axil.write_strobe[bit // 8] & axil.write_data[bit]

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
            with m.If(axil.write & (axil.write_word == register.offset // 4)):
                for low in range(0, width, 8):
                    high = min(low + 8, width)
                    with m.If(axil.write_strobe[low // 8]):
                        m.d.sync += stored[name][low:high].eq(axil.write_data[low:high])
        return stored

    def _elaborate_state(self, m: Module, axil: AxiLiteSlave, enable: Value, begun: Signal, overflow: Value) -> dict[str, Value]:
        """Start, done, abort, errors and interrupt. Returns the status registers' values and `running`."""
        done = Signal()
        failed = Signal()
        failed_pending = Signal()  # the error interrupt
        cause = Signal(ErrorCause)
        info = Signal(32)
        running = Signal()
        draining = Signal()

        error = Signal()
        error_cause = Signal(ErrorCause)
        error_info = Signal(32)
        reads = ((self.error[unit], ErrorCause.READ_ERROR, unit) for unit in (Unit.FETCH, Unit.LOAD, Unit.WEIGHTS))
        overflows = ((overflow[i], ErrorCause.SEMAPHORE_OVERFLOW, unit) for i, unit in enumerate(SYNC_UNITS))
        sources = (
            *reads,
            (self.error[Unit.STORE], ErrorCause.WRITE_ERROR, Unit.STORE),
            (self.bad_opcode, ErrorCause.BAD_OPCODE, self.bad_index),
            *overflows,
        )
        for source, source_cause, source_info in reversed(sources):  # the last assignment wins: the first source has priority
            with m.If(source):
                m.d.comb += [error.eq(1), error_cause.eq(source_cause), error_info.eq(source_info)]

        m.d.sync += [
            self.begin.eq(0),
            self.irq.eq((done & enable[0]) | (failed_pending & enable[1])),
        ]
        with m.If(self._written(axil, "IRQ_CLEAR", 0)):
            m.d.sync += done.eq(0)
        with m.If(self._written(axil, "IRQ_CLEAR", 1)):
            m.d.sync += failed_pending.eq(0)

        with m.FSM(name="state"):
            with m.State("IDLE"):
                m.d.comb += begun.eq(self._written(axil, "CONTROL", 0))
                with m.If(begun):
                    m.d.sync += [self.begin.eq(1), self.core_reset.eq(0), self.unit_reset.eq(0)]
                    m.d.sync += [done.eq(0), failed.eq(0), failed_pending.eq(0), cause.eq(ErrorCause.NONE), info.eq(0)]
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += running.eq(1)
                with m.If(error):
                    m.d.sync += [failed.eq(1), cause.eq(error_cause), info.eq(error_info), self.halt.eq(1), self.unit_reset.eq(1)]
                    m.next = "DRAIN"
                with m.Elif(self._written(axil, "CONTROL", 1)):
                    m.d.sync += [self.halt.eq(1), self.unit_reset.eq(1)]
                    m.next = "DRAIN"
                with m.Elif(self.idle.all() & ~self.begin):  # fetch has not taken `count` yet in the first cycle
                    m.d.sync += [done.eq(1), self.core_reset.eq(1), self.unit_reset.eq(1)]
                    m.next = "IDLE"
            with m.State("DRAIN"):
                m.d.comb += draining.eq(1)
                with m.If(~self.pending):
                    m.d.sync += [failed_pending.eq(failed), self.core_reset.eq(1), self.halt.eq(0)]
                    m.next = "IDLE"
        return {
            "running": running,
            "STATUS": Cat(running | draining, done, failed, draining),
            "ERROR_CAUSE": cause,
            "ERROR_INFO": info,
        }

    def _elaborate_semaphores(self, m: Module, semaphores: Semaphores) -> None:
        m.d.comb += self.sync_ready.eq(Mux(self.halt, 0, -1))
        for i, unit in enumerate(SYNC_UNITS):
            m.d.comb += [
                semaphores.wait[i].eq(self.wait[unit]),
                semaphores.start[i].eq(self.start[unit]),
                semaphores.done[i].eq(self.done[unit]),
                semaphores.post[i].eq(self.post[unit]),
                self.sync_ready[unit].eq(semaphores.ready[i] & ~self.halt),
            ]

    def _elaborate_read(self, m: Module, axil: AxiLiteSlave, values: dict[int, ValueLike]) -> None:
        """Two stages: a register per block of BLOCK_WORDS registers, then the choice between blocks. Unmapped words read 0."""
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
        with m.Switch(axil.read_word[select:]):
            for block in blocks:
                with m.Case(block):
                    m.d.comb += axil.read_data.eq(chosen[block])
