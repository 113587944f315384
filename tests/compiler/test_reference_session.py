"""What cannot be run in onnxruntime has no reference; what its optimizations spoil has."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from talos.compiler.reading.load import load_model
from talos.compiler.reading.reference_session import reason, reference_session
from talos.compiler.reading.require_reference import require_reference
from talos.errors import TalosError
from tests.compiler.qdq_models import QdqModel


def _pool_with_dilations() -> onnx.ModelProto:
    model = QdqModel(opset=19)
    x = model.qdq(model.input("x", ["n", 3, 8, 8]), 0.1, 0)
    model.output(model.qdq(model.node("AveragePool", [x], kernel_shape=[2, 2], dilations=[2, 2]), 0.1, 0))
    return model.model()


def test_optimizations_that_spoil_a_model_are_left_out() -> None:
    data = _pool_with_dilations().SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    with pytest.raises(Exception, match="QLinearAveragePool"):
        onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    (result,) = reference_session(data).run(None, {"x": np.full((1, 3, 8, 8), 0.5, np.float32)})
    np.testing.assert_array_equal(result, np.full((1, 3, 6, 6), 5 * np.float32(0.1)))


def test_models_that_run_are_accepted() -> None:
    require_reference(_pool_with_dilations(), "net.onnx")


def test_error_names_the_users_node(capfd: pytest.CaptureFixture[str]) -> None:
    """Not the one that onnxruntime made of it; and onnxruntime prints nothing itself."""
    model = QdqModel()
    x = model.qdq(model.input("x", [1, 3, 8, 8]), 0.05, 0)
    model.output(model.qdq(model.node("Conv", [x, model.weight((4, 3, 3, 3))], kernel_shape=[5, 5]), 0.5, 0))
    with pytest.raises(TalosError, match=r"net\.onnx: onnxruntime cannot run the model \(.*'conv_3'.*kernel_shape") as caught:
        require_reference(model.model(), "net.onnx")
    assert "\n" not in str(caught.value) and "ONNXRuntimeError" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("[ONNXRuntimeError] : 10 : INVALID_GRAPH : In Node : a\n is : b", "In Node : a is : b"),
        ("something else\nhappened", "something else happened"),
        ("a : b : c", "a : b : c"),
    ],
)
def test_reason(message: str, told: str) -> None:
    assert reason(RuntimeError(message)) == told


def test_names_that_are_not_text(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    data = _pool_with_dilations().SerializeToString()
    assert data.count(b"averagepool_2") == 1
    path.write_bytes(data.replace(b"averagepool_2", b"average\x9eool_2"))
    with pytest.raises(TalosError, match="not text"):
        load_model(path)
