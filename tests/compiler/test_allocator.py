"""The allocator against brute force over a small memory: blocks are disjoint and aligned, and banks are avoided when they can be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from talos.compiler.allocator import Allocator

SIZE, ALIGN, BANK = 64, 4, 16

steps = st.lists(st.tuples(st.booleans(), st.integers(1, 40), st.integers(0, 63), st.integers(1, 20)), max_size=40)


def _banks(start: int, end: int) -> set[int]:
    return {address // BANK for address in range(start, end)}


@settings(max_examples=150, deadline=None)
@given(steps)
def test_against_a_map_of_bytes(operations: list[tuple[bool, int, int, int]]) -> None:
    allocator = Allocator(SIZE, align=ALIGN, bank=BANK)
    blocks: dict[int, int] = {}
    for release, size, place, length in operations:
        if release and blocks:
            start = sorted(blocks)[place % len(blocks)]
            allocator.free(start)
            del blocks[start]
            continue
        taken = {byte for start, end in blocks.items() for byte in range(start, end)}
        whole = -(-size // ALIGN) * ALIGN
        free = [s for s in range(0, SIZE - whole + 1, ALIGN) if not taken.intersection(range(s, s + whole))]
        avoid = (place, min(place + length, SIZE))
        start = allocator.allocate(size, [avoid])
        if start is None:
            assert not free
            continue
        assert start in free
        least = min(len(_banks(s, s + whole) & _banks(*avoid)) for s in free)
        assert len(_banks(start, start + whole) & _banks(*avoid)) == least
        blocks[start] = start + whole
        assert allocator.used == sum(end - begin for begin, end in blocks.items())


def test_freed_space_is_reused_as_late_as_possible() -> None:
    allocator = Allocator(64)
    first = allocator.allocate(16)
    assert first == 0
    allocator.free(first)
    places = []
    for _ in range(4):
        start = allocator.allocate(16)
        assert start is not None
        places.append(start)
        allocator.free(start)
    assert places == [16, 32, 48, 0]


def test_full_memory_gives_none() -> None:
    allocator = Allocator(32, align=8)
    assert allocator.allocate(25) == 0
    assert allocator.allocate(1) is None
