"""The counting semaphores between the units."""

from typing import Any

from amaranth.hdl import Cat, Mux, Value

from proofs.harness import Harness
from proofs.proof import Fault, Proof, Source

__all__ = ["PROOFS"]


def _semaphores(source: Source) -> Harness:
    h = Harness()
    rtl = source("semaphores")
    dut, full, units = rtl.Semaphores(), rtl.SEMAPHORE_MAXIMUM, range(rtl.COUNT)
    opened = h.add(dut)
    h.assume((dut.start & ~dut.ready) == 0)  # the units: proven in `units.start`
    overflow: list[list[Value]] = [[] for _ in units]
    cleared = h.past(dut.clear, "clear")
    running = h.past(1, "running")
    for w in units:
        counts: list[Any] = [opened[f"count_{p}_{w}"] for p in units]
        h.always(dut.ready[w] == Cat(~dut.wait[w][p] | (counts[p] != 0) for p in units).all())
        for p in units:
            name = f"{p}_{w}"
            post = h.named(dut.done[p] & dut.post[p][w], f"posted_{name}")
            take = h.named(dut.start[w] & dut.wait[w][p], f"taken_{name}")
            h.always(opened[f"available_{name}"] == (counts[p] != 0))
            h.implies(take, counts[p] != 0)
            overflow[p].append(post & ~take & (counts[p] == full))
            # The count as an integer, too wide to wrap: it moves by exactly what was posted and taken.
            before = h.past(counts[p], f"count_{name}")
            moved = before + h.past(post & ~overflow[p][w], f"post_{name}") - h.past(take, f"take_{name}")
            h.always(Mux(running, Mux(cleared, counts[p] == 0, moved == counts[p]), counts[p] == 0))
    h.always(dut.overflow == Cat(Cat(o).any() for o in overflow))
    h.cover(dut.start.all() & (dut.wait[0] == 3))
    return h


PROOFS = (
    Proof(
        "semaphores",
        "counts",
        "counts move by exactly what is posted and taken and never wrap; taken only above 0, all of a mask or none; overflow exact",
        _semaphores,
        3,
        (
            Fault("takes from an empty semaphore", "semaphores", "~self.wait[w][p] | available[p][w]", "1 | available[p][w]"),
            Fault("posting and taking at once loses the post", "semaphores", "m.Elif(take & ~post)", "m.Elif(take)"),
            Fault(
                "availability forgets the last one",
                "semaphores",
                "available[p][w].eq(count != 1)",
                "available[p][w].eq(count != 2)",
            ),
        ),
    ),
)
