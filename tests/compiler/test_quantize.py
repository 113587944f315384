"""Quantization of float models: what onnxruntime makes of them, and how near to the float model it stays."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest

from talos.compiler.quantization.calibrate import calibration_arrays
from talos.compiler.quantization.quantize import QuantizationOptions, Quantized, quantize_float
from talos.errors import TalosError
from tests.compiler.float_models import Build, constants, float_model, samples, scalar
from tests.compiler.qdq_models import QdqModel, session
from tests.compiler.test_prepare_functions import conv, silu

IMAGE = (1, 4, 6, 5)


def _quantize(model: onnx.ModelProto, options: QuantizationOptions | None = None) -> Quantized:
    """The quantized model, after asserting that it is near the float one."""
    data = samples(model, 20)
    result = quantize_float(model, {"x": data}, "test", options)
    onnx.checker.check_model(result.model, full_check=True)
    exact = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    quantized = session(result.model)
    want, got = (np.concatenate([run.run(None, {"x": x[np.newaxis]})[0].ravel() for x in data]) for run in (exact, quantized))
    assert np.abs(got - want).mean() < 0.02 * np.abs(want).max()
    return result


def _counts(result: Quantized) -> Counter[str]:
    return Counter(node.op_type for node in result.model.graph.node)


def _scale(result: Quantized, value: str) -> tuple[float, int]:
    """Scale and zero point with which `value` is quantized."""
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in result.model.graph.initializer}
    (node,) = (node for node in result.model.graph.node if node.op_type == "QuantizeLinear" and node.input[0] == value)
    return float(arrays[node.input[1]]), int(arrays[node.input[2]])


FIRST: dict[str, tuple[tuple[int, ...], Build]] = {
    "Conv": (IMAGE, conv),
    "Relu": (IMAGE, lambda m, x: conv(m, m.node("Relu", [x]))),
    "Clip": (IMAGE, lambda m, x: conv(m, m.node("Clip", [x, scalar(m, -0.5), scalar(m, 0.5)]))),
    "Pad": (IMAGE, lambda m, x: conv(m, m.node("Pad", [x, m.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1]))]))),
    "Transpose": ((1, 6, 5, 4), lambda m, x: conv(m, m.node("Transpose", [x], perm=[0, 3, 1, 2]))),
    "MaxPool": (IMAGE, lambda m, x: conv(m, m.node("MaxPool", [x], kernel_shape=[2, 2]))),
    "AveragePool": (IMAGE, lambda m, x: conv(m, m.node("AveragePool", [x], kernel_shape=[2, 2]))),
    "SiLU": (IMAGE, lambda m, x: conv(m, silu(m, x))),
}


@pytest.mark.parametrize("name", FIRST)
def test_an_input_is_quantized_once_whatever_reads_it(name: str) -> None:
    result = _quantize(float_model(*FIRST[name]))
    readers = [node for node in result.model.graph.node if "x" in node.input]
    assert [node.op_type for node in readers] == ["QuantizeLinear"]
    assert "Identity" not in _counts(result) and not result.kept_float
    if name == "Relu":
        assert "Relu" not in _counts(result) and _scale(result, "x")[1] == -128


def test_a_function_stays_float_between_two_tensors() -> None:
    result = _quantize(float_model(IMAGE, lambda m, x: silu(m, conv(m, x))))
    makers = {name: node.op_type for node in result.model.graph.node for name in node.output}
    sigmoid, product = (next(node for node in result.model.graph.node if node.op_type == kind) for kind in ("Sigmoid", "Mul"))
    assert [makers[name] for name in (*sigmoid.input, *product.input)] == ["DequantizeLinear", "DequantizeLinear", "Sigmoid"]
    assert [node.op_type for node in result.model.graph.node if product.output[0] in node.input] == ["QuantizeLinear"]
    assert not result.model.functions and {entry.domain for entry in result.model.opset_import} <= {"", "ai.onnx"}


ARRAY: dict[str, Build] = {
    "Sub": lambda m, x: m.node("Sub", [conv(m, x), conv(m, x)]),
    "Mul": lambda m, x: m.node("Mul", [conv(m, x), m.node("GlobalAveragePool", [conv(m, x)])]),
    "Concat": lambda m, x: m.node("Concat", [conv(m, x), x], axis=1),
    "DepthToSpace": lambda m, x: m.node("DepthToSpace", [conv(m, x, 8)], blocksize=2),
    "SpaceToDepth": lambda m, x: m.node("SpaceToDepth", [m.node("Slice", [conv(m, x), *_even(m)])], blocksize=2),
    "Split": lambda m, x: m.node("Split", [conv(m, x)], outputs=2, axis=1, num_outputs=2),
    "Tile": lambda m, x: m.node("Tile", [conv(m, x), m.constant(np.array([1, 1, 2, 2]))]),
    "Expand": lambda m, x: m.node("Expand", [m.node("GlobalAveragePool", [conv(m, x)]), m.constant(np.array([1, 6, 6, 5]))]),
    "Gather": lambda m, x: m.node("Gather", [conv(m, x), m.constant(np.array([3, 1, 0, 2]))], axis=1),
    "Resize": lambda m, x: m.node("Resize", [conv(m, x), "", m.constant(np.array([1, 1, 2, 2], np.float32))], mode="nearest"),
    "Gelu": lambda m, x: m.node("Gelu", [conv(m, x)]),
}


def _even(model: QdqModel) -> list[str]:
    return [model.constant(np.array(values)) for values in ([0], [4], [3])]


@pytest.mark.parametrize("op", ARRAY)
def test_operators_stand_between_quantized_tensors(op: str) -> None:
    result = _quantize(float_model(IMAGE, ARRAY[op], opset=20))
    makers = {name: node.op_type for node in result.model.graph.node for name in node.output}
    (node,) = (node for node in result.model.graph.node if node.op_type == op)
    inputs = [name for name in node.input if name in makers]
    assert inputs and {makers[name] for name in inputs} == {"DequantizeLinear"}
    readers = [reader.op_type for reader in result.model.graph.node if set(node.output) & set(reader.input)]
    assert readers and set(readers) == {"QuantizeLinear"} and not result.kept_float


@pytest.mark.parametrize("op", ["DepthToSpace", "SpaceToDepth", "Tile", "Expand", "Gather", "Split", "Resize"])
def test_moved_data_keep_their_scale(op: str) -> None:
    """Nothing is requantized where nothing is computed."""
    result = _quantize(float_model(IMAGE, ARRAY[op], opset=20))
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in result.model.graph.initializer}
    makers = {name: node for node in result.model.graph.node for name in node.output}
    (node,) = (node for node in result.model.graph.node if node.op_type == op)
    (reader,) = (reader for reader in result.model.graph.node if node.output[0] in reader.input)
    before = makers[node.input[0]]
    assert [arrays[name] for name in before.input[1:]] == [arrays[name] for name in reader.input[1:]]


def test_means_have_a_scale_of_their_own() -> None:
    result = _quantize(float_model(IMAGE, lambda m, x: m.node("AveragePool", [x], kernel_shape=[2, 2])))
    (node,) = (node for node in result.model.graph.node if node.op_type == "AveragePool")
    assert _scale(result, node.output[0])[0] < 0.8 * _scale(result, "x")[0]


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_methods(method: str) -> None:
    model = float_model(IMAGE, lambda m, x: m.node("Relu", [conv(m, x)]))
    data = samples(model, 50)
    data[0, 0, 0, 0] = 30  # an outlier
    result = quantize_float(model, {"x": data}, "test", QuantizationOptions(method=method, percentile=99.0))
    scale, _ = _scale(result, "x")
    whole = (data.max() - data.min()) / 255
    limits = {"minmax": (0.999, 1.001), "entropy": (0.5, 0.95), "percentile": (0.1, 0.2)}
    assert limits[method][0] * whole < scale < limits[method][1] * whole


def test_samples_are_counted() -> None:
    model = float_model(IMAGE, conv)
    data = samples(model, 10)
    data[5:] *= 100
    result = quantize_float(model, {"x": data}, "test", QuantizationOptions(samples=5))
    assert result.samples == 5 and _scale(result, "x")[0] < 0.1


def test_one_scale_for_all_weights() -> None:
    model = float_model(IMAGE, conv)
    for per_channel in (True, False):
        result = _quantize(model, QuantizationOptions(per_channel=per_channel))
        (weight,) = (tensor for tensor in result.model.graph.initializer if list(tensor.dims) == [6, 4, 3, 3])
        scale = next(
            tensor for tensor in result.model.graph.initializer if tensor.name == weight.name.replace("quantized", "scale")
        )
        assert list(scale.dims) == ([6] if per_channel else [])


def test_excluded_nodes_stay_float() -> None:
    model = float_model(IMAGE, lambda m, x: m.node("Relu", [conv(m, m.node("Relu", [conv(m, x)]), 3, 6)]))
    result = _quantize(model, QuantizationOptions(exclude=("conv_2",)))
    assert result.kept_float == {"conv_2": "Conv", "relu_3": "Relu"} and list(result.quantized) == ["conv_0", "relu_1"]
    (node,) = (node for node in result.model.graph.node if node.name == "conv_2")
    assert node.input[1] in {tensor.name for tensor in result.model.graph.initializer}  # no DequantizeLinear in between


def test_nodes_are_counted_once() -> None:
    def build(model: QdqModel, x: str) -> str:
        x = model.node("Add", [model.node("MatMul", [x, constants(model, 8, 5)]), constants(model, 5)])
        return model.node("Softmax", [model.node("Identity", [x])])

    result = _quantize(float_model((1, 8), build))
    assert result.quantized == {"matmul_0": "MatMul", "add_1": "Add"}
    assert result.folded == {"identity_2": "Identity"} and result.kept_float == {"softmax_3": "Softmax"}


def test_the_result_depends_on_nothing_else() -> None:
    model = float_model(IMAGE, lambda m, x: silu(m, conv(m, x)))
    first, second = (_quantize(model).model.SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (QuantizationOptions(method="mean"), "unknown calibration method 'mean'; choose minmax, entropy, percentile"),
        (QuantizationOptions(method="percentile", percentile=20.0), "percentile 20.0 is not above 50"),
    ],
)
def test_bad_options_are_refused(options: QuantizationOptions, reason: str) -> None:
    with pytest.raises(TalosError, match=reason):
        _quantize(float_model(IMAGE, conv), options)


def test_shapes_of_samples() -> None:
    model = float_model(IMAGE, conv)
    data = samples(model, 6)
    for array in (data, data.reshape(2, 3, *IMAGE[1:])):
        np.testing.assert_array_equal(calibration_arrays(model, {"x": array}, "test")["x"], data)
    np.testing.assert_array_equal(calibration_arrays(model, {"calibrate": data[0]}, "test")["x"], data[:1])
    assert len(calibration_arrays(model, {"x": data}, "test", 4)["x"]) == 4


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((6, 3, 6, 5), np.float32), "is 6×3×6×5, but input 'x' needs n×4×6×5"),
        (np.zeros((6, 4, 6, 5)), "is float64, but input 'x' needs float32"),
        (np.zeros((0, 4, 6, 5), np.float32), "is empty"),
        (np.full((1, 4, 6, 5), np.nan, np.float32), "not finite"),
        (np.float32(1), "is one number"),
    ],
)
def test_bad_samples_are_refused(array: object, reason: str) -> None:
    with pytest.raises(TalosError, match=reason):
        calibration_arrays(float_model(IMAGE, conv), {"x": np.asarray(array)}, "test")


def test_inputs_need_equally_many_samples() -> None:
    model = QdqModel(1)
    model.output(model.node("Add", [model.input("a", [1, 3]), model.input("b", [1, 3])]))
    data = {"a": np.zeros((2, 3), np.float32), "b": np.zeros((4, 3), np.float32)}
    with pytest.raises(TalosError, match=r"different numbers of calibration samples \('a': 2, 'b': 4\)"):
        calibration_arrays(model.model(), data, "test")
