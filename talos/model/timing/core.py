"""The cycle model: all units, queues, semaphores, the AXI masters and the DRAM, stepped together cycle by cycle.

One compiled loop. In every cycle the outputs of all units are read from their registered states, then grants and handshakes are
resolved in the order in which the RTL's combinational paths run, then every state moves. Values play no part: timing does not
depend on data. `simulate` returns exactly what the core's registers and trace show.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError
from talos.isa import SYNC_UNITS, Unit
from talos.memory import MemoryTiming
from talos.model.timing.activation import activation_load_grant, activation_read_grants, activation_state
from talos.model.timing.axi_read import (
    AXI_READ_ARBEATS,
    AXI_READ_ARID,
    AXI_READ_ARVALID,
    axi_read_client,
    axi_read_clock,
    axi_read_grant,
    axi_read_ready,
    axi_read_state,
)
from talos.model.timing.compiled import compiled
from talos.model.timing.control import (
    count_status,
    program_lists,
    program_targets,
    queue_clock,
    queue_first,
    queue_head,
    queue_pop,
    queue_push,
    queue_room,
    queue_state,
    run_finished,
    semaphores_post,
    semaphores_ready,
    semaphores_state,
    semaphores_take,
)
from talos.model.timing.fetch import (
    fetch_begin,
    fetch_clock,
    fetch_handed,
    fetch_idle,
    fetch_request,
    fetch_state,
    fetch_status,
    fetch_target,
)
from talos.model.timing.fields import WAIT, instruction_rows
from talos.model.timing.load import (
    load_beats,
    load_clock,
    load_done,
    load_free,
    load_idle,
    load_ready,
    load_state,
    load_status,
    load_write,
)
from talos.model.timing.matrix import (
    matrix_clock,
    matrix_done,
    matrix_drain_grant,
    matrix_free,
    matrix_idle,
    matrix_request,
    matrix_state,
    matrix_status,
    matrix_weights_ready,
)
from talos.model.timing.memory import (
    MEM_ARREADY,
    MEM_AWREADY,
    MEM_BVALID,
    MEM_RID,
    MEM_RLAST,
    MEM_RVALID,
    MEM_WREADY,
    memory_state,
    memory_step,
)
from talos.model.timing.store import (
    STORE_AWVALID,
    STORE_WLAST,
    STORE_WVALID,
    store_clock,
    store_done,
    store_free,
    store_idle,
    store_request,
    store_state,
    store_status,
)
from talos.model.timing.vector import (
    vector_access,
    vector_clock,
    vector_done,
    vector_free,
    vector_idle,
    vector_request,
    vector_state,
    vector_status,
    vector_write,
)
from talos.model.timing.weights import (
    WEIGHTS_URGENT,
    weights_beats,
    weights_clock,
    weights_done,
    weights_free,
    weights_idle,
    weights_state,
    weights_status,
    weights_word,
)
from talos.program import Program

__all__ = ["Timing", "simulate"]

START_LATENCY = 3
"""Edges of the memory between the handshake of the start write (edge 0) and the run's first cycle; its pauses count from edge 0."""

_LIMIT = 1 << 40
_CHUNK = 1 << 22  # cycles between looks at Ctrl-C and progress

_FETCH, _LOAD, _WEIGHTS, _MATRIX, _VECTOR, _STORE = (int(unit) for unit in Unit)
_SLOT_LOAD, _SLOT_MATRIX, _SLOT_VECTOR, _SLOT_STORE = range(4)
_SLOT_UNITS = tuple(int(unit) for unit in SYNC_UNITS)
_SLOTS = len(SYNC_UNITS)


@dataclass(frozen=True)
class Timing:
    """What a run takes.

    cycles: from start to done, the core's CYCLES register. starts, ends: per instruction, the cycle in which its unit took and finished it
    (cycle 0 is the run's first). counters: cycles by unit and (busy, sync, stall), the core's counters.
    """

    cycles: int
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    counters: NDArray[np.int64]


def simulate(
    program: Program,
    timing: MemoryTiming | None = None,
    bases: tuple[int, int, int, int] = (0, 0, 0, 0),
    limit: int = _LIMIT,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Timing:
    """The cycles of one run of `program` with a DRAM of `timing` and the regions at `bases`.

    Only the bases' alignment to the longest burst matters. `progress` hears of the instructions that have ended.
    Raises TalosError if the program does not end within `limit` cycles
    (a deadlock is found at once: nothing changes any more).
    """
    config = program.config
    rows = instruction_rows(program.instructions)
    state = (
        fetch_state(config),
        load_state(config),
        weights_state(config),
        matrix_state(config),
        vector_state(config),
        store_state(config),
        activation_state(config),
        axi_read_state(config),
        memory_state(timing or MemoryTiming(), config.axi_data_width),
        queue_state(config),
        semaphores_state(),
        np.zeros(_SLOTS, np.bool_),  # what the unit's first instruction waited for was there in the cycle before
    )
    count = len(rows)
    starts, ends = np.full(count, -1, np.int64), np.full(count, -1, np.int64)
    counters = np.zeros((len(Unit), 3), np.int64)
    lists = program_lists(rows)
    finished = np.zeros(len(Unit), np.int64)
    targets = program_targets(rows)
    for _ in range(START_LATENCY):
        memory_step(state[8], 0, 0, 0, 0, 0, 0, 0, 0, 0)
    fetch_begin(state[0], count)
    memory_step(state[8], 0, 0, 0, 1, 0, 0, 0, 0, 1)
    cycle = 1
    offsets = np.array(bases, np.int64)
    while True:
        stop = min(cycle + _CHUNK, limit)
        cycle, done = _run(state, rows, targets, lists, finished, offsets, starts, ends, counters, cycle, stop)
        if done:
            break
        progress("cycle model", int(finished.sum()), count)
        if cycle >= limit:
            raise TalosError(f"program '{program.name}' did not end within {limit} cycles; check it with 'talos info'")
    # Cycle 0, in which fetch only takes the program's length, is part of the run; instructions end in the order of their unit's list.
    return Timing(cycle, starts, ends, counters)


@compiled
def _run(state, rows, targets, lists, finished, bases, starts, ends, counters, cycle, stop):  # type: ignore[no-untyped-def]
    """Step from `cycle` to `stop` or the run's end; the cycle reached and whether the run ended."""
    fetch, load, weights, matrix, vector, store, activation, axi, memory, queues, semaphores, released = state
    no_row = rows[0]  # views are costly to make: one for all cycles without a start
    while cycle < stop:
        if fetch_idle(fetch) and run_finished(
            queues,
            1,
            load_idle(load) and weights_idle(weights) and matrix_idle(matrix) and vector_idle(vector) and store_idle(store),
        ):
            return cycle + 1, True

        # Memory ports: the matrix unit's reads and the vector unit's writes always win.
        matrix_address = matrix_request(matrix)
        vector_address = vector_request(vector)
        store_address = store_request(store)
        grants = activation_read_grants(activation, matrix_address, vector_address, store_address)
        matrix_grant = matrix_address >= 0
        store_grant = store_address >= 0 and grants & 2 != 0
        entry = vector_access(vector)
        vector_reads = vector_address >= 0 and grants & 1 != 0
        vector_drains = entry >= 0 and matrix_drain_grant(matrix, entry)
        load_address = load_write(load)
        load_grant = activation_load_grant(activation, vector_write(vector), load_address)

        # Read data: the offered beat goes to its client.
        client = axi_read_client(axi)
        load_takes = client == 1 and load_ready(load)
        taken = client in (0, 2) or load_takes

        # Read requests.
        fetch_beats = fetch_request(fetch)
        beats_load = load_beats(load)
        beats_weights = weights_beats(weights)
        granted = axi_read_grant(axi, fetch_beats, beats_load, beats_weights, weights[WEIGHTS_URGENT])
        granted_beats = fetch_beats if granted == 0 else beats_load if granted == 1 else beats_weights

        # Weight words.
        word = weights_word(weights) and matrix_weights_ready(matrix, matrix_grant)

        # Dispatch.
        handed = fetch_handed(fetch)
        target = fetch_target(fetch, targets)
        room = target != 0 and queue_room(queues, target)

        # Starts. Instructions are numbers in the program; -1 where there is none.
        load_head = queue_head(queues, _LOAD)
        load_start = False
        load_waits = False
        if load_head >= 0:
            load_head = lists[_LOAD, load_head]
            ready = released[_SLOT_LOAD]
            load_start = ready and load_free(load)
            load_waits = not ready
        load_code = load_status(load, load_grant, load_waits)

        weights_head = queue_head(queues, _WEIGHTS)
        weights_start = False
        if weights_head >= 0:
            weights_head = lists[_WEIGHTS, weights_head]
            weights_start = weights_free(weights)

        matrix_head = queue_head(queues, _MATRIX)
        matrix_start = False
        matrix_waits = False
        if matrix_head >= 0:
            matrix_head = lists[_MATRIX, matrix_head]
            ready = released[_SLOT_MATRIX]
            matrix_start = ready and matrix_free(matrix, matrix_grant)
            matrix_waits = not ready
        matrix_code = matrix_status(matrix, matrix_grant, matrix_waits)

        vector_head = queue_head(queues, _VECTOR)
        vector_start = False
        vector_waits = False
        if vector_head >= 0:
            vector_head = lists[_VECTOR, vector_head]
            ready = released[_SLOT_VECTOR]
            vector_start = ready and vector_free(vector)
            vector_waits = not ready
        vector_code = vector_status(vector, vector_reads, vector_drains, vector_waits)

        store_head = queue_head(queues, _STORE)
        store_start = False
        store_waits = False
        if store_head >= 0:
            store_head = lists[_STORE, store_head]
            ready = released[_SLOT_STORE]
            store_start = ready and store_free(store)
            store_waits = not ready
        store_code = store_status(store, memory[MEM_WREADY], store_waits)

        # Ends.
        load_post = load_done(load)
        weights_post = weights_done(weights, granted == 2)
        matrix_post = matrix_done(matrix)
        vector_post = vector_done(vector)
        store_post = store_done(store)

        # The cycle ends. Counters and semaphores first, then every unit.
        count_status(counters, _FETCH, fetch_status(fetch))
        count_status(counters, _LOAD, load_code)
        count_status(counters, _WEIGHTS, weights_status(weights, client == 2, False))
        count_status(counters, _MATRIX, matrix_code)
        count_status(counters, _VECTOR, vector_code)
        count_status(counters, _STORE, store_code)
        for slot in range(_SLOTS):
            unit = _SLOT_UNITS[slot]
            first = queue_first(queues, unit)
            released[slot] = first >= 0 and semaphores_ready(semaphores, slot, rows[lists[unit, first], WAIT])
        queue_clock(queues)
        if load_start:
            starts[load_head] = cycle
            semaphores_take(semaphores, _SLOT_LOAD, rows[load_head, WAIT])
            queue_pop(queues, _LOAD)
        if weights_start:
            starts[weights_head] = cycle
            queue_pop(queues, _WEIGHTS)
        if matrix_start:
            starts[matrix_head] = cycle
            semaphores_take(semaphores, _SLOT_MATRIX, rows[matrix_head, WAIT])
            queue_pop(queues, _MATRIX)
        if vector_start:
            starts[vector_head] = cycle
            semaphores_take(semaphores, _SLOT_VECTOR, rows[vector_head, WAIT])
            queue_pop(queues, _VECTOR)
        if store_start:
            starts[store_head] = cycle
            semaphores_take(semaphores, _SLOT_STORE, rows[store_head, WAIT])
            queue_pop(queues, _STORE)
        if load_post >= 0:
            semaphores_post(semaphores, _SLOT_LOAD, load_post)
            _end(lists, finished, ends, _LOAD, cycle)
        if weights_post >= 0:
            _end(lists, finished, ends, _WEIGHTS, cycle)
        if matrix_post >= 0:
            semaphores_post(semaphores, _SLOT_MATRIX, matrix_post)
            _end(lists, finished, ends, _MATRIX, cycle)
        if vector_post >= 0:
            semaphores_post(semaphores, _SLOT_VECTOR, vector_post)
            _end(lists, finished, ends, _VECTOR, cycle)
        if store_post >= 0:
            semaphores_post(semaphores, _SLOT_STORE, store_post)
            _end(lists, finished, ends, _STORE, cycle)
        if handed:
            queue_push(queues, target)

        # What the bus shows before the edge.
        arvalid, arbeats, arid = axi[AXI_READ_ARVALID], axi[AXI_READ_ARBEATS], axi[AXI_READ_ARID]
        arready, rready = memory[MEM_ARREADY], axi_read_ready(axi)
        rvalid, rid, rlast = memory[MEM_RVALID], memory[MEM_RID], memory[MEM_RLAST]
        awready, wready, bvalid = memory[MEM_AWREADY], memory[MEM_WREADY], memory[MEM_BVALID]
        awvalid, wvalid, wlast = store[STORE_AWVALID], store[STORE_WVALID], store[STORE_WLAST]

        fetch_clock(fetch, granted == 0, client == 0, room)
        if load_start:
            load_clock(load, rows[load_head], True, bases, granted == 1, load_takes, load_grant)
        else:
            load_clock(load, no_row, False, bases, granted == 1, load_takes, load_grant)
        if weights_start:
            weights_clock(weights, rows[weights_head], True, bases, granted == 2, client == 2, word)
        else:
            weights_clock(weights, no_row, False, bases, granted == 2, client == 2, word)
        if matrix_start:
            matrix_clock(matrix, rows[matrix_head], True, matrix_grant, word)
        else:
            matrix_clock(matrix, no_row, False, matrix_grant, word)
        if vector_start:
            vector_clock(vector, rows[vector_head], True, vector_reads, vector_drains)
        else:
            vector_clock(vector, no_row, False, vector_reads, vector_drains)
        if store_start:
            store_clock(store, rows[store_head], True, bases, store_grant, awready, wready, bvalid)
        else:
            store_clock(store, no_row, False, bases, store_grant, awready, wready, bvalid)
        axi_read_clock(axi, arready, granted, granted_beats, rvalid, rid, rlast, taken)
        memory_step(memory, arvalid, arbeats, arid, rready, awvalid, 0, wvalid, wlast, 1)
        cycle += 1
    return cycle, False


@compiled
def _end(lists, finished, ends, unit, cycle):  # type: ignore[no-untyped-def]
    """The unit's oldest running instruction ends."""
    ends[lists[unit, finished[unit]]] = cycle
    finished[unit] += 1
