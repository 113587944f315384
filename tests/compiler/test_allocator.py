"""The allocator against brute force over a small memory: blocks are disjoint and aligned, large gaps are kept, banks avoided."""

from hypothesis import given, settings
from hypothesis import strategies as st

from talos.compiler.scheduling.allocator import Allocator

SIZE, ALIGN, BANK = 64, 4, 16

steps = st.lists(
    st.tuples(st.sampled_from(["allocate", "reserve", "free"]), st.integers(1, 40), st.integers(0, 63), st.integers(1, 20)),
    max_size=40,
)


def _largest_gap(taken: set[int]) -> int:
    largest = length = 0
    for byte in range(SIZE):
        length = 0 if byte in taken else length + 1
        largest = max(largest, length)
    return largest


@settings(max_examples=150, deadline=None)
@given(steps)
def test_against_a_map_of_bytes(operations: list[tuple[str, int, int, int]]) -> None:
    allocator = Allocator(SIZE, align=ALIGN, bank=BANK)
    blocks: dict[int, int] = {}
    for operation, size, place, length in operations:
        if operation == "free":
            if blocks:
                start = sorted(blocks)[place % len(blocks)]
                allocator.free(start)
                del blocks[start]
            continue
        taken = {byte for start, end in blocks.items() for byte in range(start, end)}
        whole = -(-size // ALIGN) * ALIGN
        free = [s for s in range(0, SIZE - whole + 1, ALIGN) if not taken.intersection(range(s, s + whole))]
        avoid = (place, min(place + length, SIZE))
        if operation == "reserve":
            if not free:
                continue
            found: int | None = free[place % len(free)]
            allocator.reserve(free[place % len(free)], size)
        else:
            found = allocator.allocate(size, [avoid])
        if found is None:
            assert not free
            continue
        assert found in free
        if operation == "allocate":
            left = {s: _largest_gap(taken.union(range(s, s + whole))) for s in free}
            assert left[found] >= whole or max(left.values()) < whole
        blocks[found] = found + whole
        assert allocator.used == sum(end - begin for begin, end in blocks.items())


def test_freed_space_is_reused_as_late_as_possible() -> None:
    allocator = Allocator(64)
    places = []
    for _ in range(5):
        start = allocator.allocate(16)
        assert start is not None
        places.append(start)
        allocator.free(start)
    assert places == [0, 16, 32, 48, 0]


def test_a_new_tile_avoids_the_banks_in_use() -> None:
    """A quarter of the memory is taken for long; the tiles that alternate share no bank with what another unit uses."""
    allocator = Allocator(64, bank=16)
    allocator.reserve(0, 16)
    assert allocator.allocate(16, [(0, 16), (20, 24)]) in (32, 48)


def test_full_memory_gives_none() -> None:
    allocator = Allocator(32, align=8)
    assert allocator.allocate(25) == 0
    assert allocator.allocate(1) is None
