"""The weights unit: the stream of words against the bytes in DRAM, and every output in every cycle against the cycle model."""

import random
from collections import Counter

import numpy as np
import pytest
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.isa import Instruction, Opcode
from talos.latency import NEAR_BEATS
from talos.model.timing import weights as model
from talos.model.timing.fields import instruction_rows
from talos.rtl.weights import WeightsUnit

DRAM = 1 << 16  # bytes; addresses wrap
BASES = [0, 0x1000, 0xFFFF_F000, 0x4_2000]
BASE = PRESETS["4x4"].replace(weight_fifo_bytes=256, max_burst=16)
CONFIGS = {
    "word = beat": BASE,
    "word = beat, bursts of 1": BASE.replace(max_burst=1),
    "word = 4 beats": BASE.replace(cols=16, accumulator_depth=64),
    "word = 2 beats, large FIFO": BASE.replace(cols=8, weight_fifo_bytes=4096),
    "beat = 4 words": BASE.replace(axi_data_width=128, max_burst=4),
    "beat = 2 words": BASE.replace(axi_data_width=64, max_burst=16),
}


class Result:
    def __init__(self):
        self.words = []  # (cycle, bytes)
        self.starts = []
        self.dones = []
        self.status = Counter()
        self.urgent = []
        self.first_beat = None


def simulate(config, instructions, dram, rng, *, chance=1.0, use=1.0, latency=0, faults=0.0):
    """Runs RTL and cycle model together and compares all outputs. `chance`: AR and R proceed in a cycle; `use`: a word is wanted."""
    dut = WeightsUnit(config)
    state = model.weights_state(config)
    table = instruction_rows(instructions)
    bases = np.array(BASES, np.int64)
    beat_bytes = config.beat_bytes
    depth = config.weight_fifo_bytes // beat_bytes
    wanted = sum(i["bytes"] for i in instructions) // config.cols
    result = Result()

    async def bench(ctx):
        for i, base in enumerate(BASES):
            ctx.set(dut.bases[i], base)
        head, cycle, asked_beats = 0, 0, 0
        beats, failed = [], False
        while len(result.words) < wanted or not ctx.get(dut.idle):
            valid = head < len(instructions) and rng.random() < max(chance, 0.5)
            sync_ready = rng.random() < max(chance, 0.5)
            ar_ready = rng.random() < chance
            word_ready = rng.random() < use
            beat = beats.pop(0)[1:] if beats and beats[0][0] <= cycle and rng.random() < chance else None
            ctx.set(dut.instr.valid, valid)
            if valid:
                ctx.set(
                    dut.instr.payload, int.from_bytes(instructions[head].encode(), "little") & (1 << len(dut.instr.payload)) - 1
                )
            ctx.set(dut.sync_ready, sync_ready)
            ctx.set(dut.ar.ready, ar_ready)
            ctx.set(dut.words.ready, word_ready)
            ctx.set(dut.r.valid, beat is not None)
            if beat is not None:
                result.first_beat = result.first_beat or cycle
                address, last, error = beat
                ctx.set(dut.r.payload.data, int.from_bytes(dram[(address + np.arange(beat_bytes)) % DRAM].tobytes(), "little"))
                ctx.set(dut.r.payload.last, last)
                ctx.set(dut.r.payload.error, error)

            start = ctx.get(dut.start)
            assert start == ctx.get(dut.instr.ready) == (valid and sync_ready and bool(model.weights_free(state)))
            assert ctx.get(dut.wait) == (instructions[head]["wait"] if valid else 0)
            assert ctx.get(dut.r.ready)
            ar_valid = ctx.get(dut.ar.valid)
            asked = ar_valid and ar_ready
            assert model.weights_beats(state) == (ctx.get(dut.ar.payload.beats) + 1 if ar_valid else 0)
            if asked:
                address, count = ctx.get(dut.ar.payload.address), ctx.get(dut.ar.payload.beats) + 1
                assert address // 4096 == (address + count * beat_bytes - 1) // 4096
                assert count <= config.max_burst
                asked_beats += count
                for i in range(count):
                    beats.append((cycle + latency, address + i * beat_bytes, i == count - 1, rng.random() < faults))
            word_valid = ctx.get(dut.words.valid)
            assert word_valid == model.weights_word(state)
            taken = word_valid and word_ready
            if taken:
                result.words.append((cycle, ctx.get(dut.words.payload).to_bytes(config.cols, "little")))
            # Behind the block RAM there is room for NEAR_BEATS beats and the word or beat register.
            assert asked_beats - len(result.words) * config.cols // beat_bytes <= depth + NEAR_BEATS + max(
                1, config.cols // beat_bytes
            )
            done = model.weights_done(state, asked)
            assert ctx.get(dut.done) == (done >= 0)
            if done >= 0:
                assert ctx.get(dut.post) == done
                result.dones.append((cycle, done))
            status = model.weights_status(state, beat is not None, valid and not sync_ready)
            assert (ctx.get(dut.busy), ctx.get(dut.sync), ctx.get(dut.stall)) == (status == 1, status == 2, status == 3)
            assert ctx.get(dut.idle) == model.weights_idle(state)
            assert ctx.get(dut.urgent) == state[model.WEIGHTS_URGENT]
            assert ctx.get(dut.error) == failed
            failed = beat is not None and beat[2]
            result.status[status] += 1
            result.urgent.append(ctx.get(dut.urgent))

            await ctx.tick()
            model.weights_clock(state, table[min(head, len(table) - 1)], start, bases, asked, beat is not None, taken)
            if start:
                result.starts.append(cycle)
                head += 1
            cycle += 1
            assert cycle < 30_000, "the unit hangs"

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return result


def random_instruction(rng, config):
    unit = max(config.beat_bytes, config.cols)
    return Instruction(
        Opcode.STREAM,
        region=rng.randrange(4),
        address=rng.randrange((1 << 32) // config.beat_bytes) * config.beat_bytes,
        bytes=unit * rng.choice([1, rng.randint(1, 8), rng.randint(1, 80)]),
        post=rng.randrange(16),
        wait=rng.randrange(16),
    )


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("chance, use", [(1.0, 1.0), (0.6, 0.9), (0.9, 0.3)])
def test_words_and_cycles(name, chance, use):
    config = CONFIGS[name]
    rng = random.Random(f"{name} {chance} {use}")
    dram = np.frombuffer(rng.randbytes(DRAM), np.uint8)
    instructions = [random_instruction(rng, config) for _ in range(6)]
    result = simulate(config, instructions, dram, rng, chance=chance, use=use, latency=rng.choice([0, 15]), faults=0.05)
    expected = b""
    for i in instructions:
        first = BASES[i["region"]] + i["address"]
        expected += dram[(first + np.arange(i["bytes"])) % DRAM].tobytes()
    assert b"".join(word for _, word in result.words) == expected
    assert [post for _, post in result.dones] == [i["post"] for i in instructions]
    assert len(result.starts) == len(instructions)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "word = beat, bursts of 1"])
def test_a_beat_per_cycle(name):
    """With data always there, words leave at the rate of the bus; the first one five cycles after its last beat."""
    config = CONFIGS[name].replace(weight_fifo_bytes=4096)
    dram = np.zeros(DRAM, np.uint8)
    beats = 192
    stream = Instruction(Opcode.STREAM, bytes=beats * config.beat_bytes)
    result = simulate(config, [stream], dram, random.Random(1))
    cycles = [cycle for cycle, _ in result.words]
    assert cycles[0] == result.first_beat + 5 + max(1, config.cols // config.beat_bytes) - 1
    assert cycles[-1] - cycles[0] + 1 <= max(beats, len(cycles)) + 1


def test_runs_ahead_as_far_as_the_fifo_and_urgent_when_low():
    config = BASE.replace(weight_fifo_bytes=4096)
    dram = np.zeros(DRAM, np.uint8)
    result = simulate(config, [Instruction(Opcode.STREAM, bytes=8192)], dram, random.Random(2), use=0.5)
    assert result.dones[0][0] < 2 * 8192 // 4 * 0.7  # the requests end long before the last word leaves
    low = 4096 // 4 // 4  # a quarter of the FIFO, in beats
    assert result.urgent[1] and not result.urgent[low * 4]
    assert result.urgent[-1]
