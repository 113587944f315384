"""Per-channel scales and shifts of float models: where they go, and that the function stays."""

import numpy as np
import pytest

from tests.compiler.float_models import Build, batch_norm, constants, float_model, operators, prepared, scalar
from tests.compiler.qdq_models import QdqModel

IMAGE = (1, 4, 6, 5)


def _normalize_input(model: QdqModel, x: str) -> str:
    return model.node("Sub", [model.node("Div", [x, scalar(model, 127.5)]), scalar(model, 1)])


def _chain(model: QdqModel, x: str) -> str:
    x = model.node("MaxPool", [x], kernel_shape=[2, 2])
    x = model.node("Mul", [x, constants(model, 4, 1, 1)])
    x = model.node("Add", [constants(model, 1, 4, 1, 1), x])
    x = model.node("Sub", [x, constants(model, 4, 1, 1)])
    return model.node("Relu", [model.node("Div", [x, constants(model, 4, 1, 1)])])


CASES: dict[str, tuple[tuple[int, ...], Build, list[str]]] = {
    "behind Conv": (IMAGE, lambda m, x: batch_norm(m, m.node("Conv", [x, constants(m, 6, 4, 3, 3)]), 6), ["Conv"]),
    "behind 1-D Conv": ((1, 4, 9), lambda m, x: batch_norm(m, m.node("Conv", [x, constants(m, 6, 4, 3)]), 6), ["Conv"]),
    "behind Gemm": (
        (1, 8),
        lambda m, x: batch_norm(m, m.node("Gemm", [x, constants(m, 5, 8), constants(m, 5)], transB=1, alpha=0.5, beta=2.0), 5),
        ["Gemm"],
    ),
    "behind ConvTranspose": (
        IMAGE,
        lambda m, x: batch_norm(m, m.node("ConvTranspose", [x, constants(m, 4, 3, 2, 2)], strides=[2, 2], group=2), 6),
        ["Conv", "DepthToSpace"],
    ),
    "before Conv": (
        IMAGE,
        lambda m, x: m.node("Conv", [batch_norm(m, x, 4), constants(m, 6, 2, 3, 3), constants(m, 6)], group=2),
        ["Conv"],
    ),
    "scale before padded Conv": (
        IMAGE,
        lambda m, x: m.node("Conv", [m.node("Mul", [x, constants(m, 4, 1, 1)]), constants(m, 6, 4, 3, 3)], pads=[1, 1, 1, 1]),
        ["Conv"],
    ),
    "shift before padded Conv": (
        IMAGE,
        lambda m, x: m.node("Conv", [batch_norm(m, x, 4), constants(m, 6, 4, 3, 3)], pads=[1, 1, 1, 1]),
        ["Conv", "Conv"],
    ),
    "before Gemm": (
        (1, 8),
        lambda m, x: m.node("Gemm", [batch_norm(m, x, 8), constants(m, 8, 5), constants(m, 1, 5)]),
        ["Gemm"],
    ),
    "of the input": (IMAGE, lambda m, x: m.node("Conv", [_normalize_input(m, x), constants(m, 6, 4, 3, 3)]), ["Conv"]),
    "constant minus x": (
        IMAGE,
        lambda m, x: m.node("Conv", [m.node("Sub", [constants(m, 4, 1, 1), x]), constants(m, 6, 4, 3, 3)]),
        ["Conv"],
    ),
    "chain of constants": (IMAGE, _chain, ["MaxPool", "Conv", "Relu"]),
    "of a vector": (
        (1, 8),
        lambda m, x: m.node("Relu", [batch_norm(m, m.node("Relu", [x]), 8)]),
        ["Relu", "Reshape", "Conv", "Relu", "Reshape"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_goes_into_a_neighbour(name: str) -> None:
    shape, build, want = CASES[name]
    assert operators(prepared(float_model(shape, build))) == want


def test_an_excluded_node_takes_nothing_in() -> None:
    model = float_model(IMAGE, lambda m, x: batch_norm(m, m.node("Conv", [x, constants(m, 6, 4, 3, 3)]), 6))
    result = prepared(model, (model.graph.node[0].name,))
    assert operators(result) == ["Conv", "Conv"]
    assert result.kept_float == {model.graph.node[0].name}
    result = prepared(model, (model.graph.node[1].name,))
    assert operators(result) == ["Conv", "BatchNormalization"]
    assert result.quantized == {model.graph.node[0].name}


def test_a_result_that_others_read_is_kept() -> None:
    """The convolution's own result is added again: its weights may not change."""

    def build(model: QdqModel, x: str) -> str:
        y = model.node("Conv", [x, constants(model, 4, 4, 1, 1)])
        return model.node("Add", [y, batch_norm(model, y, 4)])

    assert operators(prepared(float_model(IMAGE, build))) == ["Conv", "Conv", "Add"]


@pytest.mark.parametrize("axes", [[2, 3], [1, 2], [1, 3], [2], [3], [-1, -2]])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("op", ["ReduceMean", "ReduceMax"])
def test_reductions_are_poolings(op: str, axes: list[int], keepdims: int) -> None:
    result = operators(prepared(float_model(IMAGE, lambda m, x: m.node(op, [x], axes=axes, keepdims=keepdims))))
    assert op not in result and sum("Pool" in kind for kind in result) == 1


def test_reductions_with_axes_as_operand() -> None:
    model = float_model(IMAGE, lambda m, x: m.node("ReduceMean", [x, m.constant(np.array([2, 3]))], keepdims=0), opset=18)
    assert operators(prepared(model)) == ["GlobalAveragePool", "Reshape"]


def test_global_maximum_has_a_window() -> None:
    assert operators(prepared(float_model(IMAGE, lambda m, x: m.node("GlobalMaxPool", [x])))) == ["MaxPool"]


@pytest.mark.parametrize("shape", [(1, 8), (1, 3, 8), (1, 3, 2, 8)])
def test_product_with_a_matrix_and_its_bias(shape: tuple[int, ...]) -> None:
    def build(model: QdqModel, x: str) -> str:
        x = model.node("Add", [constants(model, 5), model.node("MatMul", [x, constants(model, 8, 5)])])
        return model.node("Relu", [model.node("Mul", [x, constants(model, 5)])])

    result = operators(prepared(float_model(shape, build)))
    assert ("Gemm" if len(shape) == 2 else "Conv") in result
    assert not {"MatMul", "Add", "Mul"} & set(result)


def test_gemm_forms() -> None:
    def build(model: QdqModel, x: str) -> str:
        x = model.node("Reshape", [x, model.constant(np.array([3, 4]))])
        x = model.node("Gemm", [x, constants(model, 3, 5), constants(model)], transA=1, alpha=0.5, beta=3.0)
        return model.node("Gemm", [x, constants(model, 6, 5), constants(model, 4, 6)], transB=1, beta=0.25)

    result = prepared(float_model((1, 12), build))
    assert operators(result) == ["Reshape", "Transpose", "Gemm", "Gemm", "Add"]
    for node in result.model.graph.node:
        assert node.op_type != "Gemm" or {attribute.name for attribute in node.attribute} == {"transB"}
