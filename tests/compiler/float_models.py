"""Float models and what is done to them before they are quantized."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime

from talos.compiler.prepare import Prepared, prepare_float
from talos.compiler.reading.load import fix_batch, model_inputs, name_nodes
from tests.compiler.qdq_models import QdqModel

__all__ = ["Build", "batch_norm", "constants", "float_model", "operators", "prepared", "samples", "scalar"]

Build = Callable[[QdqModel, str], str]


def float_model(shape: Sequence[int], build: Build, *, opset: int = 17) -> onnx.ModelProto:
    """The model whose input `x` has `shape` and whose result `build(model, x)` names; static, nodes named."""
    model = QdqModel(1, opset)
    model.output(build(model, model.input("x", shape)))
    fixed = fix_batch(model.model(), "test")
    name_nodes(fixed)
    return fixed


def constants(model: QdqModel, *shape: int, scale: float = 0.5) -> str:
    """A constant of normal random numbers."""
    return model.constant((model.random.normal(size=shape) * scale).astype(np.float32))


def scalar(model: QdqModel, number: float) -> str:
    """A constant number."""
    return model.constant(np.float32(number))


def batch_norm(model: QdqModel, x: str, channels: int) -> str:
    """BatchNormalization with random parameters."""
    parameters = [constants(model, channels) for _ in range(3)]
    variance = model.constant(model.random.uniform(0.5, 2, channels).astype(np.float32))
    return model.node("BatchNormalization", [x, *parameters, variance])


def samples(model: onnx.ModelProto, count: int, seed: int = 5) -> npt.NDArray[np.float32]:
    """Random samples for the only input."""
    (value,) = model_inputs(model)
    shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
    return np.random.default_rng(seed).normal(size=(count, *shape[1:])).astype(np.float32)


def prepared(model: onnx.ModelProto, exclude: tuple[str, ...] = ()) -> Prepared:
    """The prepared model, after asserting that it computes what `model` does, up to float rounding."""
    result = prepare_float(model, "test", exclude)
    for sample in samples(model, 3):
        feeds = {"x": sample[np.newaxis]}
        want, got = (_run(proto, feeds) for proto in (model, result.model))
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-6 * max(np.abs(want).max(), 1.0))
    return result


def _run(model: onnx.ModelProto, feeds: dict[str, npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, feeds)[0])


def operators(result: Prepared) -> list[str]:
    """The operators of the prepared model, in order, without the one behind each input. A function of one operator is that operator."""
    bodies = {function.name: [node.op_type for node in function.node] for function in result.model.functions}
    names = [node.op_type for node in result.model.graph.node if node.op_type != "Identity"]
    return [bodies[name][0] if len(bodies.get(name, ())) == 1 else name for name in names]
