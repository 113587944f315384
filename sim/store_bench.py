"""Store unit: bytes of activation memory to DRAM."""

from typing import Any

import cocotb
import numpy as np

from sim.bench import Testbench
from sim.bursts import BASES, BurstWriter, random_rows, row_addresses, set_bases
from sim.parts import Bytes, ReadMemory, UnitDriver, to_int
from talos.isa import Instruction, Opcode
from talos.latency import ACT_READ

DRAM = 1 << 16  # bytes; addresses wrap


def execute(instructions: list[Instruction], activation: Bytes, dram: Bytes) -> None:
    """The model: row after row."""
    for i in instructions:
        sources = row_addresses(i, i["src"], "src_row_stride", "src_plane_stride")
        targets = row_addresses(i, BASES[i["region"]] + i["address"], "row_stride", "plane_stride")
        for source, target in zip(sources, targets, strict=True):
            dram[target % DRAM] = activation[source % activation.size]


async def _store(dut: Any, name: str, count: int, chance: float, faults: float = 0.0) -> BurstWriter:
    bench = Testbench(dut, name)
    beat = bench.config.beat_bytes
    activation = bench.rng.integers(0, 256, bench.config.activation_bytes).astype(np.uint8)
    before = bench.rng.integers(0, 256, DRAM).astype(np.uint8)
    seen, expected = before.copy(), before.copy()
    instructions = [Instruction(Opcode.STORE, **random_rows(bench, "src", activation.size)) for _ in range(count)]

    def read(address: int) -> int:
        return to_int(activation[(address + np.arange(beat)) % activation.size])

    set_bases(bench)
    unit = bench.add(UnitDriver(bench, instructions, instr=max(chance, 0.3), sync=max(chance, 0.3)))
    memory = bench.add(BurstWriter(bench, seen, chance=chance, faults=faults))
    bench.add(ReadMemory(bench, "read", ACT_READ, chance, read))
    await bench.start()
    await bench.run_until(lambda: unit.finished and memory.quiet, 150_000)
    for _ in range(4):
        await bench.step()
    execute(instructions, activation, expected)
    assert np.array_equal(seen, expected), f"bytes differ at {np.flatnonzero(seen != expected)[:8]}"
    assert memory.errors_seen == memory.errors_sent
    return memory


@cocotb.test()
async def full_speed(dut: Any) -> None:
    """Every partner always ready."""
    await _store(dut, "full", 60, 1.0)


@cocotb.test()
async def back_pressure(dut: Any) -> None:
    """Partners ready in random cycles."""
    await _store(dut, "pressure", 60, 0.6)


@cocotb.test()
async def slow_partners(dut: Any) -> None:
    """Partners rarely ready."""
    await _store(dut, "slow", 20, 0.15)


@cocotb.test()
async def error_responses(dut: Any) -> None:
    """Every response with an error is reported once."""
    memory = await _store(dut, "errors", 40, 0.8, faults=0.2)
    assert memory.errors_sent > 0
