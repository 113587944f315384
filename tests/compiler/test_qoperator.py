"""Models of integer operators (QLinearConv, ConvInteger, …) equal onnxruntime, which runs the model as it is."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from talos.compiler.frontend import build_graph
from talos.errors import TalosError
from tests.compiler.qdq_models import QdqModel, compare

X, Y = 0.03, 0.05  # scales


class IntegerModel(QdqModel):
    """Operators on codes; every method returns the name of the codes it makes."""

    def __init__(self, seed: int = 0, dtype: str = "int8", opset: int = 17) -> None:
        super().__init__(seed, opset)
        self.dtype = dtype

    def image(self, shape: tuple[int, ...] = (1, 4, 7, 7)) -> str:
        return self.quantize(self.input("x", shape), X, self.zero(7), self.dtype)

    def zero(self, zero: int) -> int:
        """The same number for int8 and uint8 models."""
        return zero + 128 * (self.dtype == "uint8")

    def parameters(self, scale: float = X, zero: int = 7) -> list[str]:
        return [self.constant(np.float32(scale)), self.constant(np.array(self.zero(zero), self.dtype))]

    def weights(self, shape: tuple[int, ...], count: int, dtype: str = "int8", zero: int = 0) -> list[str]:
        low, high = (-127, 128) if dtype == "int8" else (max(zero - 120, 0), min(zero + 120, 256))
        self.codes = self.random.integers(low, high, shape).astype(dtype)
        scale = self.random.uniform(0.002, 0.02, count if count > 1 else ()).astype(np.float32)
        return [self.constant(self.codes), self.constant(scale), self.constant(np.full(scale.shape, zero, dtype))]

    def integers(self, op: str, inputs: list[str], domain: str = "com.microsoft", **attributes: Any) -> str:
        return self.node(op, inputs, domain=domain, **attributes)

    def finish(self, value: str, scale: float = 0.4, zero: int = -3) -> None:
        self.output(self.dequantize(value, scale, self.zero(zero), self.dtype))

    def output(self, value: str, dtype: str = "float32") -> str:
        """Shape inference does not know these operators, and an output must have a rank."""
        rank = len(self.inputs[0].type.tensor_type.shape.dim)
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self.outputs.append(helper.make_tensor_value_info(value, kind, [f"size_{axis}" for axis in range(rank)]))
        return value

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "test", self.inputs, self.outputs, self.constants)
        versions = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=versions, ir_version=8)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("bias", [False, True])
def test_convolution(tmp_path: Path, dtype: str, count: int, bias: bool) -> None:
    model = IntegerModel(1, dtype)
    inputs = [model.image(), *model.parameters(), *model.weights((6, 4, 3, 3), count), *model.parameters(0.4, -3)]
    if bias:
        inputs.append(model.constant(model.random.integers(-3000, 3000, 6).astype(np.int32)))
    model.finish(model.node("QLinearConv", inputs, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 1]))
    (layer,) = compare(model.save(tmp_path)).graph.layers
    assert layer.nodes == ("qlinearconv_1",)


@pytest.mark.parametrize("zero", [0, 3, 128, 252])
def test_unsigned_weights_of_any_zero_point(tmp_path: Path, zero: int) -> None:
    model = IntegerModel(2, "uint8")
    weights = model.weights((4, 2, 3, 3), 1, "uint8", zero)
    model.codes[0, 0, 0, :2] = 0, 255
    weights[0] = model.constant(model.codes)
    inputs = [model.image(), *model.parameters(), *weights, *model.parameters(0.8, -3)]
    model.finish(model.node("QLinearConv", inputs, group=2), 0.8)
    compare(model.save(tmp_path))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("count", [1, 5])
def test_matrix_product(tmp_path: Path, dtype: str, count: int) -> None:
    model = IntegerModel(3, dtype)
    inputs = [model.image((1, 30)), *model.parameters(), *model.weights((30, 5), count), *model.parameters(0.4, -3)]
    model.finish(model.node("QLinearMatMul", inputs))
    compare(model.save(tmp_path))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(("count", "trans_b", "alpha"), [(1, 0, 1.0), (5, 0, 0.3), (5, 1, 1.7)])
def test_gemm(tmp_path: Path, dtype: str, count: int, trans_b: int, alpha: float) -> None:
    model = IntegerModel(4, dtype)
    shape = (5, 30) if trans_b else (30, 5)
    bias = model.constant(model.random.integers(-3000, 3000, 5).astype(np.int32))
    inputs = [model.image((1, 30)), *model.parameters(), *model.weights(shape, count), bias, *model.parameters(0.4, -3)]
    model.finish(model.integers("QGemm", inputs, transB=trans_b, alpha=alpha))
    compare(model.save(tmp_path), count=20)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
@pytest.mark.parametrize("same", [False, True])
def test_two_operands(tmp_path: Path, dtype: str, op: str, same: bool) -> None:
    model = IntegerModel(5, dtype)
    x = model.image()
    other = x if same else model.quantize(model.input("z", (1, 4, 7, 7)), Y, model.zero(-20), dtype)
    operands = [x, *model.parameters(), other, *(model.parameters() if same else model.parameters(Y, -20))]
    model.finish(model.integers(op, [*operands, *model.parameters(0.0617, -3)]), 0.0617)
    compare(model.save(tmp_path))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize(("op", "attributes"), [("QLinearSigmoid", {}), ("QLinearLeakyRelu", {"alpha": 0.3})])
def test_functions(tmp_path: Path, dtype: str, op: str, attributes: dict[str, Any]) -> None:
    model = IntegerModel(6, dtype)
    model.finish(model.integers(op, [model.image(), *model.parameters(), *model.parameters(0.004, -3)], **attributes), 0.004)
    compare(model.save(tmp_path), count=6)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("channels_last", [0, 1])
@pytest.mark.parametrize(
    ("op", "attributes"), [("QLinearGlobalAveragePool", {}), ("QLinearAveragePool", {"kernel_shape": [3, 3], "strides": [2, 2]})]
)
def test_averages(tmp_path: Path, dtype: str, channels_last: int, op: str, attributes: dict[str, Any]) -> None:
    model = IntegerModel(7, dtype)
    shape = (1, 7, 7, 4) if channels_last else (1, 4, 7, 7)
    inputs = [model.image(shape), *model.parameters(), *model.parameters(0.021, -3)]
    model.finish(model.integers(op, inputs, channels_last=channels_last, **attributes), 0.021)
    compare(model.save(tmp_path))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_concatenation(tmp_path: Path, dtype: str) -> None:
    model = IntegerModel(8, dtype)
    x, z = model.image(), model.quantize(model.input("z", (1, 3, 7, 7)), Y, model.zero(-20), dtype)
    inputs = [*model.parameters(0.04, 5), x, *model.parameters(), z, *model.parameters(Y, -20)]
    model.finish(model.integers("QLinearConcat", inputs, axis=1), 0.04, 5)
    compare(model.save(tmp_path))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_softmax_runs_on_the_host(tmp_path: Path, dtype: str) -> None:
    model = IntegerModel(9, dtype)
    inputs = [model.image((1, 30)), *model.parameters(), *model.weights((30, 5), 1), *model.parameters(0.4, -3)]
    x = model.node("QLinearMatMul", inputs)
    softmax = model.integers(
        "QLinearSoftmax", [x, *model.parameters(0.4, -3), *model.parameters(1 / 256, -128)], axis=-1, opset=17
    )
    model.finish(softmax, 1 / 256, -128)
    (part,) = compare(model.save(tmp_path)).graph.host
    assert "Softmax" in part.op_types


def test_quantization_of_the_other_domain(tmp_path: Path) -> None:
    model = IntegerModel(10)
    x = model.integers("QuantizeLinear", [model.input("x", [1, 4, 7, 7]), *model.parameters()])
    x = model.node("MaxPool", [x], kernel_shape=[2, 2])
    model.output(model.integers("DequantizeLinear", [x, *model.parameters()]))
    compare(model.save(tmp_path))


@pytest.mark.parametrize("weights", [("int8", 0), ("uint8", 130)])
@pytest.mark.parametrize("op", ["ConvInteger", "MatMulInteger"])
@pytest.mark.parametrize(("channels", "bias"), [(1, False), (5, False), (5, True)])
def test_scaled_integer_sums(tmp_path: Path, weights: tuple[str, int], op: str, channels: int, bias: bool) -> None:
    model = IntegerModel(11, "uint8")
    convolution = op == "ConvInteger"
    x = model.image() if convolution else model.image((1, 30))
    weight, _, _ = model.weights((5, 4, 3, 3) if convolution else (30, 5), 1, *weights)
    zero_w = model.constant(np.array(weights[1], weights[0]))
    sums = model.node(op, [x, weight, model.parameters()[1], zero_w])
    shape = (channels, 1, 1) if convolution else (channels,)
    factor = model.random.uniform(1e-4, 5e-4, shape).astype(np.float32)
    y = model.node("Mul", [model.node("Cast", [sums], to=onnx.TensorProto.FLOAT), model.constant(factor)])
    if bias:
        y = model.node("Add", [y, model.constant(factor * model.random.integers(-999, 999, shape).astype(np.float32))])
    model.finish(model.quantize(y, 0.04, model.zero(-3), "uint8"), 0.04)
    compare(model.save(tmp_path))


def test_integer_sums_as_a_result_are_refused(tmp_path: Path) -> None:
    model = IntegerModel(12, "uint8")
    weight, *_ = model.weights((5, 4, 3, 3), 1)
    model.output(model.node("ConvInteger", [model.image(), weight]), "int32")
    with pytest.raises(TalosError, match=r"node 'convinteger_1' \(ConvInteger\): its int32 sums"):
        build_graph(model.save(tmp_path))


def test_scales_made_at_run_time_are_refused(tmp_path: Path) -> None:
    model = IntegerModel(13, "uint8")
    weight, *_ = model.weights((5, 4, 3, 3), 1)
    x = model.node("DynamicQuantizeLinear", [model.input("x", [1, 4, 7, 7])], outputs=3)
    scale, zero = x[:-1] + "1", x[:-1] + "2"
    sums = model.node("Cast", [model.node("ConvInteger", [x, weight, zero])], to=onnx.TensorProto.FLOAT)
    model.output(model.node("Mul", [sums, scale]))
    with pytest.raises(TalosError, match=r"node 'dynamicquantizelinear_0' .*: scales are computed at run time; .*talos quantize"):
        build_graph(model.save(tmp_path))


def test_a_computed_scale_is_refused(tmp_path: Path) -> None:
    model = IntegerModel(14)
    inputs = [
        model.image(),
        model.input("scale", []),
        model.parameters()[1],
        *model.weights((6, 4, 3, 3), 1),
        *model.parameters(0.4, -3),
    ]
    model.finish(model.node("QLinearConv", inputs))
    with pytest.raises(TalosError, match=r"node 'qlinearconv_1' \(QLinearConv\): 'scale' is computed at run time"):
        build_graph(model.save(tmp_path))


class _Samples(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    def __init__(self, samples: list[np.ndarray]) -> None:
        self.samples = samples

    def get_next(self) -> dict[str, np.ndarray] | None:
        return {"x": self.samples.pop()} if self.samples else None


@pytest.mark.parametrize("activation", [QuantType.QInt8, QuantType.QUInt8])
@pytest.mark.parametrize("per_channel", [False, True])
def test_a_network_quantized_by_onnxruntime(tmp_path: Path, activation: QuantType, per_channel: bool) -> None:
    random = np.random.default_rng(15)
    model = QdqModel(15)
    x = model.input("x", [1, 3, 12, 12])

    def conv(value: str, shape: tuple[int, ...], **attributes: Any) -> str:
        weight = model.constant(random.normal(0, 0.3, shape).astype(np.float32))
        bias = model.constant(random.normal(0, 0.1, shape[0]).astype(np.float32))
        return model.node("Conv", [value, weight, bias], **attributes)

    a = model.node("Relu", [conv(x, (8, 3, 3, 3), pads=[1, 1, 1, 1])])
    b = model.node("Relu", [model.node("Add", [conv(a, (8, 1, 3, 3), pads=[1, 1, 1, 1], group=8), a])])
    c = model.node(
        "MaxPool", [model.node("Concat", [b, model.node("Sigmoid", [a])], axis=1)], kernel_shape=[2, 2], strides=[2, 2]
    )
    pooled = model.node("Flatten", [model.node("GlobalAveragePool", [model.node("LeakyRelu", [c])])])
    weight, bias = (model.constant(random.normal(0, 0.3, shape).astype(np.float32)) for shape in ((16, 5), (5,)))
    model.output(model.node("Softmax", [model.node("Gemm", [pooled, weight, bias])], axis=-1))
    samples = [random.normal(0, 1, (1, 3, 12, 12)).astype(np.float32) for _ in range(8)]
    path = tmp_path / "quantized.onnx"
    quantize_static(
        model.save(tmp_path),
        path,
        _Samples(list(samples)),
        quant_format=QuantFormat.QOperator,
        activation_type=activation,
        weight_type=QuantType.QInt8,
        per_channel=per_channel,
    )
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert {"QLinearConv", "QLinearAdd", "QLinearConcat", "QGemm"} <= kinds
    compare(path, {"x": np.concatenate(samples)})
