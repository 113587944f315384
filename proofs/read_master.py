"""The AXI4 read master: arbiter of the address channel, counts of what is under way, way back of the data."""

from typing import Any

from amaranth.hdl import Cat, Const, Mux, Signal, Value
from amaranth.lib import data

from proofs.bursts import small
from proofs.bus import PATIENCE, ReadSlave, fair
from proofs.harness import Harness, Opened
from proofs.proof import Fault, Method, Proof, Source

__all__ = ["PROOFS"]

_CONFIG = small()
_FETCHES = 3  # bursts that fetch has under way, at most
_MOST = _CONFIG.read_ahead + _CONFIG.max_burst - 1  # beats of load or weights under way
_LIMIT = _FETCHES * _CONFIG.max_burst + 2 * _MOST + 2
_STEP = PATIENCE + 1  # cycles that a fair slave takes for a request or a beat, at most
_MORE = 2 * _STEP  # cycles that a halt takes besides those for its beats, at most: AR holds two requests


class _Bench:
    """The master between clients that ask for what they like, in bursts of at most `max_burst`, and any slave."""

    def __init__(self, source: Source) -> None:
        self.h = h = Harness()
        rtl = source("axi_read")
        self.dut: Any = rtl.AxiReadMaster(_CONFIG)
        self.opened: Opened = h.add(self.dut)
        self.names = rtl.READ_CLIENTS
        dut = self.dut
        self.requests = [getattr(dut, f"{name}_ar") for name in self.names]
        self.answers = [getattr(dut, f"{name}_r") for name in self.names]
        for request in self.requests:
            h.assume(~request.valid | (request.payload.beats < _CONFIG.max_burst))
        self.slave = ReadSlave(h, dut, len(self.names), _LIMIT, _CONFIG.max_burst)
        # AR offers its oldest request to the bus; a second one waits behind it in the spare, which otherwise means nothing.
        self.behind = h.named(~self.opened["ar.ready"], "behind")
        layout = data.StructLayout({"id": 2, "request": rtl.read_request_layout(_CONFIG)})
        self.spare = spare = data.View(layout, self.opened["ar.spare"])
        h.implies(self.behind, dut.m_axi_arvalid)
        self.waiting = h.named(dut.m_axi_arvalid + self.behind, "waiting")
        in_ar = (
            (dut.m_axi_arvalid, dut.m_axi_arid, dut.m_axi_arlen),
            (self.behind, spare.id, spare.request.beats),
        )
        for valid, client, beats in in_ar:
            h.implies(valid, (client < len(self.names)) & (beats < _CONFIG.max_burst))
        self.held = [  # beats that wait in AR, by client
            h.named(sum((Mux(valid & (client == i), beats + 1, 0) for valid, client, beats in in_ar), Const(0)), f"held_{name}")
            for i, name in enumerate(self.names)
        ]
        self.under_way = [
            h.named(b + a, f"under_way_{i}") for i, (b, a) in enumerate(zip(self.slave.beats, self.held, strict=True))
        ]
        # Fetch has no limit of its own here: the fetch unit asks for FETCH_AHEAD instructions only.
        fetches = h.named(self.slave.bursts[0] + sum((valid & (client == 0) for valid, client, _ in in_ar), Const(0)), "fetches")
        h.assume(~self.requests[0].valid | (fetches < _FETCHES))
        h.always(fetches <= _FETCHES)
        for i in (1, 2):
            h.always(self.opened[f"{self.names[i]}_beats"] == self.under_way[i])
            h.always(self.opened[f"{self.names[i]}_below"] == (self.under_way[i] < _CONFIG.read_ahead))
            h.always(self.under_way[i] <= _MOST)

    def entered(self) -> Value:
        return Cat(request.valid & request.ready for request in self.requests)


def _accounting(source: Source) -> Harness:
    bench = _Bench(source)
    h, dut = bench.h, bench.dut
    total = h.named(sum(bench.slave.bursts, Const(0)) + bench.waiting, "total_bursts")
    h.always(bench.opened["bursts"] == total)
    h.always(dut.pending == (total != 0))
    for i in (1, 2):
        request = bench.requests[i]
        h.implies(request.valid & request.ready, bench.under_way[i] < _CONFIG.read_ahead)
    h.cover(bench.under_way[1] == _MOST)
    h.cover((h.past(total, "total_bursts") == 1) & ~dut.pending)
    return h


def _arbiter(source: Source) -> Harness:
    bench = _Bench(source)
    h, dut = bench.h, bench.dut
    fetch, load, weights = bench.requests
    entered = h.named(bench.entered(), "entered")
    h.always((entered & (entered - 1)) == 0)
    # AR holds what was granted, in the order in which it was granted, and nothing else.
    oldest, second = (Signal(_CONFIG.axi_addr_width + 10, name=name) for name in ("oldest", "second"))
    accepted = bench.slave.accepts
    granted = h.counter(entered.any(), accepted, 2, "granted")
    h.always((granted <= 2) & (granted == bench.waiting))
    with h.m.If(accepted):
        h.m.d.sync += oldest.eq(second)
    for i, request in enumerate(bench.requests):
        chosen = Cat(request.payload.address, request.payload.beats, Const(i, 2))
        with h.m.If(entered[i] & (granted == accepted)):
            h.m.d.sync += oldest.eq(chosen)
        with h.m.Elif(entered[i]):
            h.m.d.sync += second.eq(chosen)
    spare = bench.spare
    h.implies(granted != 0, Cat(dut.m_axi_araddr, dut.m_axi_arlen, dut.m_axi_arid) == oldest)
    h.implies(granted == 2, Cat(spare.request.address, spare.request.beats, spare.id) == second)
    h.stable(dut.m_axi_arvalid, dut.m_axi_arready, Cat(dut.m_axi_araddr, dut.m_axi_arlen, dut.m_axi_arid), "ar")
    h.always((dut.m_axi_arsize == 2) & (dut.m_axi_arburst == 1))
    h.implies(dut.halt, entered == 0)
    # Who waits for whom: each client enters as soon as AR holds fewer than two, unless one that goes before it asks.
    wants_load = load.valid & (bench.under_way[1] < _CONFIG.read_ahead)
    wants_weights = weights.valid & (bench.under_way[2] < _CONFIG.read_ahead)
    before = (
        Const(0, 1),
        fetch.valid | (wants_weights & dut.weights_urgent),
        fetch.valid | (wants_load & ~dut.weights_urgent),
    )
    wants = (fetch.valid, wants_load, wants_weights)
    ar_waited = fair(h, dut.m_axi_arvalid, dut.m_axi_arready, "ar")
    h.implies(bench.behind, ar_waited != 0)  # a second request stays behind one that was not accepted
    for i in range(3):
        blocked = wants[i] & ~dut.halt & ~before[i] & ~entered[i]
        waited = Signal(range(PATIENCE + 2), name=f"waited_{i}")
        h.m.d.sync += waited.eq(Mux(blocked, waited + 1, 0))
        h.always(waited <= PATIENCE)
        h.implies(blocked, granted == 2)
        h.implies(entered[i], wants[i])
        h.implies(entered[i], ~before[i])
        h.cover(entered[i])
    h.cover(granted == 2)
    return h


def _data(source: Source) -> Harness:
    bench = _Bench(source)
    h, dut, opened = bench.h, bench.dut, bench.opened
    # Any beat that the bus gives: it is offered to the client of its id, unchanged, after those before it.
    word = h.constant(_CONFIG.axi_data_width + 4, "word")  # id, data, error, last
    offered = Cat(dut.m_axi_rid, dut.m_axi_rdata, dut.m_axi_rlast, dut.m_axi_rresp[1])
    mark = h.free(1, "mark")
    inside, ahead, gone = Signal(name="inside"), Signal(2, name="ahead"), Signal(name="gone")
    delivered = Cat(answer.valid & answer.ready for answer in bench.answers)
    leaves = h.named(delivered.any() | (dut.halt & opened["skid.valid"]), "leaves")
    stored = h.counter(bench.slave.gives, leaves, 3, "stored")
    with h.m.If(mark & bench.slave.gives & (offered == word) & ~inside & ~gone):
        h.m.d.sync += [inside.eq(1), ahead.eq(stored - leaves)]
    with h.m.Elif(inside & leaves):
        h.m.d.sync += ahead.eq(ahead - 1)
        with h.m.If(ahead == 0):
            h.m.d.sync += [inside.eq(0), gone.eq(1)]
    h.always((stored <= 2) & ((stored == 0) == ~opened["skid.valid"]) & ((stored == 2) == ~opened["skid.ready"]))
    h.always(dut.m_axi_rready == (stored < 2))
    h.always((delivered & (delivered - 1)) == 0)
    h.implies(inside, ahead < stored)
    h.implies(inside & (word[:2] == 3), 0)
    for place in ("head", "spare"):
        here = stored > 0 if place == "head" else stored == 2
        h.implies(here, Value.cast(opened[f"skid.{place}"])[:2] != 3)
    h.implies(inside, Mux(ahead == 0, Value.cast(opened["skid.head"]), Value.cast(opened["skid.spare"])) == word)
    for i, answer in enumerate(bench.answers):
        h.implies(inside & (ahead == 0) & (word[:2] == i) & ~dut.halt, answer.valid & (answer.payload.as_value() == word[2:]))
        h.implies(answer.valid, stored > 0)
        waiting = h.past(answer.valid & ~answer.ready, f"{i}_waiting")
        same = h.past(answer.payload.as_value(), f"{i}_payload") == answer.payload.as_value()
        h.implies(waiting & ~dut.halt & ~h.past(dut.halt, f"{i}_halt"), answer.valid & same)
    h.cover(gone & ~dut.halt)
    # With halt a beat leaves in every cycle, so RREADY comes back at the latest in the second.
    h.implies(h.past(dut.halt, "halt"), dut.m_axi_rready)
    return h


def _drain(source: Source) -> Harness:
    """A number that falls in every cycle of a halt until nothing is pending: so a halt ends after at most its first value."""
    bench = _Bench(source)
    h, dut, slave = bench.h, bench.dut, bench.slave
    skid_ready = bench.opened["skid.ready"]
    ar_waited = fair(h, dut.m_axi_arvalid, dut.m_axi_arready, "ar")
    r_waited = fair(h, slave.owes(), dut.m_axi_rvalid, "r")
    h.always(bench.opened["bursts"] == sum(slave.bursts, Const(0)) + bench.waiting)
    h.always(dut.pending == (bench.opened["bursts"] != 0))
    h.implies(bench.behind, ar_waited != 0)
    beats = h.named(sum(bench.under_way, Const(0)), "beats_under_way")
    left = h.named(_STEP * (beats + bench.waiting) - ar_waited - r_waited, "left")
    # The first value that falls is that of the cycle after the halt began.
    h.implies(dut.pending, (left > 0) & (left < _STEP * beats + _MORE))
    halted = h.past(dut.halt, "halt") & h.past(h.past(dut.halt, "halt_1"), "halt_2")
    falls = h.named(left < h.past(left, "left"), "falls")
    h.implies(halted & h.past(dut.pending, "pending"), falls | ~dut.pending)
    h.implies(halted, skid_ready)
    h.implies(h.past(dut.halt, "halt_again") & ~h.past(dut.pending, "pending_again"), ~dut.pending)
    h.cover(halted & ~dut.pending & h.past(dut.pending, "pending_end"))
    return h


def _progress(source: Source) -> Harness:
    """While something is under way, a beat reaches its client at least every so many cycles."""
    bench = _Bench(source)
    h, dut, slave = bench.h, bench.dut, bench.slave
    h.assume(~dut.halt)
    fair(h, dut.m_axi_arvalid, dut.m_axi_arready, "ar")
    fair(h, slave.owes(), dut.m_axi_rvalid, "r")
    offers = Cat(answer.valid for answer in bench.answers).any()
    delivers = h.named(Cat(answer.valid & answer.ready for answer in bench.answers).any(), "delivers")
    fair(h, offers, delivers, "client", 1)
    stored = h.counter(slave.gives, delivers, 3, "stored")
    h.always((stored <= 2) & ((stored == 0) == ~bench.opened["skid.valid"]) & ((stored == 2) == ~bench.opened["skid.ready"]))
    for place in ("head", "spare"):
        here = stored > 0 if place == "head" else stored == 2
        h.implies(here, Value.cast(bench.opened[f"skid.{place}"])[:2] != 3)
    bound = 2 * PATIENCE + 4
    quiet = Signal(range(bound + 2), name="quiet")
    busy = slave.owes() | dut.m_axi_arvalid | (stored != 0)
    h.m.d.sync += quiet.eq(Mux(busy & ~delivers, quiet + 1, 0))
    h.always(quiet <= bound)
    h.cover(quiet == 2 * PATIENCE)
    return h


def _structure(source: Source) -> Harness:
    h = Harness()
    dut = source("axi_read").AxiReadMaster(_CONFIG)
    h.add(dut)
    h.publish(dut, "m_axi_")
    return h


_AR_EARLY = Fault("grants a third request", "axi_read", "free.eq(ar.i.ready & ~self.halt)", "free.eq(~self.halt)")

PROOFS = (
    Proof(
        "read_master",
        "counts",
        "bursts and beats under way counted exactly with every legal slave; load and weights never beyond read_ahead + max_burst - 1",
        _accounting,
        4,
        (
            Fault(
                "counts bursts at their first beat",
                "axi_read",
                "self.m_axi_rvalid & self.m_axi_rready & self.m_axi_rlast",
                "self.m_axi_rvalid & self.m_axi_rready",
            ),
            Fault("counts a burst's beats one short", "axi_read", "Cat(~arrived, request", "Cat(arrived, request"),
            Fault("forgets that both can happen at once", "axi_read", "m.If(entered != finished)", "m.If(entered | finished)"),
        ),
        reach=14,
    ),
    Proof(
        "read_master",
        "arbiter",
        "at most one grant, AR is exactly what was granted, in order, stable until ready; fetch, urgent weights, load, weights wait for nobody after them",
        _arbiter,
        4,
        (
            _AR_EARLY,
            Fault("urgency ignored", "axi_read", "load_valid & ~(weights_valid & self.weights_urgent)", "load_valid"),
            Fault("grants two", "axi_read", "free & ~fetch.valid & below[1]", "free & below[1]"),
            Fault("grants while halted", "axi_read", "free.eq(ar.i.ready & ~self.halt)", "free.eq(ar.i.ready)"),
            Fault(
                "keeps a request that was not granted",
                "axi_read",
                "(fetch.valid | load_valid | weights_valid) & ~self.halt",
                "(fetch.valid | load_valid | weights_valid)",
            ),
        ),
    ),
    Proof(
        "read_master",
        "data",
        "any beat reaches the client of its id once, unchanged, in order, with its error bit; RREADY is 1 unless two beats wait",
        _data,
        4,
        (
            Fault(
                "gives a beat to the wrong client",
                "axi_read",
                "skid.o.valid & (skid.o.payload.id == i)",
                "skid.o.valid & (skid.o.payload.id == 0)",
            ),
            Fault(
                "loses the error",
                "axi_read",
                "payload.beat.error.eq(self.m_axi_rresp[1])",
                "payload.beat.error.eq(self.m_axi_rresp[0])",
            ),
            Fault("halt keeps beats", "axi_read", "skid.o.ready.eq(self.halt)", "skid.o.ready.eq(0)"),
        ),
    ),
    Proof(
        "read_master",
        "halt",
        f"halted, slave waits at most {PATIENCE} cycles: what is pending ends within {_STEP} cycles a beat and {_MORE} more, whatever the clients do",
        _drain,
        4,
        (Fault("halt keeps beats", "axi_read", "skid.o.ready.eq(self.halt)", "skid.o.ready.eq(0)"),),
    ),
    Proof(
        "read_master",
        "progress",
        f"no deadlock: slave waits at most {PATIENCE} cycles, clients 1: while bursts are under way a beat is delivered every {2 * PATIENCE + 4} cycles",
        _progress,
        14,
        (
            Fault(
                "takes an entry without offering it",
                "axi_read",
                "ar.i.valid.eq((fetch.valid | load_valid | weights_valid) & ~self.halt)",
                "ar.i.valid.eq((fetch.valid | load_valid | weights_valid) & ~self.halt & ~self.m_axi_rvalid)",
            ),
            Fault(
                "never ready for weights",
                "axi_read",
                "m.If((skid.o.payload.id == i) & client.ready)",
                "m.If((skid.o.payload.id == i) & client.ready & (i != 2))",
            ),
        ),
        reach=18,
    ),
    Proof(
        "read_master",
        "paths",
        "no combinational path from any input to an output of the bus",
        _structure,
        1,
        (
            Fault(
                "RREADY follows the client",
                "axi_read",
                "self.m_axi_rready.eq(skid.i.ready)",
                "self.m_axi_rready.eq(skid.i.ready | skid.o.ready)",
            ),
        ),
        Method.STRUCTURE,
    ),
)
