"""Small QDQ models built node by node, and their comparison with onnxruntime, layer by layer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from talos.compiler.frontend import FrontendResult, build_graph
from talos.compiler.graph.evaluate import run_graph

__all__ = ["QdqModel", "compare", "random_inputs", "session"]

_FLOAT_TYPES = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8}


class QdqModel:
    """Adds nodes and seeded random constants to a graph; every method returns the name of the value it makes."""

    def __init__(self, seed: int = 0, opset: int = 17) -> None:
        self.random = np.random.default_rng(seed)
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: Sequence[int | str], dtype: str = "float32") -> str:
        self.inputs.append(helper.make_tensor_value_info(name, _FLOAT_TYPES[dtype], shape))
        return name

    def node(self, op: str, inputs: Sequence[str], *, outputs: int = 1, **attributes: Any) -> str:
        index = len(self.nodes)
        names = [f"v{index}_{part}" for part in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, name=f"{op.lower()}_{index}", **attributes))
        return names[0]

    def constant(self, array: npt.ArrayLike) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def quantize(self, value: str, scale: float, zero: int, dtype: str = "int8") -> str:
        return self.node("QuantizeLinear", [value, self.constant(np.float32(scale)), self.constant(np.array(zero, dtype))])

    def dequantize(self, value: str, scale: float, zero: int, dtype: str = "int8") -> str:
        return self.node("DequantizeLinear", [value, self.constant(np.float32(scale)), self.constant(np.array(zero, dtype))])

    def qdq(self, value: str, scale: float, zero: int, dtype: str = "int8") -> str:
        return self.dequantize(self.quantize(value, scale, zero, dtype), scale, zero, dtype)

    def weight(self, shape: Sequence[int], axis: int = 0, *, per_channel: bool = True, dtype: str = "int8", zero: int = 0) -> str:
        low, high = (-127, 127) if dtype == "int8" else (zero - 100, zero + 100)
        codes = self.random.integers(low, high + 1, shape).astype(dtype)
        count = shape[axis] if per_channel else ()
        scale = self.random.uniform(0.002, 0.02, count).astype(np.float32)
        inputs = [self.constant(codes), self.constant(scale), self.constant(np.full(np.shape(scale), zero, dtype))]
        attributes = {"axis": axis} if per_channel else {}
        self.last_scale = scale
        return self.node("DequantizeLinear", inputs, **attributes)

    def bias(self, count: int, scale_x: float) -> str:
        """int32, with the scale of the input times that of the latest weight."""
        codes = self.random.integers(-2000, 2000, count).astype(np.int32)
        scale = np.broadcast_to(np.float32(scale_x) * self.last_scale, (count,)).astype(np.float32)
        return self.node(
            "DequantizeLinear", [self.constant(codes), self.constant(scale), self.constant(np.zeros(count, np.int32))], axis=0
        )

    def conv(
        self, x: str, shape: Sequence[int], scale_x: float, *, bias: bool = True, per_channel: bool = True, **attributes: Any
    ) -> str:
        weight = self.weight(shape, per_channel=per_channel)
        inputs = [x, weight, self.bias(shape[0], scale_x)] if bias else [x, weight]
        return self.node("Conv", inputs, kernel_shape=list(shape[2:]), **attributes)

    def output(self, value: str, dtype: str = "float32") -> str:
        self.outputs.append(helper.make_tensor_value_info(value, _FLOAT_TYPES.get(dtype, TensorProto.INT64), None))
        return value

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "test", self.inputs, self.outputs, self.constants)
        foreign = sorted({node.domain for node in self.nodes} - {""})
        imports = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(domain, 1) for domain in foreign)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        return onnx.shape_inference.infer_shapes(model, data_prop=True)  # fills in the shapes of the outputs

    def save(self, folder: Path) -> Path:
        path = folder / "model.onnx"
        onnx.save(self.model(), path)
        return path


def session(model: onnx.ModelProto, extra: Sequence[str] = ()) -> onnxruntime.InferenceSession:
    """onnxruntime with its integer kernels also for int8 activations; `extra` values become outputs.

    One optimization is off: it replaces two Quantize/Dequantize pairs in a row by one of a third scale, which is not what the file says.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    known = {output.name for output in copy.graph.output}
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(extra) if name not in known)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        copy.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=["DoubleQDQPairsRemover"]
    )


def random_inputs(result: FrontendResult, count: int, seed: int = 1) -> dict[str, npt.NDArray[Any]]:
    """`count` samples for each input that reach every code, and beyond for float inputs."""
    random = np.random.default_rng(seed)
    samples: dict[str, npt.NDArray[Any]] = {}
    specs = {spec.name: spec for spec in result.graph.input_specs}
    for feed in result.graph.feeds:
        shape, spec = (count, *feed.shape[1:]), specs.get(feed.name)
        if spec is None and np.issubdtype(feed.dtype, np.integer):
            samples[feed.name] = random.integers(0, 100, shape).astype(feed.dtype)
        elif spec is None:
            samples[feed.name] = random.normal(0, 2, shape).astype(feed.dtype)
        elif spec.quantized:
            limits = np.iinfo(spec.onnx_dtype)
            samples[spec.name] = random.integers(limits.min, limits.max + 1, shape).astype(spec.onnx_dtype)
        else:
            codes = random.integers(-140, 140, shape) - spec.zero_point
            samples[spec.name] = (codes * np.float32(spec.scale)).astype(np.float32)
    return samples


def compare(path: Path, samples: dict[str, npt.NDArray[Any]] | None = None, count: int = 3, **options: Any) -> FrontendResult:
    """Builds the graph and asserts that every layer and every result equals onnxruntime's, byte for byte."""
    result = build_graph(path, **options)
    graph = result.graph
    quantized = {
        name
        for node in result.quantized_model.graph.node
        if node.op_type == "QuantizeLinear" or node.op_type.startswith("QLinear")
        for name in node.output
    }
    made = {id(layer.output) for layer in graph.layers}
    places = {
        value.name: value for value in graph.values if value.name in quantized and not value.real and id(value.tensor) in made
    }
    names = list(places)
    witness, plain = session(result.quantized_model, names), session(result.quantized_model)
    samples = samples or random_inputs(result, count)
    hosts = [(part, session(onnx.load_model_from_string(part.model))) for part in graph.host]

    def run_host(stage: str, values: dict[str, npt.NDArray[Any]]) -> None:
        for part, host in hosts:
            if part.stage == stage:
                made = host.run(list(part.outputs), {name: values[name] for name in part.inputs})
                values.update(zip(part.outputs, made, strict=True))

    for image in range(len(next(iter(samples.values())))):
        feeds = {name: array[image : image + 1] for name, array in samples.items()}
        expected = dict(zip(names, witness.run(names, feeds), strict=True)) if names else {}
        values = dict(feeds)
        run_host("before", values)
        tensors = run_graph(graph, {spec.name: spec.to_tensor(values[spec.name]) for spec in graph.input_specs})
        for name in names:
            array = expected[name]
            codes = (array ^ 0x80).view(np.int8) if array.dtype == np.uint8 else array
            tensor, index = places[name].tensor, places[name].index
            stored = np.where(index >= 0, tensors[tensor.name].reshape(-1)[index], np.int8(tensor.zero_point))
            np.testing.assert_array_equal(stored, codes, err_msg=f"value '{name}', image {image}")
        for spec, tensor in zip(graph.output_specs, graph.outputs, strict=True):
            values[spec.name] = spec.from_tensor(tensors[tensor.name])
        run_host("after", values)
        for name, array in zip(graph.results, plain.run(graph.results, feeds), strict=True):
            np.testing.assert_array_equal(values[name], array, err_msg=f"result '{name}', image {image}")
            assert values[name].dtype == array.dtype
    return result
