"""ConvTranspose as an ordinary convolution whose channels are the phases of the result."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite, attribute, nodes_of, shape_of
from talos.compiler.prepare.parameters import parameter
from talos.compiler.prepare.shuffle import crop, interleave

__all__ = ["expand_transposed_convolutions"]

Array = npt.NDArray[Any]


def expand_transposed_convolutions(graph: ir.Graph) -> None:
    """ConvTranspose with constant weights → Conv of stride 1, DepthToSpace, Slice; the same sums, so exact up to float rounding.

    Quantized weights keep their codes and scales.

    With stride s the result at position s·m + r is Σ_q x[m − q] · w[s·q + r]: for each of the s phases r a convolution with every s-th
    weight, reversed. All phases together are one convolution with s times the channels (on each axis).
    """
    for node in nodes_of(graph, "ConvTranspose"):
        weight, bias = parameter(node, 1, axis=1), parameter(node, 2, axis=0)
        has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
        shape, result = shape_of(node.inputs[0]), shape_of(node.outputs[0])
        if weight is None or (has_bias and bias is None) or len(shape) not in (3, 4) or not result:
            continue
        axes = len(shape) - 2
        ones, group = [1] * axes, attribute(node, "group", 1)
        strides = tuple(attribute(node, "strides", ones))
        full = _dilated(weight.array, weight.fill, attribute(node, "dilations", ones))
        kernel, size, target = full.shape[2:], shape[2:], result[2:]
        begin = _begin(node, size, target, kernel, strides)
        if min(begin) < 0 or min(target) < 1:
            continue
        channels = full.shape[1] * group
        taps, first, padding, positions = [], [], [], []
        for length, wanted, k, s, p in zip(size, target, kernel, strides, begin, strict=True):
            q = -(-k // s)
            start = min(p // s, q - 1)
            stop = -(-(wanted + p) // s)  # the phases' positions computed are start … stop − 1
            taps.append(q)
            first.append(p - s * start)
            padding.append((q - 1 - start, max(stop - length, 0)))
            positions.append(length + sum(padding[-1]) - q + 1)
        rewrite, phases = Rewrite(graph, [node]), int(np.prod(strides))
        filters = _phases(full, weight.fill, group, strides, tuple(taps))
        weight = weight.rearranged(filters, np.repeat(np.tile(np.arange(full.shape[1]), group), phases))
        inputs = [node.inputs[0], weight.operand(rewrite, "weight")]
        if bias is not None:
            inputs.append(
                bias.rearranged(np.repeat(bias.array, phases), np.repeat(np.arange(channels), phases)).operand(rewrite, "bias")
            )
        pads = [before for before, _ in padding] + [after for _, after in padding]
        y = rewrite.op("Conv", inputs, (1, channels * phases, *positions), kernel_shape=taps, pads=pads, group=group)
        y = interleave(rewrite, y, channels, tuple(positions), strides)
        shuffled = tuple(length * s for length, s in zip(positions, strides, strict=True))
        end = tuple(start + wanted for start, wanted in zip(first, target, strict=True))
        rewrite.finish(crop(rewrite, y, channels, shuffled, tuple(first), end))


def _dilated(weight: Array, fill: Array, dilations: list[int]) -> Array:
    kernel = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    full = _filled((*weight.shape[:2], *kernel), fill)
    full[(slice(None), slice(None), *(slice(None, None, d) for d in dilations))] = weight
    return full


def _filled(shape: tuple[int, ...], fill: Array) -> Array:
    """An array of `fill`, which is one number or one for each index along axis 1."""
    return np.broadcast_to(fill.reshape(-1, *(1,) * (len(shape) - 2)), shape).copy()


def _begin(
    node: ir.Node, size: tuple[int, ...], target: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...]
) -> list[int]:
    """The padding cut off at the start of each axis, as onnxruntime finds it (`ComputeTransposePadAndOutputShape`)."""
    axes, mode = len(size), attribute(node, "auto_pad", "NOTSET")
    if mode == "VALID":
        return [0] * axes
    if mode == "NOTSET" and attribute(node, "output_shape", None) is None:
        return [int(pad) for pad in attribute(node, "pads", [0] * 2 * axes)[:axes]]
    extra = attribute(node, "output_padding", [0] * axes)
    totals = [
        max((length - 1) * s + more + k - wanted, 0)
        for length, wanted, k, s, more in zip(size, target, kernel, strides, extra, strict=True)
    ]
    return [total // 2 if mode == "SAME_UPPER" else total - total // 2 for total in totals]


def _phases(weight: Array, fill: Array, group: int, strides: tuple[int, ...], taps: tuple[int, ...]) -> Array:
    """(C, K / group, *kernel) → (K · ∏ strides, C / group, *taps), the phases of an output channel one after the other."""
    inputs, outputs, *kernel = weight.shape
    full = _filled((inputs, outputs, *(q * s for q, s in zip(taps, strides, strict=True))), fill)
    full[(slice(None), slice(None), *(slice(k) for k in kernel))] = weight
    axes = len(taps)
    split = full.reshape(group, inputs // group, outputs, *(n for q, s in zip(taps, strides, strict=True) for n in (q, s)))
    order = [0, 2, *(4 + 2 * axis for axis in range(axes)), 1, *(3 + 2 * axis for axis in range(axes))]
    moved = split.transpose(order)  # group, K, phases…, C, taps…
    moved = np.flip(moved, tuple(range(moved.ndim - axes, moved.ndim)))
    return np.ascontiguousarray(moved).reshape(group * outputs * int(np.prod(strides)), inputs // group, *taps)
