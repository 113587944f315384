"""The matrix unit: sums against NumPy, and every output in every cycle against the cycle model."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth import Module
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.isa import Instruction, Opcode
from talos.latency import ACC_READ, ACC_SUMS, ACT_READ, RMW, array_latency
from talos.model.timing import matrix as model
from talos.model.timing.fields import instruction_rows
from talos.rtl.matrix import MatrixUnit, decode_counts
from talos.rtl.verilog import to_verilog

MEMORY = 1 << 12  # bytes of activation memory in these tests; addresses wrap
BASE = PRESETS["4x4"].replace(accumulator_depth=64)


def tile_count(instruction):
    return instruction["blocks"] * instruction["taps_h"] * instruction["taps_w"] * instruction["slices"]


def vector_count(instruction):
    """Vectors that stream through the array for one weight tile."""
    return instruction["out_h"] * instruction["out_w"]


def pixel_count(instruction):
    """Accumulator entries of one block."""
    return instruction["out_h"] * (instruction["out_w"] - instruction["warmup"])


def execute(config, instructions, memory, weights):
    """Accumulators after `instructions`: the loops of the MATMUL description, one after the other."""
    accumulators = np.zeros((config.accumulator_depth, config.cols), np.int64)
    tiles = iter(weights.reshape(-1, config.rows, config.cols).astype(np.int64))
    for i in instructions:
        for block in range(i["blocks"]):
            for tile in range(tile_count(i) // i["blocks"]):
                rest, piece = divmod(tile, i["slices"])
                tap_h, tap_w = divmod(rest, i["taps_w"])
                weight = next(tiles)
                for pixel in range(pixel_count(i)):
                    y, x = divmod(pixel, i["out_w"] - i["warmup"])
                    address = (
                        i["act"]
                        + block * i["block_stride"]
                        + tap_h * i["tap_h_stride"]
                        + tap_w * i["tap_w_stride"]
                        + piece * i["slice_stride"]
                        + y * i["row_stride"]
                        + (x + i["warmup"]) * i["pixel_stride"]
                    )
                    if i["depthwise"]:  # row r: the pixel r before, a byte per column
                        back = address - np.arange(config.rows)[:, None] * i["pixel_stride"]
                        operands = memory[(back + np.arange(config.cols)) % MEMORY].astype(np.int64)
                    else:
                        operands = memory[(address + np.arange(config.rows)) % MEMORY].astype(np.int64)[:, None]
                    entry = (i["acc"] + block * pixel_count(i) + pixel) % config.accumulator_depth
                    kept = accumulators[entry] if tile or i["accumulate"] else 0
                    accumulators[entry] = kept + (operands * weight).sum(axis=0)
    return accumulators


@dataclass
class Behaviour:
    """Probabilities per cycle that a partner of the unit is ready."""

    grant: float = 1.0
    weights: float = 1.0
    sync: float = 1.0
    instr: float = 1.0
    drain: float = 0.0


@dataclass
class Result:
    accumulators: np.ndarray
    issues: list = field(default_factory=list)  # cycles in which a pixel was issued
    starts: list = field(default_factory=list)
    dones: list = field(default_factory=list)  # (cycle, post)
    status: Counter = field(default_factory=Counter)
    refused: int = 0


def simulate(config, instructions, memory, weights, behaviour, rng):
    """Runs the instructions in RTL and cycle model together, compares all outputs, and reads the accumulators at the end."""
    dut = MatrixUnit(config=config)
    state = model.matrix_state(config)
    rows = instruction_rows(instructions)
    words = [int.from_bytes(word.tobytes(), "little") for word in weights.reshape(-1, config.cols)]
    encoded = [int.from_bytes(i.encode(), "little") & ((1 << len(dut.instr.payload)) - 1) for i in instructions]
    result = Result(np.zeros((config.accumulator_depth, config.cols), np.int64))
    limit = 20_000

    async def bench(ctx):
        head = word = 0
        offered_instr = offered_word = False
        reads = {}
        for cycle in range(limit):
            # A stream that offers something holds it.
            offered_instr = head < len(rows) and (offered_instr or rng.random() < behaviour.instr)
            offered_word = word < len(words) and (offered_word or rng.random() < behaviour.weights)
            ready = bool(rng.random() < behaviour.sync)
            granted = bool(rng.random() < behaviour.grant)
            drain = bool(rng.random() < behaviour.drain)
            address = int(rng.integers(1 << 16))
            ctx.set(dut.instr.valid, offered_instr)
            ctx.set(dut.instr.payload, encoded[head] if offered_instr else 0)
            ctx.set(dut.sync_ready, ready)
            ctx.set(dut.weights.valid, offered_word)
            ctx.set(dut.weights.payload, words[word] if offered_word else 0)
            ctx.set(dut.act.grant, granted)
            ctx.set(dut.act.data, reads.pop(cycle, int(rng.integers(1 << 32))))
            ctx.set(dut.acc_read.valid, drain)
            ctx.set(dut.acc_read.address, address)

            request = model.matrix_request(state)
            grant = request >= 0 and granted
            start = offered_instr and ready and bool(model.matrix_free(state, grant))
            wait = int(rows[head, 1]) if offered_instr else 0
            weights_ready = bool(model.matrix_weights_ready(state, grant))
            status = model.matrix_status(state, grant, offered_instr and not ready)
            done = model.matrix_done(state)
            drain_grant = bool(model.matrix_drain_grant(state, address))
            expected = {
                "valid": request >= 0,
                "start": start,
                "instr_ready": start,
                "wait": wait,
                "weights_ready": weights_ready,
                "busy": status == 1,
                "sync": status == 2,
                "stall": status == 3,
                "done": done >= 0,
                "idle": bool(model.matrix_idle(state)),
                "drain_grant": drain_grant,
            }
            seen = {
                "valid": ctx.get(dut.act.valid),
                "start": ctx.get(dut.start),
                "instr_ready": ctx.get(dut.instr.ready),
                "wait": ctx.get(dut.wait),
                "weights_ready": ctx.get(dut.weights.ready),
                "busy": ctx.get(dut.busy),
                "sync": ctx.get(dut.sync),
                "stall": ctx.get(dut.stall),
                "done": ctx.get(dut.done),
                "idle": ctx.get(dut.idle),
                "drain_grant": ctx.get(dut.acc_read.grant),
            }
            assert seen == expected, f"cycle {cycle}"
            if request >= 0:
                assert ctx.get(dut.act.address) == request, f"cycle {cycle}"
            if done >= 0:
                assert ctx.get(dut.post) == done, f"cycle {cycle}"
                result.dones.append((cycle, done))
            if grant:
                result.issues.append(cycle)
                reads[cycle + ACT_READ] = int.from_bytes(
                    memory[(request + np.arange(config.matrix_bytes)) % MEMORY].tobytes(), "little"
                )
            if start:
                result.starts.append(cycle)
            result.status[("idle", "busy", "sync", "stall")[status]] += 1
            result.refused += drain and not drain_grant

            model.matrix_clock(state, rows[min(head, len(rows) - 1)], start, grant, offered_word and weights_ready)
            await ctx.tick()
            if start:
                head, offered_instr = head + 1, False
            if offered_word and weights_ready:
                word, offered_word = word + 1, False
            if len(result.dones) == len(rows):
                break
        else:
            raise AssertionError(f"not finished after {limit} cycles")
        assert word == len(words)

        assert ctx.get(dut.idle)
        assert model.matrix_idle(state)
        ctx.set(dut.acc_read.valid, 1)
        for entry in range(config.accumulator_depth + ACC_READ):
            ctx.set(dut.acc_read.address, entry % config.accumulator_depth)
            if entry >= ACC_READ:
                bits = ctx.get(dut.acc_read.data)
                data = np.frombuffer(bits.to_bytes(4 * config.cols, "little"), np.int32)
                result.accumulators[entry - ACC_READ] = data
            await ctx.tick()

    m = Module()
    m.submodules.dut = dut
    m.d.comb += dut.counts.eq(decode_counts(dut.instr.payload))
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return result


def random_instruction(rng, depthwise=False, rows=4):
    small = [1, 1, 2, 3]

    def pick(values):
        return int(rng.choice(values))

    def stride(limit):
        return int(rng.integers(-limit, limit))

    warmup = int(rng.integers(rows)) if depthwise else 0
    return Instruction(
        Opcode.MATMUL,
        wait=int(rng.integers(16)),
        post=int(rng.integers(16)),
        act=int(rng.integers(1 << 22)),
        blocks=pick([1, 1, 1, 2]),
        block_stride=stride(1 << 21),
        taps_h=pick(small),
        tap_h_stride=stride(1 << 21),
        taps_w=pick([1, 1, 2]),
        tap_w_stride=stride(1 << 21),
        slices=pick([1, 2]),
        slice_stride=stride(1 << 15),
        out_h=pick(small),
        row_stride=stride(1 << 21),
        out_w=pick([1, 2, 4, 5]) + warmup,
        pixel_stride=stride(1 << 17),
        acc=int(rng.integers(8)),
        accumulate=pick([0, 1]),
        depthwise=int(depthwise),
        warmup=warmup,
    )


def random_data(config, instructions, rng):
    memory = rng.integers(-128, 128, MEMORY).astype(np.int8)
    tiles = []
    for i in instructions:
        tile = rng.integers(-128, 128, (tile_count(i), config.rows, config.cols)).astype(np.int8)
        if i["depthwise"]:
            tile[:, i["warmup"] + 1 :] = 0
        tiles.append(tile)
    return memory, np.concatenate(tiles)


CASES = [
    (4, 4, Behaviour()),
    (4, 4, Behaviour(weights=0.5, sync=0.5, instr=0.1, drain=0.5)),
    (4, 8, Behaviour(weights=0.9, instr=0.5, drain=1.0)),
    (8, 4, Behaviour(grant=0.6, weights=0.95, sync=0.2, drain=0.7)),
    (4, 4, Behaviour(grant=0.2, drain=0.7)),
    (8, 4, Behaviour(drain=0.5)),
]


@pytest.mark.parametrize("case", range(len(CASES)))
def test_values_and_cycles(case):
    rows, cols, behaviour = CASES[case]
    config = BASE.replace(rows=rows, cols=cols, lanes=cols)
    rng = np.random.default_rng(case)
    # Begins with an overwriting instruction for every entry; afterwards entries are shared at random.
    clear = Instruction(Opcode.MATMUL, act=5, out_h=8, out_w=8, pixel_stride=3, row_stride=100, post=1)
    # Within an output row a depthwise instruction must never be refused.
    mixed = behaviour.grant == 1.0
    instructions = [clear, *(random_instruction(rng, mixed and rng.random() < 0.5, rows) for _ in range(24))]
    memory, weights = random_data(config, instructions, rng)
    result = simulate(config, instructions, memory, weights, behaviour, rng)
    np.testing.assert_array_equal(result.accumulators, execute(config, instructions, memory, weights))
    assert [post for _, post in result.dones] == [i["post"] for i in instructions]
    assert result.status["busy"] == sum(tile_count(i) * vector_count(i) for i in instructions)
    assert mixed == any(i["warmup"] for i in instructions)
    if behaviour.drain:
        assert result.refused


def test_no_bubble_between_tiles_and_instructions():
    config = BASE
    rng = np.random.default_rng(11)
    instructions = [
        Instruction(Opcode.MATMUL, act=i, taps_h=3, slices=2, blocks=blocks, out_w=out_w, pixel_stride=1, acc=8 * i, post=i)
        for i, (blocks, out_w) in enumerate([(1, 5), (2, 4), (1, 7), (1, 4)])
    ]
    memory, weights = random_data(config, instructions, rng)
    result = simulate(config, instructions, memory, weights, Behaviour(), rng)
    pixels = sum(tile_count(i) * pixel_count(i) for i in instructions)
    first = result.issues[0]
    assert result.issues == list(range(first, first + pixels))
    last_pixels = np.cumsum([tile_count(i) * pixel_count(i) for i in instructions]) + first - 1
    assert result.starts[1:] == list(last_pixels[:-1])  # taken in the cycle of the last pixel of the one before
    latency = ACT_READ + array_latency(config) - ACC_SUMS + RMW
    assert [cycle for cycle, _ in result.dones] == list(last_pixels + latency)
    assert first == config.rows  # the weights are injected in cycles 0 … rows − 1, the instruction taken meanwhile


@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_short_tiles_take_as_many_cycles_as_rows(pixels):
    config = BASE
    rng = np.random.default_rng(pixels)
    instructions = [Instruction(Opcode.MATMUL, act=i, taps_h=5, out_w=pixels, acc=4 * i) for i in range(4)]
    memory, weights = random_data(config, instructions, rng)
    result = simulate(config, instructions, memory, weights, Behaviour(), rng)
    firsts = result.issues[::pixels]
    assert firsts == [firsts[0] + config.rows * tile for tile in range(20)]


def test_accumulating_instruction_waits_for_the_writes_before_it():
    """One pixel that adds to the entry the pixel before it left."""
    config = BASE
    rng = np.random.default_rng(5)
    instructions = [
        Instruction(Opcode.MATMUL, act=3, out_w=8, pixel_stride=2),
        Instruction(Opcode.MATMUL, act=9, out_w=8, pixel_stride=3, acc=7, accumulate=1),
        Instruction(Opcode.MATMUL, act=1, acc=14, accumulate=1),
    ]
    memory, weights = random_data(config, instructions, rng)
    result = simulate(config, instructions, memory, weights, Behaviour(), rng)
    np.testing.assert_array_equal(result.accumulators[:15], execute(config, instructions, memory, weights)[:15])
    assert result.issues[8] - result.issues[7] == RMW + 1
    assert result.issues[16] - result.issues[15] == RMW + 1


@pytest.mark.parametrize(("rows", "cols", "taps", "step"), [(4, 4, 3, 1), (4, 8, 4, 2), (8, 4, 1, 3), (16, 4, 15, 1)])
def test_depthwise_filters_rows(rows, cols, taps, step):
    """A kernel of up to three rows over a small image, one tile per kernel row, with and without steps between its columns."""
    config = BASE.replace(rows=rows, cols=cols, lanes=cols)
    rng = np.random.default_rng(taps)
    channels, width, out_w, taps_h = 2 * cols, 20, 5, min(taps, 3)
    image = rng.integers(-128, 128, (taps_h + 2, width, channels)).astype(np.int8)
    memory = np.zeros(MEMORY, np.int8)
    memory[: image.size] = image.ravel()
    kernel = rng.integers(-128, 128, (taps_h, taps, channels)).astype(np.int8)
    tiles = np.zeros((2, taps_h, rows, cols), np.int8)
    for block in range(2):
        tiles[block, :, :taps] = kernel[:, ::-1, block * cols : (block + 1) * cols]  # row r of the array is r pixels back
    instruction = Instruction(
        Opcode.MATMUL,
        depthwise=1,
        warmup=taps - 1,
        blocks=2,
        block_stride=cols,
        taps_h=taps_h,
        tap_h_stride=width * channels,
        out_h=3,
        row_stride=width * channels,
        out_w=out_w + taps - 1,
        pixel_stride=channels * step,
    )
    result = simulate(config, [instruction], memory, tiles, Behaviour(), rng)
    for y in range(3):
        for x in range(out_w):
            window = image[y : y + taps_h, x * step : (x + taps) * step : step].astype(np.int64)
            sums = (window * kernel).sum(axis=(0, 1)).reshape(2, cols)
            np.testing.assert_array_equal(result.accumulators[[y * out_w + x, 15 + y * out_w + x]], sums)


def test_depthwise_is_absent_without_the_option():
    for depthwise in (False, True):
        text = to_verilog(MatrixUnit(config=BASE.replace(cols=8, lanes=8, depthwise=depthwise)), "matrix")
        assert ("down_line" in text) == ("warm_left" in text) == depthwise
        assert ("[63:0] act__data" in text) == depthwise  # a vector is `rows` bytes without, here `cols` bytes with it


def test_no_bubble_between_dense_and_depthwise():
    config = BASE
    rng = np.random.default_rng(21)
    instructions = [
        Instruction(
            Opcode.MATMUL,
            act=100 * n,
            taps_h=2,
            out_h=2,
            row_stride=50,
            out_w=4,
            pixel_stride=4,
            acc=8 * n,
            depthwise=depthwise,
            warmup=2 * depthwise,
            accumulate=int(n == 6),  # waits for what was issued before it, whether that has an entry or not
        )
        for n, depthwise in enumerate([0, 1, 0, 1, 1, 0, 1])
    ]
    memory, weights = random_data(config, instructions, rng)
    result = simulate(config, instructions, memory, weights, Behaviour(), rng)
    np.testing.assert_array_equal(result.accumulators[:56], execute(config, instructions, memory, weights)[:56])
    gaps = np.diff(result.issues)
    assert len(result.issues) == 7 * 2 * 8
    assert list(np.flatnonzero(gaps != 1)) == [6 * 2 * 8 - 1]
    assert gaps[6 * 2 * 8 - 1] == RMW + 1
