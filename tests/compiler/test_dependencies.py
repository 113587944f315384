"""Semaphores from accesses: every conflict between two units is ordered by what an in-order machine guarantees, and nothing deadlocks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from talos.compiler.dependencies import DependencyTracker
from talos.effects import Access
from talos.isa import SYNC_UNITS, Instruction, Opcode, Unit

OPCODES = {Unit.LOAD: Opcode.LOAD, Unit.MATRIX: Opcode.MATMUL, Unit.VECTOR: Opcode.VECTOR, Unit.STORE: Opcode.STORE}

accesses = st.builds(
    lambda space, low, length, write: Access(space, low, low + length, write),
    st.sampled_from(["activation", "accumulator"]),
    st.integers(0, 20),
    st.integers(1, 12),
    st.booleans(),
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
                a.space == b.space and a.low < b.high and b.low < a.high and (a.write or b.write)
                for a in program[earlier][1]
                for b in program[later][1]
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
