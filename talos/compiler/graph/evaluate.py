"""Runs a layer graph in plain NumPy: what the compiler's own tests compare with onnxruntime, layer by layer."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from talos import numerics, reference
from talos.compiler.graph.ir import Binary, Concat, Conv, Graph, Layer, Lookup, Pool, Rearrange, View, operands
from talos.compiler.graph.moves import move_positions
from talos.compiler.graph.pair_parameters import pair_parameters
from talos.errors import TalosError

__all__ = ["run_graph"]

Int8Array = npt.NDArray[np.int8]


def run_graph(graph: Graph, inputs: Mapping[str, Int8Array]) -> dict[str, Int8Array]:
    """Every tensor of `graph`, by name, for one image.

    `inputs` are int8 (height, width, channels), keyed by the name of the ONNX input (see `Graph.input_specs`). Raises TalosError for a
    missing input or a wrong shape.
    """
    codes: dict[int, Int8Array] = {}
    results: dict[str, Int8Array] = {}
    for tensor, spec in zip(graph.inputs, graph.input_specs, strict=True):
        array = inputs.get(spec.name)
        if array is None or array.shape != tensor.shape or array.dtype != np.int8:
            found = "missing" if array is None else f"{array.dtype} {array.shape}"
            raise TalosError(f"input '{spec.name}' is {found}, not int8 {tensor.shape}; convert it with its IoSpec")
        codes[id(tensor)] = results[tensor.name] = array
    for layer in graph.layers:
        codes.update({id(tensor): tensor.data for tensor in operands(layer) if tensor.data is not None})
        codes[id(layer.output)] = results[layer.output.name] = _run(layer, codes)
    return results


def _run(layer: Layer, codes: dict[int, Int8Array]) -> Int8Array:
    x, tensor, output = codes[id(layer.inputs[0])], layer.inputs[0], layer.output
    if isinstance(layer, Conv):
        result = _conv(layer, x, codes)
    elif isinstance(layer, Binary):
        result = _pair(layer, x, codes[id(layer.inputs[1])])
    elif isinstance(layer, Pool) and layer.kind == "max":
        result = reference.max_pool(x, layer.kernel, layer.strides, layer.pads, layer.dilations, layer.low, layer.high)
    elif isinstance(layer, Pool) and layer.kind == "sum":
        scales = (tensor.scale, tensor.zero_point, output.scale, output.zero_point)
        result = reference.reduce_sum(x, layer.kernel, layer.divisor, *scales, layer.low, layer.high)
    elif isinstance(layer, Pool):
        result = reference.average_pool(
            x,
            layer.kernel,
            tensor.scale,
            tensor.zero_point,
            output.scale,
            output.zero_point,
            layer.strides,
            layer.pads,
            layer.count_include_pad,
            layer.low,
            layer.high,
            layer.dilations,
        )
    elif isinstance(layer, Lookup):
        result = numerics.apply_table(layer.table, x)
    elif isinstance(layer, Concat):
        result = np.concatenate([codes[id(tensor)] for tensor in layer.inputs], axis=2)
    elif isinstance(layer, Rearrange):
        result = _moved(layer, codes)
    elif isinstance(layer, View):
        result = x.reshape(output.shape)
    else:
        raise TalosError(f"layer '{layer.name}' ({layer.op}) cannot be evaluated; report this as a bug")
    if result.shape != output.shape:
        raise TalosError(f"layer '{layer.name}' gives {result.shape}, not {output.shape}; report this as a bug")
    return result


def _conv(layer: Conv, x: Int8Array, codes: dict[int, Int8Array]) -> Int8Array:
    tensor, residual = layer.inputs[0], layer.residual
    zero_y, low, high = layer.result_zero_point, layer.low, layer.high
    if residual is not None:
        zero_y, low, high = residual.zero_point, residual.low, residual.high
    acc = reference.convolution(x, layer.weight, tensor.zero_point, layer.strides, layer.pads, layer.dilations, layer.groups)
    mantissa, shift = numerics.split_multiplier(layer.multiplier)
    result = numerics.requantize(acc, layer.bias, mantissa, shift, zero_y, low, high)
    if residual is not None:
        other = codes[id(residual.tensor)]
        return _pair(layer, result, other) if residual.own_first else _pair(layer, other, result)
    return result if layer.table is None else numerics.apply_table(layer.table, result)


def _moved(layer: Rearrange, codes: dict[int, Int8Array]) -> Int8Array:
    result = np.zeros(layer.output.shape, np.int8)
    for move in layer.moves:
        shape = (1, 1, 1) if move.operand is None else layer.inputs[move.operand].shape
        source, target = move_positions(move, shape, layer.output.shape)
        codes_read = np.int8(move.value) if move.operand is None else codes[id(layer.inputs[move.operand])].reshape(-1)[source]
        result.reshape(-1)[target] = codes_read
    result = np.clip(result, layer.low, layer.high)
    return result if layer.table is None else numerics.apply_table(layer.table, result)


def _pair(layer: Conv | Binary, a: Int8Array, b: Int8Array) -> Int8Array:
    """The operation of `layer` on its first and second operand, and its table."""
    left, right = np.broadcast_arrays(a, b)
    result = numerics.combine_fast(left, right, pair_parameters(layer), layer.low, layer.high)
    return result if layer.table is None else numerics.apply_table(layer.table, result)
