"""Load unit: bytes of DRAM and constants into activation and parameter memory."""

from typing import Any

import cocotb
import numpy as np

from sim.bench import Testbench
from sim.bursts import BASES, BurstReader, random_rows, row_addresses, set_bases
from sim.parts import Bytes, UnitDriver, WriteMemory, to_bytes
from talos.isa import Instruction, Opcode, Space

DRAM = 1 << 16  # bytes; addresses wrap


class ParameterMonitor:
    """Applies the unit's writes into parameter memory."""

    def __init__(self, bench: Testbench, memory: Bytes) -> None:
        self._dut = bench.dut
        self._beats = memory.reshape(-1, bench.config.beat_bytes)

    def drive(self) -> None:
        pass

    def sample(self) -> None:
        if int(self._dut.param_valid.value):
            beat = to_bytes(int(self._dut.param_data.value), self._beats.shape[1])
            self._beats[int(self._dut.param_address.value)] = beat


def random_instruction(bench: Testbench) -> Instruction:
    """FILL, LOAD into activation memory, or LOAD of whole beats into parameter memory."""
    rng, beat = bench.random, bench.config.beat_bytes
    fields = random_rows(bench, "dst", bench.config.activation_bytes)
    kind = rng.random()
    if kind < 0.3:
        for name in ("region", "address", "row_stride", "plane_stride"):
            del fields[name]
        return Instruction(Opcode.FILL, **fields, value=rng.randrange(-128, 128))
    if kind < 0.5:
        for name in ("address", "row_stride", "plane_stride", "dst", "dst_row_stride", "dst_plane_stride"):
            fields[name] = fields[name] // beat * beat
        fields |= {"row_bytes": beat * rng.randint(1, 8), "region": rng.choice([0, 3]), "space": Space.PARAMETER}
    return Instruction(Opcode.LOAD, **fields)


def execute(instructions: list[Instruction], dram: Bytes, activation: Bytes, parameter: Bytes) -> None:
    """The model: row after row."""
    for i in instructions:
        memory = parameter if i.opcode == Opcode.LOAD and i["space"] == Space.PARAMETER else activation
        targets = row_addresses(i, i["dst"], "dst_row_stride", "dst_plane_stride")
        if i.opcode == Opcode.FILL:
            for target in targets:
                memory[target % memory.size] = i["value"] & 0xFF
        else:
            sources = row_addresses(i, BASES[i["region"]] + i["address"], "row_stride", "plane_stride")
            for source, target in zip(sources, targets, strict=True):
                memory[target % memory.size] = dram[source % DRAM]


async def _load(dut: Any, name: str, count: int, chance: float, faults: float = 0.0) -> BurstReader:
    bench = Testbench(dut, name)
    dram = bench.rng.integers(0, 256, DRAM).astype(np.uint8)
    instructions = [random_instruction(bench) for _ in range(count)]
    seen, expected = (
        [np.zeros(size, np.uint8) for size in (bench.config.activation_bytes, bench.config.parameter_bytes)] for _ in "ab"
    )
    set_bases(bench)
    unit = bench.add(UnitDriver(bench, instructions, instr=max(chance, 0.3), sync=max(chance, 0.3)))
    memory = bench.add(BurstReader(bench, dram, chance=chance, faults=faults))
    bench.add(WriteMemory(bench, "write", chance, seen[0]))
    bench.add(ParameterMonitor(bench, seen[1]))
    await bench.start()
    await bench.run_until(lambda: unit.finished and memory.quiet, 150_000)
    for _ in range(4):
        await bench.step()
    execute(instructions, dram, *expected)
    for got, wanted in zip(seen, expected, strict=True):
        assert np.array_equal(got, wanted), f"bytes differ at {np.flatnonzero(got != wanted)[:8]}"
    assert memory.errors_seen == memory.errors_sent
    return memory


@cocotb.test()
async def full_speed(dut: Any) -> None:
    """Every partner always ready."""
    await _load(dut, "full", 60, 1.0)


@cocotb.test()
async def back_pressure(dut: Any) -> None:
    """Partners ready in random cycles."""
    await _load(dut, "pressure", 60, 0.6)


@cocotb.test()
async def slow_partners(dut: Any) -> None:
    """Partners rarely ready."""
    await _load(dut, "slow", 20, 0.15)


@cocotb.test()
async def error_responses(dut: Any) -> None:
    """Every beat with an error is reported once."""
    memory = await _load(dut, "errors", 30, 0.8, faults=0.05)
    assert memory.errors_sent > 0
