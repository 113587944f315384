"""Concat along any axis, of activations and constants."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos import numerics
from talos.compiler.graph.index import Index, channel_axis, memory_order, nchw_index
from talos.compiler.graph.ir import Concat, Layer, Rearrange, Tensor
from talos.compiler.graph.rearrange import fill_code
from talos.compiler.importing.channel_order import stored_order
from talos.compiler.importing.import_quantize import same_scale
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.rescale import rescaled
from talos.compiler.importing.values import Activation, Constant, Pending, QuantizedConstant

__all__ = ["HANDLERS"]

FEW = 4  # different codes of a constant that are written one by one; with more it is kept in DRAM


@dataclass(frozen=True)
class _Numbers:
    """A constant operand: float32 numbers, or codes if the other operands are codes."""

    array: npt.NDArray[Any]


def _concat(importer: Importer, node: onnx_ir.Node) -> None:
    operands = [_operand(importer, node, position) for position in range(len(node.inputs))]
    rank = len(_shape(operands[0]))
    axis = int(importer.attribute(node, "axis"))
    if not -rank <= axis < rank:
        raise importer.error(node, f"axis {axis} of {rank} dimensions", "check the model")
    axis %= rank
    activations = [operand for operand in operands if isinstance(operand, Activation)]
    if not activations:
        importer.set(
            node, Constant(np.concatenate([operand.array for operand in operands if isinstance(operand, _Numbers)], axis))
        )
        return
    if len({activation.real for activation in activations}) > 1:
        raise importer.error(node, "some of its operands are codes and some are numbers", "check the model")
    first = activations[0]
    if len(activations) == len(operands) and all(operand.source is first.source for operand in activations):
        nodes = tuple(dict.fromkeys([*(name for operand in activations for name in operand.nodes), str(node.name)]))
        index = np.concatenate([operand.index for operand in activations], axis)
        importer.set(node, replace(first, index=index, nodes=nodes))
    elif len(activations) == len(operands) and _joins_channels(importer, activations, axis):
        _join_channels(importer, node, activations, axis)
    else:
        _join(importer, node, operands, axis)


def _operand(importer: Importer, node: onnx_ir.Node, position: int) -> Activation | _Numbers:
    if isinstance(importer.value(node, position), (Constant, QuantizedConstant)):
        array = importer.constant(node, position)
        assert array is not None
        return _Numbers(array)
    return importer.activation(node, position)


def _shape(operand: Activation | _Numbers) -> tuple[int, ...]:
    return operand.array.shape if isinstance(operand, _Numbers) else operand.shape


def _joins_channels(importer: Importer, operands: Sequence[Activation], axis: int) -> bool:
    """Whether the pixels of the operands, as they lie in memory, are joined: then each is made in its place, and nothing moves."""
    shape = operands[0].shape
    if len(shape) == 2:
        return axis == 1 and shape[0] == 1
    if len(shape) != 4 or axis not in (1, 3) or shape[0] != 1:
        return False
    for operand in operands:
        if not isinstance(operand.source, Tensor) and operand.source.order is None:
            continue  # its layout is still to be chosen
        tensor, index = importer.locate(operand)
        if index.shape[axis] > 1:
            return channel_axis(index) == axis
        if np.array_equal(index.reshape(-1), np.arange(tensor.size)):
            return True
    return axis == 1


def _join_channels(importer: Importer, node: onnx_ir.Node, operands: Sequence[Activation], axis: int) -> None:
    """A `Concat` of the operands as images or as vectors, with the channels of each in the order in which they lie in memory."""
    tensors: list[Tensor] = []
    places: list[Index] = []  # of an operand's channels, or elements, in the result
    for operand in operands:
        before = sum(tensor.shape[2] for tensor in tensors)
        if len(operand.shape) == 4:
            image = replace(operand, index=np.moveaxis(operand.index, axis, 1))
            stored = stored_order(image)
            tensors.append(importer.image(node, replace(image, index=image.index[:, stored]), keep_pads=False)[0])
            places.append((before + np.argsort(stored)).astype(np.int32))
        else:
            tensor, index = importer.whole(node, operand)
            tensors.append(importer.view(node, tensor, (1, 1, tensor.size)))
            places.append(before + index[0])
    height, width, _ = tensors[0].shape
    shape = (height, width, sum(tensor.shape[2] for tensor in tensors))
    order = nchw_index(shape)[:, np.concatenate(places)]
    order = np.moveaxis(order, 1, axis) if len(operands[0].shape) == 4 else order[:, :, 0, 0]

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
        inputs = [rescaled(importer, nodes, tensor, output, low, high) for tensor in tensors]
        return Concat(nodes[0], nodes, inputs, output)

    _set(importer, node, tensors, Pending((str(node.name),), shape, order, finish), real=operands[0].real)


def _set(importer: Importer, node: onnx_ir.Node, tensors: Sequence[Tensor], pending: Pending, *, real: bool) -> None:
    """The result: with equal scales at once, else when QuantizeLinear says in which scale."""
    first = tensors[0]
    if all(same_scale(tensor, first) for tensor in tensors):
        output = Tensor(str(node.outputs[0].name), pending.shape, first.scale, first.zero_point, first.unsigned)
        importer.layers.append(pending.finish(pending.nodes, output, -128, 127))
        importer.set(node, Activation(output, pending.index, real))
    elif real:
        importer.set(node, pending)
    else:
        raise importer.error(node, "it joins integer codes of different scales", "dequantize its operands")


def _join(importer: Importer, node: onnx_ir.Node, operands: Sequence[Activation | _Numbers], axis: int) -> None:
    """A `Rearrange` that copies all operands to where they belong."""
    located = [importer.locate(operand) if isinstance(operand, Activation) else None for operand in operands]
    tensors = [found[0] for found in located if found is not None]
    channels = next(channel_axis(found[1]) for found in located if found is not None)
    real = next(operand.real for operand in operands if isinstance(operand, Activation))
    try:
        places = [np.zeros(_shape(operand), np.int32) for operand in operands]
        order = memory_order(np.concatenate(places, axis).shape, channels)
    except ValueError:
        shapes = ", ".join(str(list(_shape(operand))) for operand in operands)
        raise importer.error(node, f"operands of shape {shapes} cannot be joined along axis {axis}", "check the model") from None
    numbers = any(isinstance(operand, _Numbers) for operand in operands)

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Rearrange:
        sources: list[Tensor] = []
        parts: list[Index] = []
        for operand, found in zip(operands, located, strict=True):
            start = sum(source.size for source in sources)
            if found is None:
                assert isinstance(operand, _Numbers)
                codes = _codes(operand.array, output, real=real)
                part, source = _constant(codes, output, channels, f"{output.name}:constant{len(parts)}")
            else:
                source = rescaled(importer, nodes, found[0], output)
                part = found[1]
            parts.append(np.where(part >= 0, part + start, part).astype(np.int32))
            sources += [source] if source is not None else []
        layer = importer.rearrangement(node, nodes, sources, output, order.laid(np.concatenate(parts, axis)))
        layer.low, layer.high = low, high
        return layer

    nodes = tuple(dict.fromkeys([*_nodes(operands), str(node.name)]))
    pending = Pending(nodes, order.shape, order.index, finish)
    if real and numbers:  # which codes the numbers get is up to QuantizeLinear
        importer.set(node, pending)
    else:
        _set(importer, node, tensors, pending, real=real)


def _nodes(operands: Sequence[Activation | _Numbers]) -> list[str]:
    return [name for operand in operands if isinstance(operand, Activation) for name in operand.nodes]


def _codes(array: npt.NDArray[Any], output: Tensor, *, real: bool) -> npt.NDArray[np.int8]:
    """A constant in the scale of `output`."""
    codes = array
    if real:
        codes = numerics.quantize(array, output.scale, output.zero_point + 128 * output.unsigned, output.unsigned)
    return np.asarray((codes.astype(np.int64) - 128 * output.unsigned).astype(np.int8))


def _constant(codes: npt.NDArray[np.int8], output: Tensor, channels: int, name: str) -> tuple[Index, Tensor | None]:
    """Where the elements of a constant are to be found: written one by one, or in a constant tensor."""
    if np.unique(codes).size <= FEW:
        return codes.astype(np.int32) + np.int32(fill_code(0)), None
    order = memory_order(codes.shape, channels)
    return order.index, Tensor(name, order.shape, output.scale, output.zero_point, output.unsigned, order.laid(codes))


HANDLERS = {"Concat": _concat}
