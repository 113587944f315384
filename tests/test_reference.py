"""The NumPy layers against onnxruntime: single quantized kernels on random shapes, and Q/DQ models that onnxruntime fuses."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.witness import Witness, session_options
from talos import numerics, reference
from talos.errors import TalosError

Int8Array = npt.NDArray[np.int8]


def to_nchw(x: Int8Array) -> Int8Array:
    return np.ascontiguousarray(x.transpose(2, 0, 1)[np.newaxis])


def to_nhwc(x: Int8Array) -> Int8Array:
    return np.asarray(x[0].transpose(1, 2, 0))


def pair(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    return int(rng.integers(low, high)), int(rng.integers(low, high))


def sides(rng: np.random.Generator, kernel: tuple[int, int]) -> tuple[int, int, int, int]:
    """Pads smaller than the kernel, as pooling needs them."""
    top, left, bottom, right = (int(rng.integers(0, kernel[axis % 2])) for axis in range(4))
    return top, left, bottom, right


def codes(rng: np.random.Generator, *shape: int) -> Int8Array:
    return rng.integers(-128, 128, shape, dtype=np.int8)


@pytest.mark.parametrize("seed", range(24))
def test_conv_layer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 1, 2, 5]))
    inputs, outputs = groups * int(rng.integers(1, 6)), groups * int(rng.integers(1, 5))
    if seed % 4 == 0:
        groups = inputs = outputs = int(rng.integers(2, 12))
    kernel, strides, dilations = pair(rng, 1, 5), pair(rng, 1, 4), pair(rng, 1, 3)
    pads = (*pair(rng, 0, 4), *pair(rng, 0, 4))
    height, width = pair(rng, 9, 16)
    x, weight = codes(rng, height, width, inputs), codes(rng, outputs, *kernel, inputs // groups)
    bias = rng.integers(-5000, 5000, outputs)
    sx, sw, sy = rng.uniform(0.01, 0.1), rng.uniform(0.001, 0.01, outputs), rng.uniform(0.5, 2)
    zx, zy = (int(v) for v in rng.integers(-128, 128, 2))
    attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads, "group": groups}
    witness = Witness("QLinearConv", "x sx zx w sw zw sy zy B", domain="", unsigned=bool(seed % 2), attributes=attributes)
    nchw = weight.transpose(0, 3, 1, 2)
    theirs = witness(x=to_nchw(x), sx=sx, zx=zx, w=nchw, sw=sw, zw=np.zeros(outputs), sy=sy, zy=zy, B=bias)
    multiplier = numerics.conv_multiplier(sx, sw, sy)
    ours = reference.conv_layer(x, weight, bias, multiplier, zx, zy, strides, pads, dilations, groups)
    np.testing.assert_array_equal(ours, to_nhwc(theirs))
    low, high = sorted(int(v) for v in rng.integers(-128, 128, 2))
    clamped = reference.conv_layer(x, weight, bias, multiplier, zx, zy, strides, pads, dilations, groups, low, high)
    np.testing.assert_array_equal(clamped, np.clip(ours, low, high))


def test_convolution_by_hand() -> None:
    x = np.arange(9).reshape(3, 3, 1).astype(np.int8)
    weight = np.array([[[1], [10]], [[100], [-1]]], np.int8)[np.newaxis]
    acc = reference.convolution(x, weight, zero_point=1, pads=(0, 0, 1, 1))
    assert acc.dtype == np.int32
    # Window at (0, 0): codes 0 1 / 3 4 less 1 are -1 0 / 2 3; at (2, 2): 7 alone, the padding adds nothing.
    assert acc[0, 0, 0] == -1 + 0 + 200 - 3 and acc[2, 2, 0] == 7 and acc.shape == (3, 3, 1)


def test_convolution_wraps() -> None:
    x, weight = np.full((1, 1, 70000), -128, np.int8), np.full((1, 1, 1, 70000), -128, np.int8)
    exact = 70000 * 255 * -128 * -1
    acc = reference.convolution(x, weight, zero_point=127)
    assert exact > 1 << 31 and int(acc[0, 0, 0]) == (exact + (1 << 31)) % (1 << 32) - (1 << 31)


def test_shapes_that_do_not_fit_are_refused() -> None:
    x = np.zeros((4, 4, 3), np.int8)
    with pytest.raises(TalosError, match="do not fit 2 groups"):
        reference.convolution(x, np.zeros((2, 1, 1, 2), np.int8), 0, groups=2)
    with pytest.raises(TalosError, match=r"window of 5 \(dilation 1\) does not fit into 4"):
        reference.convolution(x, np.zeros((2, 5, 5, 3), np.int8), 0)
    with pytest.raises(TalosError, match="lies in the padding"):
        reference.average_pool(x, (1, 1), 0.1, 0, 0.1, 0, pads=(1, 0, 0, 0))


def test_output_size() -> None:
    assert reference.output_size(224, 7, 2, 3, 3) == 112
    assert reference.output_size(5, 2, 2) == 2
    assert reference.output_size(10, 3, 1, 0, 1, 4) == 3


@pytest.mark.parametrize("seed", range(8))
def test_max_pool(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel, strides, dilations = pair(rng, 1, 5), pair(rng, 1, 4), pair(rng, 1, 3)
    pads = sides(rng, kernel)
    x = codes(rng, 11, 13, 3) if seed % 2 else codes(rng, 11, 13, 3) // 4 - 90
    attributes = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "pads": pads}
    theirs = Witness("MaxPool", "x", domain="", unsigned=bool(seed & 2), attributes=attributes)(x=to_nchw(x))
    ours = reference.max_pool(x, kernel, strides, pads, dilations)
    np.testing.assert_array_equal(ours, to_nhwc(theirs))
    clamped = reference.max_pool(x, kernel, strides, pads, dilations, -100, 20)
    np.testing.assert_array_equal(clamped, np.clip(ours, -100, 20))


@pytest.mark.parametrize("seed", range(12))
def test_average_pool(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel, strides = pair(rng, 1, 5), pair(rng, 1, 4)
    pads = sides(rng, kernel)
    include = bool(seed % 3 == 0)
    x = codes(rng, 10, 9, 4)
    if seed % 4 == 0:
        kernel, strides, pads = (10, 9), (1, 1), (0, 0, 0, 0)  # onnxruntime takes its global kernel
    sx, sy = (float(v) for v in rng.uniform(0.01, 0.1, 2))
    zx, zy = (int(v) for v in rng.integers(-128, 128, 2))
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "count_include_pad": int(include)}
    witness = Witness("QLinearAveragePool", "x sx zx sy zy", unsigned=bool(seed % 2), attributes=attributes)
    theirs = witness(x=to_nchw(x), sx=sx, zx=zx, sy=sy, zy=zy)
    ours = reference.average_pool(x, kernel, sx, zx, sy, zy, strides, pads, include)
    np.testing.assert_array_equal(ours, to_nhwc(theirs))


@pytest.mark.parametrize("unsigned", [False, True])
def test_global_average_pool(unsigned: bool) -> None:
    rng = np.random.default_rng(4)
    witness = Witness("QLinearGlobalAveragePool", "x sx zx sy zy", unsigned=unsigned, attributes={"channels_last": 0})
    for _ in range(10):
        x = codes(rng, *pair(rng, 1, 9), 40)
        sx, sy = (float(v) for v in rng.uniform(0.01, 0.1, 2))
        zx, zy = (int(v) for v in rng.integers(-128, 128, 2))
        theirs = witness(x=to_nchw(x), sx=sx, zx=zx, sy=sy, zy=zy)
        np.testing.assert_array_equal(reference.global_average_pool(x, sx, zx, sy, zy), to_nhwc(theirs))


class QuantizedModel:
    """Builds a Q/DQ model from float operators, each result quantized, and runs it with onnxruntime's fusions."""

    def __init__(self, unsigned: bool) -> None:
        self.unsigned = unsigned
        self.type = TensorProto.UINT8 if unsigned else TensorProto.INT8
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []

    def constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self.initializers.append(numpy_helper.from_array(value, name))
        return name

    def parameters(self, name: str, scale: float, zero: int) -> list[str]:
        """`zero` is an int8 code."""
        point = np.uint8(zero + 128) if self.unsigned else np.int8(zero)
        return [self.constant(f"{name}_scale", np.array(scale, np.float32)), self.constant(f"{name}_zero", np.array(point))]

    def input(self, name: str, shape: list[int], scale: float, zero: int) -> str:
        """A quantized graph input and its DequantizeLinear."""
        self.inputs.append(helper.make_tensor_value_info(name, self.type, shape))
        parameters = self.parameters(name, scale, zero)
        self.nodes.append(helper.make_node("DequantizeLinear", [name, *parameters], [f"{name}_float"]))
        return f"{name}_float"

    def weight(self, name: str, value: npt.NDArray[Any], scale: npt.ArrayLike) -> str:
        """A weight (int8) or bias (int32), quantized along its first axis."""
        scales = np.atleast_1d(np.asarray(scale, np.float32))
        zeros = self.constant(f"{name}_zero", np.zeros(scales.shape, value.dtype))
        names = [self.constant(name, value), self.constant(f"{name}_scale", scales), zeros]
        self.nodes.append(helper.make_node("DequantizeLinear", names, [f"{name}_float"], axis=0))
        return f"{name}_float"

    def operator(self, op_type: str, inputs: list[str], **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op_type, inputs, [f"{op_type}_{len(self.nodes)}"], **attributes))
        return str(self.nodes[-1].output[0])

    def run(self, result: str, scale: float, zero: int, path: Path, **feeds: Int8Array) -> tuple[Int8Array, set[str]]:
        """int8 codes of `result` quantized, and the operators of the graph after onnxruntime's optimizations."""
        parameters = self.parameters("y", scale, zero)
        nodes = [*self.nodes, helper.make_node("QuantizeLinear", [result, *parameters], ["y"])]
        output = helper.make_tensor_value_info("y", self.type, None)
        graph = helper.make_graph(nodes, "quantized", self.inputs, [output], self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        options = session_options()
        options.optimized_model_filepath = str(path / "optimized.onnx")
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        fused = {node.op_type for node in onnx.load(path / "optimized.onnx").graph.node}
        flip = np.uint8(128)
        values: dict[str, Any] = {n: v.view(np.uint8) ^ flip if self.unsigned else v for n, v in feeds.items()}
        y = session.run(None, values)[0]
        return (y ^ flip).view(np.int8) if self.unsigned else y, fused


@pytest.mark.parametrize("unsigned", [False, True])
def test_fused_conv_relu(unsigned: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    x, weight = codes(rng, 8, 9, 6), codes(rng, 10, 3, 3, 6)
    sx, sw, sy, zx, zy = 0.05, rng.uniform(0.001, 0.01, 10).astype(np.float32), 0.9, -7, -128
    bias = rng.integers(-3000, 3000, 10).astype(np.int32)
    model = QuantizedModel(unsigned)
    act = model.input("x", [1, 6, 8, 9], sx, zx)
    wgt = model.weight("w", np.ascontiguousarray(weight.transpose(0, 3, 1, 2)), sw)
    conv = model.operator("Conv", [act, wgt, model.weight("b", bias, np.float32(sx) * sw)], pads=[1, 1, 1, 1], strides=[2, 1])
    theirs, fused = model.run(model.operator("Relu", [conv]), sy, zy, tmp_path, x=to_nchw(x))
    assert "QLinearConv" in fused and "Relu" not in fused
    multiplier = numerics.conv_multiplier(sx, sw, sy)
    ours = reference.conv_layer(x, weight, bias, multiplier, zx, zy, (2, 1), (1, 1, 1, 1), low=zy)
    np.testing.assert_array_equal(ours, to_nhwc(theirs))


@pytest.mark.parametrize("unsigned", [False, True])
def test_fused_gemm(unsigned: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    x, weight = codes(rng, 300), codes(rng, 21, 300)
    bias = rng.integers(-3000, 3000, 21).astype(np.int32)
    sx, sw, sy, zx, zy = 0.05, np.float32(0.004), 1.1, 9, -3
    model = QuantizedModel(unsigned)
    act = model.input("x", [1, 300], sx, zx)
    gemm = model.operator("Gemm", [act, model.weight("w", weight, sw), model.weight("b", bias, np.float32(sx) * sw)], transB=1)
    theirs, fused = model.run(gemm, sy, zy, tmp_path, x=x[np.newaxis])
    assert "QGemm" in fused
    ours = reference.fully_connected(x, weight, bias, numerics.conv_multiplier(sx, sw, sy), zx, zy)
    np.testing.assert_array_equal(ours, theirs[0])
    as_conv = weight.reshape(21, 1, 1, 300)
    conv = reference.conv_layer(x.reshape(1, 1, 300), as_conv, bias, numerics.conv_multiplier(sx, sw, sy), zx, zy)
    np.testing.assert_array_equal(conv[0, 0], ours)


@pytest.mark.parametrize("unsigned", [False, True])
def test_fused_add_and_pools(unsigned: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(13)
    a, b = codes(rng, 6, 7, 50), codes(rng, 6, 7, 50)
    # No simple ratios: they bring ties into AveragePool.
    scales = (0.0313717, 0.0471911, 0.0552391)
    model = QuantizedModel(unsigned)
    shape = [1, 50, 6, 7]
    total = model.operator("Add", [model.input("a", shape, scales[0], 4), model.input("b", shape, scales[1], -9)])
    theirs, fused = model.run(total, scales[2], 11, tmp_path, a=to_nchw(a), b=to_nchw(b))
    assert "QLinearAdd" in fused
    za, zb, zc = (zero + 128 * unsigned for zero in (4, -9, 11))
    parameters = numerics.add_parameters(scales[0], za, scales[1], zb, scales[2], zc, unsigned=unsigned)
    np.testing.assert_array_equal(numerics.combine(a, b, parameters), to_nhwc(theirs))

    model = QuantizedModel(unsigned)
    pool = model.operator("GlobalAveragePool", [model.input("x", shape, scales[0], 4)])
    theirs, fused = model.run(pool, scales[1], -9, tmp_path, x=to_nchw(a))
    assert "QLinearGlobalAveragePool" in fused
    np.testing.assert_array_equal(reference.global_average_pool(a, scales[0], 4, scales[1], -9), to_nhwc(theirs))

    model = QuantizedModel(unsigned)
    pool = model.operator("AveragePool", [model.input("x", shape, scales[0], 4)], kernel_shape=[3, 2], strides=[2, 1])
    theirs, fused = model.run(pool, scales[1], -9, tmp_path, x=to_nchw(a))
    assert "QLinearAveragePool" in fused
    ours = reference.average_pool(a, (3, 2), scales[0], 4, scales[1], -9, strides=(2, 1))
    np.testing.assert_array_equal(ours, to_nhwc(theirs))

    model = QuantizedModel(unsigned)
    pool = model.operator("MaxPool", [model.input("x", shape, scales[0], 4)], kernel_shape=[3, 2], pads=[1, 0, 1, 1])
    theirs, fused = model.run(pool, scales[0], 4, tmp_path, x=to_nchw(a))
    assert "MaxPool" in fused and "DequantizeLinear" not in fused
    np.testing.assert_array_equal(reference.max_pool(a, (3, 2), pads=(1, 0, 1, 1)), to_nhwc(theirs))


def test_max_pool_is_monotonic_in_the_window() -> None:
    """A larger window never gives a smaller code."""
    x = codes(np.random.default_rng(14), 12, 12, 2)
    results = [reference.max_pool(x, (size, size), pads=(0, 0, size - 1, size - 1)) for size in (1, 2, 3, 4)]
    assert all((small <= large).all() for small, large in pairwise(results))
    np.testing.assert_array_equal(results[0], x)
