"""The whole core: units, memories, AXI masters and control, wired together."""

from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, DomainRenamer, Module, ResetInserter, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from talos.config import AcceleratorConfig
from talos.isa import Unit
from talos.rtl.activation import ActivationMemory
from talos.rtl.axi_read import AxiReadMaster
from talos.rtl.axi_write import AxiWriteMaster
from talos.rtl.axil import BUS_MEMBERS
from talos.rtl.control import Control
from talos.rtl.fetch import TARGETS, Fetch
from talos.rtl.layouts import header_view
from talos.rtl.load import LoadUnit
from talos.rtl.matrix import COUNTS, MatrixUnit, decode_counts
from talos.rtl.queue import InstructionQueue
from talos.rtl.store import StoreUnit
from talos.rtl.vector import VectorUnit
from talos.rtl.weights import WeightsUnit

__all__ = ["Talos"]

UNITS = len(Unit)
_MASTERS = ("read", "write")
_FINISHING = ("activation", "store")
_STOPPING, _ENDING = "stopping", "ending"  # clock domains: the one clock, reset by `unit_reset` and by `core_reset`


class Talos(wiring.Component):
    """The accelerator core.

    ::

        m_axi ──► AxiReadMaster ─┬─► Fetch ──► queues ──► units
                                 ├─► LoadUnit ───► ActivationMemory ──► MatrixUnit ──► accumulators
                                 └─► WeightsUnit ─────────────────────────▲                 │
        m_axi ◄── AxiWriteMaster ◄── StoreUnit ◄── ActivationMemory ◄── VectorUnit ◄───────┘
        s_axil ──► Control (registers, semaphores, counters, start, stop)

    Members
    -------
    m_axi_*, s_axil_*, irq
        AXI4 master, AXI4-Lite slave, interrupt (level). Every output is a register or a constant.
    trace_start, trace_done : Out(6)
        Bit per `isa.Unit`: it starts or finishes an instruction in this cycle. For simulation and logic analysers.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self._masters: dict[str, Any] = {"read": AxiReadMaster(config), "write": AxiWriteMaster(config)}
        bus = {
            name: member
            for master in self._masters.values()
            for name, member in master.signature.members.items()
            if name.startswith("m_axi_")
        }
        super().__init__({**BUS_MEMBERS, **bus, "irq": Out(1), "trace_start": Out(UNITS), "trace_done": Out(UNITS)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        config = self.config
        m.submodules.control = control = Control(config)
        parts: dict[str, Any] = {
            **self._masters,
            "fetch": Fetch(config),
            "activation": ActivationMemory(config),
            "load": LoadUnit(config),
            "weights": WeightsUnit(config),
            "matrix": MatrixUnit(config=config),
            "vector": VectorUnit(config=config),
            "store": StoreUnit(config),
        }
        queues: dict[Unit, InstructionQueue] = {
            unit: InstructionQueue(config, unit=unit, beside=COUNTS.size if unit == Unit.MATRIX else 0) for unit in TARGETS
        }
        # Between runs everything but the control plane is in reset, so that every run starts from the same state. An error or an abort
        # resets what is not needed to finish the bursts under way at once. These resets are registers, which `rst` sets: so it need not
        # reach all that is behind them, which would put a gate in front of every register there. Only the bus must be quiet at once.
        for domain, reset in ((_STOPPING, control.unit_reset), (_ENDING, control.core_reset)):
            m.domains += ClockDomain(domain, local=True)
            m.d.comb += [ClockSignal(domain).eq(ClockSignal()), ResetSignal(domain).eq(reset)]
        for name, part in (*parts.items(), *((f"{unit.name.lower()}_queue", queue) for unit, queue in queues.items())):
            if name in _MASTERS:
                m.submodules[name] = ResetInserter(control.core_reset)(part)
            else:
                m.submodules[name] = DomainRenamer(_ENDING if name in _FINISHING else _STOPPING)(part)

        for owner in (control, *self._masters.values()):
            for name, member in owner.signature.members.items():
                if name.startswith(("m_axi_", "s_axil_")) or name == "irq":
                    outer, inner = getattr(self, name), getattr(owner, name)
                    m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
        self._connect_data(m, parts)
        self._connect_control(m, control, parts, queues)
        return m

    @staticmethod
    def _connect_data(m: Module, parts: dict[str, Any]) -> None:
        """Streams and memory ports."""
        read, write, activation = parts["read"], parts["write"], parts["activation"]
        for client in ("fetch", "load", "weights"):
            wiring.connect(m, parts[client].ar, getattr(read, f"{client}_ar"))
            wiring.connect(m, getattr(read, f"{client}_r"), parts[client].r)
        m.d.comb += read.weights_urgent.eq(parts["weights"].urgent)
        matrix, vector, load, store = (parts[name] for name in ("matrix", "vector", "load", "store"))
        wiring.connect(m, store.aw, write.aw)
        wiring.connect(m, store.w, write.w)
        wiring.connect(m, write.b, store.b)
        wiring.connect(m, parts["weights"].words, matrix.weights)
        wiring.connect(m, matrix.act, activation.matrix_read)
        wiring.connect(m, vector.act_read, activation.vector_read)
        wiring.connect(m, store.read, activation.store_read)
        wiring.connect(m, vector.act_write, activation.vector_write)
        wiring.connect(m, load.write, activation.load_write)
        wiring.connect(m, vector.acc_read, matrix.acc_read)
        m.d.comb += [
            vector.param_valid.eq(load.param_valid),
            vector.param_address.eq(load.param_address),
            vector.param_data.eq(load.param_data),
        ]

    def _connect_control(self, m: Module, control: Control, parts: dict[str, Any], queues: dict[Unit, InstructionQueue]) -> None:
        """Queues, semaphores, status, errors, DRAM regions."""
        fetch, read, write = parts["fetch"], parts["read"], parts["write"]
        m.d.comb += [
            fetch.begin.eq(control.begin),
            fetch.program.eq(control.program),
            fetch.count.eq(control.count),
            read.halt.eq(control.halt),
            write.halt.eq(control.halt),
            control.bad_opcode.eq(fetch.bad_opcode),
            control.bad_index.eq(fetch.index),
            control.pending.eq(read.pending | write.pending),
        ]
        for unit, queue in queues.items():
            name = unit.name.lower()
            part = parts[name]
            arriving = getattr(fetch, name)
            made = decode_counts(arriving.payload) if unit == Unit.MATRIX else Const(0, 0)
            m.d.comb += [
                queue.i.valid.eq(arriving.valid),
                queue.i.payload.eq(Cat(arriving.payload, made)),
                arriving.ready.eq(queue.i.ready),
                part.instr.valid.eq(queue.o.valid),
                part.instr.payload.eq(queue.o.payload),
                queue.o.ready.eq(part.instr.ready),
                control.first[unit].eq(header_view(queue.first).wait),
                control.wait[unit].eq(part.wait),
                part.sync_ready.eq(control.sync_ready[unit]),
                control.post[unit].eq(part.post),
                control.idle[unit].eq(part.idle & ~queue.filled[0]),
            ]
        m.d.comb += [
            control.idle[Unit.FETCH].eq(fetch.idle),
            parts["matrix"].counts.eq(queues[Unit.MATRIX].o.payload[-COUNTS.size :]),
        ]
        units = [parts[unit.name.lower()] for unit in Unit]
        for signal in ("start", "done", "busy", "sync", "stall"):
            m.d.comb += getattr(control, signal).eq(Cat(getattr(part, signal) for part in units))
        for name in ("fetch", "load", "weights", "store"):
            m.d.comb += control.error[Unit[name.upper()]].eq(parts[name].error)
        for name in ("load", "weights", "store"):
            m.d.comb += [parts[name].bases[i].eq(base) for i, base in enumerate(control.bases)]
        m.d.comb += [self.trace_start.eq(control.start), self.trace_done.eq(control.done)]
