"""Rearrangements: their moves say what was wanted, cut or whole, and compile to programs that make it, on chip and through DRAM."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from talos.compiler.graph.evaluate import run_graph
from talos.compiler.graph.ir import Conv, Graph, Layer, Lookup, Move, Position, Tensor
from talos.compiler.graph.moves import clipped, move_positions, source_extent, target_extent
from talos.compiler.graph.progressions import progressions
from talos.compiler.graph.rearrange import MAX_MOVES, TooManyMoves, copy_of, fill_code, find_moves, rearrangement
from talos.compiler.scheduling.schedule import schedule
from talos.config import PRESETS, AcceleratorConfig
from talos.io import IoSpec
from talos.isa import Opcode
from talos.model.checker import check_program
from talos.model.functional import FunctionalModel

Wanted = npt.NDArray[np.int64]
SHAPE = (6, 8, 12)
ZERO = -3


def _image(*shape: int, start: int = 0) -> Wanted:
    return start + np.arange(int(np.prod(shape))).reshape(shape)


def _padded(x: Wanted, mode: str) -> Wanted:
    widths = ((3, 2), (1, 4), (0, 0))
    return np.pad(x, widths, constant_values=-1) if mode == "constant" else np.pad(x, widths, mode=mode)  # type: ignore[call-overload]  # a choice of numpy's literals


def _stuffed(x: Wanted) -> Wanted:
    result = np.full((2 * x.shape[0], 3 * x.shape[1], x.shape[2]), -1)
    result[::2, ::3] = x
    return result


def _constants(x: Wanted) -> Wanted:
    result = _stuffed(x)
    result[1::2, 1::3], result[0, 0, 0], result[3, 4] = fill_code(5), fill_code(-128), fill_code(127)
    return result


def _nearest(x: Wanted, scale: float) -> Wanted:
    rows, columns = (np.floor(np.arange(int(size * scale)) / scale).astype(int) for size in x.shape[:2])
    return np.asarray(x[rows][:, columns])


ONE_INPUT: dict[str, tuple[Callable[[Wanted], Wanted], int]] = {
    "copy": (lambda x: x, 1),
    "enlarged": (lambda x: x.repeat(2, 0).repeat(3, 1), 1),
    "enlarged by 5/2": (lambda x: _nearest(x, 2.5), 4),
    "enlarged by 1.37": (lambda x: _nearest(x, 1.37), 12),
    "shrunk by 0.61": (lambda x: _nearest(x, 0.61), 2),
    "backwards": (lambda x: x[::-1, ::-2], 1),
    "strided": (lambda x: x[1::2, 2::3, 1::4], 1),
    "zero border": (lambda x: _padded(x, "constant"), 5),
    "edge": (lambda x: _padded(x, "edge"), 9),
    "reflect": (lambda x: _padded(x, "reflect"), 9),
    "wrap": (lambda x: _padded(x, "wrap"), 9),
    "channels padded": (lambda x: np.pad(x, ((0, 0), (0, 0), (5, 7)), constant_values=-1), 3),
    "zeros between": (_stuffed, 3),
    "constants": (_constants, 11),
    "depth to space, columns first": (lambda x: x.reshape(6, 8, 2, 2, 3).transpose(0, 2, 1, 3, 4).reshape(12, 16, 3), 1),
    "depth to space, depth first": (lambda x: x.reshape(6, 8, 3, 2, 2).transpose(0, 3, 1, 4, 2).reshape(12, 16, 3), 1),
    "space to depth": (lambda x: x.reshape(3, 2, 4, 2, 12).transpose(0, 2, 1, 3, 4).reshape(3, 4, 48), 1),
    "channel shuffle": (lambda x: x.reshape(6, 8, 3, 4).transpose(0, 1, 3, 2).reshape(6, 8, 12), 1),
    "channels first, flat": (lambda x: x.transpose(2, 0, 1).reshape(1, 1, -1), 1),
    "rows and columns exchanged": (lambda x: x.transpose(1, 0, 2), 1),
    "channels outermost": (lambda x: x.transpose(2, 1, 0), 1),
    "another width": (lambda x: x.reshape(8, 6, 12), 5),
    "other channels": (lambda x: x[:, :, [3, 3, 0, 11, 7, 8, 9, 1, 1, 1, 2]], 5),
    "repeated as tiles": (lambda x: np.tile(x, (2, 3, 2)), 1),
    "one byte of many": (lambda x: np.tile(x[3, 4, 5], (3, 4, 9)), 1),
    "any order": (lambda x: np.random.default_rng(2).permutation(x.reshape(-1)[:48]).reshape(2, 6, 4), 24),
}
MORE_INPUTS: dict[str, tuple[list[Position], int, int]] = {
    "below each other": ([(6, 8, 12), (2, 8, 12), (1, 8, 12)], 0, 3),
    "side by side": ([(6, 8, 12), (6, 3, 12)], 1, 2),
    "the only byte": ([(1, 1, 1)] * 5, 2, 5),
    "channels behind each other": ([(6, 8, 12), (6, 8, 5)], 2, 2),
}


def _made(moves: list[Move], shapes: list[Position], shape: Position) -> Wanted:
    """What `moves` write, in the terms of an index; nothing they touch lies outside the tensors."""
    result = np.full(int(np.prod(shape)), -(10**6))
    starts = np.cumsum([0, *(int(np.prod(s)) for s in shapes)])
    for move in moves:
        source = (1, 1, 1) if move.operand is None else shapes[move.operand]
        for extent, tensor in ((source_extent(move), source), (target_extent(move), shape)):
            if move.operand is None and tensor is source:
                continue
            assert all(0 <= low < high <= size for (low, high), size in zip(extent, tensor, strict=True)), move
        read, written = move_positions(move, source, shape)
        result[written] = fill_code(move.value) if move.operand is None else read + starts[move.operand]
    return result.reshape(shape)


def _case(name: str) -> tuple[Wanted, list[Position], int]:
    if name in ONE_INPUT:
        change, count = ONE_INPUT[name]
        return change(_image(*SHAPE)), [SHAPE], count
    shapes, axis, count = MORE_INPUTS[name]
    starts = np.cumsum([0, *(int(np.prod(s)) for s in shapes)])
    parts = [_image(*shape, start=int(start)) for shape, start in zip(shapes, starts, strict=False)]
    return np.concatenate(parts, axis), shapes, count


@pytest.mark.parametrize("name", [*ONE_INPUT, *MORE_INPUTS])
def test_moves_make_what_is_wanted(name: str) -> None:
    wanted, shapes, count = _case(name)
    moves = find_moves(wanted.astype(np.int32), shapes, ZERO)
    expected = np.where(wanted == -1, fill_code(ZERO), wanted)
    np.testing.assert_array_equal(_made(moves, shapes, wanted.shape), expected)
    assert len(moves) == count
    rng = np.random.default_rng(1)
    for axis, size in enumerate(wanted.shape):
        cuts = sorted({0, size, *rng.integers(0, size + 1, 3).tolist()})
        spans = list(pairwise(cuts))
        parts = [[part for move in moves for part in clipped(move, axis, *span)] for span in spans]
        for (low, high), inside in zip(spans, parts, strict=True):
            extents = [target_extent(move)[axis] for move in inside]
            assert all(low <= first and last <= high for first, last in extents)
        np.testing.assert_array_equal(_made([move for part in parts for move in part], shapes, wanted.shape), expected)


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ([4], 1),
        ([0, 5], 1),
        ([0, 5, 6, 7], 2),
        ([0, 0, 1, 1, 2, 2], 1),
        ([0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7], 3),
        ([3, 2, 1, 0, 1, 2], 2),
    ],
)
def test_progressions(values: list[int], count: int) -> None:
    found = progressions(np.arange(len(values)), np.array(values))
    points: list[tuple[int, int]] = []
    for row in found:
        place, value = np.array([row.place]), np.array([row.value])
        for step in row.steps:
            place = np.add.outer(np.arange(step.count) * step.place, place).reshape(-1)
            value = np.add.outer(np.arange(step.count) * step.value, value).reshape(-1)
        points += zip(place.tolist(), value.tolist(), strict=True)
    assert sorted(points) == list(enumerate(values))
    assert len(found) == count


def test_disorder_is_refused() -> None:
    wanted = np.random.default_rng(3).permutation(3 * MAX_MOVES).reshape(1, 1, -1).astype(np.int32)
    with pytest.raises(TooManyMoves):
        find_moves(wanted, [(1, 1, wanted.size)], 0)


def _tensor(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, (shape[0], shape[1], shape[2]), np.float32(0.05), ZERO)


def _table(x: Tensor, name: str, rng: np.random.Generator) -> Lookup:
    return Lookup(name, (name,), [x], _tensor(name, x.shape), rng.integers(-128, 128, 256).astype(np.int8))


def _graph(inputs: list[Tensor], layers: list[Layer], outputs: list[Tensor]) -> Graph:
    def spec(t: Tensor) -> IoSpec:
        return IoSpec(t.name, t.shape, "int8", t.shape, (0, 1, 2), t.shape, float(t.scale), t.zero_point)

    ports = [[spec(tensor) for tensor in tensors] for tensors in (inputs, outputs)]
    names = [tensor.name for tensor in outputs]
    return Graph("test", inputs, outputs, layers, input_specs=ports[0], output_specs=ports[1], results=names)


def _run(graph: Graph, config: AcceleratorConfig, seed: int) -> int:
    """Compile, prove, compare with the reference; the number of VECTOR instructions."""
    rng = np.random.default_rng(seed)
    images = {t.name: rng.integers(-128, 128, t.shape).astype(np.int8) for t in graph.inputs}
    program = schedule(graph, config)
    check_program(program)
    truth, found = run_graph(graph, images), FunctionalModel(config, garbage=6).run_codes(program, images)
    assert found
    for name, codes in found.items():
        np.testing.assert_array_equal(codes, truth[name], err_msg=name)
    return sum(i.opcode == Opcode.VECTOR for i in program.instructions)


CONFIGS = {
    "4x4": PRESETS["4x4"],
    "8x16": PRESETS["8x16"],
    "small": PRESETS["4x4"].replace(activation_bytes=2048, accumulator_depth=64),
}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("resident", [False, True], ids=["dram", "resident"])
@pytest.mark.parametrize("name", [*ONE_INPUT, *MORE_INPUTS])
def test_programs(name: str, resident: bool, config: str) -> None:
    """From DRAM to DRAM, and between two tables: the tensors then stay in activation memory, where it holds them."""
    wanted, shapes, _ = _case(name)
    rng = np.random.default_rng(4)
    inputs = [_tensor(f"x{number}", shape) for number, shape in enumerate(shapes)]
    layers: list[Layer] = [_table(x, f"t{x.name}", rng) for x in inputs] if resident else []
    sources = [layer.output for layer in layers] or inputs
    moved = rearrangement("move", ("move",), sources, _tensor("moved", wanted.shape), wanted.astype(np.int32))
    layers.append(moved)
    if resident:
        layers.append(_table(moved.output, "last", rng))
    _run(_graph(inputs, layers, [layers[-1].output]), CONFIGS[config], 5)


def test_moves_clamp_and_take_the_table() -> None:
    x = _tensor("x", SHAPE)
    wanted = _padded(_image(*SHAPE), "constant")
    layer = rearrangement("move", ("move",), [x], _tensor("y", wanted.shape), wanted.astype(np.int32))
    layer.low, layer.high, layer.table = -2, 60, np.random.default_rng(6).integers(-128, 128, 256).astype(np.int8)
    _run(_graph([x], [layer], [layer.output]), PRESETS["4x4"], 7)


def test_runs_that_follow_each_other_are_one() -> None:
    """Two instructions, not four: the two columns that a pixel becomes are contiguous on both sides."""
    wanted, shapes, _ = _case("depth to space, columns first")
    x = _tensor("x", shapes[0])
    layer = rearrangement("move", ("move",), [x], _tensor("y", wanted.shape), wanted.astype(np.int32))
    assert _run(_graph([x], [layer], [layer.output]), PRESETS["8x8"], 8) == 2


def test_into_a_padded_place_and_out_of_it() -> None:
    """Rows of tensors that convolutions read with padding do not follow each other without gaps."""
    x = _tensor("x", SHAPE)
    rng = np.random.default_rng(9)
    wanted, _, _ = _case("depth to space, depth first")
    moved = rearrangement("move", ("move",), [x], _tensor("moved", wanted.shape), wanted.astype(np.int32))
    weight = rng.integers(-128, 128, (5, 3, 3, 3)).astype(np.int8)
    conv = Conv("conv", ("conv",), [moved.output], _tensor("c", (12, 16, 5)), weight=weight, pads=(1, 1, 1, 1))
    conv.bias, conv.multiplier = np.zeros(5, np.int32), np.full(5, 0.002, np.float32)
    flat = _image(12, 16, 3).transpose(2, 0, 1).reshape(1, 1, -1)
    out = rearrangement("out", ("out",), [moved.output], _tensor("out", flat.shape), flat.astype(np.int32))
    _run(_graph([x], [moved, conv, out], [conv.output, out.output]), PRESETS["4x4"], 10)


@pytest.mark.parametrize("shape", [(1, 74, 39), (2, 30, 90), (1, 1, 1200), (40, 3, 50)])
def test_large_tensors_are_cut(shape: tuple[int, int, int]) -> None:
    config = PRESETS["4x4"].replace(activation_bytes=2048)
    x = _tensor("x", shape)
    for number, wanted in enumerate(
        (_image(*shape).repeat(2, 0).repeat(3, 1), _image(*shape)[::-1, ::-1], _image(*shape).transpose(2, 0, 1))
    ):
        y = _tensor(f"y{number}", wanted.shape)
        layer = rearrangement("move", ("move",), [x], y, wanted.astype(np.int32))
        _run(_graph([x], [layer, copy_of("copy", ("copy",), y, _tensor("z", y.shape))], [y]), config, number)
