"""Queues: the small FIFO, the instruction queue in front of every unit and the skid buffer on the read data channel."""

from typing import Any

from amaranth.hdl import Const, Mux, Signal, Value, unsigned
from amaranth.utils import ceil_log2

from proofs.harness import Harness, Opened
from proofs.proof import Fault, Proof, Source
from talos.config import PRESETS

__all__ = ["PROOFS", "entries"]

_WIDTH = 4


def entries(level: Value) -> Value:
    """`Fifo.filled` of a queue with `level` entries."""
    return (Const(1, 1) << level) - 1


def _pointers(h: Harness, opened: Opened, fifo: Any, level: Value) -> None:
    """Flags and pointers agree with the number of entries stored."""
    following, tail, depth = opened["following"], opened["tail"], fifo.depth
    total = h.named(following + level + depth - 1, "following_plus_level")
    h.always((level <= depth) & (fifo.filled == entries(level)))
    h.always((following < depth) & (tail == total % depth))


def _fifo_flags(source: Source, depth: int) -> Harness:
    h = Harness()
    fifo = source("fifo").Fifo(shape=unsigned(_WIDTH), depth=depth)
    opened = h.add(fifo)
    stored = h.counter(fifo.i.valid & fifo.i.ready, fifo.o.valid & fifo.o.ready, depth + 1, "stored")
    _pointers(h, opened, fifo, stored)
    h.always(fifo.i.ready == (stored < depth))
    h.always(fifo.o.valid == (stored > 0))
    h.stable(fifo.o.valid, fifo.o.ready, fifo.o.payload, "o")
    h.cover(stored == depth)
    return h


def _follow(h: Harness, fifo: Any, level: Any) -> tuple[Signal, Signal, Any]:
    """Follows one entry, any: (it is stored, entries ahead of it, its payload). Proves that it leaves unchanged and in turn."""
    word = h.constant(len(fifo.i.payload), "word")
    mark = h.free(1, "mark")
    inside = Signal(name="inside")
    ahead = Signal(range(fifo.depth + 1 if hasattr(fifo, "depth") else 3), name="ahead")
    gone = Signal(name="gone")
    push = fifo.i.valid & fifo.i.ready
    pop = fifo.o.valid & fifo.o.ready
    with h.m.If(mark & push & (fifo.i.payload == word) & ~inside & ~gone):
        h.m.d.sync += [inside.eq(1), ahead.eq(level - pop)]
    with h.m.Elif(inside & pop):
        h.m.d.sync += ahead.eq(ahead - 1)
        with h.m.If(ahead == 0):
            h.m.d.sync += [inside.eq(0), gone.eq(1)]
    h.implies(inside, ahead < level)
    h.implies(inside & (ahead == 0) & fifo.o.valid, fifo.o.payload == word)
    h.cover(gone)
    return inside, ahead, word


def _fifo_order(source: Source, fifo: Any) -> Harness:
    h = Harness()
    opened = h.add(fifo)
    stored = h.counter(fifo.i.valid & fifo.i.ready, fifo.o.valid & fifo.o.ready, fifo.depth + 1, "stored")
    _pointers(h, opened, fifo, stored)
    inside, ahead, word = _follow(h, fifo, stored)
    address = Signal(ceil_log2(fifo.depth), name="place")
    h.m.d.comb += address.eq((opened["following"] + ahead + fifo.depth - 1) % fifo.depth)
    h.implies(inside & (ahead != 0), opened.look("memory", address, len(fifo.i.payload)) == word)
    return h


def _lazy(source: Source, depth: int) -> Harness:
    h = Harness()
    queue = source("queue").LazyFifo(shape=unsigned(_WIDTH), depth=depth)
    opened = h.add(queue)
    push = h.named(queue.i.valid & queue.i.ready, "push")
    pop = h.named(queue.o.valid & queue.o.ready, "pop")
    stored = h.counter(push, pop, depth + 1, "stored")
    place, tail = opened["place"], opened["tail"]
    h.always((stored <= depth) & (queue.filled == entries(stored)))
    h.always((place < depth) & (tail == (place + stored) % depth))
    h.always(queue.i.ready == (stored < depth))
    # Offered from the second cycle on in which there is an entry that is not on its way out.
    h.always(queue.o.valid == (h.past((stored != 0) & ~pop, "stays")))
    h.stable(queue.o.valid, queue.o.ready, queue.o.payload, "o")
    h.implies(queue.o.valid, queue.o.payload == h.past(queue.first, "first"))
    inside, ahead, word = _follow(h, queue, stored)
    address = Signal(ceil_log2(depth), name="address")
    h.m.d.comb += address.eq((place + ahead) % depth)
    h.implies(inside & ~(queue.o.valid & (ahead == 0)), opened.look("memory", address, _WIDTH) == word)
    h.cover(stored == depth)
    return h


def _skid(source: Source) -> Harness:
    h = Harness()
    skid = source("skid").SkidBuffer(shape=unsigned(_WIDTH))
    opened = h.add(skid)
    push = skid.i.valid & skid.i.ready
    pop = skid.o.valid & skid.o.ready
    stored = h.counter(push, pop, 3, "stored")
    h.always((skid.level == stored) & (stored <= 2))
    h.always(skid.i.ready == (stored < 2))
    h.always(skid.o.valid == (stored > 0))
    h.stable(skid.o.valid, skid.o.ready, skid.o.payload, "o")
    inside, ahead, word = _follow(h, skid, stored)
    h.implies(inside, Mux(ahead == 0, opened["head"], opened["spare"]) == word)
    h.cover(skid.level == 2)
    return h


def _spare(source: Source) -> Harness:
    """An entry may pass in the cycle in which it comes; one that waits is the next to leave."""
    h = Harness()
    buffer = source("spare").SpareBuffer(shape=unsigned(_WIDTH))
    opened = h.add(buffer)
    push = buffer.i.valid & buffer.i.ready
    pop = buffer.o.valid & buffer.o.ready
    stored = h.counter(push, pop, 2, "stored")
    word = Signal(_WIDTH, name="word")
    with h.m.If(push):
        h.m.d.sync += word.eq(buffer.i.payload)
    h.always((stored <= 1) & (opened["full"] == stored))
    h.always(buffer.i.ready == (stored == 0))
    h.always(buffer.o.valid == (buffer.i.valid | (stored != 0)))
    h.implies(buffer.o.valid, buffer.o.payload == Mux(stored != 0, word, buffer.i.payload))
    h.implies(h.past(buffer.i.valid & buffer.o.valid & ~buffer.o.ready, "kept"), stored == 1)
    h.cover((stored == 1) & pop)
    h.cover((stored == 0) & pop)
    return h


_OVERWRITES = Fault("accepts when full", "fifo", "self.i.ready.eq(~self.filled[-1])", "self.i.ready.eq(1)")
_LEVEL = Fault("level lost when both sides move", "fifo", "m.If(push & ~pop)", "m.If(push)")
_WRAP = Fault("wraps one entry late", "fifo", "pointer == self.depth - 1", "pointer == self.depth")
_SAME = Fault("writes behind the head", "fifo", "write.addr.eq(tail)", "write.addr.eq(following)")
_SKIPS = Fault(
    "takes what arrives before what is stored", "fifo", "Mux(self.filled[1], read.data", "Mux(self.filled[-1], read.data"
)

PROOFS = (
    Proof(
        "fifo",
        "flags-3",
        "level within depth and equal to entries stored; full and empty flags exact; depth 3",
        lambda source: _fifo_flags(source, 3),
        4,
        (_OVERWRITES, _LEVEL, _WRAP),
    ),
    Proof(
        "fifo",
        "flags-4",
        "the same with a depth that is a power of two",
        lambda source: _fifo_flags(source, 4),
        4,
        (_OVERWRITES,),
    ),
    Proof(
        "fifo",
        "order",
        "any entry leaves unchanged, in turn, exactly once; depth 3",
        lambda source: _fifo_order(source, source("fifo").Fifo(shape=unsigned(_WIDTH), depth=3)),
        4,
        (_SAME, _SKIPS),
    ),
    Proof(
        "fifo",
        "order-8",
        "the same with depth 8",
        lambda source: _fifo_order(source, source("fifo").Fifo(shape=unsigned(_WIDTH), depth=8)),
        4,
        (_SAME, _SKIPS),
    ),
    Proof(
        "queue",
        "order-3",
        "level equal to entries stored; full and empty flags exact; any entry leaves unchanged, in turn, exactly once, its successor in the second "
        "cycle after; it is seen a cycle before; depth 3",
        lambda source: _lazy(source, 3),
        4,
        (
            Fault("accepts when full", "queue", "self.i.ready.eq(~self.filled[-1])", "self.i.ready.eq(1)"),
            Fault("level lost when both sides move", "queue", "m.If(push & ~pop)", "m.If(push)"),
            Fault("wraps one entry late", "queue", "pointer == self.depth - 1", "pointer == self.depth"),
            Fault("writes at the head", "queue", "write.addr.eq(tail)", "write.addr.eq(place)"),
            Fault("offers an entry twice", "queue", "[place.eq(after(place)), valid.eq(0)]", "place.eq(after(place))"),
        ),
    ),
    Proof(
        "queue",
        "order-8",
        "the same at the depth of the presets' instruction queues",
        lambda source: _lazy(source, PRESETS["4x4"].queue_depth),
        4,
        (Fault("takes what is not there", "queue", "valid.eq(self.filled[0])", "valid.eq(1)"),),
    ),
    Proof(
        "skid",
        "order",
        "two entries; flags exact; any entry leaves unchanged, in turn, exactly once",
        _skid,
        4,
        (
            Fault("loses the spare entry", "skid", "[head.eq(spare), valid.eq(1)]", "[head.eq(spare), valid.eq(0)]"),
            Fault("overwrites the held head", "skid", "m.If(~valid | self.o.ready)", "m.If(1)"),
        ),
    ),
    Proof(
        "spare",
        "order",
        "one entry; ready is a register; any entry leaves unchanged, in turn, exactly once, in the cycle of its arrival if it can",
        _spare,
        3,
        (
            Fault("loses the entry that waits", "spare", "self.o.valid & ~self.o.ready", "0"),
            Fault("overwrites the entry that waits", "spare", "m.If(~full)", "m.If(1)"),
        ),
    ),
)
