"""QuantizeLinear and DequantizeLinear: where scales come from, and where float results become layers."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos import numerics
from talos.compiler.graph.ir import Lookup, Tensor
from talos.compiler.importing.float_function import FloatFunction, function_table
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.values import Activation, Constant, Feed, Pending, PendingFunction, QuantizedConstant
from talos.errors import TalosError

__all__ = ["HANDLERS", "REFUSALS", "function_layer"]

_TYPES = {onnx_ir.DataType.INT8: np.dtype(np.int8), onnx_ir.DataType.UINT8: np.dtype(np.uint8)}


def _quantize(importer: Importer, node: onnx_ir.Node) -> None:
    value = importer.value(node, 0)
    if isinstance(value, Constant):
        steps, zeros = _constant_parameters(importer, node, value.array.shape)
        if zeros.dtype not in (np.int8, np.uint8, np.int32):
            raise importer.error(node, f"constants of type {zeros.dtype} are not supported", "quantize weights to int8")
        codes = np.rint(value.array.astype(np.float32) / steps) + zeros
        limits = np.iinfo(zeros.dtype)
        importer.set(node, Constant(np.clip(codes, limits.min, limits.max).astype(zeros.dtype)))
        return
    scale, zero, unsigned = _activation_parameters(importer, node)
    output = Tensor(str(node.outputs[0].name), (0, 0, 0), scale, zero, unsigned)
    if isinstance(value, Activation):
        if not value.real:
            raise importer.error(node, "its operand is integer already", "remove the node")
        known = value.tensor
        if known is None:
            assert isinstance(value.source, Feed)
            value.source.tensor = output
            importer.set(node, replace(value, real=False))
        elif same_scale(known, output):
            if known.name == value_name(node, 0):  # a pooled or copied value gets the name under which it is quantized
                known.name = output.name
            importer.set(node, replace(value, real=False))
        else:
            importer.set(node, function_layer(importer, node, (), value, FloatFunction(), output))
    elif isinstance(value, PendingFunction):
        importer.set(node, function_layer(importer, node, value.nodes, value.operand, value.function, output))
    elif isinstance(value, Pending):
        output.shape = value.shape
        importer.set(node, Activation(_finished(importer, value, output), value.index, real=False))
    else:
        raise importer.error(node, "its operand is missing or a dequantized constant", "fold the constants of the model")


def _finished(importer: Importer, value: Pending, output: Tensor) -> Tensor:
    """The tensor of a float result quantized as `output`: an earlier one if the result has been quantized so before."""
    for layer in reversed(importer.layers):
        if layer.nodes == value.nodes and layer.output.shape == output.shape and same_scale(layer.output, output):
            return layer.output
    low, high = (_bound_code(bound, output) for bound in (value.lower, value.upper))
    importer.layers.append(value.finish(value.nodes, output, low, high))
    return output


def function_layer(
    importer: Importer,
    node: onnx_ir.Node,
    nodes: tuple[str, ...],
    operand: Activation,
    function: FloatFunction,
    output: Tensor,
) -> Activation:
    """A Lookup that applies `function` to `operand` and quantizes it as `output` (its shape is set here).

    `nodes` are the function's; without any, the layer is named after `node`. Raises TalosError if onnxruntime cannot run them.
    """
    tensor, index = importer.whole(node, operand)
    output.shape = tensor.shape
    names = nodes or (str(node.name),)
    try:
        table = function_table(function, tensor, output, importer.graph.opset_imports)
    except TalosError as error:
        raise importer.error(node, f"the function of '{', '.join(names)}' has no table: {error}", "check the model") from error
    importer.functions[id(output)] = tensor, function
    importer.layers.append(Lookup(name=names[0], nodes=names, inputs=[tensor], output=output, table=table))
    return Activation(output, index.reshape(operand.shape), real=False)


def _dequantize(importer: Importer, node: onnx_ir.Node) -> None:
    value = importer.value(node, 0)
    if isinstance(value, Constant):
        steps, zeros = _constant_parameters(importer, node, value.array.shape, value.array.dtype)
        importer.set(node, QuantizedConstant(value.array, steps, zeros))
        return
    if not isinstance(value, Activation) or value.real:
        raise importer.error(node, "its operand is not integer codes", "put QuantizeLinear in front")
    if value.tensor is None:
        assert isinstance(value.source, Feed)
        scale, zero, unsigned = _activation_parameters(importer, node, np.dtype(value.source.dtype))
        value.source.tensor = Tensor(value.source.name, (0, 0, 0), scale, zero, unsigned)
    else:
        kind = np.dtype(np.uint8 if value.tensor.unsigned else np.int8)
        scale, zero, unsigned = _activation_parameters(importer, node, kind)
        if not same_scale(value.tensor, Tensor("", (0, 0, 0), scale, zero, unsigned)):
            raise importer.error(
                node,
                f"scale {scale} and zero point differ from those its operand was quantized with ({value.tensor.scale})",
                "dequantize with the same scale and zero point",
            )
    importer.set(node, replace(value, real=True))


def same_scale(a: Tensor, b: Tensor) -> bool:
    """Whether codes of the two tensors stand for the same numbers."""
    return a.scale == b.scale and a.zero_point == b.zero_point and a.unsigned == b.unsigned


def value_name(node: onnx_ir.Node, position: int) -> str:
    """The ONNX name of input `position`."""
    value = node.inputs[position]
    return str(value.name) if value is not None else ""


def _bound_code(bound: float, output: Tensor) -> int:
    if np.isinf(bound):
        return -128 if bound < 0 else 127
    unsigned_offset = 128 * output.unsigned
    code = numerics.quantize(np.float32(bound), output.scale, output.zero_point + unsigned_offset, unsigned=output.unsigned)
    return int(code) - unsigned_offset


def _activation_parameters(
    importer: Importer, node: onnx_ir.Node, dtype: np.dtype[Any] | None = None
) -> tuple[np.float32, int, bool]:
    """(scale, int8 zero point, unsigned) of a node on an activation. `dtype` is that of its codes where they are known."""
    scale, zero_point = importer.constant(node, 1), importer.constant(node, 2)
    if scale is None or scale.size != 1:
        raise importer.error(node, "activations with a scale per channel are not supported", "quantize activations per tensor")
    if scale.dtype != np.float32:
        raise importer.error(node, f"a scale of type {scale.dtype} is not supported", "export the model in float32")
    if zero_point is not None:
        if zero_point.size != 1:
            raise importer.invalid(node, f"{zero_point.size} zero points for one scale", "quantize the model again")
        dtype = zero_point.dtype
    elif dtype is None:
        code = importer.attribute(node, "output_dtype", 0)
        dtype = _TYPES.get(onnx_ir.DataType(code)) if code else np.dtype(np.uint8)
    if dtype not in (np.dtype(np.int8), np.dtype(np.uint8)):
        raise importer.error(node, f"activations of type {dtype} are not supported", "quantize activations to int8 or uint8")
    step = np.float32(scale.reshape(-1)[0])
    if not (np.isfinite(step) and step > 0):
        raise importer.invalid(node, f"scale {step} is not positive and finite", "recalibrate the model")
    unsigned = dtype == np.uint8
    zero = int(zero_point.reshape(-1)[0]) if zero_point is not None else 0
    return step, zero - 128 * unsigned, unsigned


def _constant_parameters(
    importer: Importer, node: onnx_ir.Node, shape: tuple[int, ...], dtype: np.dtype[Any] | None = None
) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    """Scale and zero point of a node on a constant of `shape`, shaped to broadcast; codes have type `dtype`, if known."""
    scale, zero_point = importer.constant(node, 1), importer.constant(node, 2)
    if scale is None or importer.attribute(node, "block_size", 0):
        raise importer.error(node, "blocked quantization is not supported", "quantize weights per tensor or per channel")
    if scale.dtype != np.float32:
        raise importer.error(node, f"a scale of type {scale.dtype} is not supported", "export the model in float32")
    if zero_point is None:
        zero_point = np.zeros(scale.shape, dtype if dtype is not None else np.uint8)
    if scale.ndim > 1:
        raise importer.error(node, "the scale is not a scalar or a vector", "quantize weights per tensor or per channel")
    if scale.size != zero_point.size or not scale.size:
        raise importer.invalid(node, f"{scale.size} scales and {zero_point.size} zero points", "quantize the model again")
    if scale.size > 1:
        axis = int(importer.attribute(node, "axis", 1))
        if not -len(shape) <= axis < len(shape) or shape[axis] != scale.size:
            raise importer.invalid(node, f"{scale.size} scales along axis {axis} of {list(shape)}", "quantize the model again")
        aligned = [1] * len(shape)
        aligned[axis] = scale.size
        return scale.reshape(aligned), zero_point.reshape(aligned)
    return scale.reshape(()), zero_point.reshape(())


def _dynamic(importer: Importer, node: onnx_ir.Node) -> None:
    raise importer.error(node, "scales are computed at run time", "quantize the float model with `talos quantize`")


HANDLERS = {"QuantizeLinear": _quantize, "DequantizeLinear": _dequantize}
REFUSALS = {"DynamicQuantizeLinear": _dynamic}
