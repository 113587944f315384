"""Add, Sub and Mul: equal to onnxruntime for all pairs of codes, and compiled with broadcast and constant operands."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from talos.compiler.frontend import FrontendResult, build_graph
from talos.compiler.graph.evaluate import run_graph
from talos.compiler.graph.ir import Binary, Conv, Graph, Lookup
from talos.compiler.graph.pair_parameters import pair_parameters
from talos.compiler.scheduling.schedule import schedule
from talos.config import PRESETS, AcceleratorConfig
from talos.errors import TalosError
from talos.model.checker import check_program
from talos.model.functional import FunctionalModel
from talos.program import CONSTANTS
from tests.compiler.qdq_models import QdqModel, compare

CONFIG = PRESETS["4x4"]
A, B, C = 0.052371, 0.031771, 0.071931  # scales without common steps: in float32, sums of round ones tie
OPS = ["Add", "Mul", "Sub"]
IMAGE = (1, 5, 6, 7)


def _zero(code: int, dtype: str) -> int:
    return code + 128 * (dtype == "uint8")


def _operands(model: QdqModel, a: Sequence[int], b: Sequence[int], dtypes: tuple[str, str] = ("int8", "int8")) -> tuple[str, str]:
    return (
        model.qdq(model.input("a", a), A, _zero(3, dtypes[0]), dtypes[0]),
        model.qdq(model.input("b", b), B, _zero(-20, dtypes[1]), dtypes[1]),
    )


def _finish(model: QdqModel, value: str, dtype: str = "int8", scale: float = C) -> None:
    model.output(model.qdq(value, scale, _zero(5, dtype), dtype))


def _codes(model: QdqModel, shape: Sequence[int], dtype: str = "int8") -> str:
    """A constant of random codes, dequantized with one scale."""
    codes = model.random.integers(0, 256, shape).astype(np.uint8).view(dtype)
    return model.dequantize(model.constant(codes), B, _zero(20, dtype), dtype)


def _compiled(graph: Graph, config: AcceleratorConfig = CONFIG) -> None:
    """Compile, prove, and compare the functional model with the layer graph on random codes; memories hold garbage before."""
    rng = np.random.default_rng(5)
    images = {
        spec.name: rng.integers(-128, 128, tensor.shape).astype(np.int8)
        for tensor, spec in zip(graph.inputs, graph.input_specs, strict=True)
    }
    program = schedule(graph, config)
    check_program(program)
    found = FunctionalModel(config, garbage=6).run_codes(program, images)
    truth = run_graph(graph, images)
    for tensor, spec in zip(graph.outputs, graph.output_specs, strict=True):
        np.testing.assert_array_equal(found[spec.name], truth[tensor.name])


def _all_pairs() -> dict[str, npt.NDArray[np.float32]]:
    """Every pair of codes, as floats: b's along the channels, a's along the pixels."""
    codes = np.arange(-128, 128)
    a = np.broadcast_to(codes.reshape(1, 1, 16, 16), (1, 256, 16, 16)) - 3
    b = np.broadcast_to(codes.reshape(1, 256, 1, 1), (1, 256, 16, 16)) + 20
    return {"a": (a * np.float32(A)).astype(np.float32), "b": (b * np.float32(B)).astype(np.float32)}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtypes", ["int8 int8 int8", "uint8 uint8 uint8", "int8 uint8 int8", "int8 int8 uint8"])
@pytest.mark.parametrize("broadcast", ["", "a", "b"])
def test_all_pairs_of_codes(tmp_path: Path, op: str, dtypes: str, broadcast: str) -> None:
    left, right, result = dtypes.split()
    model, samples = QdqModel(1), _all_pairs()
    if broadcast == "a":  # its codes along the channels instead
        samples["a"], samples["b"] = (
            (samples["b"][:, :, :1, :1] / np.float32(B) - 23) * np.float32(A),
            samples["b"][:, ::-1].copy(),
        )
    elif broadcast == "b":
        samples["b"] = samples["b"][:, :, :1, :1]
    a, b = _operands(model, samples["a"].shape, samples["b"].shape, (left, right))
    _finish(model, model.node(op, [a, b]), result, C if op != "Mul" else 0.021931)
    (layer,) = compare(model.save(tmp_path), samples).graph.layers
    assert isinstance(layer, Binary)
    assert layer.kernel == (op != "Sub" and left == right == result)
    assert pair_parameters(layer).mismatches == 0


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(
    ("a", "b"),
    [
        (IMAGE, IMAGE),
        (IMAGE, (1, 5, 1, 1)),
        ((1, 5, 1, 1), IMAGE),
        ((1, 12), (1, 12)),
        ((1, 5, 1, 1), (1, 5, 1, 1)),
        (IMAGE, (1, 1, 6, 7)),
        ((1, 5, 6, 1), IMAGE),
        (IMAGE, (1, 5, 1, 7)),
        ((1, 1, 1, 1), IMAGE),
        ((1, 5, 1, 1), (1, 1, 6, 7)),
        ((1, 12), (1, 1)),
    ],
)
def test_two_activations_broadcast(tmp_path: Path, op: str, a: tuple[int, ...], b: tuple[int, ...]) -> None:
    model = QdqModel(2)
    _finish(model, model.node(op, _operands(model, a, b)))
    _compiled(compare(model.save(tmp_path)).graph)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("constant_first", [True, False])
@pytest.mark.parametrize(
    ("shape", "constant", "stored"),
    [
        (IMAGE, (5, 1, 1), (1, 1, 5)),
        (IMAGE, (1, 5, 1, 1), (1, 1, 5)),
        (IMAGE, (5, 6, 7), (6, 7, 5)),
        (IMAGE, (7,), (6, 7, 5)),
        (IMAGE, (6, 1), (6, 7, 5)),
        ((1, 5, 1, 1), IMAGE, (6, 7, 5)),
        ((1, 12), (12,), (1, 1, 12)),
    ],
)
def test_constant_operand(
    tmp_path: Path,
    op: str,
    dtype: str,
    constant_first: bool,
    shape: tuple[int, ...],
    constant: tuple[int, ...],
    stored: tuple[int, int, int],
) -> None:
    model = QdqModel(3)
    x = model.qdq(model.input("x", shape), A, _zero(3, dtype), dtype)
    c = _codes(model, constant, dtype)
    _finish(model, model.node(op, [c, x] if constant_first else [x, c]), dtype)
    graph = compare(model.save(tmp_path)).graph
    layer = graph.layers[-1]
    assert isinstance(layer, Binary)
    assert layer.kernel == (op != "Sub")
    (tensor,) = (tensor for tensor in layer.inputs if tensor.data is not None)
    assert tensor.shape == stored
    _compiled(graph)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("kind", ["quantized", "float"])
@pytest.mark.parametrize("constant_first", [True, False])
def test_scalar_constant_is_a_table(tmp_path: Path, op: str, kind: str, constant_first: bool) -> None:
    model = QdqModel(4)
    x = model.qdq(model.input("x", IMAGE), A, 3)
    c = _codes(model, (1, 1, 1, 1)) if kind == "quantized" else model.constant(np.float32(1.3))
    _finish(model, model.node(op, [c, x] if constant_first else [x, c]))
    (layer,) = compare(model.save(tmp_path), count=20).graph.layers
    assert isinstance(layer, Lookup)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("step", [1.0, 0.25, 0.1])
def test_float_constant_of_few_steps(tmp_path: Path, op: str, step: float) -> None:
    model = QdqModel(5)
    x = model.qdq(model.input("x", IMAGE), A, 3)
    values = model.random.integers(-60, 60, (5, 1, 1)).astype(np.float32) * np.float32(step)
    _finish(model, model.node(op, [x, model.constant(values)]), scale=C if op != "Mul" else 0.9731)
    (layer,) = compare(model.save(tmp_path), count=10).graph.layers
    assert isinstance(layer, Binary)
    assert not layer.kernel
    constant = layer.inputs[1]
    assert constant.data is not None
    stored = (constant.data.astype(np.float32) - constant.zero_point) * constant.scale
    np.testing.assert_array_equal(stored.reshape(-1), values.reshape(-1))


@pytest.mark.parametrize("op", OPS)
def test_other_float_constants_are_refused(tmp_path: Path, op: str) -> None:
    model = QdqModel(6)
    x = model.qdq(model.input("x", IMAGE), A, 3)
    values = model.random.normal(size=(5, 1, 1)).astype(np.float32)
    _finish(model, model.node(op, [x, model.constant(values)]))
    with pytest.raises(TalosError, match=rf"\({op}\).*not quantized with one scale.*quantize the constant"):
        build_graph(model.save(tmp_path))


@pytest.mark.parametrize("op", ["Add", "Mul"])
@pytest.mark.parametrize(
    ("clamp", "zero", "kernel"),
    [
        (None, 5, True),
        ("Relu", -128, True),  # onnxruntime removes it
        ("Relu", -100, False),
        ((0.0, 6.0), -128, False),
        ((0.0, 60.0), -128, True),
        ((-60.0, 60.0), -100, True),
    ],
)
def test_a_clamp_keeps_the_operation_in_float(
    tmp_path: Path, op: str, clamp: str | tuple[float, float] | None, zero: int, kernel: bool
) -> None:
    model = QdqModel(7)
    value = model.node(op, _operands(model, IMAGE, (1, 5, 1, 1)))
    if clamp == "Relu":
        value = model.node("Relu", [value])
    elif clamp is not None:
        value = model.node("Clip", [value, *(model.constant(np.float32(bound)) for bound in clamp)])
    model.output(model.qdq(value, C, zero))
    (layer,) = compare(model.save(tmp_path), count=20).graph.layers
    assert isinstance(layer, Binary)
    assert layer.kernel == kernel


@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_a_second_reader_keeps_the_operation_in_float(tmp_path: Path, op: str) -> None:
    model = QdqModel(8)
    value = model.node(op, _operands(model, IMAGE, IMAGE))
    _finish(model, value)
    _finish(model, model.node("Relu", [value]))
    layers = compare(model.save(tmp_path), count=20).graph.layers
    assert [isinstance(layer, Binary) and layer.kernel for layer in layers] == [False, False]


@pytest.mark.parametrize("op", ["Add", "Mul"])
@pytest.mark.parametrize(
    ("movement", "kernel"),
    [("Transpose", True), ("Reshape", True), ("MaxPool", True), ("DepthToSpace", False), ("Concat", False)],
)
def test_data_movement_in_front(tmp_path: Path, op: str, movement: str, kernel: bool) -> None:
    """onnxruntime moves DequantizeLinear past some operators and fuses behind them, and computes in float behind others."""
    model = QdqModel(18)
    x = model.qdq(model.input("x", (1, 4, 6, 6)), A, 3)
    moved = {
        "Transpose": lambda: model.node("Transpose", [x], perm=[0, 1, 3, 2]),
        "Reshape": lambda: model.node("Reshape", [x, model.constant(np.array([1, 4, 4, 9]))]),
        "MaxPool": lambda: model.node("MaxPool", [x], kernel_shape=[2, 2]),
        "DepthToSpace": lambda: model.node("DepthToSpace", [x], blocksize=2),
        "Concat": lambda: model.node("Concat", [x, x], axis=1),
    }[movement]()
    shape = {"Reshape": (4, 9), "MaxPool": (5, 5), "DepthToSpace": (1, 12, 12), "Concat": (8, 6, 6)}.get(movement, (6, 6))
    _finish(model, model.node(op, [moved, _codes(model, shape)]))
    layer = compare(model.save(tmp_path), count=20).graph.layers[-1]
    assert isinstance(layer, Binary)
    assert layer.kernel == kernel


def test_the_kernels_take_a_broadcast_first_operand_second(tmp_path: Path) -> None:
    model = QdqModel(9)
    a, b = _operands(model, (1, 5, 1, 1), IMAGE)
    _finish(model, model.node("Add", [a, b]))
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert [tensor.shape for tensor in layer.inputs] == [(6, 7, 5), (1, 1, 5)]


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("own_first", [True, False])
@pytest.mark.parametrize("other", ["image", "gate", "constant", "image constant"])
def test_the_convolution_takes_the_operation(tmp_path: Path, op: str, own_first: bool, other: str) -> None:
    model = QdqModel(10)
    x = model.qdq(model.input("x", IMAGE), A, 3)
    conv = model.qdq(model.conv(x, (9, 5, 3, 3), A, pads=[1, 1, 1, 1]), 0.3, -9)
    value = {
        "image": lambda: model.qdq(model.input("y", (1, 9, 6, 7)), B, 7),
        "gate": lambda: model.qdq(model.input("y", (1, 9, 1, 1)), B, 7),
        "constant": lambda: _codes(model, (9, 1, 1)),
        "image constant": lambda: _codes(model, (9, 6, 7)),
    }[other]()
    _finish(model, model.node(op, [conv, value] if own_first else [value, conv]), scale=0.31)
    graph = compare(model.save(tmp_path), count=10).graph
    (layer,) = graph.layers
    assert isinstance(layer, Conv)
    assert layer.residual is not None
    assert layer.residual.function == {"Add": "add", "Mul": "multiply", "Sub": "subtract"}[op]
    _compiled(graph)
    _compiled(graph, CONFIG.replace(activation_bytes=1024))


def _squeeze_and_excite(model: QdqModel, size: int) -> None:
    x = model.qdq(model.input("x", (1, 3, size, size)), A, 3)
    image = model.qdq(model.conv(x, (12, 3, 3, 3), A, pads=[1, 1, 1, 1]), 0.3, -9)
    gate = model.qdq(model.node("GlobalAveragePool", [image]), 0.1, -9)
    gate = model.qdq(model.node("Relu", [model.conv(gate, (4, 12, 1, 1), 0.1)]), 0.2, -128)
    gate = model.qdq(model.conv(gate, (12, 4, 1, 1), 0.2), 0.05, 3)
    gate = model.qdq(model.node("Sigmoid", [gate]), 1 / 256, -128)
    scaled = model.qdq(model.node("Mul", [image, gate]), 0.2, -20)
    _finish(model, model.conv(scaled, (5, 12, 1, 1), 0.2))


@pytest.mark.parametrize("activation_bytes", [65536, 4096, 2048])
def test_squeeze_and_excite(tmp_path: Path, activation_bytes: int) -> None:
    model = QdqModel(11)
    _squeeze_and_excite(model, 16)
    graph = compare(model.save(tmp_path)).graph
    assert [layer.op for layer in graph.layers] == ["conv", "pool", "conv", "conv", "multiply", "conv"]
    _compiled(graph, CONFIG.replace(activation_bytes=activation_bytes))


@pytest.mark.parametrize("activation_bytes", [4096, 1024])
@pytest.mark.parametrize("b", [(1, 700, 1, 1), (1, 700, 5, 7)])
def test_operands_in_dram_come_band_by_band(tmp_path: Path, activation_bytes: int, b: tuple[int, ...]) -> None:
    model = QdqModel(12)
    _finish(model, model.node("Mul", _operands(model, (1, 700, 5, 7), b)))
    _compiled(build_graph(model.save(tmp_path)).graph, CONFIG.replace(activation_bytes=activation_bytes))


def test_constants_lie_in_the_constants_region(tmp_path: Path) -> None:
    model = QdqModel(13)
    x = model.qdq(model.input("x", IMAGE), A, 3)
    _finish(model, model.node("Mul", [x, _codes(model, (5, 6, 7))]))
    graph = build_graph(model.save(tmp_path)).graph
    (layer,) = graph.layers
    program = schedule(graph, CONFIG)
    constant = layer.inputs[1].data
    assert constant is not None
    assert constant.tobytes() in program.constants[: program.program_offset]
    assert program.region_bytes[CONSTANTS] == len(program.constants)


def _silu(model: QdqModel, x: str) -> str:
    return model.node("Mul", [x, model.qdq(model.node("Sigmoid", [x]), 1 / 256, -128)])


def _hard_swish(model: QdqModel, x: str) -> str:
    shifted = model.qdq(model.node("Add", [x, model.dequantize(model.constant(np.int8(127)), 3 / 127, 0)]), 0.06, -10)
    bounds = [model.constant(np.float32(bound)) for bound in (0, 6)]
    clipped = model.qdq(model.node("Clip", [shifted, *bounds]), 6 / 255, -128)
    product = model.qdq(model.node("Mul", [x, clipped]), 0.1, -100)
    return model.node("Mul", [product, model.dequantize(model.constant(np.int8(127)), 1 / 6 / 127, 0)])


def _double(model: QdqModel, x: str) -> str:
    return model.node("Add", [x, x])


def _square_and_more(model: QdqModel, x: str) -> str:
    square = model.qdq(model.node("Mul", [x, x]), 0.2, -128)
    return model.node("Sub", [square, x])


@pytest.mark.parametrize("make", [_silu, _hard_swish, _double, _square_and_more])
def test_functions_of_one_tensor_are_one_table(tmp_path: Path, make: Callable[[QdqModel, str], str]) -> None:
    model = QdqModel(14)
    x = model.qdq(model.input("x", IMAGE), A, 3)
    _finish(model, make(model, x))
    result = compare(model.save(tmp_path), count=20)
    (layer,) = result.graph.layers
    assert isinstance(layer, Lookup)
    tables = {place.node for place in result.node_placement if place.layer == layer.name}
    assert {node.name for node in result.quantized_model.graph.node if node.op_type in ("Add", "Mul", "Sub", "Sigmoid")} <= tables


def test_a_function_with_another_reader_stays(tmp_path: Path) -> None:
    model = QdqModel(15)
    x = model.qdq(model.input("x", IMAGE), A, 3)
    sigmoid = model.qdq(model.node("Sigmoid", [x]), 1 / 256, -128)
    model.output(sigmoid)
    _finish(model, model.node("Mul", [x, sigmoid]))
    layers = compare(model.save(tmp_path), count=5).graph.layers
    assert [type(layer) for layer in layers] == [Lookup, Lookup]


def test_a_table_behind_a_convolution(tmp_path: Path) -> None:
    model = QdqModel(16)
    x = model.qdq(model.input("x", IMAGE), A, 3)
    conv = model.qdq(model.conv(x, (9, 5, 3, 3), A), 0.05, -9)
    _finish(model, _silu(model, conv))
    (layer,) = compare(model.save(tmp_path), count=5).graph.layers
    assert isinstance(layer, Conv)
    assert layer.table is not None


def _result(tmp_path: Path, op: str) -> FrontendResult:
    model = QdqModel(17)
    _finish(model, model.node(op, _operands(model, IMAGE, IMAGE)))
    return build_graph(model.save(tmp_path))


def test_a_configuration_without_multiplication_is_refused(tmp_path: Path) -> None:
    bare = CONFIG.replace(multiply=False)
    with pytest.raises(TalosError, match=r"layer 'mul_.*' \(multiply\) needs the option multiply, .*; set multiply=true"):
        schedule(_result(tmp_path, "Mul").graph, bare)
    for op in ("Add", "Sub"):
        _compiled(_result(tmp_path, op).graph, bare)
    with pytest.raises(TalosError, match=r"layer 'sub_.*' \(subtract\) needs the option residual"):
        schedule(_result(tmp_path, "Sub").graph, bare.replace(residual=False))
