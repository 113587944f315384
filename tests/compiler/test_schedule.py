"""Whole layer graphs to programs: sound, equal to the reference on the functional model, and refused with the reason if too large."""

import numpy as np
import numpy.typing as npt
import pytest

from talos.compiler.graph.evaluate import run_graph
from talos.compiler.graph.ir import Binary, Conv, Graph, Layer, Lookup, Pool, Tensor, View
from talos.compiler.graph.rearrange import rearrangement
from talos.compiler.scheduling.schedule import schedule
from talos.config import PRESETS, AcceleratorConfig
from talos.errors import TalosError
from talos.io import IoSpec
from talos.isa import Opcode
from talos.model.checker import check_program
from talos.model.functional import FunctionalModel
from talos.program import SCRATCH, Program
from tests.rtl_random.cases import KINDS, CaseId, make_case
from tests.rtl_random.configs import random_config

CONFIG = PRESETS["4x4"]
SEED = 20


def _tensor(name: str, *shape: int) -> Tensor:
    return Tensor(name, (shape[0], shape[1], shape[2]), np.float32(0.05), -3)


def _conv(x: Tensor, outputs: int, kernel: int = 1, pads: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Conv:
    rng = np.random.default_rng(outputs)
    height, width, channels = x.shape
    y = _tensor(f"{x.name}c", height + pads[0] + pads[2] - kernel + 1, width + pads[1] + pads[3] - kernel + 1, outputs)
    return Conv(
        f"conv_{y.name}",
        (f"conv_{y.name}",),
        [x],
        y,
        weight=rng.integers(-128, 128, (outputs, kernel, kernel, channels)).astype(np.int8),
        bias=rng.integers(-1000, 1000, outputs).astype(np.int32),
        multiplier=np.full(outputs, 0.002, np.float32),
        pads=pads,
    )


def _graph(inputs: list[Tensor], layers: list[Layer], outputs: list[Tensor]) -> Graph:
    def spec(t: Tensor) -> IoSpec:
        return IoSpec(t.name, t.shape, "int8", t.shape, (0, 1, 2), t.shape, float(t.scale), t.zero_point)

    ports = [[spec(tensor) for tensor in tensors] for tensors in (inputs, outputs)]
    names = [tensor.name for tensor in outputs]
    return Graph("test", inputs, outputs, layers, input_specs=ports[0], output_specs=ports[1], results=names)


def _check(graph: Graph, config: AcceleratorConfig, images: dict[str, npt.NDArray[np.int8]] | None = None) -> Program:
    """Compile, prove, and compare with the reference; memories hold random bytes before."""
    rng = np.random.default_rng(5)
    images = images or {t.name: rng.integers(-128, 128, t.shape).astype(np.int8) for t in graph.inputs}
    program = schedule(graph, config)
    check_program(program)
    truth, found = run_graph(graph, images), FunctionalModel(config, garbage=6).run_codes(program, images)
    assert found
    for name, codes in found.items():
        np.testing.assert_array_equal(codes, truth[name], err_msg=f"{graph.name}: {name}")
    return program


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("index", range(9))
def test_random_graphs(index: int, kind: str) -> None:
    config = random_config(SEED, index)
    for number in range(6):
        case = make_case(CaseId(SEED, index, kind, number), config)
        _check(case.graph, config, case.inputs)


def test_a_chain_stays_on_chip() -> None:
    x = _tensor("x", 8, 8, 4)
    layers: list[Layer] = [_conv(x, 8, 3, (1, 1, 1, 1))]
    layers.append(_conv(layers[0].output, 8, 3, (1, 1, 1, 1)))
    layers.append(Lookup("lookup", ("lookup",), [layers[1].output], _tensor("y", 8, 8, 8), np.arange(-128, 128).astype(np.int8)))
    program = _check(_graph([x], layers, [layers[2].output]), CONFIG)
    assert program.region_bytes[SCRATCH] == 0
    stores = [layer for layer, i in zip(program.layer_of, program.instructions, strict=True) if i.opcode == Opcode.STORE]
    assert set(stores) == {2}
    assert [layer.name for layer in program.layers] == [layer.name for layer in layers]
    assert len(program.layer_of) == program.instruction_count


def test_what_does_not_fit_goes_through_dram() -> None:
    config = CONFIG.replace(activation_bytes=2048)
    x = _tensor("x", 16, 16, 8)
    first = _conv(x, 8, 3, (1, 1, 1, 1))
    second = _conv(first.output, 8, 3, (1, 1, 1, 1))
    program = _check(_graph([x], [first, second], [second.output]), config)
    assert program.region_bytes[SCRATCH] >= first.output.size


def test_a_tensor_with_two_readers_and_an_output_between() -> None:
    x = _tensor("x", 6, 6, 5)
    first = _conv(x, 7)
    second = _conv(first.output, 7)
    total = Binary("add", ("add",), [first.output, second.output], _tensor("sum", 6, 6, 7))
    _check(_graph([x], [first, second, total], [first.output, total.output]), CONFIG)


def test_flattening_costs_nothing() -> None:
    x = _tensor("x", 5, 5, 3)
    pool = Pool("pool", ("pool",), [x], _tensor("p", 2, 2, 3), kernel=(2, 2), strides=(2, 2))
    pool.output.scale, pool.output.zero_point = x.scale, x.zero_point
    flat = View("flatten", ("flatten",), [pool.output], _tensor("flat", 1, 1, 12))
    last = _conv(flat.output, 10)
    program = _check(_graph([x], [pool, flat, last], [last.output]), CONFIG)
    assert [layer.name for layer in program.layers] == ["pool", last.name]


def test_tiles_that_lie_in_the_padding_alone() -> None:
    """Windows without a byte of the image: their tile is filled, nothing is loaded."""
    x = _tensor("x", 2, 2, 8)
    layer = _conv(x, 8, 3, (9, 9, 9, 9))
    _check(_graph([x], [layer], [layer.output]), CONFIG.replace(activation_bytes=1024))


@pytest.mark.parametrize("shape", [(2, 900, 3), (1, 1, 4500), (1, 2000, 1), (3, 7, 600)])
def test_wide_rows_of_the_vector_unit_are_cut(shape: tuple[int, int, int]) -> None:
    """Rows that do not fit activation memory, pixels that do not, and more columns or blocks than an instruction counts."""
    config = CONFIG.replace(activation_bytes=2048)
    a, b = _tensor("a", *shape), _tensor("b", *shape)
    total = Binary("add", ("add",), [a, b], _tensor("sum", *shape))
    _check(_graph([a, b], [total], [total.output]), config)


@pytest.mark.parametrize("kind", ["max", "average"])
def test_wide_rows_of_pooling_are_cut(kind: str) -> None:
    config = CONFIG.replace(activation_bytes=2048)
    x, y = _tensor("x", 5, 30, 20), _tensor("y", 3, 15, 20)
    pool = Pool("pool", ("pool",), [x], y, kind, (3, 3), (2, 2), (1, 1, 1, 0))
    _check(_graph([x], [pool], [y]), config)


@pytest.mark.parametrize(("shape", "factors"), [((1, 74, 39), (1, 1)), ((2, 30, 90), (2, 3)), ((2, 1, 1200), (1, 2))])
def test_wide_rows_of_copies_are_cut(shape: tuple[int, int, int], factors: tuple[int, int]) -> None:
    config = CONFIG.replace(activation_bytes=2048)
    x, y = _tensor("x", *shape), _tensor("y", shape[0] * factors[0], shape[1] * factors[1], shape[2])
    wanted = np.arange(x.size, dtype=np.int32).reshape(shape).repeat(factors[0], 0).repeat(factors[1], 1)
    layer = rearrangement("copy", ("copy",), [x], y, wanted)
    _check(_graph([x], [layer], [y]), config)


def test_too_large_is_refused_by_name() -> None:
    x = _tensor("x", 9, 9, 64)
    layer = _conv(x, 4, 9)
    with pytest.raises(TalosError, match=rf"layer '{layer.name}' \(conv, output 1×1×4\) does not fit activation_bytes=2048"):
        schedule(_graph([x], [layer], [layer.output]), CONFIG.replace(activation_bytes=2048))


@pytest.mark.parametrize("option", ["residual", "lookup", "pool"])
def test_a_missing_option_is_refused_by_name(option: str) -> None:
    x = _tensor("x", 4, 4, 4)
    y = _tensor("y", 4, 4, 4)
    layers: dict[str, Layer] = {
        "residual": Binary("it", ("it",), [x, x], y),
        "lookup": Lookup("it", ("it",), [x], y),
        "pool": Pool("it", ("it",), [x], y, kernel=(3, 3), pads=(1, 1, 1, 1)),
    }
    graph = _graph([x], [layers[option]], [y])
    with pytest.raises(TalosError, match=rf"layer 'it' .* needs the option {option}, .*; set {option}=true"):
        schedule(graph, CONFIG.replace(**{option: False, "multiply": False}))
    bare = CONFIG.replace(**{other: other == option for other in layers}, multiply=False)
    _check(graph, bare)


def test_the_same_graph_gives_the_same_program() -> None:
    config = random_config(SEED, 0)
    case = CaseId(SEED, 0, "graph", 1)
    first, second = (schedule(make_case(case, config).graph, config) for _ in range(2))
    assert first.constants == second.constants
    assert first.layer_of == second.layer_of
