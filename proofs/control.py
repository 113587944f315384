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
    running, failed, quiet = opened["running"], opened["failed"], opened["quiet"]
    begun, cause, info = opened["begun"], opened["cause"], opened["info"]
    caught, resting = opened["caught"], opened["resting"]
    overflow = opened["semaphores.overflow"]
    idle = h.named(dut.core_reset, "stopped")
    draining = h.named(dut.halt, "draining")
    h.always((running + draining + idle) == 1)
    h.always(~dut.begin | running)

    # The first error of a run stops it and is kept, with the right cause, until the next start. Answers and opcodes are looked at a
    # cycle after they came.
    reads = [Unit.FETCH, Unit.LOAD, Unit.WEIGHTS]
    came = Cat(*(dut.error[unit] for unit in (*reads, Unit.STORE)), dut.bad_opcode)
    h.always(caught == h.past(came & running.replicate(len(came)), "came"))
    wrong = h.named(caught.any() | overflow.any(), "wrong")
    struck = h.past(running & wrong, "struck")
    h.implies(struck, draining & failed & (cause != ErrorCause.NONE))
    before = h.past(Cat(caught, overflow), "wrong")
    causes = (
        *((ErrorCause.READ_ERROR, unit) for unit in reads),
        (ErrorCause.WRITE_ERROR, Unit.STORE),
        (ErrorCause.BAD_OPCODE, h.past(dut.bad_index, "bad_index")),
        *((ErrorCause.SEMAPHORE_OVERFLOW, unit) for unit in SYNC_UNITS),
    )
    for i, (code, value) in enumerate(causes):
        lowest = before[i] & ~before[:i].any()
        h.implies(struck & lowest, (cause == code) & (info == value))
    kept = h.past(failed & ~begun, "kept")
    h.implies(kept, failed & (cause == h.past(cause, "cause")) & (info == h.past(info, "info")))
    h.implies(failed, ~running)

    # Halt lasts while a transfer is pending, and not a cycle longer; only then is the core reset.
    h.implies(h.past(draining & dut.pending, "pending"), draining & ~dut.core_reset)
    h.implies(h.past(draining & ~dut.pending, "drained"), idle)
    # A run ends by itself only two cycles after all units were idle, so that errors of that cycle win. Start while busy is ignored, and
    # begin is one cycle.
    rest = h.past(dut.idle.all() & running & ~dut.begin, "rest")
    h.always(resting.all() == rest)
    h.implies(quiet, h.past(rest, "rested"))
    h.implies(h.past(running, "running") & idle, h.past(quiet & ~wrong, "finished"))
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
        "an error halts the run, also one of its last cycle; the first is reported; cause and info kept until the next start; core reset only "
        "with nothing pending; start while busy ignored",
        _errors,
        3,
        (
            Fault(
                "resets with transfers pending",
                "control",
                "m.If(self.halt & ~self.pending)",
                "m.If(self.halt & (~self.pending | failed))",
            ),
            Fault(
                "an abort that meets an error hides it",
                "control",
                "failed.eq(wrong.any())",
                "failed.eq(wrong.any() & ~abort)",
            ),
            Fault("a start while busy restarts", "control", "begun.eq(start & self.core_reset)", "begun.eq(start)"),
            Fault(
                "an error that meets the end is lost",
                "control",
                "m.If(wrong.any() | abort)",
                "m.If((wrong.any() | abort) & ~quiet)",
            ),
            Fault(
                "the last error is reported, not the first",
                "control",
                "reversed(list(enumerate(causes)))",
                "list(enumerate(causes))",
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
