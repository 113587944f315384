"""The ONNX backend API: what is bound, batches, options, and bounds of the error that can fail."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from talos import backend
from talos.backend.error_bounds import error_bounds
from talos.config import PRESETS
from talos.errors import TalosError
from tests.compiler.qdq_models import QdqModel

Array = npt.NDArray[np.float32]


def random(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def model(
    nodes: list[onnx.NodeProto], inputs: dict[str, tuple[int | str, ...]], output: str, **constants: Any
) -> onnx.ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(
        nodes, "net", values, [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)], initializers
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return onnx.shape_inference.infer_shapes(made)


def convolution(batch: int | str = 1) -> onnx.ModelProto:
    node = helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])
    return model([node], {"x": (batch, 2, 3, 3), "w": (4, 2, 1, 1)}, "y")


def expected(x: Array, w: Array) -> Array:
    return np.asarray(np.einsum("nchw,kc->nkhw", x, w[:, :, 0, 0]), np.float32)


def test_weights_fed_as_inputs_are_bound_and_a_change_compiles_again() -> None:
    rep = backend.prepare(convolution(), config="4x4")
    assert rep.compiled is None
    x, w = random(1, 2, 3, 3), random(4, 2, 1, 1, seed=1)
    (first,) = rep.run([x, w])
    compiled = rep.compiled
    assert compiled is not None and compiled.program.config == PRESETS["4x4"]
    assert [port.spec.name for port in compiled.program.inputs] == ["x"]
    assert np.all(np.abs(first - expected(x, w)) <= rep.error_bounds([x, w])[0])
    rep.run({"x": x * np.float32(0.5), "w": w})
    assert rep.compiled is compiled
    (third,) = rep.run([x, -w])
    assert rep.compiled is not compiled and np.all(np.abs(third + expected(x, w)) <= rep.error_bounds([x, -w])[0])


def test_images_of_a_batch_run_one_by_one() -> None:
    x, w = random(3, 2, 3, 3), random(4, 2, 1, 1, seed=1)
    for batch in (3, "n"):
        rep = backend.prepare(convolution(batch), config=PRESETS["4x4"])
        (found,) = rep.run([x, w])
        (bound,) = rep.error_bounds([x, w])
        assert found.shape == bound.shape == (3, 4, 3, 3)
        assert np.all(np.abs(found - expected(x, w)) <= bound)


def test_a_batch_whose_images_are_mixed_is_refused() -> None:
    mixed = model([helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])], {"x": (2, 2)}, "y")
    with pytest.raises(TalosError, match="mixes the images of a batch"):
        backend.run_model(mixed, [random(2, 2)])


def test_run_node_and_the_named_result() -> None:
    x = random(1, 5)
    result = backend.run_node(helper.make_node("Relu", ["x"], ["y"]), x, opset_version=17)
    assert type(result).__name__ == "Outputs" and len(result) == 1
    step = np.maximum(x, 0).max() / 255
    assert np.all(np.abs(result[0] - np.maximum(x, 0)) <= step)


def test_newest_opset() -> None:
    newest = onnx.defs.onnx_opset_version()
    node = helper.make_node("DepthToSpace", ["x"], ["y"], blocksize=2)
    assert backend.run_node(node, [random(1, 4, 2, 2)], opset_version=newest)[0].shape == (1, 1, 4, 4)


def test_quantized_models_are_exact() -> None:
    m = QdqModel()
    x = m.input("x", (1, 2, 4, 4), "int8")
    m.output(m.quantize(m.node("MaxPool", [m.dequantize(x, 0.1, 3)], kernel_shape=[2, 2], strides=[2, 2]), 0.1, 3), "int8")
    codes = np.random.default_rng(1).integers(-128, 128, (1, 2, 4, 4)).astype(np.int8)
    (found,) = backend.run_model(m.model(), {"x": codes})
    np.testing.assert_array_equal(found, codes.reshape(1, 2, 2, 2, 2, 2).max(axis=(3, 5)))


def test_devices() -> None:
    assert backend.supports_device("CPU") and backend.is_compatible(convolution(), "CPU:0")
    assert not backend.supports_device("CUDA") and not backend.supports_device("TPU")
    with pytest.raises(TalosError, match="device 'CUDA' is not supported"):
        backend.prepare(convolution(), "CUDA")


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ([random(1, 2, 3, 3)], "needs the inputs x, w; given were x"),
        ([random(1), random(1), random(1)], "3 inputs given, the model has 2: x, w"),
        ({"x": random(1), "v": random(1)}, "needs the inputs x, w; given were x, v"),
        ([[1.0], random(4, 2, 1, 1)], "input 'x' is a list"),
        ([random(1, 2, 3, 3).astype(np.int32), random(4, 2, 1, 1)], "the inputs are int32 and have no scale"),
    ],
)
def test_inputs_that_do_not_fit(inputs: Any, words: str) -> None:
    with pytest.raises(TalosError, match=words):
        backend.run_model(convolution(), inputs)


def test_invalid_models() -> None:
    broken = convolution()
    broken.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(TalosError, match="not a valid ONNX model"):
        backend.prepare(broken)
    constant = model([helper.make_node("Relu", ["c"], ["y"])], {}, "y", c=random(1, 2))
    with pytest.raises(TalosError, match="no input that is not a constant"):
        backend.run_model(constant, [])


def quantized_product(weight_scale: float = 0.02) -> tuple[QdqModel, Array]:
    """x (1, 3), scale 0.1 → MatMul with w (3, 2), scale `weight_scale` → y, scale 0.05."""
    m = QdqModel()
    w = np.array([[10, -20], [30, 40], [-50, 60]], np.int8)
    x = m.qdq(m.input("x", (1, 3)), 0.1, 0)
    weight = m.node("DequantizeLinear", [m.constant(w), m.constant(np.float32(weight_scale)), m.constant(np.int8(0))])
    m.output(m.qdq(m.node("MatMul", [x, weight]), 0.05, 0))
    return m, (w * np.float32(weight_scale)).astype(np.float32)


def test_bound_of_a_product_by_hand() -> None:
    m, w = quantized_product()
    x = np.array([[0.3, -0.7, 1.1]], np.float32)  # on the grid
    (bound,) = error_bounds(m.model().SerializeToString(), {"x": x}).values()
    e_x, e_w = 0.1, 0.02 / 2
    by_hand = np.abs(x) @ np.full_like(w, e_w) + np.full_like(x, e_x) @ (np.abs(w) + e_w) + 0.05
    np.testing.assert_allclose(bound, by_hand, rtol=1e-5)


def test_bound_holds_for_all_weights_and_inputs_that_round_to_it() -> None:
    """And is no more than a few times what happens: the true weights lie anywhere within half a step."""
    m, w = quantized_product()
    rng = np.random.default_rng(3)
    worst = 0.0
    for _ in range(200):
        x = rng.uniform(-2, 2, (1, 3)).astype(np.float32)
        true = w + rng.choice([-0.01, 0.01], w.shape)
        data = m.model().SerializeToString()
        (bound,) = error_bounds(data, {"x": x}).values()
        (found,) = backend.run_model(m.model(), [x])
        share = np.abs(found - np.clip(x @ true, -6.4, 6.35)) / bound
        worst = max(worst, float(share.max()))
    assert 0.2 < worst <= 1


def test_bound_of_other_nodes_by_hand() -> None:
    m = QdqModel()
    x = m.qdq(m.input("x", (1, 2, 2, 2)), 0.1, 0)
    m.output(m.node("Sigmoid", [x]))
    m.output(m.node("Mul", [x, x]))
    m.output(m.node("MaxPool", [x], kernel_shape=[2, 2]))
    m.output(m.node("Softmax", [x], axis=1))
    m.output(m.node("Concat", [x, m.node("AveragePool", [x], kernel_shape=[1, 1])], axis=1))
    value = np.full((1, 2, 2, 2), 0.5, np.float32)
    sigmoid, product, largest, softmax, joined = error_bounds(m.model().SerializeToString(), {"x": value}).values()
    for bound, wanted in ((sigmoid, 0.025), (product, 2 * 0.5 * 0.1 + 0.01), (largest, 0.1), (softmax, 0.05), (joined, 0.1)):
        np.testing.assert_allclose(bound, wanted, rtol=1e-5)


def test_an_operator_without_a_rule_is_named() -> None:
    m = QdqModel()
    m.output(m.node("Reciprocal", [m.qdq(m.input("x", (1, 2)), 0.1, 0)]))
    with pytest.raises(TalosError, match=r"'reciprocal_2' \(Reciprocal\)"):
        error_bounds(m.model().SerializeToString(), {"x": np.ones((1, 2), np.float32)})
