"""The units' sides of the contracts that other proofs assume, and the arbiters of the activation memory."""

from typing import Any

from amaranth.hdl import Cat, Value

from proofs.bursts import small
from proofs.harness import Harness
from proofs.proof import Fault, Proof, Source
from proofs.queues import entries
from talos.latency import MAX_WRITES

__all__ = ["PROOFS"]

_MEMORY = small(activation_bytes=1024, activation_banks=2)


def _arbiters(source: Source) -> Harness:
    h = Harness()
    dut = source("activation").ActivationMemory(_MEMORY)
    opened = h.add(dut)
    for kind, names in (("read", ("matrix_read", "vector_read", "store_read")), ("write", ("vector_write", "load_write"))):
        ports: list[Any] = [getattr(dut, name) for name in names]
        needs = [opened[f"{name}_needs"] for name in names]
        asks = [opened[f"{kind}_asks_{i}"] for i in range(len(names))]
        for i, port in enumerate(ports):
            h.always(needs[i] != 0)
            h.always(asks[i] == (needs[i] & port.valid.replicate(len(needs[i]))))
            # Waits in exactly the cycles in which a port before it asks for a sub-bank it needs; nobody waits for one after it.
            before = Value.cast(0)
            for other in asks[:i]:
                before = before | other
            h.always(port.grant == ((needs[i] & before) == 0))
            # Exactly the lines that hold its bytes, from an address and width alone.
            line, width = _MEMORY.line_bytes, len(port.data) // 8
            first = h.named((port.address // line)[:9], f"{names[i]}_first_line")
            last = h.named(((port.address + width - 1) // line)[:9], f"{names[i]}_last_line")
            lines = _MEMORY.activation_bytes // line
            depth = lines // (2 * _MEMORY.activation_banks)
            first_bank = (first % lines) // (2 * depth)
            # From an odd line in the last eighth of a bank to the next line: both banks' even halves.
            near_end = (first != last) & (first % 2 == 1) & (first // 2 % depth >= depth - depth // 8)
            expected = Cat(
                ((first_bank == bank) & (first % 2 == parity))
                | (((last % lines) // (2 * depth) == bank) & (last % 2 == parity))
                | (near_end & (parity == 0) & ((first_bank == bank) | (first_bank == (bank - 1) % _MEMORY.activation_banks)))
                for bank in range(_MEMORY.activation_banks)
                for parity in range(2)
            )
            h.always(needs[i] == expected)
            h.cover(port.valid & port.grant)
            if i:
                h.cover(port.valid & ~port.grant)
    return h


def _starts(source: Source) -> Harness:
    """What the semaphores assume of their users; matrix and vector use the same line of logic and are simulated."""
    h = Harness()
    config = small()
    for name, unit in (("load", "LoadUnit"), ("store", "StoreUnit")):
        dut = getattr(source(name), unit)(config)
        h.add(dut, name)
        h.implies(dut.start, dut.instr.valid & dut.sync_ready)
        h.always(dut.start == dut.instr.ready)
        h.implies(~dut.instr.valid, dut.wait == 0)
        h.cover(dut.start)
    return h


def _responses(source: Source) -> Harness:
    h = Harness()
    dut: Any = source("store").StoreUnit(small())
    opened = h.add(dut, "store")
    asked = h.named(dut.aw.valid & dut.aw.ready, "asked")
    answered = h.named(dut.b.valid & dut.b.ready, "answered")
    open_bursts = h.counter(asked, answered, MAX_WRITES + 1, "open_bursts")
    h.assume(~dut.b.valid | (open_bursts != 0))  # the write master: proven in `write_master.handshakes`
    h.always((open_bursts <= MAX_WRITES) & (opened["responses.filled"] == entries(open_bursts)))
    h.implies(dut.aw.valid, open_bursts < MAX_WRITES)
    h.implies(dut.idle, open_bursts == 0)
    h.implies(dut.done, answered)
    h.always(dut.b.ready)
    h.cover((open_bursts == 2) & dut.b.valid)
    return h


PROOFS = (
    Proof(
        "activation",
        "arbiters",
        "a port needs the sub-banks of its bytes, near a bank's end those it might cross into; it waits only for a port before it that asks for one of them",
        _arbiters,
        2,
        (
            Fault(
                "grants in spite of a conflict",
                "activation",
                "(same & self.touches[1] & other.touches[1])",
                "(same & self.touches[1] & ~other.touches[0])",
            ),
            Fault(
                "takes sub-banks without a request",
                "activation",
                "asks.eq(Mux(port.valid, access.needs, 0))",
                "asks.eq(access.needs)",
            ),
            Fault("forgets the second line", "activation", "Cat(~parity | crosses, parity | crosses)", "Cat(~parity, parity)"),
            Fault("forgets the next bank", "activation", "(self.near_end & ahead)", "same"),
            Fault(
                "crosses one byte late",
                "activation",
                "offset > geometry.line_bytes - width",
                "offset > geometry.line_bytes - width + 1",
            ),
        ),
    ),
    Proof(
        "units",
        "start",
        "load and store start, and take semaphores, only with all they wait for; they take the instruction in that cycle",
        _starts,
        2,
        (
            Fault(
                "starts without its semaphores",
                "load",
                "self.start.eq(self.instr.valid & self.sync_ready & ",
                "self.start.eq(self.instr.valid & ",
            ),
        ),
    ),
    Proof(
        "units",
        "responses",
        f"the store has at most {MAX_WRITES} bursts open, is never idle with one open, and is done only with a response",
        _responses,
        3,
        (
            Fault(
                "forgets bursts before they are answered",
                "store",
                "responses.o.ready.eq(self.b.valid)",
                "responses.o.ready.eq(1)",
            ),
            Fault("done without a response", "store", "self.done.eq(self.b.valid & ", "self.done.eq(responses.o.valid & "),
        ),
        reach=10,
    ),
)
