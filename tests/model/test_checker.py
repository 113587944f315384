"""Sound programs pass; programs with one fault are refused with the instruction's index."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from talos.compiler.pipeline import compile_model
from talos.compiler.scheduling.dependencies import DependencyTracker
from talos.config import PRESETS, AcceleratorConfig
from talos.effects import effects
from talos.errors import TalosError
from talos.io import IoSpec
from talos.isa import SYNC_UNITS, Instruction, Opcode, Source, Space, TableKind, Unit
from talos.model.checker import check_order, check_program
from talos.program import CONSTANTS, INPUTS, OUTPUTS, Port, Program

CONFIG = PRESETS["4x4"]
MODELS = Path(__file__).parents[2] / "models"
REGIONS = (4096, 4096, 4096, 4096)
LOAD, MATRIX, VECTOR, STORE = (1 << bit for bit in range(4))  # semaphore masks

Body = list[Instruction]


def emit(opcode: Opcode, **fields: int) -> Instruction:
    return Instruction(opcode, **fields)


def copied(instructions: Body) -> Body:
    """Fresh instructions without semaphores."""
    skip = ("opcode", "wait", "post")
    return [Instruction(i.opcode, **{field: value for field, value in i if field not in skip}) for i in instructions]


def ordered(instructions: Body, config: AcceleratorConfig = CONFIG) -> Body:
    """The instructions with the semaphores that they need."""
    result = copied(instructions)
    tracker = DependencyTracker()
    for instruction in result:
        tracker.add(instruction, effects(instruction, config))
    return result


def rewritten(program: Program, instructions: Body) -> Program:
    """`program` with other instruction words."""
    constants = program.constants[: program.program_offset] + b"".join(instruction.encode() for instruction in instructions)
    regions = (max(len(constants), program.region_bytes[0]), *program.region_bytes[1:])
    return replace(program, constants=constants, region_bytes=regions, instruction_count=len(instructions))


# --- a program by hand -----------------------------------------------------------------------------------------------------------

PARAMETERS, TABLE, ACT, OUT = 0, 64, 256, 1024


def by_hand() -> Body:
    """A row of 3 pixels × 4 channels padded by a pixel on both sides, a 1×3 convolution to 4 channels, a table, 12 bytes out."""
    return [
        emit(Opcode.LOAD, address=64, row_bytes=32, dst=PARAMETERS, space=Space.PARAMETER),
        emit(Opcode.LOAD, address=128, row_bytes=256, dst=TABLE, space=Space.PARAMETER),
        emit(Opcode.TABLE, kind=TableKind.LOOKUP, param=TABLE // 8),
        emit(Opcode.FILL, row_bytes=4, rows=2, dst=ACT, dst_row_stride=16),
        emit(Opcode.LOAD, region=INPUTS, address=16, row_bytes=12, dst=ACT + 4),
        emit(Opcode.STREAM, address=512, bytes=48),
        emit(Opcode.MATMUL, act=ACT, slices=3, slice_stride=4, out_w=3, pixel_stride=4, acc=512),
        emit(Opcode.VECTOR, requantize=1, lookup=1, tail=4, out_w=3, acc=512, dst=OUT, dst_pixel_stride=4, low=-128, high=127),
        emit(Opcode.STORE, region=OUTPUTS, address=8, row_bytes=12, src=OUT),
    ]


def program_of(instructions: Body) -> Program:
    rng = np.random.default_rng(0)
    spec = IoSpec("x", (1, 1, 3, 4), "int8", (1, 3, 4), (0, 1, 2), (1, 3, 4), 1.0, 0)
    program = Program(
        name="hand",
        config=CONFIG,
        constants=rng.integers(1, 127, 1024).astype(np.uint8).tobytes(),
        program_offset=1024,
        instruction_count=0,
        region_bytes=(0, 0, 64, 64),
        inputs=(Port(spec, INPUTS, 16),),
        outputs=(Port(replace(spec, name="y"), OUTPUTS, 8),),
        layers=(),
        layer_of=(),
    )
    return rewritten(program, instructions)


def test_program_by_hand_is_sound() -> None:
    check_program(program_of(ordered(by_hand())))


# One change of a field each, semaphores as they should be for the changed program: (index, changes, message).
FIELD_FAULTS: list[tuple[int, dict[str, int], str]] = [
    (0, {"address": 66}, r"instruction 0 \(LOAD\): address=66 is not a multiple of the beat of 4"),
    (0, {"row_bytes": 24}, r"instruction 7 \(VECTOR\) reads byte 24 of parameter memory, which nothing has written"),
    (1, {"dst": TABLE + 8}, r"instruction 2 \(TABLE\) reads byte 64 of parameter memory"),
    (1, {"dst": 4000}, r"instruction 1 \(LOAD\): writes parameter \[4000, 4256\), outside its 4096"),
    (2, {"kind": TableKind.ADD, "param": 0}, r"instruction 2 \(TABLE\) reads byte 32 of parameter memory"),
    (3, {"rows": 1}, r"instruction 6 \(MATMUL\) multiplies byte 272 of activation memory, which nothing has written"),
    (3, {"dst": ACT - 12}, r"instruction 6 \(MATMUL\) multiplies byte 256 "),
    (3, {"dst_row_stride": -300}, r"instruction 3 \(FILL\): writes activation \[-44, 260\), outside its 32768"),
    (4, {"row_bytes": 11}, r"instruction 6 \(MATMUL\) multiplies byte 271 "),
    (4, {"address": 15}, r"instruction 4 \(LOAD\) reads byte 15 of DRAM region 2, which nothing has written"),
    (4, {"address": 60}, r"instruction 4 \(LOAD\): reads dram2 \[60, 72\), outside its 64"),
    (4, {"region": 1}, r"instruction 4 \(LOAD\): reads dram1 "),
    (5, {"bytes": 44}, r"instruction 6 \(MATMUL\) needs 4 bytes of weights more than .* instruction 5"),
    (5, {"bytes": 52}, r"instruction 5 \(STREAM\) leaves 4 bytes of weights that no MATMUL takes"),
    (5, {"address": 514}, r"instruction 5 \(STREAM\): address=514 is not a multiple of the beat"),
    (5, {"address": 2048}, r"instruction 5 \(STREAM\): reads dram0 "),
    (6, {"slices": 4}, r"instruction 6 \(MATMUL\) needs 16 bytes of weights more"),
    (6, {"act": ACT + 4}, r"instruction 6 \(MATMUL\) multiplies byte 276 "),
    (6, {"pixel_stride": 5}, r"instruction 6 \(MATMUL\) multiplies byte 276 "),
    (6, {"act": 32765}, r"instruction 6 \(MATMUL\): reads activation "),
    (6, {"acc": 511}, r"instruction 7 \(VECTOR\) reads accumulator 514, which no MATMUL has written"),
    (7, {"out_w": 2}, r"instruction 8 \(STORE\) reads byte 1032 of activation memory, which nothing has written"),
    (6, {"acc": 1023}, r"instruction 6 \(MATMUL\): writes accumulator \[1023, 1026\), outside its 1024"),
    (6, {"accumulate": 1}, r"instruction 6 \(MATMUL\) reads accumulator 512, which no MATMUL has written"),
    (7, {"acc": 0}, r"instruction 7 \(VECTOR\) reads accumulator 0, which no MATMUL has written"),
    (7, {"param": 1}, r"instruction 7 \(VECTOR\) reads byte 32 of parameter memory"),
    (7, {"tail": 5}, r"instruction 7 \(VECTOR\): tail=5 is more than the 4 channels of a block"),
    (7, {"requantize": 0}, r"instruction 7 \(VECTOR\): ACCUMULATOR gives 32-bit sums"),
    (7, {"source": Source.MAXIMUM, "a": ACT, "a_pixel_stride": 5}, r"instruction 6 \(MATMUL\) leaves sums in accumulator 512"),
    (7, {"source": 3}, r"instruction 7 \(VECTOR\): source=3 does not exist"),
    (7, {"low": 5, "high": 4}, r"instruction 7 \(VECTOR\): low=5 is above high=4"),
    (7, {"add": 1, "b": ACT, "b_pixel_stride": 4}, r"instruction 7 \(VECTOR\) uses the ADD table before any TABLE"),
    (7, {"dst_pixel_stride": 3}, r"instruction 8 \(STORE\) reads byte 1034 of activation memory"),
    (8, {"src": OUT + 4}, r"instruction 8 \(STORE\) reads byte 1036 of activation memory"),
    (8, {"address": 9}, r"byte 0 of output 'y' is never stored"),
    (8, {"row_bytes": 8}, r"byte 8 of output 'y' is never stored"),
    (8, {"region": CONSTANTS}, r"instruction 8 \(STORE\): writes the region of the constants"),
]


@pytest.mark.parametrize(("index", "changes", "message"), FIELD_FAULTS)
def test_wrong_field(index: int, changes: dict[str, int], message: str) -> None:
    instructions = by_hand()
    for field, value in changes.items():
        instructions[index][field] = value
    with pytest.raises(TalosError, match=f"program 'hand': .*(?:{message}).*compile it again"):
        check_program(program_of(ordered_unless_outside(instructions)))


def ordered_unless_outside(instructions: Body) -> Body:
    """Semaphores only where addresses exist: an address outside is refused before its order is looked at."""
    outside = any(access.low < 0 for i in instructions for access in effects(i, CONFIG))
    return instructions if outside else ordered(instructions)


@pytest.mark.parametrize("index", range(9))
def test_missing_instruction(index: int) -> None:
    """With right semaphores for the rest, so that only what the instruction did is missing."""
    instructions = by_hand()
    del instructions[index]
    with pytest.raises(TalosError, match=r"instruction \d+ \(|output 'y'"):
        check_program(program_of(ordered(instructions)))


def test_sums_are_not_lost() -> None:
    instructions = by_hand()
    instructions[5:7] = [instructions[5], *copied([instructions[6]]), *copied(instructions[5:7])]
    with pytest.raises(
        TalosError, match=r"instruction 8 \(MATMUL\) overwrites sums of instruction 6 .MATMUL. in accumulator 512"
    ):
        check_program(program_of(ordered(instructions)))


def depthwise() -> Body:
    """As by hand, but each channel filtered by itself: three taps, the first two vectors of the padded row only fill the filter."""
    body = by_hand()
    body[6] = emit(Opcode.MATMUL, act=ACT, out_w=5, pixel_stride=4, acc=512, depthwise=1, warmup=2)
    body[5]["bytes"] = 16
    return body


def depthwise_program(instructions: Body, taps: int = 3) -> Program:
    program = program_of(ordered(instructions))
    constants = bytearray(program.constants)
    constants[512 + 4 * taps : 528] = bytes(16 - 4 * taps)
    return replace(program, constants=bytes(constants))


def test_depthwise() -> None:
    check_program(depthwise_program(depthwise()))
    with pytest.raises(TalosError, match=r"instruction 6 \(MATMUL\) has weights in rows above warmup=2"):
        check_program(depthwise_program(depthwise(), taps=4))


@pytest.mark.parametrize(
    ("index", "changes", "message"),
    [
        (3, {"rows": 1}, r"instruction 6 \(MATMUL\) multiplies byte 272 "),
        (3, {"dst": ACT + 1}, r"instruction 6 \(MATMUL\) multiplies byte 256 "),
        (4, {"row_bytes": 11}, r"instruction 6 \(MATMUL\) multiplies byte 271 "),
        (6, {"warmup": 5}, r"instruction 6 \(MATMUL\): warmup=5 leaves nothing of rows of out_w=5"),
        (6, {"out_w": 4}, r"instruction 7 \(VECTOR\) reads accumulator 514"),
        (6, {"out_w": 6}, r"instruction 6 \(MATMUL\) multiplies byte 276 "),
    ],
)
def test_wrong_depthwise(index: int, changes: dict[str, int], message: str) -> None:
    instructions = depthwise()
    for field, value in changes.items():
        instructions[index][field] = value
    with pytest.raises(TalosError, match=message):
        check_program(depthwise_program(instructions))


def test_damaged_word() -> None:
    good = program_of(ordered(by_hand()))
    constants = bytearray(good.constants)
    constants[1024 + 3 * 64] = 0
    with pytest.raises(TalosError, match="instruction 3: unknown opcode 0"):
        check_program(replace(good, constants=bytes(constants)))
    with pytest.raises(TalosError, match="10 instructions at 1024 and 1600 bytes of constants do not fit"):
        check_program(replace(good, instruction_count=10))
    with pytest.raises(TalosError, match="'y' lies outside region 3"):
        check_program(replace(good, region_bytes=(*good.region_bytes[:3], 19)))


@pytest.mark.parametrize(
    ("instruction", "message"),
    [
        (emit(Opcode.STREAM, bytes=16, post=MATRIX), r"STREAM.: post=0010 names a semaphore that does not exist"),
        (emit(Opcode.FILL, wait=LOAD), r"FILL.: wait=0001 names a semaphore that does not exist: LOAD has those of mask 1110"),
        (emit(Opcode.FILL, reserved=1), "reserved bits are 1"),
        (emit(Opcode.VECTOR, source=1, a=100, win_w=2, a_win_w_stride=4), "needs the option pool"),
        (emit(Opcode.TABLE, kind=1), "needs the option residual"),
        (emit(Opcode.MATMUL, depthwise=1), "needs the option depthwise"),
        (emit(Opcode.MATMUL, warmup=1, out_w=2), "warmup=1 has a meaning only with depthwise"),
        (emit(Opcode.VECTOR, source=1, multiply=1), "needs the option multiply"),
        (emit(Opcode.VECTOR, source=1, lookup=1), "needs the option lookup"),
        (
            emit(Opcode.VECTOR, source=1, out_w=4, a_pixel_stride=4, dst=4, dst_pixel_stride=4),
            "reads as operand a of other pixels",
        ),
    ],
)
def test_wrong_on_its_own(instruction: Instruction, message: str) -> None:
    config = CONFIG.replace(residual=False, multiply=False, pool=False, lookup=False, depthwise=False)
    with pytest.raises(TalosError, match=rf"instruction 1 \(.*{message}"):
        check_order([emit(Opcode.FILL, dst=2048), instruction], config, REGIONS)


def test_multiply_belongs_to_add() -> None:
    fields = {"source": Source.MAXIMUM, "dst": 500}
    check_order([emit(Opcode.VECTOR, add=1, multiply=1, **fields)], CONFIG, REGIONS)
    with pytest.raises(TalosError, match=r"instruction 0 \(VECTOR\): multiply=1 .* needs add=1"):
        check_order([emit(Opcode.VECTOR, multiply=1, **fields)], CONFIG, REGIONS)


def test_vector_in_place_is_sound() -> None:
    """The same addressing, or channels of the same pixels that do not overlap."""
    fields = {"source": Source.MAXIMUM, "tail": 4, "out_w": 4, "a_pixel_stride": 8, "dst_pixel_stride": 8}
    check_order([emit(Opcode.VECTOR, **fields), emit(Opcode.VECTOR, dst=4, **fields)], CONFIG, REGIONS)


# --- order -----------------------------------------------------------------------------------------------------------------------


def refused(instructions: Body, message: str, config: AcceleratorConfig = CONFIG) -> None:
    with pytest.raises(TalosError, match=message):
        check_order(instructions, config, REGIONS)


def test_race_names_both() -> None:
    load = emit(Opcode.LOAD, row_bytes=8, dst=100)
    store = emit(Opcode.STORE, region=OUTPUTS, row_bytes=4, src=104)
    refused([load, store], r"race: instruction 1 \(STORE\) reads activation \[104, 108\) .*wait for instruction 0 \(LOAD\)")
    refused([store, load], r"race: instruction 1 \(LOAD\) writes activation \[100, 108\) .*wait for instruction 0 \(STORE\)")
    load["post"], store["wait"] = STORE, LOAD
    check_order([load, store], CONFIG, REGIONS)
    refused([store, load], r"race: instruction 1 \(LOAD\)")  # ordered, but the other way round


def test_order_through_a_third_unit() -> None:
    chain = [
        emit(Opcode.LOAD, row_bytes=8, post=VECTOR),
        emit(Opcode.VECTOR, source=Source.MAXIMUM, dst=500, wait=LOAD, post=STORE),
        emit(Opcode.STORE, region=OUTPUTS, row_bytes=4, wait=VECTOR),
    ]
    check_order(chain, CONFIG, REGIONS)
    chain[1]["post"] = chain[2]["wait"] = 0
    refused(chain, r"race: instruction 2 \(STORE\)")


def test_deadlocks() -> None:
    wait = emit(Opcode.VECTOR, source=Source.MAXIMUM, wait=LOAD)
    refused([wait], r"deadlock: instruction 0 \(VECTOR\) waits for post 1 of LOAD, which no LOAD instruction gives")
    circle = [
        emit(Opcode.VECTOR, source=Source.MAXIMUM, wait=LOAD, post=LOAD),
        emit(Opcode.FILL, dst=900, wait=VECTOR, post=VECTOR),
    ]
    refused(
        circle, r"deadlock: instruction 1 \(FILL\) waits for post 1 of VECTOR, which instruction 0 .*; instruction 0 \(VECTOR\)"
    )


def test_queues_are_finite() -> None:
    """The post that VECTOR waits for comes behind as many VECTORs as the queue holds, and one more."""

    def waiting(count: int) -> Body:
        vectors = [emit(Opcode.VECTOR, source=Source.MAXIMUM) for _ in range(count)]
        vectors[0]["wait"] = LOAD
        return [*vectors, emit(Opcode.FILL, dst=900, post=VECTOR)]

    check_order(waiting(CONFIG.queue_depth), CONFIG, REGIONS)
    refused(waiting(CONFIG.queue_depth + 1), r"deadlock: instruction 8 \(VECTOR\) finds the queue of VECTOR full")


def test_weight_fifo_is_finite() -> None:
    """Ten streams of a whole FIFO before the first MATMUL: the queue of WEIGHTS fills and MATMUL is never fetched."""
    size = CONFIG.weight_fifo_bytes
    regions = (size, 0, 0, 0)

    def body(streams: int) -> Body:
        return [emit(Opcode.STREAM, bytes=size)] * streams + [emit(Opcode.MATMUL, slices=streams * size // 16, slice_stride=4)]

    check_order(body(9), CONFIG, regions)
    with pytest.raises(
        TalosError, match=r"deadlock: instruction 9 \(STREAM\) finds the queue.*instruction 0 \(STREAM\) waits for room"
    ):
        check_order(body(10), CONFIG, regions)


def test_counters_have_eight_bits() -> None:
    def body(count: int) -> Body:
        posts = [emit(Opcode.FILL, dst=900, post=VECTOR) for _ in range(count)]
        return [*posts, *[emit(Opcode.VECTOR, source=Source.MAXIMUM, wait=LOAD) for _ in range(count)]]

    check_order(body(255), CONFIG, REGIONS)
    refused(body(256), r"instruction 255 \(FILL\) can raise the semaphore from LOAD to VECTOR to 256")


def test_counters_are_bounded_by_order() -> None:
    """Many more posts than 255 are fine when dispatch or semaphores keep the poster from running ahead."""
    pair = [emit(Opcode.FILL, dst=900, post=VECTOR), emit(Opcode.VECTOR, source=Source.MAXIMUM, wait=LOAD)]
    check_order(pair * 600, CONFIG, REGIONS)


def test_counters_count_what_the_queue_holds_back() -> None:
    """Waits that were dispatched may still be in the queue, their posts not yet taken."""

    def body(pairs: int) -> Body:
        post, wait = emit(Opcode.FILL, dst=900, post=VECTOR), emit(Opcode.VECTOR, source=Source.MAXIMUM, wait=LOAD)
        return [post] * 250 + [wait, post] * pairs + [wait] * 250

    check_order(body(5), CONFIG, REGIONS)
    refused(body(6), r"instruction 261 \(FILL\) can raise the semaphore from LOAD to VECTOR to 256")


def test_counters_end_empty() -> None:
    body = [emit(Opcode.FILL, dst=900, post=VECTOR) for _ in range(3)] + [emit(Opcode.VECTOR, source=Source.MAXIMUM, wait=LOAD)]
    refused(body, r"instruction 1 \(FILL\) posts to VECTOR, but no VECTOR instruction is left to wait for it")


def test_stream_comes_before_its_matmul() -> None:
    stream, matmul = emit(Opcode.STREAM, bytes=16), emit(Opcode.MATMUL)
    check_order([stream, matmul], CONFIG, REGIONS)
    refused([matmul, stream], r"instruction 0 \(MATMUL\) needs 16 bytes of weights and no STREAM comes before it")


# --- compiled programs -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits() -> Program:
    samples = np.load(MODELS / "digits.npz")
    return compile_model(MODELS / "digits.onnx", CONFIG, {"input": samples["calibrate"]}).program


def test_compiled_program_is_sound(digits: Program) -> None:
    check_program(digits)


def conflicts(instructions: Body, config: AcceleratorConfig) -> list[tuple[int, int]]:
    """All pairs of instructions of different units with an access in common that one of them writes."""
    touches = [effects(i, config) for i in instructions]
    return [
        (i, j)
        for j in range(len(instructions))
        for i in range(j)
        if instructions[i].unit != instructions[j].unit
        and any((a.write or b.write) and a.meets(b) for a in touches[i] for b in touches[j])
    ]


def precedence(instructions: Body) -> np.ndarray:
    """Start of i is event 2·i, its finish 2·i + 1: before[e, f] says that e is before f by definition, closed transitively."""
    count = len(instructions)
    before = np.eye(2 * count, dtype=bool)
    units: dict[Unit, list[int]] = {unit: [i for i, x in enumerate(instructions) if x.unit == unit] for unit in Unit}
    for i in range(count):
        before[2 * i, 2 * i + 1] = True
    for members in units.values():
        for first, second in pairwise(members):
            before[2 * first, 2 * second] = before[2 * first + 1, 2 * second + 1] = True
    for p, poster in enumerate(SYNC_UNITS):
        for w, waiter in enumerate(SYNC_UNITS):
            posts = [i for i in units[poster] if instructions[i]["post"] >> w & 1]
            waits = [i for i in units[waiter] if instructions[i]["wait"] >> p & 1]
            for post, wait in zip(posts, waits, strict=True):
                before[2 * post + 1, 2 * wait] = True
    for event in range(2 * count):
        before |= np.outer(before[:, event], before[event])
    return before


def test_races_are_found_exactly(digits: Program) -> None:
    """Take out matching posts and waits at random: the checker refuses just those programs that have an unordered pair."""
    verdicts = {True: 0, False: 0}
    pairs = conflicts(list(digits.instructions), CONFIG)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        body = [Instruction(i.opcode, **{f: v for f, v in i if f != "opcode"}) for i in digits.instructions]
        for _ in range(int(rng.integers(1, 4))):
            p, w = (int(bit) for bit in rng.choice(4, 2, replace=False))
            posts = [i for i in body if i.unit == SYNC_UNITS[p] and i["post"] >> w & 1]
            waits = [i for i in body if i.unit == SYNC_UNITS[w] and i["wait"] >> p & 1]
            if posts:
                n = int(rng.integers(len(posts)))
                posts[n]["post"] ^= 1 << w
                waits[n]["wait"] ^= 1 << p
        before = precedence(body)
        expected = any(not before[2 * i + 1, 2 * j] for i, j in pairs)
        verdicts[expected] += 1
        if expected:
            refused_regions(body, digits, "^race: instruction")
        else:
            check_order(body, CONFIG, digits.region_bytes)
    assert min(verdicts.values()) >= 3, verdicts


def refused_regions(body: Body, program: Program, message: str) -> None:
    with pytest.raises(TalosError, match=message):
        check_order(body, program.config, program.region_bytes)


def drop_wait(body: Body, rng: np.random.Generator) -> None:
    drop(body, rng, "wait")


def drop_post(body: Body, rng: np.random.Generator) -> None:
    drop(body, rng, "post")


def drop(body: Body, rng: np.random.Generator, field: str) -> None:
    candidates = [i for i in body if i[field]]
    chosen = candidates[int(rng.integers(len(candidates)))]
    chosen[field] &= chosen[field] - 1


def swap_halves(body: Body, rng: np.random.Generator) -> None:
    """One MATMUL into the half that the other instructions do not expect."""
    candidates = [i for i in body if i.opcode == Opcode.MATMUL]
    chosen = candidates[int(rng.integers(len(candidates)))]
    chosen["acc"] ^= CONFIG.half_depth


def swap_neighbours(body: Body, rng: np.random.Generator) -> None:
    """A drain in front of the product that it drains."""
    places = [i for i, (a, b) in enumerate(pairwise(body)) if a.opcode == Opcode.MATMUL and b.opcode == Opcode.VECTOR]
    place = int(rng.choice(places))
    body[place], body[place + 1] = body[place + 1], body[place]


def shorten_stream(body: Body, rng: np.random.Generator) -> None:
    candidates = [i for i in body if i.opcode == Opcode.STREAM]
    candidates[int(rng.integers(len(candidates)))]["bytes"] -= 4 * int(rng.integers(1, 4))


def shift_transfer(body: Body, rng: np.random.Generator) -> None:
    """The image or the result a few bytes off."""
    candidates = [i for i in body if i.opcode in (Opcode.LOAD, Opcode.STORE) and i["region"] in (INPUTS, OUTPUTS)]
    candidates[int(rng.integers(len(candidates)))]["address"] += int(rng.integers(1, 100))


FAULTS = [drop_wait, drop_post, swap_halves, swap_neighbours, shorten_stream, shift_transfer]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_in_compiled_program(digits: Program, fault: Callable[[Body, np.random.Generator], None], seed: int) -> None:
    body = [Instruction(i.opcode, **{f: v for f, v in i if f != "opcode"}) for i in digits.instructions]
    fault(body, np.random.default_rng(seed))
    with pytest.raises(TalosError, match=r"program '.*': .*instruction \d+ \("):
        check_program(rewritten(digits, body))
