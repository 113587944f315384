"""Start, stop and errors: an error stops the run, is kept, and never leaves the bus in the middle of a transfer."""

from typing import Any

from amaranth.hdl import Cat

from proofs.bursts import small
from proofs.harness import Harness
from proofs.proof import Fault, Proof, Source
from talos.isa import SYNC_UNITS, Unit
from talos.registers import ErrorCause

__all__ = ["PROOFS"]


def _errors(source: Source) -> Harness:
    h = Harness()
    dut: Any = source("control").Control(small())
    opened = h.add(dut)
    running, draining, failed = opened["running"], opened["draining"], opened["failed"]
    begun, cause, info = opened["begun"], opened["cause"], opened["info"]
    overflow = opened["semaphores.overflow"]
    idle = h.named(~running & ~draining, "stopped")
    h.always(~(running & draining))
    h.always((dut.core_reset == idle) & (dut.halt == draining))

    # The first error of a run stops it and is kept, with the right cause, until the next start.
    reads = [Unit.FETCH, Unit.LOAD, Unit.WEIGHTS]
    wrong = h.named(Cat(dut.error[unit] for unit in (*reads, Unit.STORE)).any() | dut.bad_opcode | overflow.any(), "wrong")
    struck = h.past(running & wrong, "struck")
    h.implies(struck, draining & failed & (cause != ErrorCause.NONE))
    past = {unit: h.past(dut.error[unit], f"error_{unit.name.lower()}") for unit in (*reads, Unit.STORE)}
    read = Cat(past[unit] for unit in reads).any()
    for i, unit in enumerate(reads):
        first = past[unit] & ~Cat(past[earlier] for earlier in reads[:i]).any()
        h.implies(struck & first, (cause == ErrorCause.READ_ERROR) & (info == unit))
    h.implies(struck & ~read & past[Unit.STORE], (cause == ErrorCause.WRITE_ERROR) & (info == Unit.STORE))
    bad = h.past(dut.bad_opcode, "bad_opcode")
    rest = struck & ~read & ~past[Unit.STORE]
    h.implies(rest & bad, (cause == ErrorCause.BAD_OPCODE) & (info == h.past(dut.bad_index, "bad_index")))
    before = h.past(overflow, "overflow")
    for i, unit in enumerate(SYNC_UNITS):
        lowest = before[i] & ~before[:i].any()
        h.implies(rest & ~bad & lowest, (cause == ErrorCause.SEMAPHORE_OVERFLOW) & (info == unit))
    kept = h.past(failed & ~begun, "kept")
    h.implies(kept, failed & (cause == h.past(cause, "cause")) & (info == h.past(info, "info")))
    h.implies(failed, ~running)

    # Halt lasts while a transfer is pending, and not a cycle longer; only then is the core reset.
    h.implies(h.past(draining & dut.pending, "pending"), draining & ~dut.core_reset)
    h.implies(h.past(draining & ~dut.pending, "drained"), idle)
    # A run ends by itself only when all units are idle. Start while busy is ignored, and begin is one cycle.
    h.implies(h.past(running, "running") & idle, h.past(dut.idle.all() & ~dut.begin & ~wrong, "finished"))
    h.implies(dut.begin, running & h.past(idle & begun, "begun"))
    h.implies(begun, idle)
    h.cover(kept & idle)
    h.cover(begun & failed)
    return h


def _latched(source: Source) -> Harness:
    """Every client of the bus reports an error response in the next cycle at the latest."""
    h = Harness()
    for name, unit in (("load", "LoadUnit"), ("weights", "WeightsUnit"), ("fetch", "Fetch")):
        dut: Any = getattr(source(name), unit)(small())
        h.add(dut, name)
        now = h.named(dut.r.valid & dut.r.ready & dut.r.payload.error, f"{name}_now")
        h.always(dut.error == (now if name == "fetch" else h.past(now, name)))
        h.cover(dut.error)
    store: Any = source("store").StoreUnit(small())
    h.add(store, "store")
    h.always(store.error == h.past(store.b.valid & store.b.payload, "store"))
    h.always(store.b.ready)
    return h


PROOFS = (
    Proof(
        "control",
        "errors",
        "an error halts in the next cycle; cause and info kept until the next start; core reset only with nothing pending; start while busy ignored",
        _errors,
        3,
        (
            Fault("resets with transfers pending", "control", "with m.If(~self.pending):", "with m.If(~self.pending | failed):"),
            Fault(
                "an abort that meets an error hides it",
                "control",
                "m.d.sync += [failed.eq(1), cause",
                'm.d.sync += [failed.eq(~self._written(axil, "CONTROL", 1)), cause',
            ),
            Fault(
                "a start while busy restarts", "control", "self.begin.eq(0),", 'self.begin.eq(self._written(axil, "CONTROL", 0)),'
            ),
        ),
    ),
    Proof(
        "control",
        "reports",
        "load, weights, fetch and store report SLVERR and DECERR at the latest in the next cycle; the store takes every B",
        _latched,
        4,
        (
            Fault(
                "only looks at beats that wait",
                "load",
                "self.r.valid & self.r.ready & self.r.payload.error",
                "self.r.valid & ~self.r.ready & self.r.payload.error",
            ),
        ),
        reach=20,
    ),
)
