"""Conv in one and two dimensions; sums of integer products that nothing scales are refused."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.graph.index import Index, nchw_index
from talos.compiler.graph.ir import Concat, Layer, Tensor
from talos.compiler.importing.channel_order import as_stored, stored_order
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.long_kernel import LONGEST_KERNEL, shorten_kernel
from talos.compiler.importing.pending_conv import biased, pending_conv
from talos.compiler.importing.values import Activation, Constant, Pending, QuantizedConstant, Value
from talos.compiler.importing.weights import accumulator_step, integer_weight
from talos.compiler.importing.windows import Window, read_window

__all__ = ["HANDLERS", "REFUSALS"]

Floats = npt.NDArray[np.float32]
Weight = npt.NDArray[np.int16]


def _conv(importer: Importer, node: onnx_ir.Node) -> None:
    operand = importer.activation(node)
    weight, scale_w = integer_weight(importer, node, importer.value(node, 1), axis=0)
    rank = weight.ndim - 2
    if rank not in (1, 2) or operand.index.ndim != weight.ndim:
        raise importer.error(node, f"a convolution of {rank} dimensions", "only 1-D and 2-D convolutions are supported")
    if rank == 1:
        operand, weight = replace(operand, index=operand.index[:, :, np.newaxis]), weight[:, :, np.newaxis]
    groups = int(importer.attribute(node, "group", 1))
    out_channels, depth, *kernel = weight.shape
    if groups < 1 or depth * groups != operand.shape[1] or out_channels % groups:
        raise importer.invalid(
            node,
            f"weight {list(weight.shape)} does not fit {operand.shape[1]} input channels in {groups} groups",
            "check the model",
        )
    size = (operand.shape[2], operand.shape[3])
    window = read_window(importer, node, rank, size, (kernel[0], kernel[1]))
    if min(window.outputs(size)) < 1:
        raise importer.invalid(node, f"the kernel {list(window.kernel)} is larger than the padded image", "check the model")
    bias = _column(importer.value(node, 2))
    if depth == 1 and 1 < groups < out_channels:
        pending = _multiplied(importer, node, operand, weight, scale_w, bias, window)
    elif depth == 1 and groups == out_channels:
        order = stored_order(operand)
        stored = replace(operand, index=operand.index[:, order])
        pending = _pending(importer, node, stored, weight[order], scale_w[order], window, groups)
        pending = biased(importer, node, pending, _entries(bias, order))
        pending = replace(pending, index=pending.index[:, np.argsort(order)])
    else:
        pending = biased(importer, node, _pending(importer, node, operand, weight, scale_w, window, groups), bias)
    importer.set(node, pending if rank == 2 else replace(pending, index=pending.index[:, :, 0]))


def _pending(
    importer: Importer, node: onnx_ir.Node, operand: Activation, weight: Weight, scale_w: Floats, window: Window, groups: int
) -> Pending:
    """The convolution of an image by `weight` (out_channels, in_channels / groups, height, width), without a bias."""
    if max(window.kernel) > LONGEST_KERNEL:
        index, weight, window = shorten_kernel(operand.index, weight, window, groups)
        operand = replace(operand, index=index)
    if groups == 1:
        operand, weight = as_stored(operand, weight)
    tensor, outer = importer.image(node, operand, keep_pads=True)
    window = window.widened(outer)
    step = accumulator_step(importer, node, tensor.scale, scale_w)
    positions = window.outputs((tensor.shape[0], tensor.shape[1]))
    return pending_conv(importer, node, tensor, weight.transpose(0, 2, 3, 1), step, positions, window, groups)


def _multiplied(
    importer: Importer,
    node: onnx_ir.Node,
    operand: Activation,
    weight: Weight,
    scale_w: Floats,
    bias: Value | None,
    window: Window,
) -> Pending:
    """A depthwise convolution with several results for each channel: one convolution for the first result of all channels, one for the
    second, …, whose results lie side by side. In memory the channels then have another order than in ONNX."""
    channels = operand.shape[1]
    factor = len(weight) // channels
    parts = []
    for first in range(factor):
        part = _pending(importer, node, operand, weight[first::factor], scale_w[first::factor], window, channels)
        parts.append(biased(importer, node, part, _entries(bias, slice(first, None, factor))))
    height, width, _ = parts[0].shape
    shape = (height, width, channels * factor)

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
        slices = []
        for number, part in enumerate(parts):
            result = Tensor(f"{output.name}:{number}", part.shape, output.scale, output.zero_point, output.unsigned)
            layer = part.finish(nodes, result, low, high)
            layer.name = f"{layer.name}:{number}"
            importer.layers.append(layer)
            slices.append(result)
        return Concat(nodes[0], nodes, slices, output)

    order = np.arange(channels * factor).reshape(factor, channels).T.reshape(-1)
    return Pending((str(node.name),), shape, nchw_index(shape)[:, order], finish)


def _entries(bias: Value | None, entries: slice | Index) -> Value | None:
    """Some entries of a bias with one entry per channel; others are the same for all channels."""
    if isinstance(bias, Constant) and bias.array.size > 1:
        return Constant(bias.array[entries])
    if isinstance(bias, QuantizedConstant) and bias.codes.size > 1:
        scale, zero_point = (np.broadcast_to(part, bias.codes.shape)[entries] for part in (bias.scale, bias.zero_point))
        return QuantizedConstant(bias.codes[entries], scale.astype(np.float32), zero_point.astype(np.int32))
    return bias


def _column(bias: Value | None) -> Value | None:
    """A bias of one dimension along the channels of an image, as broadcasting has it."""
    if isinstance(bias, Constant):
        return Constant(bias.array.reshape(-1, 1, 1))
    if isinstance(bias, QuantizedConstant):
        codes, zero_point = bias.codes.reshape(-1, 1, 1), bias.zero_point.reshape(-1, 1, 1)
        return QuantizedConstant(codes, bias.scale.reshape(-1, 1, 1), zero_point)
    return bias


def _integer_sums(importer: Importer, node: onnx_ir.Node) -> None:
    raise importer.error(
        node,
        "its int32 sums are used as they are, without Cast to float and Mul by constant scales",
        "scale and quantize them, or use QLinearConv or QLinearMatMul",
    )


def _transposed(importer: Importer, node: onnx_ir.Node) -> None:
    """What `expand_upsampling` has left."""
    raise importer.error(
        node,
        "a transposed convolution of three dimensions, or whose weights are computed or not scaled per output channel (axis 1), or whose "
        "result is not quantized",
        "quantize its weights per output channel, and its result",
    )


HANDLERS = {"Conv": _conv}
REFUSALS = {"ConvInteger": _integer_sums, "ConvTranspose": _transposed, "MatMulInteger": _integer_sums}
