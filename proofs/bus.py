"""AXI4 slaves for proofs: everything a slave may do according to the specification, and more."""

from typing import Any

from amaranth.hdl import Cat, Mux, Signal, Value

from proofs.harness import Harness

__all__ = ["PATIENCE", "ReadSlave", "WriteSlave", "fair"]

PATIENCE = 2
"""Cycles that a fair slave keeps the master waiting, at most."""


def fair(h: Harness, waiting: Value, served: Value, name: str, patience: int = PATIENCE) -> Signal:
    """Assumes that `served` comes at the latest after `patience` cycles of `waiting` without it. Returns the cycles waited."""
    waited = Signal(range(patience + 1), name=f"{name}_waited")
    h.m.d.sync += waited.eq(Mux(waiting & ~served, waited + 1, 0))
    h.assume(~((waited == patience) & waiting) | served)
    h.always(waited <= patience)
    return waited


class ReadSlave:
    """Answers beats of the bursts it accepted, in any order between ids and with any number of beats in a burst that adds up.

    It keeps for each id the bursts and beats it owes: a beat is only given if owed, and the last one of a burst when it must be. This
    allows more than AXI4 does (ids may alternate within a burst, burst lengths of an id may be exchanged), so what holds with it holds
    with every slave. Signals held until accepted, as the specification demands of a slave.
    """

    def __init__(self, h: Harness, dut: Any, clients: int, limit: int, max_burst: int) -> None:
        m = h.m
        self.accepts = h.named(dut.m_axi_arvalid & dut.m_axi_arready, "slave_accepts")
        self.gives = h.named(dut.m_axi_rvalid & dut.m_axi_rready, "slave_gives")
        self.bursts: list[Signal] = []
        self.beats: list[Signal] = []
        rules = []
        for i in range(clients):
            takes, beat = self.accepts & (dut.m_axi_arid == i), self.gives & (dut.m_axi_rid == i)
            beats = Signal(range(limit + 1), name=f"slave_beats_{i}")
            bursts = Signal(range(limit + 1), name=f"slave_bursts_{i}")
            m.d.sync += [
                beats.eq(beats + Mux(takes, dut.m_axi_arlen + 1, 0) - beat),
                bursts.eq(bursts + takes - (beat & dut.m_axi_rlast)),
            ]
            h.always((beats >= bursts) & (beats <= bursts * max_burst))
            # After this beat the beats and bursts owed must fit each other again.
            fits = Mux(dut.m_axi_rlast, beats - 1 <= (bursts - 1) * max_burst, beats != bursts)
            rules.append((dut.m_axi_rid == i) & (beats != 0) & fits)
            self.beats.append(beats)
            self.bursts.append(bursts)
        h.assume(~dut.m_axi_rvalid | Cat(rules).any())
        held = h.past(dut.m_axi_rvalid & ~dut.m_axi_rready, "slave_held")
        answer = Cat(dut.m_axi_rid, dut.m_axi_rdata, dut.m_axi_rresp, dut.m_axi_rlast)
        before = h.past(answer, "slave_answer")
        h.assume(~held | (dut.m_axi_rvalid & (before == answer)))

    def owes(self) -> Value:
        """1 while a beat is owed."""
        return Cat(beats != 0 for beats in self.beats).any()


class WriteSlave:
    """Responds to bursts whose address and last beat it has, at any time; ready for address and data whenever it likes, in any order.

    `addresses`, `ended`: addresses and last beats accepted whose burst is not answered.
    """

    def __init__(self, h: Harness, dut: Any, limit: int) -> None:
        self.accepts = h.named(dut.m_axi_awvalid & dut.m_axi_awready, "slave_accepts")
        self.takes = h.named(dut.m_axi_wvalid & dut.m_axi_wready, "slave_takes")
        self.ends = h.named(self.takes & dut.m_axi_wlast, "slave_ends")
        self.answers = h.named(dut.m_axi_bvalid & dut.m_axi_bready, "slave_answers")
        self.addresses = h.counter(self.accepts, self.answers, limit, "slave_addresses")
        self.ended = h.counter(self.ends, self.answers, limit, "slave_ended")
        self.owes = h.named((self.addresses != 0) & (self.ended != 0), "slave_owes")  # a response
        h.assume(~dut.m_axi_bvalid | self.owes)
