"""What cannot be quantized is refused in one line that names the node."""

from collections.abc import Callable

import numpy as np
import pytest

from talos.compiler.quantization.quantize import quantize_float
from talos.errors import TalosError
from tests.compiler.float_models import Build, constants, float_model, prepared, samples
from tests.compiler.qdq_models import QdqModel
from tests.compiler.test_prepare_functions import conv

IMAGE = (1, 4, 6, 5)


def _refusal(build: Build) -> str:
    model = float_model(IMAGE, build)
    with pytest.raises(TalosError) as caught:
        quantize_float(model, {"x": samples(model, 2)}, "net.onnx")
    message = str(caught.value)
    assert message.startswith("net.onnx: ") and "\n" not in message
    return message


def _weights(number: float) -> Build:
    def build(model: QdqModel, x: str) -> str:
        weight = model.random.normal(size=(3, 4, 3, 3)).astype(np.float32)
        weight[1, 2, 0, 0] = number
        return model.node("Conv", [x, model.constant(weight)])

    return build


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers(number: float) -> None:
    assert "node 'conv_0' (Conv): weights that are not finite" in _refusal(_weights(number))


def _normalized(variance: list[float], gamma: float = 1.0) -> Build:
    def build(model: QdqModel, x: str) -> str:
        parameters = [model.constant(np.full(6, gamma, np.float32)), constants(model, 6), constants(model, 6)]
        spread = model.constant(np.array(variance, np.float32))
        return model.node("BatchNormalization", [conv(model, x), *parameters, spread], epsilon=1e-5)

    return build


def test_negative_variance() -> None:
    message = _refusal(_normalized([1, 1, -0.5, 1, 1, 1]))
    assert "'conv_0', 'batchnormalization_1' (Conv)" in message and "not finite" in message


def test_products_beyond_float32() -> None:
    assert "not finite" in _refusal(_normalized([1e-30, 1, 1, 1, 1, 1], gamma=3e38))


def test_a_mask_is_no_weight() -> None:
    """Infinite addends are left alone, and float."""
    mask = np.zeros((1, 6, 1, 1), np.float32)
    mask[0, 1] = -np.inf
    model = float_model(IMAGE, lambda m, x: m.node("Softmax", [m.node("Add", [conv(m, x), m.constant(mask)])], axis=1))
    names = [node.op_type for node in prepared(model).model.graph.node]
    assert "Add" in names


WRONG: list[Callable[[QdqModel, str], str]] = [
    lambda m, x: m.node("Conv", [x, constants(m, 3, 4, 3, 3), constants(m, 5)]),
    lambda m, x: m.node("Add", [m.node("Conv", [x, constants(m, 4, 3, 1, 1)]), constants(m, 4, 1, 1)]),
]


@pytest.mark.parametrize("build", WRONG)
def test_constants_of_a_wrong_shape(build: Build) -> None:
    assert "onnxruntime cannot run the float model" in _refusal(build)


@pytest.mark.parametrize(("dtype", "element"), [("float16", 10), ("float64", 11)])
def test_other_float_types(dtype: str, element: int) -> None:
    def build(model: QdqModel, x: str) -> str:
        weight = model.constant(model.random.normal(size=(3, 4, 3, 3)).astype(dtype))
        y = model.node("Conv", [model.node("Cast", [x], to=element), weight])
        return model.node("Cast", [y], to=1)

    assert f"node 'conv_1' (Conv) computes in {dtype}; export the model in float32" in _refusal(build)
