"""Semaphores from accesses: every conflict between two units is ordered by what an in-order machine guarantees, and nothing deadlocks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from talos.compiler.scheduling.dependencies import DependencyTracker
from talos.effects import Access
from talos.isa import SYNC_UNITS, Instruction, Opcode, Unit

OPCODES = {Unit.LOAD: Opcode.LOAD, Unit.MATRIX: Opcode.MATMUL, Unit.VECTOR: Opcode.VECTOR, Unit.STORE: Opcode.STORE}

accesses = st.builds(
    lambda space, low, length, write, lane: Access(space, low, low + length, write, *lane),
    st.sampled_from(["activation", "accumulator"]),
    st.integers(0, 20),
    st.integers(1, 12),
    st.booleans(),
    st.sampled_from([(0, 0), (0, 0), (4, 1), (4, 2), (6, 3), (8, 2)]),
)
programs = st.lists(st.tuples(st.sampled_from(list(SYNC_UNITS)), st.lists(accesses, min_size=1, max_size=3)), max_size=25)


def _track(program: list[tuple[Unit, list[Access]]], untracked: tuple[str, ...] = ()) -> list[Instruction]:
    tracker = DependencyTracker(untracked)
    instructions = []
    for unit, touched in program:
        instruction = Instruction(OPCODES[unit])
        tracker.add(instruction, touched)
        instructions.append(instruction)
    return instructions


def _touched(access: Access) -> set[tuple[str, int]]:
    """The addresses themselves."""
    places = range(access.low, access.high)
    return {(access.space, p) for p in places if not access.period or (p - access.low) % access.period < access.width}


def _edges(instructions: list[Instruction]) -> list[set[int]]:
    """For each instruction those that end before it starts: its unit's previous one, and the partners of its waits."""
    posts: dict[tuple[Unit, Unit], list[int]] = {}
    for index, instruction in enumerate(instructions):
        for bit, unit in enumerate(SYNC_UNITS):
            if instruction["post"] >> bit & 1:
                posts.setdefault((instruction.unit, unit), []).append(index)
    waited: dict[tuple[Unit, Unit], int] = {}
    edges: list[set[int]] = []
    for index, instruction in enumerate(instructions):
        before = {i for i in range(index) if instructions[i].unit == instruction.unit}
        for bit, unit in enumerate(SYNC_UNITS):
            if instruction["wait"] >> bit & 1:
                place = waited.get((unit, instruction.unit), 0)
                waited[unit, instruction.unit] = place + 1
                before.add(posts[unit, instruction.unit][place])
        edges.append(before)
    assert {key: len(indices) for key, indices in posts.items()} == waited
    return edges


@settings(max_examples=200, deadline=None)
@given(programs)
def test_every_conflict_is_ordered(program: list[tuple[Unit, list[Access]]]) -> None:
    instructions = _track(program)
    before: list[set[int]] = []
    for index, edges in enumerate(_edges(instructions)):
        assert all(edge < index for edge in edges)  # program order is one that runs: no deadlock
        before.append(edges.union(*(before[edge] for edge in edges)))
    for later in range(len(program)):
        for earlier in range(later):
            conflict = any(
                (a.write or b.write) and _touched(a) & _touched(b) for a in program[earlier][1] for b in program[later][1]
            )
            if conflict:
                assert earlier in before[later]


def test_independent_instructions_do_not_wait() -> None:
    program = [
        (Unit.LOAD, [Access("activation", 0, 8, True)]),
        (Unit.VECTOR, [Access("activation", 8, 16, True)]),
        (Unit.STORE, [Access("activation", 16, 24, False)]),
        (Unit.MATRIX, [Access("accumulator", 0, 8, True)]),
    ]
    assert all(i["wait"] == i["post"] == 0 for i in _track(program))


def test_channels_side_by_side_do_not_wait() -> None:
    """Two layers that write slices of one tensor, and a third that reads both."""
    program = [
        (Unit.VECTOR, [Access("activation", 0, 62, True, 8, 6)]),
        (Unit.LOAD, [Access("activation", 6, 64, True, 8, 2)]),
        (Unit.STORE, [Access("activation", 0, 64, False)]),
    ]
    first, second, third = _track(program)
    assert first["wait"] == second["wait"] == 0
    assert third["wait"] == 1 << SYNC_UNITS.index(Unit.VECTOR) | 1 << SYNC_UNITS.index(Unit.LOAD)


def test_one_wait_covers_all_earlier_instructions_of_a_unit() -> None:
    store = (Unit.STORE, [Access("activation", 0, 8, False)])
    program = [(Unit.LOAD, [Access("activation", 0, 8, True)]), store, store]
    first, second, third = _track(program)
    assert first["post"] == 1 << SYNC_UNITS.index(Unit.STORE)
    assert (second["wait"], third["wait"]) == (1 << SYNC_UNITS.index(Unit.LOAD), 0)


def test_untracked_spaces_order_nothing() -> None:
    program = [(Unit.STORE, [Access("dram0", 0, 8, True)]), (Unit.LOAD, [Access("dram0", 0, 8, False)])]
    assert all(i["wait"] == i["post"] == 0 for i in _track(program, ("dram0",)))
    assert any(i["wait"] for i in _track(program))
