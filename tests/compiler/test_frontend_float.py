"""Float models: calibrated by onnxruntime's quantizer, then equal to the QDQ model that it wrote."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest

from talos.compiler.frontend import build_graph
from tests.compiler.qdq_models import QdqModel, compare

MODELS = Path(__file__).parents[2] / "models"


@pytest.mark.parametrize("name", ["digits", "talos_mnist"])
def test_models_of_the_project(name: str) -> None:
    data = np.load(MODELS / f"{name}.npz")
    result = compare(MODELS / f"{name}.onnx", {load_input(name): data["x"][:12]}, calibrate={"calibrate": data["calibrate"]})
    model = onnx.load(MODELS / f"{name}.onnx")
    assert [row.node for row in result.node_placement] == [node.name for node in model.graph.node]
    assert {row.placement for row in result.node_placement} <= {"array", "vector", "placement", "folded"}


def load_input(name: str) -> str:
    """The name of the model's input."""
    return str(onnx.load(MODELS / f"{name}.onnx").graph.input[0].name)


def test_multiply_accumulates() -> None:
    data = np.load(MODELS / "talos_mnist.npz")
    result = build_graph(MODELS / "talos_mnist.onnx", {"calibrate": data["calibrate"][:5]})
    assert sum(layer.macs for layer in result.graph.layers) == 31_096


def test_quantization_is_reproducible() -> None:
    data = {"calibrate": np.load(MODELS / "digits.npz")["calibrate"][:20]}
    first, second = (build_graph(MODELS / "digits.onnx", data) for _ in range(2))
    assert first.quantized_model.SerializeToString(deterministic=True) == second.quantized_model.SerializeToString(
        deterministic=True
    )


def _constants(model: QdqModel, *shape: int, scale: float = 0.3) -> str:
    return model.constant((model.random.normal(size=shape) * scale).astype(np.float32))


def _batch_norm(model: QdqModel, x: str, channels: int) -> str:
    parameters = [_constants(model, channels) for _ in range(3)]
    variance = model.constant(model.random.uniform(0.5, 2, channels).astype(np.float32))
    return model.node("BatchNormalization", [x, *parameters, variance])


def _samples(shape: tuple[int, ...], seed: int = 5) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def _check(model: QdqModel, tmp_path: Path, shape: tuple[int, ...]) -> list[str]:
    """Equal to onnxruntime on the quantized model, and near the float model: the operators mean the same. Returns the layers' ops."""
    path = model.save(tmp_path)
    samples = _samples((30, *shape))
    result = compare(path, {"x": samples[:4]}, calibrate={"x": samples})
    assert not result.graph.host
    (output,) = result.graph.output_specs
    quantized = onnxruntime.InferenceSession(result.quantized_model.SerializeToString(), providers=["CPUExecutionProvider"])
    exact = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    got, want = (np.concatenate([run.run(None, {"x": samples[i : i + 1]})[0] for i in range(4)]) for run in (quantized, exact))
    assert np.abs(got - want).mean() < 0.05 * np.abs(want).max() + output.scale
    return [layer.op for layer in result.graph.layers]


def test_batch_normalization_behind_a_convolution_is_folded(tmp_path: Path) -> None:
    model = QdqModel(1)
    x = model.node("Conv", [model.input("x", ["n", 3, 8, 8]), _constants(model, 6, 3, 3, 3)])
    model.output(model.node("Relu", [_batch_norm(model, x, 6)]))
    assert _check(model, tmp_path, (3, 8, 8)) == ["conv"]


def test_batch_normalization_in_front_is_a_depthwise_convolution(tmp_path: Path) -> None:
    model = QdqModel(2)
    x = model.node("Relu", [_batch_norm(model, model.input("x", [1, 3, 8, 8]), 3)])
    model.output(model.node("Conv", [x, _constants(model, 6, 3, 3, 3)]))
    assert _check(model, tmp_path, (3, 8, 8)) == ["conv", "conv"]


@pytest.mark.parametrize("keepdims", [0, 1])
def test_mean_is_global_average_pooling(tmp_path: Path, keepdims: int) -> None:
    model = QdqModel(3)
    x = model.node("Conv", [model.input("x", [1, 3, 8, 8]), _constants(model, 6, 3, 3, 3)])
    x = model.node("ReduceMean", [x], axes=[-1, -2], keepdims=keepdims)
    x = model.node("Flatten", [x]) if keepdims else x
    gemm = model.node("Gemm", [x, _constants(model, 5, 6), _constants(model, 1, 5)], transB=1, alpha=0.5, beta=2.0)
    model.output(gemm)
    assert _check(model, tmp_path, (3, 8, 8)) == ["conv", "pool", "conv"]


@pytest.mark.parametrize(
    ("op", "attributes"),
    [("HardSwish", {}), ("Sigmoid", {}), ("Tanh", {}), ("LeakyRelu", {"alpha": 0.1}), ("Elu", {}), ("HardSigmoid", {})],
)
def test_activations_are_tables(tmp_path: Path, op: str, attributes: dict[str, Any]) -> None:
    model = QdqModel(4)
    x = model.node("Conv", [model.input("x", [1, 3, 8, 8]), _constants(model, 6, 3, 3, 3)])
    x = model.node(op, [x], **attributes)
    model.output(model.node("Conv", [x, _constants(model, 4, 6, 1, 1)]))
    assert _check(model, tmp_path, (3, 8, 8)) == ["conv", "conv"]


def test_clip_of_six(tmp_path: Path) -> None:
    model = QdqModel(5)
    x = model.node("Conv", [model.input("x", [1, 3, 8, 8]), _constants(model, 6, 3, 3, 3, scale=1.0)])
    x = model.node("Clip", [x, model.constant(np.float32(0)), model.constant(np.float32(6))])
    model.output(model.node("Conv", [x, _constants(model, 6, 1, 3, 3)], group=6))
    assert _check(model, tmp_path, (3, 8, 8)) == ["conv", "conv"]


def test_shape_chains_are_folded(tmp_path: Path) -> None:
    """The flatten of older PyTorch exports: Shape, Gather, Unsqueeze, Concat, Reshape."""
    model = QdqModel(6)
    x = model.node("Conv", [model.input("x", ["n", 3, 4, 4]), _constants(model, 6, 3, 3, 3)])
    batch = model.node("Gather", [model.node("Shape", [x]), model.constant(np.array(0))])
    batch = model.node("Unsqueeze", [batch, model.constant(np.array([0]))])
    shape = model.node("Concat", [batch, model.constant(np.array([-1]))], axis=0)
    x = model.node("Dropout", [model.node("Reshape", [x, shape])])
    model.output(model.node("MatMul", [model.node("Identity", [x]), _constants(model, 24, 7)]))
    assert _check(model, tmp_path, (3, 4, 4)) == ["conv", "conv"]


def test_weights_behind_dequantize_are_constants(tmp_path: Path) -> None:
    """A float model whose file stores int8 weights."""
    model = QdqModel(7)
    x = model.node("Conv", [model.input("x", [1, 3, 8, 8]), model.weight((6, 3, 3, 3), per_channel=False)])
    model.output(x)
    assert _check(model, tmp_path, (3, 8, 8)) == ["conv"]


def _conv(model: QdqModel, x: str, outputs: int = 6, inputs: int = 3) -> str:
    return model.node("Conv", [x, _constants(model, outputs, inputs, 3, 3)], pads=[1, 1, 1, 1])


def _squeeze_and_excite(model: QdqModel, x: str) -> str:
    x = _conv(model, x)
    gate = model.node("Relu", [_conv(model, model.node("ReduceMean", [x], axes=[2, 3]), 4, 6)])
    return model.node("Mul", [x, model.node("HardSigmoid", [_conv(model, gate, 6, 4)], alpha=1 / 6, beta=0.5)])


def _shuffle(model: QdqModel, x: str) -> str:
    x = model.node("Reshape", [_conv(model, x), model.constant(np.array([1, 2, 3, 8, 8]))])
    x = model.node("Transpose", [x], perm=[0, 2, 1, 3, 4])
    return _conv(model, model.node("Reshape", [x, model.constant(np.array([1, 6, 8, 8]))]), 4, 6)


def _silu(model: QdqModel, x: str) -> str:
    x = _conv(model, x)
    return _conv(model, model.node("Mul", [x, model.node("Sigmoid", [x])]), 4, 6)


def _gelu_block(model: QdqModel, x: str) -> str:
    """ConvNeXt's: the linear layers act on the last axis."""
    x = model.node("Transpose", [_conv(model, x)], perm=[0, 2, 3, 1])
    x = model.node("Add", [model.node("MatMul", [x, _constants(model, 6, 12)]), _constants(model, 12)])
    half = model.node("Mul", [x, model.constant(np.float32(0.5))])
    error = model.node("Erf", [model.node("Div", [x, model.constant(np.float32(2**0.5))])])
    x = model.node("Mul", [half, model.node("Add", [error, model.constant(np.float32(1))])])
    return model.node("Transpose", [model.node("MatMul", [x, _constants(model, 12, 6)])], perm=[0, 3, 1, 2])


def _interpolated(model: QdqModel, x: str) -> str:
    scales = model.constant(np.array([1, 1, 2, 2], np.float32))
    x = model.node("Resize", [_conv(model, x, 4), "", scales], mode="linear", coordinate_transformation_mode="half_pixel")
    return _conv(model, x, 4, 4)


def _upsampled(model: QdqModel, x: str) -> str:
    small = model.node(
        "Relu", [_conv(model, model.node("MaxPool", [_conv(model, x)], kernel_shape=[2, 2], strides=[2, 2]), 6, 6)]
    )
    up = model.node("ConvTranspose", [small, _constants(model, 6, 4, 4, 4)], strides=[2, 2], pads=[1, 1, 1, 1])
    return _conv(model, model.node("Concat", [x, model.node("Relu", [up])], axis=1), 4, 7)


@pytest.mark.parametrize(
    ("build", "convolutions"),
    [
        (lambda m, x: _conv(m, m.node("Relu", [x])), 1),
        (lambda m, x: _conv(m, m.node("Transpose", [m.node("Transpose", [x], perm=[0, 2, 3, 1])], perm=[0, 3, 1, 2])), 1),
        (lambda m, x: m.node("Relu", [m.node("MaxPool", [_conv(m, x)], kernel_shape=[2, 2])]), 1),
        (lambda m, x: m.node("PRelu", [_conv(m, x), _constants(m, 6, 1, 1)]), 2),
        (lambda m, x: m.node("AveragePool", [_conv(m, x)], kernel_shape=[2, 2], strides=[2, 2]), 1),
        (_squeeze_and_excite, 3),
        (_silu, 2),
        (_gelu_block, 3),
        (_shuffle, 2),
        (_upsampled, 4),
        (_interpolated, 6),
    ],
    ids=[
        "relu first",
        "transpose first",
        "relu behind pooling",
        "prelu",
        "average",
        "squeeze and excite",
        "silu",
        "gelu",
        "shuffle",
        "upsampled",
        "interpolated",
    ],
)
def test_networks_of_floats(tmp_path: Path, build: Callable[[QdqModel, str], str], convolutions: int) -> None:
    model = QdqModel(8)
    model.output(build(model, model.input("x", ["n", 3, 8, 8])))
    assert _check(model, tmp_path, (3, 8, 8)).count("conv") == convolutions
