"""The AXI4 write master, alone and with the store unit in front of it."""

from typing import Any

from amaranth.hdl import Cat, Mux, Signal

from proofs.bursts import small
from proofs.bus import PATIENCE, WriteSlave, fair
from proofs.harness import Harness
from proofs.proof import Fault, Method, Proof, Source
from talos.latency import MAX_WRITES

__all__ = ["PROOFS"]

_CONFIG = small()


class _Bench:
    """The master between a client that has at most MAX_WRITES bursts open, and any slave.

    The client ends as many bursts on `w` as it asked for on `aw`; it may be slow, and offer data before the address is out.
    """

    def __init__(self, source: Source) -> None:
        self.h = h = Harness()
        self.dut: Any = source("axi_write").AxiWriteMaster(_CONFIG)
        self.opened = h.add(self.dut)
        dut = self.dut
        self.slave = slave = WriteSlave(h, dut, MAX_WRITES + 1)
        self.asks = h.named(dut.aw.valid & dut.aw.ready, "asks")
        self.gives = h.named(dut.w.valid & dut.w.ready, "gives")
        self.open = h.counter(self.asks, slave.answers, MAX_WRITES + 1, "bursts_open")  # asked for and not answered
        self.unended = h.counter(self.asks, self.gives & dut.w.payload.last, MAX_WRITES + 1, "bursts_unended")  # by the client
        h.assume(~dut.aw.valid | (self.open < MAX_WRITES))  # the store unit keeps one entry for each
        in_w = h.named(dut.m_axi_wvalid & dut.m_axi_wlast, "last_in_w")
        h.always(self.open == dut.m_axi_awvalid + slave.addresses)
        h.always(self.open == self.unended + in_w + slave.ended)
        h.always(self.opened["pending"] == self.open)
        h.always(self.opened["opened"] == self.unended)
        h.always((self.opened["some_pending"] == (self.open != 0)) & (self.opened["some_opened"] == (self.unended != 0)))
        h.always(self.open <= MAX_WRITES)
        h.implies(dut.m_axi_wvalid, slave.ended < self.open)  # no beat before its burst's address is on the bus


def _handshakes(source: Source) -> Harness:
    bench = _Bench(source)
    h, dut = bench.h, bench.dut
    address = Cat(dut.m_axi_awaddr, dut.m_axi_awlen)
    data = Cat(dut.m_axi_wdata, dut.m_axi_wstrb, dut.m_axi_wlast)
    h.stable(dut.m_axi_awvalid, dut.m_axi_awready, address, "aw")
    h.stable(dut.m_axi_wvalid, dut.m_axi_wready, data, "w")
    # What the client gave is what the bus gets: one entry each, unchanged.
    for name, given, entered, valid, accepted, value in (
        ("aw", dut.aw.payload.as_value(), bench.asks, dut.m_axi_awvalid, bench.slave.accepts, address),
        ("w", dut.w.payload.as_value(), bench.gives, dut.m_axi_wvalid, bench.slave.takes, data),
    ):
        waiting = Signal(name=f"{name}_waiting_to_leave")
        kept = Signal(len(given), name=f"{name}_kept")
        with h.m.If(accepted):
            h.m.d.sync += waiting.eq(0)
        with h.m.If(entered):
            h.m.d.sync += [waiting.eq(1), kept.eq(given)]
        h.always(valid == waiting)
        h.implies(waiting, kept == value)
    h.always((dut.m_axi_awsize == 2) & (dut.m_axi_awburst == 1) & (dut.m_axi_awid == 0))
    h.always(dut.m_axi_bready)
    h.always(dut.pending == (bench.open != 0))
    h.always(dut.b.valid == h.past(bench.slave.answers, "answers"))
    h.implies(dut.b.valid, dut.b.payload == h.past(dut.m_axi_bresp[1], "bresp"))
    h.implies(dut.halt, ~bench.asks)
    h.cover((bench.open == 3) & dut.m_axi_wvalid)
    h.cover(dut.b.valid & dut.b.payload)
    return h


def _drain(source: Source) -> Harness:
    """A number that falls in every cycle of a halt until nothing is pending; one burst may have `max_burst` beats."""
    bench = _Bench(source)
    h, dut, slave = bench.h, bench.dut, bench.slave
    # A slave may wait for the data before it takes the address, never the other way round (A3.3.1).
    data_there = (slave.ended > slave.addresses) | (dut.m_axi_wvalid & (slave.ended == slave.addresses))
    address_due = h.named(dut.m_axi_awvalid & data_there, "address_due")
    aw_waited = fair(h, address_due, dut.m_axi_awready, "aw")
    w_waited = fair(h, dut.m_axi_wvalid, dut.m_axi_wready, "w")
    b_waited = fair(h, slave.owes, dut.m_axi_bvalid, "b")
    client_waited = fair(h, bench.unended != 0, dut.w.valid, "client")
    beats = Signal(range(_CONFIG.max_burst), name="beats_of_burst")  # given since the last end of a burst
    with h.m.If(bench.gives):
        h.m.d.sync += beats.eq(Mux(dut.w.payload.last, 0, beats + 1))
    h.assume(~dut.w.valid | (beats != _CONFIG.max_burst - 1) | dut.w.payload.last)
    h.assume(~dut.w.valid | (bench.unended != 0))
    h.assume(~h.past(dut.w.valid & ~dut.w.ready, "w_held") | dut.w.valid)
    h.always((beats == 0) | (bench.unended != 0))
    step = 2 * PATIENCE + 4
    to_give = h.named(bench.unended * _CONFIG.max_burst - beats, "beats_to_give")
    # Every event lowers the number by more than what it lets others wait.
    left = h.named(
        9 * step * (to_give + bench.open)
        + Mux(address_due, 2 * step - aw_waited, 0)
        + Mux(dut.m_axi_wvalid, 4 * step - w_waited, 0)
        + Mux(slave.owes, step - b_waited, 0)
        + Mux((bench.unended != 0) & ~dut.w.valid, step - client_waited, 0),
        "left",
    )
    halted = h.past(dut.halt, "halt")
    h.implies(halted & h.past(dut.pending, "pending"), (left < h.past(left, "left")) | ~dut.pending)
    h.implies(halted & ~h.past(dut.pending, "pending_again"), ~dut.pending)
    h.cover(halted & h.past(dut.pending, "pending_end") & ~dut.pending)
    return h


def _structure(source: Source) -> Harness:
    h = Harness()
    dut = source("axi_write").AxiWriteMaster(_CONFIG)
    h.add(dut)
    h.publish(dut, "m_axi_")
    return h


PROOFS = (
    Proof(
        "write_master",
        "handshakes",
        f"AW, W stable until ready and as the client gave them; no beat before its address is offered; every B of up to {MAX_WRITES} bursts counted",
        _handshakes,
        4,
        (
            Fault(
                "replaces a beat that waits", "axi_write", "(~self.m_axi_wvalid | self.m_axi_wready) & some_opened", "some_opened"
            ),
            Fault(
                "data before the address",
                "axi_write",
                "(~self.m_axi_wvalid | self.m_axi_wready) & some_opened",
                "(~self.m_axi_wvalid | self.m_axi_wready)",
            ),
            Fault("drops an address that waits", "axi_write", "m.If(entered | self.m_axi_awready)", "m.If(entered | 1)"),
            Fault("loses the error", "axi_write", "self.b.payload.eq(self.m_axi_bresp[1])", "self.b.payload.eq(0)"),
            Fault("halt does not stop addresses", "axi_write", " & ~self.halt)", ")"),
        ),
    ),
    Proof(
        "write_master",
        "halt",
        f"no deadlock: halted, slave (even one that takes no address without data) and client wait ≤ {PATIENCE} cycles: ends in bounded time",
        _drain,
        4,
        (
            Fault(
                "offers data only when the address is accepted",
                "axi_write",
                "(~self.m_axi_wvalid | self.m_axi_wready) & some_opened",
                "(~self.m_axi_wvalid | self.m_axi_wready) & some_opened & ~self.m_axi_awvalid",
            ),
            Fault(
                "a response is not counted",
                "axi_write",
                "(pending, some_pending, answered)",
                "(pending, some_pending, answered & (pending != 1))",
            ),
        ),
    ),
    Proof(
        "write_master",
        "paths",
        "no combinational path from any input to an output of the bus",
        _structure,
        1,
        (Fault("BREADY follows BVALID", "axi_write", "self.m_axi_bready.eq(1)", "self.m_axi_bready.eq(self.m_axi_bvalid)"),),
        Method.STRUCTURE,
    ),
)
