"""The Verilated device: values through DRAM, timing equal to the cycle model's memory, protocol assertions, errors."""

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from talos.errors import TalosError
from talos.memory import MemoryTiming
from talos.model.timing.memory import (
    MEM_ARREADY,
    MEM_AWREADY,
    MEM_BVALID,
    MEM_RLAST,
    MEM_RVALID,
    MEM_WREADY,
    memory_state,
    memory_step,
)
from talos.runtime.verilated import TRACE_DTYPE, VerilatedCore

SOURCE, DESTINATION, BEATS, CONTROL, IDENTIFICATION, FAULT, CYCLES = range(0, 28, 4)
TIMINGS = [
    MemoryTiming(),
    MemoryTiming(latency=0),
    MemoryTiming(latency=9, bytes_per_cycle=5, outstanding=1, stall=64, seed=99),
]


def copy(core: VerilatedCore, source: int, destination: int, beats: int) -> int:
    """Have the copier copy; returns the cycles from the start to the interrupt."""
    core.write_register(SOURCE, source)
    core.write_register(DESTINATION, destination)
    core.write_register(BEATS, beats)
    core.start(CONTROL, 1)
    core.run(1_000_000)
    return core.cycle


def model_copy(timing: MemoryTiming, width: int, source: int, destination: int, beats: int) -> int:
    """The copier's state machine against the cycle model's memory: cycles of a copy. It starts to read in cycle 1."""
    m = memory_state(timing, width)
    size = width // 8
    cycles = 0

    def step(*core: int) -> None:
        nonlocal cycles
        memory_step(m, *core)
        cycles += 1

    step(0, 0, 0, 0, 0, 0, 0, 0, 0)  # the write to CONTROL is taken in cycle 0
    while beats:
        burst = min(beats, 16, (4096 - source % 4096) // size, (4096 - destination % 4096) // size)
        while not m[MEM_ARREADY]:
            step(1, burst, 0, 0, 0, 0, 0, 0, 0)
        step(1, burst, 0, 0, 0, 0, 0, 0, 0)
        while not (m[MEM_RVALID] and m[MEM_RLAST]):
            step(0, 0, 0, 1, 0, 0, 0, 0, 0)
        step(0, 0, 0, 1, 0, 0, 0, 0, 0)
        while not m[MEM_AWREADY]:
            step(0, 0, 0, 0, 1, 0, 0, 0, 0)
        step(0, 0, 0, 0, 1, 0, 0, 0, 0)
        for index in range(burst):
            last = index == burst - 1
            while not m[MEM_WREADY]:
                step(0, 0, 0, 0, 0, 0, 1, last, 0)
            step(0, 0, 0, 0, 0, 0, 1, last, 0)
        while not m[MEM_BVALID]:
            step(0, 0, 0, 0, 0, 0, 0, 0, 1)
        step(0, 0, 0, 0, 0, 0, 0, 0, 1)
        source, destination, beats = source + burst * size, destination + burst * size, beats - burst
    return cycles


@pytest.mark.parametrize("copier", [32, 64, 256, 512], indirect=True)
@pytest.mark.parametrize("timing", TIMINGS, ids=str)
def test_copies_bytes_in_exactly_the_cycles_of_the_model(copier: VerilatedCore, timing: MemoryTiming) -> None:
    size = copier.data_width // 8
    copier.timing = timing
    copier.dram[:] = np.random.default_rng(copier.data_width).integers(0, 256, copier.dram.size, np.uint8)
    expected = copier.dram.copy()
    source, destination, beats = 0x1000 - 7 * size, 0x20000 - 3 * size, 61
    expected[destination : destination + beats * size] = expected[source : source + beats * size]
    assert copy(copier, source, destination, beats) == model_copy(timing, copier.data_width, source, destination, beats)
    assert np.array_equal(copier.dram, expected)
    assert copier.read_register(CONTROL) == 2


def test_registers_and_identification(copier: VerilatedCore) -> None:
    copier.write_register(SOURCE, 0xDEADBEEF)
    copier.write_register(BEATS, -1)
    assert copier.read_register(SOURCE) == 0xDEADBEEF
    assert copier.read_register(BEATS) == 0xFFFFFFFF
    assert copier.read_register(IDENTIFICATION) == 0x54414C4F
    with pytest.raises(TalosError, match="write of register 0x1c was answered with error response 0x2"):
        copier.write_register(28, 1)
    with pytest.raises(TalosError, match="read of register 0x1c was answered with error response 0x2"):
        copier.read_register(28)
    assert copier.read_register(IDENTIFICATION) == 0x54414C4F
    with pytest.raises(TalosError, match="read of register 0x20 was never answered"):
        copier.read_register(32)
    with pytest.raises(TalosError, match="write of register 0x20 was never answered"):
        copier.write_register(32, 0)


def test_dram_is_shared_and_survives_the_core(copier: VerilatedCore) -> None:
    dram = copier.dram
    dram[:64] = np.arange(64)
    copy(copier, 0, 4096, 8)
    copier.close()
    gc.collect()
    assert np.array_equal(dram[4096:4160], np.arange(64))
    with pytest.raises(TalosError, match="closed"):
        copier.step(1)


def test_reset_and_restart_give_the_same_cycles_again(copier: VerilatedCore) -> None:
    copier.timing = MemoryTiming(latency=12, stall=96, seed=5)
    first = copy(copier, 0, 8192, 100)
    copier.write_register(CONTROL, 0)
    copier.step(777)
    assert copy(copier, 0, 8192, 100) == first
    copier.reset()
    assert copier.cycle == 0
    assert not copier.irq
    assert copy(copier, 0, 8192, 100) == first
    copier.timing = MemoryTiming(latency=12, stall=96, seed=6)
    copier.write_register(CONTROL, 0)
    assert copy(copier, 0, 8192, 100) != first


def test_run_says_how_long_it_took_and_stops_at_the_limit(copier: VerilatedCore) -> None:
    seen: list[int] = []
    copier.write_register(BEATS, 64)
    copier.write_register(DESTINATION, 4096)
    copier.start(CONTROL, 1)
    begun = copier.cycle
    with pytest.raises(TalosError, match=r"did not finish within 40 cycles .inside an instruction: load;.* in flight: 1 read"):
        copier.run(40)
    with pytest.raises(TalosError, match="bursts in flight"):
        copier.timing = MemoryTiming()
    rest = copier.run(10_000, progress=seen.append)
    assert copier.cycle == begun + 40 + rest
    assert seen == [rest]
    assert copier.run(10) == 0
    assert copier.read_register(CYCLES) == model_copy(MemoryTiming(), 64, 0, 4096, 64) - 1


def test_a_core_that_hangs_is_noticed(copier: VerilatedCore) -> None:
    copier.timing = MemoryTiming(latency=5000)
    copier.write_register(BEATS, 1)
    copier.start(CONTROL, 1)
    with pytest.raises(TalosError, match=r"hangs: nothing has .* since cycle 1 \(inside an instruction: load"):
        copier.run(100_000, idle_limit=4999)
    assert copier.cycle == 1 + 4999
    copier.run(100_000, idle_limit=5002)


def test_step_does_not_stop_at_the_interrupt(copier: VerilatedCore) -> None:
    copy(copier, 0, 4096, 1)
    before = copier.cycle
    copier.step(5)
    assert copier.cycle == before + 5


def test_trace_has_every_start_and_end(copier: VerilatedCore) -> None:
    copier.timing = MemoryTiming(latency=10)
    cycles = copy(copier, 0, 8192, 40)
    trace = copier.trace()
    assert trace.dtype == TRACE_DTYPE
    # Three bursts, each read (unit 1, load) and then written (unit 5, store).
    assert trace["unit"].tolist() == [1, 1, 5, 5] * 3
    assert trace["kind"].tolist() == [0, 1] * 6
    assert trace["cycle"][0] == 1
    assert trace["cycle"][-1] == cycles - 1
    assert (np.diff(trace["cycle"]) > 0).all()
    copier.restart()
    assert len(copier.trace()) == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (1, "m_axi_arvalid fell before m_axi_arready"),
        (2, "m_axi_ar payload changed"),
        (3, "burst of 16 beats at 0xfc0 crosses a 4 KiB boundary"),
        (4, "m_axi_wlast before the last beat"),
        (5, "m_axi_wlast missing"),
        (6, "m_axi_wvalid before the address of its burst"),
        (7, "m_axi_arsize is not the width"),
        (8, "m_axi_arburst is not INCR"),
        (9, "m_axi_w payload changed"),
        (10, "m_axi_wvalid fell before m_axi_wready"),
    ],
)
def test_protocol_violations_are_named_and_stay(copier: VerilatedCore, fault: int, words: str) -> None:
    copier.timing = MemoryTiming(latency=2, stall=128)
    copier.write_register(FAULT, fault)
    with pytest.raises(TalosError, match=rf"AXI protocol violation: .*{words}.*, at cycle \d+( |$)"):
        copy(copier, 0xFC0, 0x3000, 64)
    with pytest.raises(TalosError, match=words):
        copier.step(1)
    copier.reset()
    copier.write_register(FAULT, 0)
    copy(copier, 0xFC0, 0x3000, 64)


def test_valid_during_reset_is_a_violation(copier: VerilatedCore) -> None:
    copier.write_register(FAULT, 11)
    with pytest.raises(TalosError, match="valid of m_axi is high during reset"):
        copier.reset()


def test_beyond_the_end_of_dram_is_an_error_response(copier: VerilatedCore) -> None:
    end = copier.dram.size
    copier.dram[:] = 7
    copy(copier, end - 64, 0, 16)  # reads 8 beats inside, 8 outside
    assert copier.read_register(CONTROL) == 2 | 3 << 2
    assert copier.dram[:128].tolist() == [7] * 64 + [0] * 64
    copier.write_register(CONTROL, 0)
    copy(copier, 64, end - 64, 16)
    assert copier.read_register(CONTROL) == 2 | 3 << 2
    assert copier.dram[-64:].tolist() == [0] * 64


def test_waves_need_their_own_build(copier_verilog: Callable[[int, int], str], copier: VerilatedCore, tmp_path: Path) -> None:
    with pytest.raises(TalosError, match="this build has none"):
        copier.open_waves(tmp_path / "no.vcd")
    with VerilatedCore.from_verilog(copier_verilog(64, 32), data_width=64, dram_bytes=1 << 16, waves="vcd") as core:
        with pytest.raises(TalosError, match="cannot write waves"):
            core.open_waves(tmp_path / "missing" / "core.vcd")
        core.open_waves(tmp_path / "core.vcd")
        copy(core, 0, 4096, 4)
        core.close_waves()
    text = (tmp_path / "core.vcd").read_text()
    assert "m_axi_araddr" in text
    assert text.count("\n#") > 50


def test_dram_size_must_hold_whole_beats(copier_verilog: Callable[[int, int], str]) -> None:
    with pytest.raises(TalosError, match="multiple of 64"):
        VerilatedCore.from_verilog(copier_verilog(64, 32), data_width=64, dram_bytes=100)


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "core.so"
    broken.write_bytes(b"not a library")
    with pytest.raises(TalosError, match="cannot load the simulated core"):
        VerilatedCore(broken)
