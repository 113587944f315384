"""Brings a float model into the form that quantizes well: constants folded, normalization folded, means as pooling."""

import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from talos.compiler.fold_constants import fold_constants
from talos.errors import TalosError

__all__ = ["prepare_float"]

_OPSET = 13  # the first with per-channel DequantizeLinear


def prepare_float(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """A copy of the float `model` (static shapes) ready for calibration; computes the same function.

    Weights stored through DequantizeLinear become float constants; BatchNormalization, Mul and Add with constants are folded into
    the convolutions in front (onnxruntime's basic optimizations), a BatchNormalization left over becomes a depthwise convolution;
    ReduceMean over the image becomes GlobalAveragePool; x · HardSigmoid(x) is HardSwish(x) again.
    Raises TalosError naming `file` if onnxruntime cannot load the model.
    """
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < _OPSET:
        try:
            model = onnx.version_converter.convert_version(model, _OPSET)
        except RuntimeError as error:
            raise TalosError(f"{file}: opset {opset} cannot be converted to {_OPSET} ({error}); export with opset 13") from error
    model = fold_constants(model)
    _dequantize_constants(model)
    _pool_means(model)
    model = _optimize(model, file)
    _normalization_to_convolution(model)
    _restore_hard_swish(model)
    _plain_gemm(model)
    _drop_unused(model)
    return onnx.shape_inference.infer_shapes(model, data_prop=True)


def _optimize(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory(prefix="talos-") as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(folder) / "optimized.onnx")
        options.log_severity_level = 4
        try:
            onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise TalosError(
                f"{file}: onnxruntime cannot load the model ({str(error).splitlines()[0]}); export it again"
            ) from error
        return onnx.load(options.optimized_model_filepath)


def _dequantize_constants(model: onnx.ModelProto) -> None:
    """DequantizeLinear of constants → float constants, in place."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in list(graph.node):
        if node.op_type != "DequantizeLinear" or any(name and name not in constants for name in node.input):
            continue
        codes, scale = (numpy_helper.to_array(constants[name]) for name in node.input[:2])
        has_zero = len(node.input) > 2 and node.input[2]
        zero = numpy_helper.to_array(constants[node.input[2]]) if has_zero else np.zeros_like(scale, dtype=codes.dtype)
        if scale.ndim == 1 and scale.size > 1:
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            shape = [1] * codes.ndim
            shape[axis] = scale.size
            scale, zero = scale.reshape(shape), zero.reshape(shape)
        value = ((codes.astype(np.int64) - zero) * scale.astype(np.float64)).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        graph.node.remove(node)


def _pool_means(model: onnx.ModelProto) -> None:
    """ReduceMean over axes 2 and 3 of a rank-4 value → GlobalAveragePool (and Flatten without keepdims), in place."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in [*graph.value_info, *graph.input]}
    for node in list(graph.node):
        if node.op_type != "ReduceMean" or ranks.get(node.input[0]) != 4:
            continue
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        axes = attributes.get("axes")
        if len(node.input) > 1 and node.input[1] in constants:
            axes = numpy_helper.to_array(constants[node.input[1]]).tolist()
        if axes is None or sorted(axis % 4 for axis in axes) != [2, 3]:
            continue
        flat = not attributes.get("keepdims", 1)
        pooled = f"{node.output[0]}_pooled" if flat else node.output[0]
        nodes = [helper.make_node("GlobalAveragePool", [node.input[0]], [pooled], name=node.name)]
        if flat:
            nodes.append(helper.make_node("Flatten", [pooled], list(node.output), name=f"{node.name}_flatten"))
        _replace(graph, node, nodes)


def _normalization_to_convolution(model: onnx.ModelProto) -> None:
    """Each BatchNormalization of a rank-4 value that nothing could absorb → a 1×1 depthwise convolution, in place."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in [*graph.value_info, *graph.input, *graph.output]}
    for node in list(graph.node):
        if node.op_type != "BatchNormalization" or any(name not in constants for name in node.input[1:]):
            continue
        if 4 not in (ranks.get(node.input[0]), ranks.get(node.output[0])):
            continue
        epsilon = next((attribute.f for attribute in node.attribute if attribute.name == "epsilon"), 1e-5)
        gamma, beta, mean, variance = (numpy_helper.to_array(constants[name]).astype(np.float64) for name in node.input[1:])
        scale = gamma / np.sqrt(variance + epsilon)
        weight, bias = scale.reshape(-1, 1, 1, 1).astype(np.float32), (beta - mean * scale).astype(np.float32)
        names = [f"{node.name or node.output[0]}_{part}" for part in ("weight", "bias")]
        graph.initializer.extend(numpy_helper.from_array(value, name) for value, name in zip((weight, bias), names, strict=True))
        convolution = helper.make_node(
            "Conv", [node.input[0], *names], [node.output[0]], name=node.name, kernel_shape=[1, 1], group=len(scale)
        )
        _replace(graph, node, [convolution])


def _restore_hard_swish(model: onnx.ModelProto) -> None:
    """x · HardSigmoid(x) → HardSwish(x), in place: exporters and onnxruntime's loader split it, and as one function it is one table."""
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    readers = [name for node in graph.node for name in node.input] + [output.name for output in graph.output]
    for node in list(graph.node):
        for gate_name, x in (tuple(node.input), tuple(node.input)[::-1]) if node.op_type == "Mul" else ():
            gate = producers.get(gate_name)
            if gate is None or gate.op_type != "HardSigmoid" or gate.input[0] != x or readers.count(gate_name) != 1:
                continue
            attributes = {attribute.name: attribute.f for attribute in gate.attribute}
            if not np.allclose([attributes.get("alpha", 0.2), attributes.get("beta", 0.5)], [1 / 6, 0.5], rtol=1e-6):
                continue
            graph.node.remove(gate)
            _replace(graph, node, [helper.make_node("HardSwish", [x], list(node.output), name=node.name)])
            version = next(entry for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
            version.version = max(version.version, 14)  # the first with HardSwish; 13 and 14 agree on everything else here
            break


def _plain_gemm(model: onnx.ModelProto) -> None:
    """Folds `alpha` and `beta` of Gemm into its constants and makes the bias one-dimensional, in place."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type != "Gemm":
            continue
        for index, name in ((1, "alpha"), (2, "beta")):
            tensor = constants.get(node.input[index]) if len(node.input) > index else None
            if tensor is None:
                continue
            factor = next((attribute.f for attribute in node.attribute if attribute.name == name), 1.0)
            value = numpy_helper.to_array(tensor)
            value = (value.reshape(-1) if index == 2 and value.shape[-1:] == (value.size,) else value) * np.float32(factor)
            new = f"{node.name}_{name}_{tensor.name}"
            graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), new))
            node.input[index] = new
            for attribute in [attribute for attribute in node.attribute if attribute.name == name]:
                node.attribute.remove(attribute)


def _drop_unused(model: onnx.ModelProto) -> None:
    """Removes constants that no node reads any more, in place: onnxruntime warns about each."""
    graph = model.graph
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _replace(graph: onnx.GraphProto, node: onnx.NodeProto, replacement: list[onnx.NodeProto]) -> None:
    index = list(graph.node).index(node)
    del graph.node[index]
    for offset, new in enumerate(replacement):
        graph.node.insert(index + offset, new)
