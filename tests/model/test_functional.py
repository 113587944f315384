"""Every instruction against loops that follow its description byte by byte, on random fields and data."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from talos import numerics
from talos.compiler.frontend import build_graph
from talos.compiler.graph.evaluate import run_graph
from talos.compiler.scheduling.schedule import schedule
from talos.config import PRESETS, AcceleratorConfig
from talos.errors import TalosError
from talos.io import IoSpec
from talos.isa import Instruction, Opcode, Source, Space, TableKind
from talos.model.functional import FunctionalModel
from talos.parameters import pack_add_table, pack_lookup, pack_parameters
from talos.program import INPUTS, OUTPUTS, Port, Program

MODELS = Path(__file__).parents[2] / "models"
CONFIG = PRESETS["4x4"]
WIDE = PRESETS["8x16"]
SIZE = CONFIG.activation_bytes


def model(config: AcceleratorConfig = CONFIG, seed: int = 0, regions: int = 4096) -> FunctionalModel:
    """A model whose memories and DRAM hold random bytes."""
    result = FunctionalModel(config, garbage=seed)
    rng = np.random.default_rng(seed + 1)
    result.state.dram = [rng.integers(0, 256, regions).astype(np.uint8) for _ in range(4)]
    return result


def stride(rng: np.random.Generator, low: int = -200, high: int = 200) -> int:
    return int(rng.integers(low, high))


# --- transfers ---------------------------------------------------------------------------------------------------------------


def transfer(rng: np.random.Generator, local: str) -> dict[str, int]:
    """Random fields of a transfer that stays in a region of 4096 bytes; on-chip addresses may wrap, rows may overlap."""
    counts = {"row_bytes": int(rng.integers(1, 40)), "rows": int(rng.integers(1, 5)), "planes": int(rng.integers(1, 4))}
    return {
        **counts,
        "region": int(rng.integers(0, 4)),
        "address": 2048 + stride(rng),
        "row_stride": stride(rng),
        "plane_stride": stride(rng),
        local: int(rng.choice([5, 1003, SIZE - 60])),
        f"{local}_row_stride": stride(rng),
        f"{local}_plane_stride": stride(rng),
    }


def visit(fields: dict[str, int], base: str, prefix: str) -> list[int]:
    return [
        fields[base] + plane * fields[f"{prefix}plane_stride"] + row * fields[f"{prefix}row_stride"] + byte
        for plane, row, byte in product(range(fields["planes"]), range(fields["rows"]), range(fields["row_bytes"]))
    ]


@pytest.mark.parametrize("seed", range(12))
def test_load(seed: int) -> None:
    rng, m = np.random.default_rng(seed), model(seed=seed)
    fields = transfer(rng, "dst")
    expected = m.state.activation.copy()
    for source, target in zip(visit(fields, "address", ""), visit(fields, "dst", "dst_"), strict=True):
        expected[target % SIZE] = m.state.dram[fields["region"]][source].view(np.int8)
    m.step(Instruction(Opcode.LOAD, **fields))
    np.testing.assert_array_equal(m.state.activation, expected)


@pytest.mark.parametrize("seed", range(12))
def test_store(seed: int) -> None:
    rng, m = np.random.default_rng(seed), model(seed=seed)
    fields = transfer(rng, "src")
    expected = m.state.dram[fields["region"]].copy()
    for target, source in zip(visit(fields, "address", ""), visit(fields, "src", "src_"), strict=True):
        expected[target] = m.state.activation[source % SIZE].view(np.uint8)
    m.step(Instruction(Opcode.STORE, **fields))
    np.testing.assert_array_equal(m.state.dram[fields["region"]], expected)


def test_load_of_parameters() -> None:
    m = model()
    before = m.state.parameter.copy()
    m.step(
        Instruction(
            Opcode.LOAD,
            region=1,
            address=40,
            row_bytes=12,
            rows=2,
            row_stride=16,
            dst=8,
            dst_row_stride=20,
            space=Space.PARAMETER,
        )
    )
    before[8:20], before[28:40] = m.state.dram[1][40:52], m.state.dram[1][56:68]
    np.testing.assert_array_equal(m.state.parameter, before)


@pytest.mark.parametrize(
    "fields", [{"dst": 6}, {"address": 2}, {"row_bytes": 7}, {"rows": 2, "dst_row_stride": 6, "row_stride": 8}]
)
def test_parameters_move_in_beats(fields: dict[str, int]) -> None:
    load = Instruction(Opcode.LOAD, **({"row_bytes": 8, "space": Space.PARAMETER} | fields))
    with pytest.raises(TalosError, match=r"instruction 0 .LOAD.*multiples of the beat of 4"):
        model().execute([load])


def test_fill_wraps() -> None:
    m = model()
    expected = m.state.activation.copy()
    fields = {"row_bytes": 3, "rows": 2, "planes": 2, "dst": SIZE - 2, "dst_row_stride": 10, "dst_plane_stride": -50}
    for plane, row, byte in product(range(2), range(2), range(3)):
        expected[(SIZE - 2 + 10 * row - 50 * plane + byte) % SIZE] = -77
    m.step(Instruction(Opcode.FILL, value=-77, **fields))
    np.testing.assert_array_equal(m.state.activation, expected)


# --- matrix ------------------------------------------------------------------------------------------------------------------


def matmul_fields(rng: np.random.Generator) -> dict[str, int]:
    counts = {name: int(rng.integers(1, 4)) for name in ("taps_h", "taps_w", "slices", "blocks", "out_h", "out_w")}
    strides = {f"{name}_stride": stride(rng) for name in ("tap_h", "tap_w", "slice", "block", "row", "pixel")}
    if rng.integers(2):
        strides["block_stride"] = 0
    return {**counts, **strides, "act": int(rng.choice([3, 4097, SIZE - 30])), "acc": int(rng.integers(0, 50))}


def matmul_expected(m: FunctionalModel, f: dict[str, int], weights: np.ndarray) -> np.ndarray:
    """Accumulators after the instruction, loop for loop; `weights` int8 (tiles, rows, cols)."""
    rows = m.config.rows
    acc = m.state.accumulator.astype(np.int64)
    tiles = iter(weights.astype(np.int64))
    pixels = f["out_h"] * f["out_w"]
    for block in range(f["blocks"]):
        for tap_h, tap_w, part in product(range(f["taps_h"]), range(f["taps_w"]), range(f["slices"])):
            tile = next(tiles)
            start = (
                f["act"]
                + block * f["block_stride"]
                + tap_h * f["tap_h_stride"]
                + tap_w * f["tap_w_stride"]
                + part * f["slice_stride"]
            )
            first = not f["accumulate"] and tap_h == tap_w == part == 0
            for p, (y, x) in enumerate(product(range(f["out_h"]), range(f["out_w"]))):
                address = start + y * f["row_stride"] + x * f["pixel_stride"]
                vector = np.array([m.state.activation[(address + r) % m.config.activation_bytes] for r in range(rows)], np.int64)
                entry = f["acc"] + block * pixels + p
                acc[entry] = vector @ tile + (0 if first else acc[entry])
    return acc.astype(np.int32)


@pytest.mark.parametrize("seed", range(24))
def test_matmul(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = model(WIDE if seed % 2 else CONFIG, seed)
    fields = matmul_fields(rng) | {"accumulate": int(rng.integers(2))}
    tiles = fields["blocks"] * fields["taps_h"] * fields["taps_w"] * fields["slices"]
    weights = rng.integers(-128, 128, (tiles, m.config.rows, m.config.cols)).astype(np.int8)
    m.state.weights.push(weights.ravel())
    expected = matmul_expected(m, fields, weights)
    m.step(Instruction(Opcode.MATMUL, **fields))
    np.testing.assert_array_equal(m.state.accumulator, expected)
    assert m.state.weights.level == 0


@pytest.mark.parametrize("seed", range(16))
def test_depthwise(seed: int) -> None:
    """Output x of a row: row r of the tile times the vector r pixels behind vector x + warmup, channel by channel."""
    rng = np.random.default_rng(seed)
    m = model(WIDE if seed % 2 else CONFIG, seed)
    rows, cols, size = m.config.rows, m.config.cols, m.config.activation_bytes
    f = matmul_fields(rng) | {"accumulate": int(rng.integers(2)), "depthwise": 1, "warmup": int(rng.integers(0, rows))}
    width = f["out_w"]
    f["out_w"] += f["warmup"]
    tiles = f["blocks"] * f["taps_h"] * f["taps_w"] * f["slices"]
    weights = rng.integers(-128, 128, (tiles, rows, cols)).astype(np.int8)
    weights[:, f["warmup"] + 1 :] = 0
    expected = m.state.accumulator.astype(np.int64)
    if not f["accumulate"]:
        expected[f["acc"] : f["acc"] + f["blocks"] * f["out_h"] * width] = 0
    turns = product(*(range(f[count]) for count in ("blocks", "taps_h", "taps_w", "slices")))
    for tile, (block, tap_h, tap_w, part) in zip(weights, turns, strict=True):
        start = (
            f["act"]
            + block * f["block_stride"]
            + tap_h * f["tap_h_stride"]
            + tap_w * f["tap_w_stride"]
            + part * f["slice_stride"]
        )
        for y, x, row, c in product(range(f["out_h"]), range(width), range(rows), range(cols)):
            address = start + y * f["row_stride"] + (x + f["warmup"] - row) * f["pixel_stride"] + c
            entry = f["acc"] + (block * f["out_h"] + y) * width + x
            expected[entry, c] += int(tile[row, c]) * int(m.state.activation[address % size])
    m.state.weights.push(weights.ravel())
    m.step(Instruction(Opcode.MATMUL, **f))
    np.testing.assert_array_equal(m.state.accumulator, expected.astype(np.int32))
    assert m.state.weights.level == 0


def test_depthwise_weight_without_a_pixel_is_refused() -> None:
    m = model()
    weights = np.zeros((4, 4), np.int8)
    weights[2, 3] = 1
    m.state.weights.push(weights.ravel())
    with pytest.raises(TalosError, match="rows above warmup=1 must be zero"):
        m.step(Instruction(Opcode.MATMUL, depthwise=1, out_w=2, warmup=1))


def test_depthwise_needs_the_option() -> None:
    with pytest.raises(TalosError, match="needs the option depthwise"):
        model(CONFIG.replace(depthwise=False)).step(Instruction(Opcode.MATMUL, depthwise=1))


def test_long_contraction_is_exact_and_wraps() -> None:
    """16,384 products of (-127)·(-127) leave float32's integers; added to large accumulators they wrap."""
    m = FunctionalModel(CONFIG)
    total = 16384 * 127 * 127 - 127 * 126
    m.state.activation[:16384] = -127
    m.state.activation[77] = -1
    m.state.accumulator[:] = 2**31 - total
    m.state.accumulator[:, 1] = 5
    m.state.weights.push(np.full(16384 * 4, -127, np.int8))
    m.step(Instruction(Opcode.MATMUL, slices=4096, slice_stride=4, accumulate=1))
    np.testing.assert_array_equal(m.state.accumulator[0], [-(2**31), total + 5, -(2**31), -(2**31)])


def test_stream_feeds_tiles_across_runs() -> None:
    m = model()
    m.state.activation[:4] = [1, 0, 0, 0]
    m.execute(
        [
            Instruction(Opcode.STREAM, region=1, address=8, bytes=12),
            Instruction(Opcode.STREAM, region=2, address=100, bytes=20),
            Instruction(Opcode.MATMUL, slices=2, slice_stride=0),
        ]
    )
    first, second = m.state.dram[1][8:12].view(np.int8), m.state.dram[2][104:108].view(np.int8)
    np.testing.assert_array_equal(m.state.accumulator[0], first.astype(np.int32) + second)


# --- vector ------------------------------------------------------------------------------------------------------------------


def vector_fields(rng: np.random.Generator, config: AcceleratorConfig) -> dict[str, int]:
    """Random fields of any legal mode. Operands lie low, the result high in memory; both may wrap and overlap themselves."""
    source = int(rng.integers(0, 3))
    low, high = sorted(int(v) for v in rng.integers(-128, 128, 2))
    out_low, out_high = sorted(int(v) for v in rng.integers(-128, 128, 2))
    fields = {name: int(rng.integers(1, 4)) for name in ("blocks", "out_h", "out_w", "win_h", "win_w")}
    fields |= {
        f"{name}_stride": stride(rng, -60, 60)
        for name in ("a_row", "a_pixel", "a_win_h", "a_win_w", "b_row", "b_pixel", "dst_row")
    }
    return {
        **fields,
        "source": source,
        "requantize": int(rng.integers(2)) if source == Source.MAXIMUM else 1,
        "add": int(rng.integers(2)),
        "lookup": int(rng.integers(2)),
        "tail": int(rng.integers(1, config.cols + 1)),
        "acc": int(rng.integers(0, 40)),
        "param": int(rng.integers(0, 30)) * 2,
        "a": int(rng.integers(1000, 3000)),
        "b": int(rng.integers(1000, 3000)),
        "dst": int(rng.choice([config.activation_bytes - 40, 8000])),
        "dst_pixel_stride": int(rng.choice([3, 60, 70])),
        "zero_point": int(rng.integers(-128, 128)),
        "low": low,
        "high": high,
        "out_low": out_low,
        "out_high": out_high,
        "out_zero_point": int(rng.integers(-128, 128)),
        "add_unsigned": int(rng.integers(2)),
        "add_swap": int(rng.integers(2)),
        "multiply": int(rng.integers(2)),
        "operand_zero_point": int(rng.choice([-128, 127, rng.integers(-128, 128)])),
        "addend_zero_point": int(rng.choice([-128, 127, rng.integers(-128, 128)])),
    }


class Pair:
    """Random but sensible parameters of an addition or multiplication, and the specification with the instruction's zero points."""

    def __init__(self, rng: np.random.Generator, f: dict[str, int]) -> None:
        a, b, c = (float(scale) for scale in rng.uniform(0.01, 0.1, 3))
        if f["multiply"]:
            c = a * b * float(rng.uniform(30, 300))
            self.parameters = numerics.multiply_parameters(a, f["operand_zero_point"], b, f["addend_zero_point"], c, 7)
        else:
            self.parameters = numerics.add_parameters(a, 3, b, -5, c, 7)

    def fields(self) -> dict[str, int]:
        p = self.parameters
        return {"add_mantissa": p.mantissa, "add_align": p.align, "add_shift": p.shift}

    def __call__(self, operand: int, addend: int, f: dict[str, int]) -> int:
        p = self.parameters
        if f["multiply"]:
            operand = (operand - f["operand_zero_point"]) * (addend - f["addend_zero_point"])
        elif f["add_unsigned"]:
            operand += 128
        total = operand * (p.mantissa << p.align) + (int(p.table_mantissa[addend + 128]) << int(p.table_shift[addend + 128]))
        # Rounded to 24 significant bits and to an integer: Python's round() of an exact fraction is to even as well.
        dropped = max(abs(total).bit_length() - 24, 0)
        significant = round(total / (1 << dropped)) << dropped
        code = round(significant / (1 << p.shift)) + f["out_zero_point"]
        return min(max(code, f["out_low"]), f["out_high"])


def vector_expected(m: FunctionalModel, f: dict[str, int], pair: Pair, records: tuple[np.ndarray, ...]) -> np.ndarray:
    """Activation memory after the instruction. `records`: bias, mantissa, shift of every channel."""
    memory, size, cols = m.state.activation, m.config.activation_bytes, m.config.cols
    result = memory.copy()
    pixels = list(product(range(f["out_h"]), range(f["out_w"])))
    for block in range(f["blocks"]):
        for p, (y, x) in enumerate(pixels):
            for lane in range(f["tail"] if block == f["blocks"] - 1 else cols):
                channel = block * cols + lane
                start = f["a"] + y * f["a_row_stride"] + x * f["a_pixel_stride"] + channel
                offsets = product(range(f["win_h"]), range(f["win_w"]))
                taps = [int(memory[(start + h * f["a_win_h_stride"] + w * f["a_win_w_stride"]) % size]) for h, w in offsets]
                if f["source"] == Source.ACCUMULATOR:
                    value = int(m.state.accumulator[f["acc"] + block * len(pixels) + p, lane])
                else:
                    value = max(taps) if f["source"] == Source.MAXIMUM else sum(taps)
                if f["requantize"]:
                    bias, mantissa, shift = (int(field[channel]) for field in records)
                    value = int(numerics.requantize(value, bias, mantissa, shift, f["zero_point"], f["low"], f["high"]))
                elif not f["add"]:
                    value = min(max(value, f["low"]), f["high"])
                if f["add"]:
                    other = int(memory[(f["b"] + y * f["b_row_stride"] + x * f["b_pixel_stride"] + channel) % size])
                    value = pair(*((other, value) if f["add_swap"] else (value, other)), f)
                if f["lookup"]:
                    value = int(m.state.lookup[value + 128])
                result[(f["dst"] + y * f["dst_row_stride"] + x * f["dst_pixel_stride"] + channel) % size] = value
    return result


@pytest.mark.parametrize("seed", range(180))
def test_vector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    m = model(WIDE if seed % 3 == 0 else CONFIG, seed)
    f = vector_fields(rng, m.config)
    m.state.accumulator[:] = rng.integers(-(2**20), 2**20, m.state.accumulator.shape)
    m.state.lookup = rng.integers(-128, 128, 256).astype(np.int8)
    pair = Pair(rng, f)
    m.state.add_mantissa, m.state.add_shift = pair.parameters.table_mantissa, pair.parameters.table_shift
    channels = f["blocks"] * m.config.cols
    step = {Source.ACCUMULATOR: 1e-4, Source.MAXIMUM: 0.9, Source.SUM: 0.2}[Source(f["source"])]
    split = numerics.split_multiplier(rng.uniform(0.3 * step, step, channels).astype(np.float32))
    records = (rng.integers(-50, 50, channels), *split)
    packed = np.frombuffer(pack_parameters(*records), np.uint8)
    m.state.parameter[f["param"] * 8 :][: packed.size] = packed
    expected = vector_expected(m, f, pair, records)
    m.step(Instruction(Opcode.VECTOR, **(f | pair.fields())))
    np.testing.assert_array_equal(m.state.activation, expected)
    assert (expected != model(m.config, seed).state.activation).any()


def test_random_vectors_cover_every_mode() -> None:
    modes = set()
    for seed in range(180):
        f = vector_fields(np.random.default_rng(seed), WIDE if seed % 3 == 0 else CONFIG)
        modes.add((f["source"], f["requantize"], f["add"] + (f["add"] and f["multiply"]), f["lookup"]))
    assert len(modes) == 2 * 6 + 2 * 6  # accumulator and sum are always requantized


def test_addition_in_place_is_numerics_combine() -> None:
    m = FunctionalModel(CONFIG)
    rng = np.random.default_rng(5)
    a, b = rng.integers(-128, 128, (2, 6, 10)).astype(np.int8)
    p = numerics.add_parameters(0.03, 0, 0.05, 121, 0.06, 140, unsigned=True)
    m.state.activation[100:160], m.state.activation[200:260] = a.ravel(), b.ravel()
    m.state.add_mantissa, m.state.add_shift = p.table_mantissa, p.table_shift
    fields = {f"{name}_pixel_stride": 10 for name in ("a", "b", "dst")}
    fields |= {
        "add_mantissa": p.mantissa,
        "add_align": p.align,
        "add_shift": p.shift,
        "add_unsigned": 1,
        "out_zero_point": p.zero_point,
    }
    m.step(
        Instruction(
            Opcode.VECTOR,
            source=Source.MAXIMUM,
            add=1,
            blocks=3,
            tail=2,
            out_w=6,
            a=100,
            b=200,
            dst=100,
            out_low=-100,
            out_high=90,
            **fields,
        )
    )
    np.testing.assert_array_equal(m.state.activation[100:160].reshape(6, 10), numerics.combine(a, b, p, -100, 90))


def test_tables() -> None:
    m = model()
    rng = np.random.default_rng(0)
    lookup = rng.integers(-128, 128, 256)
    mantissa, shift = rng.integers(-(2**24), 2**24, 256), rng.integers(0, 32, 256)
    m.state.parameter[80:336] = np.frombuffer(pack_lookup(lookup), np.uint8)
    m.state.parameter[400:1424] = np.frombuffer(pack_add_table(mantissa, shift), np.uint8)
    m.step(Instruction(Opcode.TABLE, kind=TableKind.LOOKUP, param=10))
    m.step(Instruction(Opcode.TABLE, kind=TableKind.ADD, param=50))
    np.testing.assert_array_equal(m.state.lookup, lookup)
    np.testing.assert_array_equal(m.state.add_mantissa, mantissa)
    np.testing.assert_array_equal(m.state.add_shift, shift)


# --- bad programs ------------------------------------------------------------------------------------------------------------

OK = Instruction(Opcode.FILL)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (Instruction(Opcode.LOAD, region=1, address=4090, row_bytes=8), "outside region 1 of 4096 bytes"),
        (Instruction(Opcode.STORE, region=2, address=3, rows=2, row_stride=-4), r"\[-1, 4\) are outside region 2"),
        (Instruction(Opcode.STREAM, address=4096, bytes=4), "outside region 0"),
        (Instruction(Opcode.STREAM, address=2, bytes=4), "multiples of the beat"),
        (Instruction(Opcode.LOAD, row_bytes=8, dst=4096, space=1), "parameter bytes .* outside"),
        (Instruction(Opcode.MATMUL), "needs 16 bytes of weights, the FIFO holds 0"),
        (Instruction(Opcode.MATMUL, warmup=1, out_w=2), "warmup=1 has a meaning only with depthwise"),
        (Instruction(Opcode.MATMUL, depthwise=1, warmup=2, out_w=2), "warmup=2 leaves nothing"),
        (Instruction(Opcode.MATMUL, acc=1020, out_w=5), "accumulator entries .* outside the depth of 1024"),
        (Instruction(Opcode.VECTOR, requantize=1, acc=1023, out_w=2), "accumulator entries"),
        (Instruction(Opcode.VECTOR, requantize=1, param=510), "parameter bytes"),
        (Instruction(Opcode.VECTOR, source=3), "source=3 is not one of"),
        (Instruction(Opcode.VECTOR, source=Source.SUM), "SUM gives 32-bit sums"),
        (Instruction(Opcode.VECTOR, requantize=1, tail=5), "tail=5"),
        (Instruction(Opcode.TABLE, param=500), "parameter bytes"),
        (Instruction(Opcode.VECTOR, source=1, add=1, add_mantissa=2**24 - 1, add_align=17), "out of the 24-bit multiplier"),
        (Instruction(Opcode.VECTOR, source=1, add=1, multiply=1, add_align=11), "add_align=11 shifts operand a out"),
    ],
)
def test_bad_instruction_is_named(bad: Instruction, message: str) -> None:
    m = model()
    with pytest.raises(TalosError, match=f"^instruction 1 .{bad.opcode.name}.: .*{message}"):
        m.execute([OK, bad])


def test_sum_beyond_the_adder() -> None:
    m = model()
    m.state.add_mantissa[3], m.state.add_shift[3] = -(2**24), 27
    with pytest.raises(TalosError, match="exceed the 52-bit adder"):
        m.execute([Instruction(Opcode.VECTOR, source=1, add=1)])
    m.state.add_mantissa[3] += 1
    m.execute([Instruction(Opcode.VECTOR, source=1, add=1)])


# --- programs ----------------------------------------------------------------------------------------------------------------


def copy_program(instructions: list[Instruction], name: str = "copy") -> Program:
    """Input "x", float32 (1, 3, 2, 2) → output "y", int8."""
    words = b"".join(instruction.encode() for instruction in instructions)
    x = IoSpec("x", (1, 3, 2, 2), "float32", (3, 2, 2), (1, 2, 0), (2, 2, 3), 0.5, 1)
    y = IoSpec("y", (1, 2, 2, 3), "int8", (2, 2, 3), (0, 1, 2), (2, 2, 3), 0.5, 1)
    return Program(
        name=name,
        config=CONFIG,
        constants=bytes(64) + words,
        program_offset=64,
        instruction_count=len(instructions),
        region_bytes=(64 + len(words), 0, 32, 32),
        inputs=(Port(x, INPUTS, 16),),
        outputs=(Port(y, OUTPUTS, 8),),
        layers=(),
        layer_of=(),
    )


COPY = [
    Instruction(Opcode.LOAD, region=INPUTS, address=16, row_bytes=12, dst=7),
    Instruction(Opcode.STORE, region=OUTPUTS, address=8, row_bytes=12, src=7),
]


def test_program_runs_through_its_ports() -> None:
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    m, program = FunctionalModel(CONFIG), copy_program(COPY)
    for image in (x, x - 4):
        outputs = m.run(program, {"x": image})
        np.testing.assert_array_equal(outputs["y"], (image * 2 + 1).astype(np.int8).transpose(0, 2, 3, 1))


def test_programs_are_refused() -> None:
    m, good = FunctionalModel(CONFIG), copy_program(COPY)
    codes = np.zeros((2, 2, 3), np.int8)
    with pytest.raises(TalosError, match=r"compiled for 4x4 .* but the functional model is 8x16"):
        FunctionalModel(WIDE).run_codes(good, {"x": codes})
    with pytest.raises(TalosError, match="has the inputs x; given were none"):
        m.run_codes(good, {})
    with pytest.raises(TalosError, match="has the inputs x; given were x, z"):
        m.run(good, {"x": codes, "z": codes})
    with pytest.raises(TalosError, match=r"input 'x': int8 of shape .3, 2, 2."):
        m.run_codes(good, {"x": codes.transpose(2, 0, 1)})
    with pytest.raises(TalosError, match=r"instruction 1 .STORE.: DRAM bytes"):
        m.run_codes(copy_program([COPY[0], Instruction(Opcode.STORE, region=OUTPUTS, address=30, row_bytes=12)]), {"x": codes})
    with pytest.raises(TalosError, match="leaves 16 bytes of weights unused"):
        m.run_codes(copy_program([*COPY, Instruction(Opcode.STREAM, bytes=16)]), {"x": codes})
    damaged = copy_program([*COPY, *COPY])
    constants = bytearray(damaged.constants)
    constants[64 + 2 * 64] = 0
    object.__setattr__(damaged, "constants", bytes(constants))
    with pytest.raises(TalosError, match="program 'copy': instruction 2: unknown opcode 0"):
        m.run_codes(damaged, {"x": codes})


@pytest.mark.parametrize("config", [CONFIG, WIDE])
def test_compiled_network_equals_the_graph(config: AcceleratorConfig) -> None:
    """digits.onnx on test images, whatever the memories held before."""
    samples = np.load(MODELS / "digits.npz")
    front = build_graph(MODELS / "digits.onnx", {"input": samples["calibrate"]})
    program = schedule(front.graph, config, front.node_placement)
    models = [FunctionalModel(config, garbage=seed) for seed in (1, 2)]
    for image in samples["x"][:4]:
        codes = program.inputs[0].spec.to_tensor(image[np.newaxis])
        expected = run_graph(front.graph, {program.inputs[0].spec.name: codes})
        for m in models:
            results = m.run_codes(program, {program.inputs[0].spec.name: codes})
            for tensor, result in zip(front.graph.outputs, results.values(), strict=True):
                np.testing.assert_array_equal(result, expected[tensor.name])
