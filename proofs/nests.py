"""The loop nests that make the addresses of rows, on the address side and on the data side."""

from amaranth.hdl import Cat, Mux, Signal, signed

from proofs.harness import Harness
from proofs.proof import Fault, Proof, Source

__all__ = ["PROOFS"]

_COUNT, _STRIDE, _ADDRESS = 3, 6, 8


def _addresses(source: Source) -> Harness:
    h = Harness()
    dut = source("loopnest").LoopNest(address_width=_ADDRESS, count_widths=(_COUNT, _COUNT), stride_widths=(_STRIDE, _STRIDE))
    opened = h.add(dut)
    # The definition: two nested loops that keep their indices.
    valid = Signal(name="nest_valid")
    counts = [Signal(_COUNT, name=f"nest_count_{i}") for i in range(2)]
    strides = [Signal(signed(_STRIDE), name=f"nest_stride_{i}") for i in range(2)]
    index = [Signal(_COUNT, name=f"nest_index_{i}") for i in range(2)]
    outer = Signal(_ADDRESS, name="nest_outer")  # base + index_1 * stride_1
    address = Signal(_ADDRESS, name="nest_address")  # outer + index_0 * stride_0
    end = [h.named(index[i] == counts[i], f"nest_end_{i}") for i in range(2)]
    last = h.named(end[0] & end[1], "nest_last")
    h.assume(~dut.step | valid)
    # Counts and strides may be taken ahead of a load, at the last element or when there is none.
    h.assume(~dut.load | dut.follow)
    h.assume(~dut.follow | dut.load | ~valid | last)
    h.assume((dut.ones == Cat(dut.count_0 == 0, dut.count_1 == 0)) & (dut.twos == Cat(dut.count_0 == 1, dut.count_1 == 1)))
    with h.m.If(dut.load):
        h.m.d.sync += [valid.eq(1), outer.eq(dut.base), address.eq(dut.base)]
        for i in range(2):
            h.m.d.sync += [counts[i].eq(getattr(dut, f"count_{i}")), strides[i].eq(getattr(dut, f"stride_{i}")), index[i].eq(0)]
    with h.m.Elif(dut.step):
        with h.m.If(~end[0]):
            h.m.d.sync += [index[0].eq(index[0] + 1), address.eq(address + strides[0])]
        with h.m.Elif(~end[1]):
            h.m.d.sync += [
                index[0].eq(0),
                index[1].eq(index[1] + 1),
                outer.eq(outer + strides[1]),
                address.eq(outer + strides[1]),
            ]
        with h.m.Else():
            h.m.d.sync += valid.eq(0)
    with h.m.If(valid):
        h.always(dut.address == address)
        h.always(dut.last == last)
        h.always(dut.first == ((index[0] == 0) & (index[1] == 0)))
        for i in range(2):
            h.always(index[i] <= counts[i])
            h.always((dut.lasts[i] == end[i]) & (dut.firsts[i] == (index[i] == 0)))
    with h.m.If(valid & ~last):
        # The outer level's next address is ready when it is needed: not in the cycle after it has moved, and never if only it moves.
        h.always(
            Mux(opened["moved_1"], address == outer, (counts[0] == 0) | (opened["next_1"] == (outer + strides[1])[:_ADDRESS]))
        )
        h.implies(opened["moved_1"] & (counts[0] != 0), opened["at_inner"])
        h.always(opened["move"] == Mux(~end[0], 1, 2))
        h.always(opened["inner"] == Mux(counts[0] != 0, 1, Mux(counts[1] != 0, 2, 0)))
        h.implies(opened["inner"] != 0, opened["at_inner"] == ((opened["move"] & opened["inner"]) != 0))
        h.always(
            (opened["held_stride_1"] == strides[1]) & (opened["pair_stride_0"] == Mux(counts[0] == 0, strides[1], strides[0]))
        )
        for i in range(2):
            h.always(opened[f"limit_{i}"] == counts[i])
            h.always(opened[f"limit_{i}_is"] == Cat(counts[i] == 0, counts[i] == 1))
            h.always(opened[f"remaining_{i}"] == counts[i] - index[i])
            h.always(opened["before_last"][i] == (opened[f"remaining_{i}"] == 1))
    h.cover(valid & dut.last & (counts[0] != 0) & (counts[1] != 0))
    return h


PROOFS = (
    Proof(
        "nests",
        "addresses",
        "base + i0*stride0 + i1*stride1 for every index in order, first and last exact: address side and data side walk the same rows",
        _addresses,
        3,
        (
            Fault("outer loop forgets its start", "loopnest", "(move[i] | further[i])", "move.any()"),
            Fault("one iteration too few", "loopnest", "before_last[i].eq(remaining == 2)", "before_last[i].eq(remaining == 3)"),
        ),
    ),
)
