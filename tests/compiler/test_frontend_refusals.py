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


def test_input_type(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.STRING, [1, 4])],
        [helper.make_tensor_value_info("y", TensorProto.STRING, [1, 4])],
    )
    path = tmp_path / "text.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    _refused(path, "input 'x'", "STRING", "numbers")


def test_old_opset(tmp_path: Path) -> None:
    model, x = _small()
    model.output(model.qdq(x, X, 0))
    proto = onnx.load(model.save(tmp_path))
    proto.opset_import[0].version = 5
    path = tmp_path / "old.onnx"
    onnx.save(proto, path)
    _refused(path)


@pytest.mark.parametrize(("op", "attributes"), [("Det", {}), ("LRN", {"size": 3}), ("ReduceProd", {})])
def test_unsupported_operator(tmp_path: Path, op: str, attributes: dict[str, int]) -> None:
    """A network of nothing else: nothing is left for the accelerator."""
    model, x = _small()
    model.output(model.qdq(model.node(op, [x], **attributes), X, 0))
    _refused(model.save(tmp_path), "nothing is left", f"'{op.lower()}_2' ({op})", "not supported", ";")


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
    _refused(model.save(tmp_path), "--no-host", "'softmax_2' (Softmax)", "ends the network", host=False)


def _unquantized_result(model: QdqModel, x: str) -> str:
    return model.node("Add", [model.conv(x, (4, 4, 1, 1), X), x])


def _float_weight(model: QdqModel, x: str) -> str:
    return model.node("Conv", [x, model.constant(np.ones((4, 4, 1, 1), np.float32))])


def _alpha(model: QdqModel, x: str) -> str:
    flat = model.qdq(model.node("Flatten", [x]), X, 0)
    return model.node("Gemm", [flat, model.weight((144, 5), axis=1)], alpha=-0.5)


def _short_weight(model: QdqModel, x: str) -> str:
    model.opset = 21
    parts = (np.full((4, 4, 1, 1), 300, np.int16), np.float32(0.01), np.int16(0))
    return model.node("Conv", [x, model.node("DequantizeLinear", [model.constant(part) for part in parts])])


def _short_activation(model: QdqModel, x: str) -> str:
    model.opset = 21
    return model.conv(model.qdq(x, 0.001, 0, "int16"), (4, 4, 1, 1), X)


def _blocked_weight(model: QdqModel, x: str) -> str:
    model.opset = 21
    codes, scales = np.ones((4, 4, 1, 1), np.int8), np.full((4, 2, 1, 1), 0.1, np.float32)
    weight = model.node("DequantizeLinear", [model.constant(codes), model.constant(scales)], axis=1, block_size=2)
    return model.node("Conv", [x, weight])


def _mean_of_all(model: QdqModel, x: str) -> str:
    return model.node("ReduceMean", [x], axes=[0, 2])


def _weight_axis(model: QdqModel, x: str) -> str:
    return model.node("Conv", [x, model.weight((5, 4, 3, 3), axis=1)])


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (_unquantized_result, "float result of 'conv_"),
        (_float_weight, "weight is of type float32"),
        (_alpha, "alpha is -0.5"),
        (_weight_axis, "another axis"),
        (_short_weight, "weights of type int16"),
        (_short_activation, "activations of type int16"),
        (_blocked_weight, "blocked quantization"),
        (_mean_of_all, "over axes [0, 2]"),
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
        ({"image": np.zeros((6, 6), np.float32)}, ("is 6×6", "n×3×6×6")),
        ({"image": np.zeros((2, 3, 6, 6), np.uint8)}, ("uint8", "float32")),
        ({"image": np.zeros((0, 3, 6, 6), np.float32)}, ("empty",)),
        ({"image": np.full((2, 3, 6, 6), np.nan, np.float32)}, ("not finite",)),
    ],
)
def test_bad_calibration_data(tmp_path: Path, data: dict[str, np.ndarray], parts: tuple[str, ...]) -> None:
    _refused(_float_model(tmp_path), *parts, calibrate=data)
