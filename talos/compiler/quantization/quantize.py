"""Quantizes a float model with onnxruntime's own tool: the QDQ model it writes is compiled and is the reference at once."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx
from onnxruntime import quantization

from talos.compiler.prepare import Prepared, prepare_float
from talos.compiler.prepare.check import check_types
from talos.compiler.prepare.functions import restore_functions
from talos.compiler.prepare.select import INPUT_OP
from talos.compiler.quantization.calibrate import METHODS, Progress, Samples, calibration_arrays, only_errors, write_ranges
from talos.compiler.reading.infer_shapes import output_types
from talos.compiler.reading.load import fix_batch, is_quantized, load_model, name_nodes
from talos.errors import TalosError
from talos.program import write_atomically

__all__ = ["QuantizationOptions", "Quantized", "quantize_file", "quantize_float"]

_OPTIONS = {
    "ActivationSymmetric": False,  # a zero point of -128 after Relu lets the clamp fuse; symmetric codes would waste half the range
    "WeightSymmetric": True,  # the array multiplies by plain int8 weights
    "QuantizeBias": True,
}

_MOVERS = ("DepthToSpace", "Expand", "SpaceToDepth", "Tile")


@dataclass(frozen=True)
class QuantizationOptions:
    """How a float model is quantized.

    `method` is "minmax", "entropy" or "percentile", the last with `percentile` (percent of the values kept); weights have a scale per output
    channel, or (not `per_channel`) one; the nodes in `exclude` stay float; the first `samples` are used (None: all).
    """

    method: str = "minmax"
    percentile: float = 99.99
    per_channel: bool = True
    exclude: tuple[str, ...] = ()
    samples: int | None = None


@dataclass(frozen=True)
class Quantized:
    """A QDQ `model`, made with `samples` samples.

    `quantized`, `kept_float` and `folded` are the nodes of the float model, {name: operator}, in order. A folded node computed constants or
    nothing.
    """

    model: onnx.ModelProto
    quantized: dict[str, str]
    kept_float: dict[str, str]
    folded: dict[str, str]
    samples: int

    def save(self, path: str | Path) -> int:
        """Write the model; its size in bytes. Raises TalosError if the file cannot be written."""
        data = self.model.SerializeToString(deterministic=True)
        write_atomically(path, lambda file: file.write(data))
        return len(data)


def quantize_file(
    path: str | Path, data: Mapping[str, npt.NDArray[Any]], options: QuantizationOptions, progress: Progress
) -> Quantized:
    """The float model in the file at `path`, quantized for a batch of 1 with the samples `data` (see `calibration_arrays`).

    Raises TalosError for a damaged or quantized model, unsuitable data, an unknown method or node, and what cannot be quantized.
    """
    file = Path(path).name
    model = fix_batch(load_model(path), file)
    name_nodes(model)
    if is_quantized(model):
        raise TalosError(f"{file}: the model is quantized already; compile it as it is, or pass the float model")
    return quantize_float(model, data, file, options, progress)


def quantize_float(
    model: onnx.ModelProto,
    data: Mapping[str, npt.NDArray[Any]],
    file: str,
    options: QuantizationOptions | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Quantized:
    """The QDQ model of the float `model` (static shapes, nodes named): activations int8 with zero points, weights symmetric int8.

    Samples are run one at a time, so the result depends on nothing but them. Raises TalosError as `quantize_file` does.
    """
    options = options or QuantizationOptions()
    if options.method not in METHODS:
        raise TalosError(f"unknown calibration method '{options.method}'; choose {', '.join(METHODS)}")
    if not 50 < options.percentile <= 100:
        raise TalosError(f"percentile {options.percentile} is not above 50 and at most 100; 99.99 is usual")
    arrays = calibration_arrays(model, data, file, options.samples)
    progress("rewriting the model", 0, 0)
    check_types(model, file)
    _require_sound(model, arrays, file)
    prepared = prepare_float(model, file, options.exclude)
    quantized = _quantize_static(prepared, arrays, file, options, progress)
    restore_functions(quantized)
    _quantize_inputs_once(quantized)
    _keep_scales(quantized)
    onnx.checker.check_model(quantized)
    groups: tuple[dict[str, str], dict[str, str], dict[str, str]] = ({}, {}, {})
    for node in model.graph.node:
        index = 0 if node.name in prepared.quantized else 1 if node.name in prepared.kept_float else 2
        groups[index][node.name] = node.op_type
    return Quantized(quantized, *groups, samples=len(next(iter(arrays.values()))))


def _require_sound(model: onnx.ModelProto, arrays: Samples, file: str) -> None:
    """Raises TalosError if onnxruntime cannot run the first sample: the rewrites take the shapes of constants to fit."""
    try:
        output_types(model.SerializeToString(), {name: array[:1] for name, array in arrays.items()})
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise TalosError(f"{file}: onnxruntime cannot run the float model ({_reason(error)}); export it again") from error


def _reason(error: Exception) -> str:
    """The first line of an error's text, without onnxruntime's codes."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text.rpartition(" : ")[2] if text.startswith("[ONNXRuntimeError]") else text


def _quantize_static(
    prepared: Prepared, arrays: Samples, file: str, options: QuantizationOptions, progress: Progress
) -> onnx.ModelProto:
    types = sorted({node.op_type for node in prepared.model.graph.node if node.name in prepared.chosen})
    overrides = {
        name: [
            {"quant_type": quantization.QuantType.QInt8, "scale": step, "zero_point": 0} | ({"axis": 0} if channel == 0 else {})
            for channel, step in enumerate(steps)
        ]
        for name, steps in prepared.weight_scales.items()
    }
    with tempfile.TemporaryDirectory(prefix="talos-") as folder:
        ranges, output = Path(folder) / "ranges.json", Path(folder) / "quantized.onnx"
        try:
            write_ranges(prepared.model, types, arrays, ranges, options.method, options.percentile, progress)
            progress("quantizing", 0, 0)
            with only_errors():
                quantization.quantize_static(
                    prepared.model,
                    output,
                    None,
                    quant_format=quantization.QuantFormat.QDQ,
                    op_types_to_quantize=types,
                    nodes_to_quantize=list(prepared.chosen),
                    per_channel=options.per_channel,
                    activation_type=quantization.QuantType.QInt8,
                    weight_type=quantization.QuantType.QInt8,
                    calibrate_method=METHODS[options.method],
                    calibration_cache_path=ranges,
                    extra_options={**_OPTIONS, "TensorQuantOverrides": overrides},
                )
        except Exception as error:  # the quantizer raises whatever its parts raise
            raise TalosError(
                f"{file}: onnxruntime cannot quantize the model ({_reason(error)}); quantize it yourself and pass it"
            ) from error
        return onnx.load(output)


def _keep_scales(model: onnx.ModelProto) -> None:
    """The results of `_MOVERS` get the scale of the operand, in place: the quantizer does that for Transpose and its like only."""
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in [node for node in graph.node if node.op_type in _MOVERS]:
        before = makers.get(node.input[0])
        after = readers.get(node.output[0], [])
        if before is None or before.op_type != "DequantizeLinear" or [reader.op_type for reader in after] != ["QuantizeLinear"]:
            continue
        for changed in (after[0], *readers.get(after[0].output[0], [])):
            changed.input[1:] = before.input[1:]


def _quantize_inputs_once(model: onnx.ModelProto) -> None:
    """x → Quantize, Dequantize, `INPUT_OP` → v becomes x → v, in place: what is left is v's own quantization, which clamps if v did."""
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    inputs = {value.name for value in graph.input}
    for node in [node for node in graph.node if node.op_type == INPUT_OP]:
        dequantize = makers.get(node.input[0])
        quantize = makers.get(dequantize.input[0]) if dequantize is not None else None
        if dequantize is None or quantize is None or quantize.input[0] not in inputs:
            continue
        readers = [reader for reader in graph.node if node.output[0] in reader.input]
        for reader in readers:
            reader.input[:] = [quantize.input[0] if name == node.output[0] else name for name in reader.input]
        graph.node.remove(node)
        if not any(dequantize.output[0] in reader.input for reader in graph.node):
            graph.node.remove(dequantize)
            graph.node.remove(quantize)
    used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
