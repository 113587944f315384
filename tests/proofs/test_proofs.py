"""The proof runner itself: false claims fail, faults are found, empty assumptions are noticed, the page tells what is proven."""

from dataclasses import replace

import pytest
from amaranth.hdl import Signal

from proofs import page
from proofs.__main__ import main
from proofs.catalogue import PROOFS
from proofs.engine import run
from proofs.harness import Harness
from proofs.proof import Fault, Method, Proof
from proofs.source import Faulty, design
from talos.errors import TalosError


def counter(limit, *, reachable=True):
    """A counter that stops at 5, claimed to stay below `limit`."""
    h = Harness()
    up = h.free(1, "up")
    count = Signal(3, name="count")
    with h.m.If(up & (count != 5)):
        h.m.d.sync += count.eq(count + 1)
    h.assume(~up if not reachable else 1)
    h.always(count < limit)
    h.cover(count == 2)
    return h


def proof(build, **changes):
    return replace(Proof("test", "counter", "the counter stays small", lambda source: build(), 8, ()), **changes)


def test_a_true_claim_is_proven_and_a_false_one_has_a_counterexample():
    assert run(proof(lambda: counter(6)), design).proven
    false = run(proof(lambda: counter(5)), design)
    assert not false.proven
    assert false.reason == "counterexample from the initial state"
    assert false.trace is not None and "$var" in false.trace.read_text()


def test_a_claim_that_is_true_only_for_a_while_is_not_proven_by_induction():
    claim = proof(lambda: counter(5), depth=4)
    assert run(replace(claim, method=Method.BOUNDED), design).proven
    assert run(claim, design).reason == "no induction within 4 steps"


def test_assumptions_that_exclude_everything_are_noticed():
    outcome = run(proof(lambda: counter(6, reachable=False)), design)
    assert not outcome.proven
    assert "covered conditions" in outcome.reason


def test_exit_status_and_table(capsys):
    assert main([], [proof(lambda: counter(6))]) == 0
    assert "1 of 1 hold" in capsys.readouterr().out
    assert main([], [proof(lambda: counter(6)), proof(lambda: counter(5), name="other")]) == 1
    out = capsys.readouterr().out
    assert "FAILS" in out and "1 of 2 hold" in out
    with pytest.raises(SystemExit):
        main(["nothing"], PROOFS)


def test_a_seeded_fault_is_found_and_one_without_effect_is_reported(capsys):
    (skid,) = (p for p in PROOFS if p.title == "skid.order")
    assert main(["--seeded"], [skid]) == 0
    harmless = Fault("harmless", "skid", '"level": Out(2)', '"level": Out(3)')
    assert main(["--seeded"], [replace(skid, faults=(harmless,))]) == 1
    assert "MISSED" in capsys.readouterr().out


def test_a_fault_must_fit_the_design(capsys):
    with pytest.raises(TalosError, match="0 times, not once"):
        Faulty(Fault("gone", "fifo", "no such text", ""))
    (skid,) = (p for p in PROOFS if p.title == "skid.order")
    assert main(["--seeded"], [replace(skid, faults=(Fault("gone", "skid", "no such text", ""),))]) == 2
    assert "adapt the fault" in capsys.readouterr().err


def test_every_fault_fits_the_design_and_every_block_has_one():
    for claim in PROOFS:
        for fault in claim.faults:
            Faulty(fault)
    assert {p.block for p in PROOFS} == {p.block for p in PROOFS if p.faults}
    assert len({p.title for p in PROOFS}) == len(PROOFS)


def test_the_page_lists_what_is_proven():
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.updated(text, PROOFS) == text, "run: python -m proofs --page"
    assert all(p.title in text for p in PROOFS)
