"""The cycle model's memory against the harness's: random traffic, every output compared at every edge."""

import ctypes
import subprocess
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

import talos.runtime
from talos.memory import MemoryTiming
from talos.model.timing.memory import (
    MEM_ARREADY,
    MEM_AWREADY,
    MEM_BVALID,
    MEM_INFLIGHT,
    MEM_OUTPUTS,
    MEM_RLAST,
    MEM_RVALID,
    MEM_WINFLIGHT,
    MEM_WREADY,
    memory_state,
    memory_step,
)
from talos.toolchain import find_compiler

HARNESS = Path(talos.runtime.__file__).parent / "harness"
PROBE = Path(__file__).parents[2] / "runtime" / "memory_probe.cpp"
DRAM_SIZE = 1 << 14


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    library = tmp_path_factory.mktemp("probe") / "libprobe.so"
    subprocess.run([find_compiler(), "-O1", "-std=c++17", "-shared", "-fPIC", f"-I{HARNESS}", PROBE, "-o", library], check=True)
    return ctypes.CDLL(str(library))


@njit
def random_master(m: NDArray[np.int64], rows: NDArray[np.int64], outputs: NDArray[np.int64], beat: int, seed: int) -> None:
    """A legal AXI master that does whatever it likes: fills `rows` (inputs of the probe) and `outputs` edge by edge."""
    np.random.seed(seed)
    arvalid = araddr = arlen = arid = awvalid = awaddr = awlen = awid = wvalid = wlast = wstrb = 0
    pending = np.zeros(1024, np.int64)  # beats of the write bursts, from the offer of their address on
    first = last = sent = 0
    mood = 4
    for edge in range(len(rows)):
        if np.random.randint(256) == 0:
            mood = np.random.randint(1, 9)  # eighths of the cycles in which the master is willing
        if not arvalid and np.random.randint(8) < mood:
            arvalid, arlen, arid = 1, np.random.choice(np.array([0, 1, 3, 15, np.random.randint(0, 16)])), np.random.randint(4)
            araddr = np.random.randint(0, DRAM_SIZE // beat + 8) * beat
        if not awvalid and last - first < 512 and np.random.randint(8) < mood:
            awvalid, awlen, awid = 1, np.random.randint(0, 16), np.random.randint(4)
            awaddr = np.random.randint(0, DRAM_SIZE // beat + 8) * beat
            pending[last & 1023] = awlen + 1
            last += 1
        if not wvalid and first != last and np.random.randint(8) < mood:
            wvalid, wlast = 1, int(sent + 1 == pending[first & 1023])
            wstrb = np.random.choice(np.array([-1, np.random.randint(0, 1 << 62)]))
        rready, bready = int(np.random.randint(8) < mood), int(np.random.randint(8) < mood)
        rows[edge] = (arvalid, araddr, arlen, arid, rready, awvalid, awaddr, awlen, awid, wvalid, wlast, bready, wstrb)
        ar_done, aw_done = arvalid and m[MEM_ARREADY], awvalid and m[MEM_AWREADY]
        w_done = wvalid and m[MEM_WREADY]
        memory_step(m, arvalid, arlen + 1, arid, rready, awvalid, awid, wvalid, wlast, bready)
        outputs[edge] = m[:MEM_OUTPUTS]
        if ar_done:
            arvalid = 0
        if aw_done:
            awvalid = 0
        if w_done:
            wvalid = 0
            sent += 1
            if wlast:
                first, sent = first + 1, 0


TIMINGS = [
    MemoryTiming(),
    MemoryTiming(latency=0, outstanding=1),
    MemoryTiming(latency=1, bytes_per_cycle=3, outstanding=2),
    MemoryTiming(latency=17, bytes_per_cycle=8, outstanding=5, stall=40, seed=7),
    MemoryTiming(latency=200, bytes_per_cycle=13, outstanding=256, stall=128, seed=0xDEADBEEF),
    MemoryTiming(latency=3, outstanding=3, stall=248, seed=2**32 - 1),
]


@pytest.mark.parametrize("width", [32, 512])
@pytest.mark.parametrize("timing", TIMINGS, ids=str)
def test_equal_to_the_harness_at_every_edge(probe: ctypes.CDLL, timing: MemoryTiming, width: int) -> None:
    edges, beat = 20_000, width // 8
    rows, outputs = np.zeros((edges, 13), np.int64), np.zeros((edges, MEM_OUTPUTS), np.int64)
    m = memory_state(timing, width)
    random_master(m, rows, outputs, beat, 1234 + width)

    dram = np.random.default_rng(5).integers(0, 256, DRAM_SIZE, np.uint8)
    expected_dram = dram.copy()
    got, data = np.zeros((edges, MEM_OUTPUTS + 2), np.int64), np.zeros((edges, beat), np.uint8)
    c_timing = np.array([timing.latency, timing.beat_credit(beat), timing.outstanding, timing.stall, timing.seed], np.uint32)
    arrays = [ctypes.c_void_p(a.ctypes.data) for a in (dram, c_timing, rows, got, data)]
    size, c_beat, c_edges = ctypes.c_uint64(DRAM_SIZE), ctypes.c_uint32(beat), ctypes.c_int64(edges)
    probe.replay(arrays[0], size, c_beat, arrays[1], c_edges, *arrays[2:])

    assert np.array_equal(outputs, got[:, :MEM_OUTPUTS])
    assert (outputs[:, [MEM_RVALID, MEM_BVALID, MEM_RLAST]].sum(axis=0) > 100).all()
    check_values(rows, got, data, expected_dram)
    assert np.array_equal(dram, expected_dram)


def check_values(rows: NDArray[np.int64], out: NDArray[np.int64], data: NDArray[np.uint8], dram: NDArray[np.uint8]) -> None:
    """Replay the transfers on a plain array: read data and responses must be what it gives. Changes `dram` to the end state."""
    beat = data.shape[1]
    lanes = np.arange(beat)
    reads: list[tuple[int, int, bool]] = []
    writes: list[list[int]] = []
    responses: list[tuple[int, bool]] = []
    before = np.zeros(out.shape[1], np.int64)
    for edge, (row, after) in enumerate(zip(rows.tolist(), out.tolist(), strict=True)):
        arvalid, araddr, arlen, arid, rready, awvalid, awaddr, _, awid, wvalid, wlast, bready, wstrb = row
        if arvalid and before[MEM_ARREADY]:
            reads += [(araddr + i * beat, arid, i == arlen) for i in range(arlen + 1)]
        if after[MEM_RVALID] and (rready or not before[MEM_RVALID]):
            address, rid, rlast = reads.pop(0)
            inside = address + beat <= len(dram)
            assert after[2:4] == [rlast, rid]
            assert after[8] == (0 if inside else 3)
            assert np.array_equal(data[edge], dram[address : address + beat] if inside else np.zeros(beat, np.uint8))
        if awvalid and before[MEM_AWREADY]:
            writes.append([awaddr, awid, False])
        if wvalid and before[MEM_WREADY]:
            address, wid, failed = writes[0]
            payload = np.zeros(beat, np.uint8)
            payload[:4] = np.array([edge], np.uint32).view(np.uint8)
            if address + beat <= len(dram):
                written = (wstrb >> lanes & 1).astype(bool)
                dram[address : address + beat][written] = payload[written]
            else:
                failed = True
            writes[0] = [address + beat, wid, failed]
            if wlast:
                responses.append((wid, bool(failed)))
                del writes[0]
        if after[MEM_BVALID] and (bready or not before[MEM_BVALID]):
            wid, error = responses.pop(0)
            assert after[7] == wid
            assert after[9] == (3 if error else 0)
        before = np.array(after)


@njit
def drain_reads(m: NDArray[np.int64], bursts: int, beats: int) -> int:
    """Read `bursts` bursts, each address offered as soon as the last went through: edges up to the last beat's transfer."""
    sent = received = edge = 0
    while received < bursts:
        last = m[MEM_RVALID] and m[MEM_RLAST]
        go = sent < bursts and m[MEM_ARREADY]
        memory_step(m, sent < bursts, beats, 0, 1, 0, 0, 0, 0, 0)
        sent += go
        received += last
        edge += 1
    return edge


def test_latency_bandwidth_and_outstanding_limit_are_what_they_say() -> None:
    # arready rises after edge 0; the address transfers at edge 1, its first beat shows after edge 1 + latency, transfers one later.
    base = MemoryTiming(latency=50)
    assert drain_reads(memory_state(base, 64), 1, 1) == 1 + 50 + 1 + 1
    assert drain_reads(memory_state(base, 64), 16, 16) == 2 + 50 + 256
    # 3 bytes per cycle over 8-byte beats: no rounding loss in the long run (one beat may be in credit from the start).
    edges = drain_reads(memory_state(replace(base, bytes_per_cycle=3), 64), 30, 16)
    assert edges == pytest.approx(52 + 480 * 8 / 3, abs=4)
    # One burst at a time: each next address waits for the last beat of the previous one.
    assert drain_reads(memory_state(replace(base, outstanding=1), 64), 4, 2) == 1 + 4 * (1 + 50 + 2)


def test_in_flight_counts_return_to_zero_and_never_pass_the_limit() -> None:
    m = memory_state(MemoryTiming(latency=9, outstanding=4), 128)
    peak = 0
    for edge in range(60):
        memory_step(m, edge < 20, 2, 0, edge > 30, 0, 0, 0, 0, 0)
        peak = max(peak, int(m[MEM_INFLIGHT]))
    assert (peak, m[MEM_INFLIGHT], m[MEM_WINFLIGHT]) == (4, 0, 0)


@njit
def idle_edges(m: NDArray[np.int64], edges: int) -> None:
    for _ in range(edges):
        memory_step(m, 1, 4, 0, 1, 0, 0, 0, 0, 1)


def test_a_step_is_fast_enough_for_whole_networks() -> None:
    m = memory_state(MemoryTiming(), 64)
    idle_edges(m, 10)
    start = process_time()
    idle_edges(m, 1_000_000)
    assert process_time() - start < 0.3  # about 0.01 s on an idle machine
