"""Matrix unit: MATMUL loop nests, weight tiles and accumulators against NumPy."""

from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt

from sim.bench import Testbench
from sim.parts import Bytes, ReadMemory, StreamSource, UnitDriver, to_int
from talos.config import AcceleratorConfig
from talos.isa import Instruction, Opcode
from talos.latency import ACC_READ, ACT_READ

MEMORY = 1 << 12  # bytes of activation memory; addresses wrap
Int32 = npt.NDArray[np.int32]


def tiles(i: Instruction) -> int:
    """Weight tiles that instruction `i` takes."""
    return i["blocks"] * i["taps_h"] * i["taps_w"] * i["slices"]


def execute(
    config: AcceleratorConfig, i: Instruction, memory: Bytes, weights: npt.NDArray[np.int64], accumulators: Int32
) -> None:
    """The model. weights: (tiles, rows, cols), in the order of the stream."""
    height, width = i["out_h"], i["out_w"]
    pixels = (np.arange(height)[:, None] * i["row_stride"] + np.arange(width) * i["pixel_stride"]).reshape(-1, 1)
    stream = iter(weights)
    for block in range(i["blocks"]):
        entries = (i["acc"] + block * height * width + np.arange(height * width)) % config.accumulator_depth
        sums = accumulators[entries].astype(np.int64) if i["accumulate"] else 0
        for tap_h in range(i["taps_h"]):
            for tap_w in range(i["taps_w"]):
                for piece in range(i["slices"]):
                    first = i["act"] + block * i["block_stride"] + tap_h * i["tap_h_stride"] + tap_w * i["tap_w_stride"]
                    addresses = first + piece * i["slice_stride"] + pixels + np.arange(config.rows)
                    sums = sums + memory[addresses % MEMORY].view(np.int8).astype(np.int64) @ next(stream)
        accumulators[entries] = sums


def random_matmul(bench: Testbench, before: Instruction) -> Instruction:
    """Any strides; counts small; not more entries than the accumulators have, so that none is met twice in a tile. Half of them begin
    at the entries that the instruction `before` writes last."""
    rng = bench.random
    height, width = rng.choice([1, rng.randint(1, 4)]), rng.choice([1, rng.randint(1, 6)])
    blocks = rng.randint(1, min(3, bench.config.accumulator_depth // (height * width)))
    end = before["acc"] + before["blocks"] * before["out_h"] * before["out_w"]
    strides = ("block_stride", "tap_h_stride", "tap_w_stride", "slice_stride", "row_stride", "pixel_stride")
    return Instruction(
        Opcode.MATMUL,
        act=rng.randrange(1 << 22),
        blocks=blocks,
        taps_h=rng.choice([1, rng.randint(1, 3)]),
        taps_w=rng.choice([1, rng.randint(1, 3)]),
        slices=rng.choice([1, rng.randint(1, 3)]),
        out_h=height,
        out_w=width,
        acc=rng.choice([rng.randrange(1 << 16), (end - rng.randint(1, 4)) % (1 << 16)]),
        accumulate=rng.randrange(2),
        post=rng.randrange(16),
        wait=rng.randrange(16),
        **{name: rng.randint(-200, 200) for name in strides},
    )


class Drain:
    """Reads accumulator entries; `wanted` holds the entries still to be granted, `values` what came.

    noise: while nothing is wanted, reads of random entries take turns with the matrix unit's own accesses.
    """

    def __init__(self, bench: Testbench, noise: float) -> None:
        self._bench, self._noise = bench, noise
        self._coming: dict[int, int] = {}
        self._address: int | None = None
        self.wanted: list[int] = []
        self.values: dict[int, Int32] = {}

    def drive(self) -> None:
        rng, port = self._bench.random, self._bench.dut
        self._address = self.wanted[-1] if self.wanted else None
        port.acc_read__valid.value = self._address is not None or rng.random() < self._noise
        port.acc_read__address.value = rng.randrange(1 << 16) if self._address is None else self._address

    def sample(self) -> None:
        port = self._bench.dut
        if self._address is not None and int(port.acc_read__grant.value):
            self._coming[self._bench.cycle + ACC_READ] = self.wanted.pop()
        entry = self._coming.pop(self._bench.cycle, None)
        if entry is not None:
            data = int(port.acc_read__data.value).to_bytes(len(port.acc_read__data) // 8, "little")
            self.values[entry] = np.frombuffer(data, np.int32)


async def _matmul(dut: Any, name: str, count: int, chance: float, weight_chance: float, noise: float) -> None:
    bench = Testbench(dut, name)
    config = bench.config
    memory = bench.rng.integers(0, 256, MEMORY).astype(np.uint8)
    # The first instruction gives every entry a value that the model knows.
    instructions = [Instruction(Opcode.MATMUL, out_w=config.accumulator_depth)]
    while len(instructions) <= count:
        instructions.append(random_matmul(bench, instructions[-1]))
    weights = bench.rng.integers(-128, 128, (sum(map(tiles, instructions)), config.rows, config.cols)).astype(np.int8)

    unit = bench.add(UnitDriver(bench, instructions, instr=max(chance, 0.3), sync=max(chance, 0.3)))
    read = lambda address: to_int(memory[(address + np.arange(config.rows)) % MEMORY])  # noqa: E731
    bench.add(ReadMemory(bench, "act", ACT_READ, chance, read))
    words = bench.add(StreamSource(bench, "weights", weight_chance))
    words.queue.extend(to_int(word) for word in weights.reshape(-1, config.cols))
    drain = bench.add(Drain(bench, noise))
    await bench.start()
    await bench.run_until(lambda: unit.finished, 150_000)
    drain.wanted = list(range(config.accumulator_depth))
    await bench.run_until(lambda: len(drain.values) == config.accumulator_depth, 1000)
    assert not words.queue, f"{len(words.queue)} weight words are left"

    expected = np.zeros((config.accumulator_depth, config.cols), np.int32)
    start = 0
    for i in instructions:
        execute(config, i, memory, weights[start : start + tiles(i)].astype(np.int64), expected)
        start += tiles(i)
    seen = np.array([drain.values[entry] for entry in range(config.accumulator_depth)])
    assert np.array_equal(seen, expected), f"entries differ: {np.flatnonzero((seen != expected).any(axis=1))[:8]}"


@cocotb.test()
async def full_speed(dut: Any) -> None:
    """Every partner always ready."""
    await _matmul(dut, "full", 40, 1.0, 1.0, 0.0)


@cocotb.test()
async def drained_meanwhile(dut: Any) -> None:
    """The vector unit reads all the time; weights come late now and then."""
    await _matmul(dut, "drained", 40, 1.0, 0.8, 0.9)


@cocotb.test()
async def back_pressure(dut: Any) -> None:
    """Reads are refused, weights are slow."""
    await _matmul(dut, "pressure", 25, 0.6, 0.5, 0.3)
