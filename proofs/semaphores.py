"""The counting semaphores between the units."""

from typing import Any

from amaranth.hdl import Cat, Value

from proofs.harness import Harness
from proofs.proof import Fault, Proof, Source

__all__ = ["PROOFS"]


_AFTER = 64  # posts that may still come after an overflow before the run is stopped; more than there are


def _semaphores(source: Source) -> Harness:
    h = Harness()
    rtl = source("semaphores")
    dut, full, units = rtl.Semaphores(), rtl.SEMAPHORE_MAXIMUM, range(rtl.COUNT)
    opened = h.add(dut)
    # The units start with ready only (proven in `units.start`), and what their queue offers; it pauses after each instruction (`queue`).
    h.assume((dut.start & (~dut.ready | h.past(dut.start, "started"))) == 0)
    overflow: list[list[Value]] = [[] for _ in units]
    for w in units:
        counts: list[Any] = []
        h.assume(~dut.start[w] | (dut.wait[w] == h.past(dut.first[w], f"first_{w}")))
        for p in units:
            name = f"{p}_{w}"
            post = h.named(dut.done[p] & dut.post[p][w], f"posted_{name}")
            take = h.named(dut.start[w] & dut.wait[w][p], f"taken_{name}")
            # The semaphore as it should be, and as it was in the cycle before.
            count = h.counter(post, take, full + _AFTER, f"semaphore_{name}")
            h.assume(~post | (count < full + _AFTER))
            counts.append(count)
            stored = h.named(opened[f"count_{name}"] + opened[f"up_{name}"] - opened[f"down_{name}"], f"stored_{name}")
            h.always(
                (stored == count) & ~(opened[f"up_{name}"] & opened[f"down_{name}"]) & (opened[f"count_{name}"] <= full + _AFTER)
            )
            h.always(
                (opened[f"available_{name}"] == (opened[f"count_{name}"] > 0))
                & (opened[f"several_{name}"] == (opened[f"count_{name}"] > 1))
            )
            h.implies(take, count != 0)
            overflow[p].append(h.past(count, name) > full)
        released = Cat(~dut.first[w][p] | (counts[p] != 0) for p in units).all()
        h.always(dut.ready[w] == h.past(released, f"released_{w}"))
    h.always(dut.overflow == Cat(Cat(o).any() for o in overflow))
    h.cover(dut.start.all() & (dut.wait[0] == 3))
    return h


PROOFS = (
    Proof(
        "semaphores",
        "counts",
        "semaphores are exactly what was posted less what was taken and never wrap; taken only above 0, all of a mask or none; overflow exact, one cycle late",
        _semaphores,
        3,
        (
            Fault("takes from an empty semaphore", "semaphores", "~self.first[w][p] | pairs[p][w][0]", "1 | pairs[p][w][0]"),
            Fault("posting and taking at once loses the post", "semaphores", "down.eq(take & ~post)", "down.eq(take)"),
            Fault("availability forgets the last one", "semaphores", "count[2:].any() | count[:2].all()", "available"),
            Fault("forgets that one was just posted", "semaphores", "above.eq(up | Mux(", "above.eq(Mux("),
            Fault("counts a post that is taken at once", "semaphores", "up.eq(post & ~take)", "up.eq(post)"),
        ),
    ),
)
