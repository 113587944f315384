"""Pad, in all modes: with zeros it costs nothing until a layer needs them in memory."""

from dataclasses import replace

import numpy as np
import onnx_ir

from talos import numerics
from talos.compiler.graph.index import Index, channel_axis, memory_order
from talos.compiler.graph.ir import Layer, Tensor
from talos.compiler.graph.rearrange import fill_code
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.rescale import rescaled
from talos.compiler.importing.values import Activation, Pending

__all__ = ["HANDLERS"]

_MODES = ("edge", "reflect", "wrap")


def _pad(importer: Importer, node: onnx_ir.Node) -> None:
    operand = importer.activation(node)
    mode = importer.attribute(node, "mode", "constant")
    widths = _widths(importer, node, operand.index.ndim)
    cut = tuple(
        slice(max(-before, 0), size - max(-after, 0)) for (before, after), size in zip(widths, operand.shape, strict=True)
    )
    inner = operand.index[cut]
    added = [(max(before, 0), max(after, 0)) for before, after in widths]
    if not inner.size:
        raise importer.error(node, f"pads {widths} leave nothing of {list(operand.shape)}", "check the model")
    nodes = (*operand.nodes, str(node.name))
    if mode in _MODES:
        importer.set(node, replace(operand, index=np.pad(inner, added, mode=mode), nodes=nodes))
        return
    if mode != "constant":
        raise importer.error(node, f"mode {mode}", f"use constant, {', '.join(_MODES)}")
    value = _value(importer, node)
    padded = replace(operand, index=np.pad(inner, added, constant_values=-1), nodes=nodes)
    known = operand.tensor
    assert known is not None
    if operand.real and value != 0:
        _pad_with_number(importer, node, padded, _border(inner, added), value)
    elif not operand.real and value != known.zero_point + 128 * known.unsigned:
        code = int(value) - 128 * known.unsigned
        if value != int(value) or not -128 <= code <= 127:
            raise importer.error(node, f"the value {value} is no code of its operand", "check the model")
        importer.set(node, _filled(importer, node, padded, _border(inner, added), code))
    else:
        importer.set(node, padded)


def _widths(importer: Importer, node: onnx_ir.Node, rank: int) -> list[tuple[int, int]]:
    """Elements to add before and after, by axis; negative where they are taken away."""
    pads, axes = importer.constant(node, 1), importer.constant(node, 3)
    widths = (
        importer.attribute(node, "pads", importer.attribute(node, "paddings", ())) if pads is None else pads.reshape(-1).tolist()
    )
    listed = list(range(rank)) if axes is None else [int(axis) for axis in axes.reshape(-1)]
    if len(widths) != 2 * len(listed) or any(not -rank <= axis < rank for axis in listed):
        raise importer.error(node, f"pads {list(widths)} for the axes {listed} of {rank}", "check the model")
    result = [(0, 0)] * rank
    for position, axis in enumerate(listed):
        result[axis] = int(widths[position]), int(widths[position + len(listed)])
    return result


def _value(importer: Importer, node: onnx_ir.Node) -> float:
    value = importer.constant(node, 2)
    number = float(importer.attribute(node, "value", 0.0) if value is None else value.reshape(-1)[0])
    if np.isnan(number):
        raise importer.error(node, "it pads with NaN", "check the model")
    return number


def _border(inner: Index, added: list[tuple[int, int]]) -> np.ndarray:
    """Which elements of the padded array are not of `inner`."""
    return np.pad(np.zeros(inner.shape, bool), added, constant_values=True)


def _filled(importer: Importer, node: onnx_ir.Node, padded: Activation, border: np.ndarray, code: int) -> Activation:
    """`padded` in memory, with `code` where `border` says."""
    tensor, index = importer.locate(padded)
    order = memory_order(index.shape, channel_axis(index))
    wanted = order.laid(np.where(border, fill_code(code), index))
    result = importer.gathered(node, tensor, wanted, padded.nodes)
    return Activation(result, order.index, padded.real)


def _pad_with_number(importer: Importer, node: onnx_ir.Node, padded: Activation, border: np.ndarray, value: float) -> None:
    """Real numbers: `value` is written as a code of the operand if one stands for just that number, else as one of the result."""
    tensor, index = importer.locate(padded)
    with np.errstate(all="ignore"):
        code = np.rint(np.float32(value) / tensor.scale) + tensor.zero_point
    if -128 <= code <= 127 and np.float32(code - tensor.zero_point) * tensor.scale == np.float32(value):
        importer.set(node, _filled(importer, node, padded, border, int(code)))
        return
    order = memory_order(index.shape, channel_axis(index))

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
        source = rescaled(importer, nodes, tensor, output)
        offset = 128 * output.unsigned
        fill = int(numerics.quantize(np.float32(value), output.scale, output.zero_point + offset, output.unsigned)) - offset
        wanted = order.laid(np.where(border, fill_code(fill), index))
        layer = importer.rearrangement(node, nodes, [source], output, wanted)
        layer.low, layer.high = low, high
        return layer

    importer.set(node, Pending(padded.nodes, order.shape, order.index, finish))


HANDLERS = {"Pad": _pad}
