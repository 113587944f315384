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


def pixels(i: Instruction) -> int:
    """Accumulator entries of one block of instruction `i`."""
    return i["out_h"] * (i["out_w"] - i["warmup"])


def execute(
    config: AcceleratorConfig, i: Instruction, memory: Bytes, weights: npt.NDArray[np.int64], accumulators: Int32
) -> None:
    """The model. weights: (tiles, rows, cols), in the order of the stream."""
    vectors = (np.arange(i["out_h"])[:, None] * i["row_stride"] + np.arange(i["out_w"]) * i["pixel_stride"])[..., None]
    stream = iter(weights)
    for block in range(i["blocks"]):
        entries = (i["acc"] + block * pixels(i) + np.arange(pixels(i))) % config.accumulator_depth
        sums = accumulators[entries].astype(np.int64) if i["accumulate"] else 0
        for tap_h in range(i["taps_h"]):
            for tap_w in range(i["taps_w"]):
                for piece in range(i["slices"]):
                    first = i["act"] + block * i["block_stride"] + tap_h * i["tap_h_stride"] + tap_w * i["tap_w_stride"]
                    addresses = first + piece * i["slice_stride"] + vectors + np.arange(config.matrix_bytes)
                    acts = memory[addresses % MEMORY].view(np.int8).astype(np.int64)  # (out_h, out_w, bytes)
                    tile = next(stream)
                    if i["depthwise"]:
                        sums = sums + _filtered(acts[..., : config.cols], tile, i["warmup"]).reshape(-1, config.cols)
                    else:
                        sums = sums + acts[..., : config.rows].reshape(-1, config.rows) @ tile
        accumulators[entries] = sums


def _filtered(acts: npt.NDArray[np.int64], tile: npt.NDArray[np.int64], warmup: int) -> npt.NDArray[np.int64]:
    """Column c filters channel c along each row: tap r of output x is vector x + warmup - r."""
    width = acts.shape[1] - warmup
    taps = [acts[:, warmup - r : warmup - r + width] * tile[r] for r in range(min(warmup + 1, len(tile)))]
    return np.sum(taps, axis=0)


def random_weights(bench: Testbench, i: Instruction) -> npt.NDArray[np.int8]:
    """Tiles for instruction `i`; rows without a vector in the output row have zero weights."""
    weights = bench.rng.integers(-128, 128, (tiles(i), bench.config.rows, bench.config.cols)).astype(np.int8)
    if i["depthwise"]:
        weights[:, i["warmup"] + 1 :] = 0
    return weights


def random_matmul(bench: Testbench, before: Instruction, mixed: bool) -> Instruction:
    """Any strides; counts small; not more entries than the accumulators have, so that none is met twice in a tile. Half of them begin
    at the entries that the instruction `before` writes last. mixed: half of them depthwise."""
    rng = bench.random
    height, width = rng.choice([1, rng.randint(1, 4)]), rng.choice([1, rng.randint(1, 6)])
    blocks = rng.randint(1, min(3, bench.config.accumulator_depth // (height * width)))
    depthwise = int(mixed and rng.random() < 0.5)
    end = before["acc"] + before["blocks"] * pixels(before)
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
        depthwise=depthwise,
        warmup=rng.randrange(min(width, bench.config.rows)) if depthwise else 0,
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
    mixed = config.depthwise and chance == 1.0  # the vectors of a depthwise row must not be refused
    # The first instruction gives every entry a value that the model knows.
    instructions = [Instruction(Opcode.MATMUL, out_w=config.accumulator_depth)]
    while len(instructions) <= count:
        instructions.append(random_matmul(bench, instructions[-1], mixed))
    weights = [random_weights(bench, i) for i in instructions]

    def read(address: int) -> int:
        return to_int(memory[(address + np.arange(config.matrix_bytes)) % MEMORY])

    unit = bench.add(UnitDriver(bench, instructions, instr=max(chance, 0.3), sync=max(chance, 0.3)))
    bench.add(ReadMemory(bench, "act", ACT_READ, chance, read))
    words = bench.add(StreamSource(bench, "weights", weight_chance))
    words.queue.extend(to_int(word) for word in np.concatenate(weights).reshape(-1, config.cols))
    drain = bench.add(Drain(bench, noise))
    await bench.start()
    await bench.run_until(lambda: unit.finished, 150_000)
    drain.wanted = list(range(config.accumulator_depth))
    await bench.run_until(lambda: len(drain.values) == config.accumulator_depth, 1000)
    assert not words.queue, f"{len(words.queue)} weight words are left"

    expected = np.zeros((config.accumulator_depth, config.cols), np.int32)
    for i, stream in zip(instructions, weights, strict=True):
        execute(config, i, memory, stream.astype(np.int64), expected)
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
