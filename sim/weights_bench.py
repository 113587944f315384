"""Weights unit: the stream arrives whole and in order, and runs ahead no further than its FIFO."""

from typing import Any

import cocotb
import numpy as np

from sim.bench import Checker, Testbench
from sim.bursts import BASES, BurstReader, set_bases
from sim.parts import StreamSink, UnitDriver, to_int
from talos.isa import Instruction, Opcode

DRAM = 1 << 16  # bytes; addresses wrap


def random_stream(bench: Testbench) -> Instruction:
    """A STREAM of whole beats; of one beat, of a few, or of more than the FIFO."""
    rng, beat = bench.random, bench.config.beat_bytes
    beats = rng.choice([1, rng.randint(1, 5), rng.randint(1, 3 * bench.config.weight_fifo_bytes // beat)])
    word = max(beat, bench.config.cols)
    return Instruction(
        Opcode.STREAM,
        region=rng.choice([0, 3]),  # their bases are multiples of a beat
        address=rng.randrange(1 << 32) // beat * beat,
        bytes=-(-beats * beat // word) * word,  # so that the last word is complete
        post=rng.randrange(16),
        wait=rng.randrange(16),
    )


async def _stream(dut: Any, name: str, count: int, chance: float, take: float, faults: float = 0.0) -> BurstReader:
    bench = Testbench(dut, name)
    dram = bench.rng.integers(0, 256, DRAM).astype(np.uint8)
    instructions = [random_stream(bench) for _ in range(count)]
    runs = [dram[(BASES[i["region"]] + i["address"] + np.arange(i["bytes"])) % DRAM] for i in instructions]
    words = Checker("word", [to_int(word) for word in np.concatenate(runs).reshape(-1, bench.config.cols)])
    set_bases(bench)
    unit = bench.add(UnitDriver(bench, instructions, instr=max(chance, 0.3), sync=max(chance, 0.3)))
    memory = bench.add(BurstReader(bench, dram, chance=chance, faults=faults))
    bench.add(StreamSink(bench, "words", take, words.see))
    await bench.start()
    await bench.run_until(lambda: unit.finished and memory.quiet and words.complete, 150_000)
    for _ in range(8):
        await bench.step()
    assert memory.errors_seen == memory.errors_sent
    return memory


@cocotb.test()
async def full_speed(dut: Any) -> None:
    """Memory and matrix unit always ready."""
    await _stream(dut, "full", 30, 1.0, 1.0)


@cocotb.test()
async def fifo_fills(dut: Any) -> None:
    """The matrix unit takes words slowly: requests must stop in time."""
    await _stream(dut, "fills", 20, 1.0, 0.1)


@cocotb.test()
async def fifo_runs_dry(dut: Any) -> None:
    """The memory is slow."""
    await _stream(dut, "dry", 20, 0.2, 0.9)


@cocotb.test()
async def error_responses(dut: Any) -> None:
    """Every beat with an error is reported once."""
    memory = await _stream(dut, "errors", 20, 0.8, 0.8, faults=0.03)
    assert memory.errors_sent > 0


@cocotb.test()
async def runs_ahead_to_the_fifo(dut: Any) -> None:
    """Nobody takes words: all the room is used, up to a burst that would not fit whole, and not a beat more."""
    bench = Testbench(dut, "ahead")
    config = bench.config
    instruction = Instruction(Opcode.STREAM, bytes=8 * config.weight_fifo_bytes)
    set_bases(bench)
    bench.add(UnitDriver(bench, [instruction]))
    memory = bench.add(BurstReader(bench, np.zeros(DRAM, np.uint8), chance=1.0))
    bench.add(StreamSink(bench, "words", 0.0, lambda _: None))
    await bench.start()
    for _ in range(4 * config.weight_fifo_bytes // config.beat_bytes):
        await bench.step()
    depth = config.weight_fifo_bytes // config.beat_bytes
    behind = 3 + max(1, config.cols // config.beat_bytes)  # beats in the stages behind the block RAM, at most
    assert depth - config.max_burst < memory.beats_taken <= depth + behind
