"""Operators that only rename, reorder, cut or pad: they change where elements are looked for, not bytes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx_ir

from talos.compiler.importer import Importer
from talos.compiler.index import Index
from talos.compiler.values import Activation, Constant, Pending, PendingFunction, QuantizedConstant

__all__ = ["HANDLERS"]


def _identity(importer: Importer, node: onnx_ir.Node) -> None:
    value = importer.value(node, 0)
    if value is None:
        raise importer.error(node, "it has no operand", "check the model")
    if len(node.outputs) > 1 and node.outputs[1] is not None and node.outputs[1].uses():
        raise importer.error(node, "its mask output is used", "export the model for inference")
    importer.set(node, value)


def _reshape(importer: Importer, node: onnx_ir.Node) -> None:
    """Reshape, Flatten, Squeeze and Unsqueeze: shape inference has worked out the result."""
    shape = importer.output_shape(node)
    _rearrange(importer, node, lambda array: array.reshape(shape), keeps_axes=False)


def _transpose(importer: Importer, node: onnx_ir.Node) -> None:
    order = importer.attribute(node, "perm")
    _rearrange(importer, node, lambda array: array.transpose(order), keeps_axes=True)


def _slice(importer: Importer, node: onnx_ir.Node) -> None:
    operand = importer.activation(node) if not isinstance(importer.value(node, 0), Constant) else None
    if operand is None:
        raise importer.error(node, "its operand is constant", "fold the constants of the model")
    starts, ends = importer.constant(node, 1), importer.constant(node, 2)
    starts = np.array(importer.attribute(node, "starts", ())) if starts is None else starts.reshape(-1)
    ends = np.array(importer.attribute(node, "ends", ())) if ends is None else ends.reshape(-1)
    axes, steps = importer.constant(node, 3), importer.constant(node, 4)
    axes = np.array(importer.attribute(node, "axes", range(len(starts)))) if axes is None else axes.reshape(-1)
    steps = np.ones(len(starts), np.int64) if steps is None else steps.reshape(-1)
    if (steps < 1).any():
        raise importer.error(node, f"steps {steps.tolist()}", "only positive steps are supported")
    cut = [slice(None)] * operand.index.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        cut[int(axis)] = slice(int(start), int(end), int(step))
    _set_index(importer, node, operand, operand.index[tuple(cut)])


def _pad(importer: Importer, node: onnx_ir.Node) -> None:
    operand = importer.activation(node)
    tensor = operand.tensor
    assert tensor is not None
    mode = importer.attribute(node, "mode", "constant")
    value = importer.constant(node, 2)
    fill = float(importer.attribute(node, "value", 0.0) if value is None else value.reshape(-1)[0])
    if value is None and not operand.real:
        fill = float(importer.attribute(node, "value", 0))
    zero = 0.0 if operand.real else float(tensor.zero_point + 128 * tensor.unsigned)
    if mode != "constant" or fill != zero:
        raise importer.error(node, f"mode {mode} with value {fill}", "only padding with zeros is supported")
    pads = importer.constant(node, 1)
    widths = np.array(importer.attribute(node, "pads", ())) if pads is None else pads.reshape(-1)
    axes = importer.constant(node, 3)
    listed = range(operand.index.ndim) if axes is None else [int(axis) for axis in axes.reshape(-1)]
    before, after = np.zeros(operand.index.ndim, np.int64), np.zeros(operand.index.ndim, np.int64)
    for position, axis in enumerate(listed):
        before[axis], after[axis] = widths[position], widths[position + len(listed)]
    index = operand.index[
        tuple(slice(max(-int(b), 0), size - max(-int(a), 0)) for b, a, size in zip(before, after, operand.shape, strict=True))
    ]
    index = np.pad(index, [(max(int(b), 0), max(int(a), 0)) for b, a in zip(before, after, strict=True)], constant_values=-1)
    _set_index(importer, node, operand, index)


def _set_index(importer: Importer, node: onnx_ir.Node, operand: Activation, index: Index) -> None:
    if not index.size or index.shape[0] != 1:
        raise importer.error(node, f"its result has shape {list(index.shape)}", "the batch dimension must stay 1")
    importer.set(node, replace(operand, index=index))


def _rearrange(importer: Importer, node: onnx_ir.Node, change: Callable[[np.ndarray], np.ndarray], *, keeps_axes: bool) -> None:
    """Applies `change` to where the operand's elements are, whatever the operand is. `keeps_axes`: it is a transposition."""
    value = importer.value(node, 0)
    if isinstance(value, (Activation, Pending)):
        importer.set(node, replace(value, index=change(value.index)))
    elif isinstance(value, PendingFunction):
        importer.set(node, replace(value, operand=replace(value.operand, index=change(value.operand.index))))
    elif isinstance(value, Constant):
        importer.set(node, Constant(change(value.array)))
    elif isinstance(value, QuantizedConstant):
        if value.scale.ndim and not keeps_axes:
            raise importer.error(node, "a weight with a scale per channel is reshaped", "reshape it before quantization")
        scale = change(value.scale) if value.scale.ndim else value.scale
        zero_point = change(value.zero_point) if value.zero_point.ndim else value.zero_point
        importer.set(node, QuantizedConstant(change(value.codes), scale, zero_point))
    else:
        raise importer.error(node, "it has no operand", "check the model")


HANDLERS = {
    "Dropout": _identity,
    "Flatten": _reshape,
    "Identity": _identity,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _reshape,
    "Transpose": _transpose,
    "Unsqueeze": _reshape,
}
