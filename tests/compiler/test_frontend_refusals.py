"""What cannot be compiled is refused in one line that says what, where, why and what to do."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from talos.compiler.frontend import build_graph
from talos.errors import TalosError
from tests.compiler.qdq_models import QdqModel, session

X = 0.03


def _refused(path: Path, *parts: str, **options: object) -> None:
    with pytest.raises(TalosError) as caught:
        build_graph(path, **options)  # type: ignore[arg-type]  # wrong data on purpose
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    for part in parts:
        assert part in message


def _small(channels: int = 4) -> tuple[QdqModel, str]:
    model = QdqModel()
    return model, model.qdq(model.input("x", [1, channels, 6, 6]), X, 0)


def test_missing_file(tmp_path: Path) -> None:
    _refused(tmp_path / "none.onnx", "cannot read", "check the path")


@pytest.mark.parametrize("content", [b"", b"hello, this is not a model\n" * 9, b"\x89PNG\r\n\x1a\n" + bytes(200)])
def test_not_onnx(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.onnx"
    path.write_bytes(content)
    _refused(path, "not an ONNX file")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_file(tmp_path: Path, share: float) -> None:
    model, x = _small()
    model.output(model.qdq(model.conv(x, (8, 4, 3, 3), X), 0.1, 0))
    path = model.save(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    _refused(path, "ONNX", "again")


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_dynamic_dimension(tmp_path: Path, axis: int) -> None:
    model = QdqModel()
    shape: list[int | str] = ["n", 4, 6, 6]
    shape[axis] = "anything"
    x = model.qdq(model.input("x", shape), X, 0)
    model.output(model.qdq(model.node("Relu", [x]), X, 0))
    _refused(model.save(tmp_path), "input 'x'", f"dimension {axis} (anything)", "static shapes")


def test_batch_of_four(tmp_path: Path) -> None:
    model = QdqModel()
    model.output(model.qdq(model.node("Relu", [model.qdq(model.input("x", [4, 3, 6, 6]), X, 0)]), X, 0))
    _refused(model.save(tmp_path), "input 'x'", "batch of 4", "batch of 1")


def test_input_type(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1, 4])],
    )
    path = tmp_path / "double.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    _refused(path, "input 'x'", "DOUBLE", "float32")


def test_old_opset(tmp_path: Path) -> None:
    model, x = _small()
    model.output(model.qdq(x, X, 0))
    proto = onnx.load(model.save(tmp_path))
    proto.opset_import[0].version = 5
    path = tmp_path / "old.onnx"
    onnx.save(proto, path)
    _refused(path)


@pytest.mark.parametrize("op", ["Cos", "Erf", "Mul"])
def test_unsupported_operator(tmp_path: Path, op: str) -> None:
    model, x = _small()
    value = model.node(op, [x, x] if op == "Mul" else [x])
    model.output(model.qdq(value, X, 0))
    _refused(model.save(tmp_path), f"'{op.lower()}_2' ({op})", "not supported", ";")


def test_foreign_domain(tmp_path: Path) -> None:
    model, x = _small()
    model.output(model.qdq(model.node("Relu", [x]), X, 0))
    proto = onnx.load(model.save(tmp_path))
    relu = next(node for node in proto.graph.node if node.op_type == "Relu")
    relu.domain = "com.example"
    proto.opset_import.append(helper.make_opsetid("com.example", 1))
    path = tmp_path / "foreign.onnx"
    onnx.save(proto, path)
    _refused(path, "'relu_2' (com.example.Relu)", "standard ONNX operators")


def test_softmax_in_the_middle(tmp_path: Path) -> None:
    model, x = _small()
    value = model.qdq(model.node("Softmax", [x], axis=1), 1 / 256, -128)
    model.output(model.qdq(model.node("MaxPool", [value], kernel_shape=[2, 2]), 1 / 256, -128))
    _refused(model.save(tmp_path), "'softmax_2' (Softmax)", "end of the network")


def _unquantized_result(model: QdqModel, x: str) -> str:
    return model.node("Add", [model.conv(x, (4, 4, 1, 1), X), x])


def _float_weight(model: QdqModel, x: str) -> str:
    return model.node("Conv", [x, model.constant(np.ones((4, 4, 1, 1), np.float32))])


def _wide_weight(model: QdqModel, x: str) -> str:
    return model.node("Conv", [x, model.dequantize(model.constant(np.full((4, 4, 1, 1), 100, np.int8)), 0.1, -100)])


def _broadcast(model: QdqModel, x: str) -> str:
    return model.node("Add", [x, model.qdq(model.node("GlobalAveragePool", [x]), X, 0)])


def _dilated_pool(model: QdqModel, x: str) -> str:
    return model.node("MaxPool", [x], kernel_shape=[2, 2], dilations=[2, 2])


def _nonzero_pad(model: QdqModel, x: str) -> str:
    return model.node("Pad", [x, model.constant(np.array([0, 0, 1, 1, 0, 0, 1, 1])), model.constant(np.float32(1))])


def _moving_transpose(model: QdqModel, x: str) -> str:
    pooled = model.qdq(model.node("MaxPool", [x], kernel_shape=[1, 1]), X, 0)
    turned = model.qdq(model.node("Transpose", [pooled], perm=[0, 1, 3, 2]), X, 0)
    return model.conv(turned, (4, 4, 3, 3), X)


def _alpha(model: QdqModel, x: str) -> str:
    flat = model.qdq(model.node("Flatten", [x]), X, 0)
    return model.node("Gemm", [flat, model.weight((144, 5), axis=1)], alpha=0.3)


def _weight_axis(model: QdqModel, x: str) -> str:
    return model.node("Conv", [x, model.weight((5, 4, 3, 3), axis=1)])


def _added_constant(model: QdqModel, x: str) -> str:
    return model.node("Add", [x, model.constant(np.ones((1, 4, 6, 6), np.float32))])


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (_unquantized_result, "float result of 'conv_"),
        (_float_weight, "weight is float"),
        (_wide_weight, "not int8"),
        (_broadcast, "broadcasting"),
        (_dilated_pool, "dilated"),
        (_nonzero_pad, "value 1"),
        (_moving_transpose, "moves data"),
        (_alpha, "alpha 0.3"),
        (_weight_axis, "another axis"),
        (_added_constant, "constant"),
    ],
)
def test_unsupported_forms(tmp_path: Path, build: Callable[[QdqModel, str], str], reason: str) -> None:
    model, x = _small()
    model.output(model.qdq(build(model, x), 0.1, 0))
    path = model.save(tmp_path)
    session(onnx.load(path))  # onnxruntime takes it: it is Talos that does not
    _refused(path, "node '", reason, ";")


def test_output_without_scale(tmp_path: Path) -> None:
    model, x = _small()
    model.output(model.conv(x, (4, 4, 3, 3), X))
    _refused(model.save(tmp_path), "not quantized", "QuantizeLinear")


def test_mixed_types_in_add(tmp_path: Path) -> None:
    model = QdqModel()
    a = model.qdq(model.input("a", [1, 4, 6, 6]), X, 0)
    b = model.qdq(model.input("b", [1, 4, 6, 6]), X, 128, "uint8")
    model.output(model.qdq(model.node("Add", [a, b]), 0.1, 0))
    _refused(model.save(tmp_path), "(Add)", "uint8", "int8")


def _float_model(tmp_path: Path) -> Path:
    model = QdqModel()
    weight = model.constant(model.random.normal(size=(5, 3, 3, 3)).astype(np.float32))
    model.output(model.node("Relu", [model.node("Conv", [model.input("image", ["n", 3, 6, 6]), weight])]))
    return model.save(tmp_path)


def test_float_model_without_calibration(tmp_path: Path) -> None:
    _refused(_float_model(tmp_path), "float model", "--calibrate")


@pytest.mark.parametrize(
    ("data", "parts"),
    [
        ({}, ("'image'", "nothing")),
        ({"a": np.zeros((2, 3, 6, 6), np.float32), "b": np.zeros(3)}, ("'image'", "a, b")),
        ({"image": np.zeros((2, 6, 6, 3), np.float32)}, ("2×6×6×3", "n×3×6×6")),
        ({"image": np.zeros((3, 6, 6), np.float32)}, ("3×6×6", "n×3×6×6")),
        ({"image": np.zeros((2, 3, 6, 6), np.uint8)}, ("uint8", "float32")),
        ({"image": np.zeros((0, 3, 6, 6), np.float32)}, ("empty",)),
        ({"image": np.full((2, 3, 6, 6), np.nan, np.float32)}, ("not finite",)),
    ],
)
def test_bad_calibration_data(tmp_path: Path, data: dict[str, np.ndarray], parts: tuple[str, ...]) -> None:
    _refused(_float_model(tmp_path), *parts, calibrate=data)
