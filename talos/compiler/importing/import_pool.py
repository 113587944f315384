"""Pooling: MaxPool and AveragePool in one dimension and two, the global pools, and reductions over height and width."""

from dataclasses import replace

import numpy as np
import onnx_ir

from talos.compiler.graph.index import Index, nchw_index
from talos.compiler.graph.ir import Layer, Pool, Tensor
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.values import Activation, Pending
from talos.compiler.importing.windows import Pair, Window, read_window
from talos.isa import INSTRUCTIONS, Opcode

__all__ = ["HANDLERS"]

_LONGEST = next(field.high for field in INSTRUCTIONS[Opcode.VECTOR].body if field.name == "win_h")
_MOST_CODES = 1 << 16  # in a sum


def _max_pool(importer: Importer, node: onnx_ir.Node) -> None:
    if len(node.outputs) > 1 and node.outputs[1] is not None and node.outputs[1].uses():
        raise importer.error(node, "its second output (indices) is used", "remove what reads the indices")
    operand, rank = _image(importer, node)
    known = operand.tensor
    # With the lowest code for 0.0, zero padding never wins either: it can be the pool's own.
    lowest_is_zero = known is not None and known.zero_point == -128
    tensor, outer = importer.image(node, operand, keep_pads=lowest_is_zero)
    size = (tensor.shape[0] + outer[0] + outer[2], tensor.shape[1] + outer[1] + outer[3])
    window = _window(importer, node, rank, size).widened(outer)
    index = _maximum(importer, node, tensor, window)
    importer.set(node, replace(index, index=_ranked(index.index, rank), real=operand.real))


def _global_max_pool(importer: Importer, node: onnx_ir.Node) -> None:
    operand, rank = _image(importer, node)
    tensor, _ = importer.image(node, operand, keep_pads=False)
    result = _maximum(importer, node, tensor, Window((tensor.shape[0], tensor.shape[1])))
    importer.set(node, replace(result, index=_ranked(result.index, rank), real=operand.real))


def _maximum(importer: Importer, node: onnx_ir.Node, tensor: Tensor, window: Window) -> Activation:
    """Max pooling of `tensor`, (1, C, H, W). A window longer than an instruction counts is one of maxima of shorter windows."""
    name, part = str(node.name), 0
    while max(window.kernel) > _LONGEST:
        first = (min(window.kernel[0], _LONGEST), min(window.kernel[1], _LONGEST))
        step = replace(window, kernel=first, strides=(1, 1))
        tensor = _pool(importer, name, tensor, step, f"{node.outputs[0].name}:{part}")
        rest = (window.kernel[0] - first[0] + 1, window.kernel[1] - first[1] + 1)
        window, part = replace(window, kernel=rest, pads=(0, 0, 0, 0)), part + 1
    output = _pool(importer, name, tensor, window, str(node.outputs[0].name))
    return Activation(output, nchw_index(output.shape), real=True)


def _pool(importer: Importer, name: str, tensor: Tensor, window: Window, output: str) -> Tensor:
    shape = (*window.outputs((tensor.shape[0], tensor.shape[1])), tensor.shape[2])
    result = Tensor(output, shape, tensor.scale, tensor.zero_point, tensor.unsigned)
    layer = Pool(name, (name,), [tensor], result, "max", window.kernel, window.strides, window.pads, window.dilations)
    importer.layers.append(layer)
    return result


def _average_pool(importer: Importer, node: onnx_ir.Node) -> None:
    operand, rank = _image(importer, node)
    tensor, _ = importer.image(node, operand, keep_pads=False)
    window = _window(importer, node, rank, (tensor.shape[0], tensor.shape[1]))
    include_pad = bool(importer.attribute(node, "count_include_pad", 0))
    _average(importer, node, tensor, window, rank, include_pad=include_pad)


def _global_average_pool(importer: Importer, node: onnx_ir.Node) -> None:
    operand, rank = _image(importer, node)
    tensor, _ = importer.image(node, operand, keep_pads=False)
    _average(importer, node, tensor, Window((tensor.shape[0], tensor.shape[1])), rank, include_pad=False)


def _average(importer: Importer, node: onnx_ir.Node, tensor: Tensor, window: Window, rank: int, *, include_pad: bool) -> None:
    tensor, window = _summable(importer, node, tensor, window)
    shape = (*window.outputs((tensor.shape[0], tensor.shape[1])), tensor.shape[2])

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
        return Pool(
            name=nodes[0],
            nodes=nodes,
            inputs=[tensor],
            output=output,
            kind="average",
            kernel=window.kernel,
            strides=window.strides,
            pads=window.pads,
            dilations=window.dilations,
            count_include_pad=include_pad,
            low=low,
            high=high,
        )

    importer.set(node, Pending((str(node.name),), shape, _ranked(nchw_index(shape), rank), finish))


def _reduce(importer: Importer, node: onnx_ir.Node) -> None:
    """ReduceMean, ReduceSum and ReduceMax over height, width or both, channels first or last."""
    constant = importer.constant(node, 1)
    axes = importer.attribute(node, "axes", ()) if constant is None else constant.reshape(-1).tolist()
    operand = importer.activation(node)
    rank = operand.index.ndim
    reduced = {int(axis) % rank for axis in axes}
    channels = next((axis for axis in (1, rank - 1) if axis not in reduced), None)
    if rank not in (3, 4) or not reduced or 0 in reduced or channels is None:
        raise importer.error(
            node,
            f"it reduces {list(operand.shape)} over axes {list(axes)}",
            "only height and width can be reduced (of one image)",
        )
    space = [axis for axis in range(1, rank) if axis != channels]
    index = operand.index.transpose(0, channels, *space).reshape(1, operand.shape[channels], -1, operand.shape[space[-1]])
    tensor, _ = importer.image(node, replace(operand, index=index), keep_pads=False)
    height, width, _ = tensor.shape
    kernel = (height if rank == 4 and space[0] in reduced else 1, width if space[-1] in reduced else 1)
    shape = (height // kernel[0], width // kernel[1], tensor.shape[2])
    # Back to the order of the operand's axes; reduced ones are 1 and stay or go with the reshape.
    order = np.argsort([0, channels, *space])
    sizes = [1 if axis in reduced else operand.shape[axis] for axis in (0, channels, *space)]
    back = nchw_index(shape).reshape(sizes).transpose(order).reshape(importer.output_shape(node))
    if node.op_type == "ReduceMax":
        importer.set(node, replace(_maximum(importer, node, tensor, Window(kernel, kernel)), index=back, real=operand.real))
        return
    tensor, window = _summable(importer, node, tensor, Window(kernel, kernel))
    divisor = kernel[0] * kernel[1] if node.op_type == "ReduceMean" else 1

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
        name = nodes[0]
        return Pool(name, nodes, [tensor], output, "sum", window.kernel, window.strides, divisor=divisor, low=low, high=high)

    importer.set(node, Pending((str(node.name),), shape, back, finish))


def _summable(importer: Importer, node: onnx_ir.Node, tensor: Tensor, window: Window) -> tuple[Tensor, Window]:
    """`tensor` and `window` such that an instruction can add up a window: an image that is one window may change its shape for that."""
    height, width = window.kernel
    if max(height, width) > _LONGEST and (height, width) == tensor.shape[:2] and not any(window.pads):
        pixels = height * width
        sides = [side for side in range(1, _LONGEST + 1) if pixels % side == 0 and pixels // side <= _LONGEST]
        if sides:
            height, width = sides[0], pixels // sides[0]
            tensor, window = (
                importer.view(node, tensor, (height, width, tensor.shape[2])),
                Window((height, width), (height, width)),
            )
    if max(height, width) > _LONGEST or height * width > _MOST_CODES:
        raise importer.error(
            node, f"a window of {height} × {width} values is summed up", f"at most {_LONGEST} in each direction are supported"
        )
    return tensor, window


def _image(importer: Importer, node: onnx_ir.Node) -> tuple[Activation, int]:
    """Operand 0 as an image, and its number of dimensions: one is made the width of two."""
    operand = importer.activation(node)
    rank = operand.index.ndim - 2
    if rank not in (1, 2):
        raise importer.error(node, f"pooling of {rank} dimensions", "only 1-D and 2-D pooling is supported")
    return replace(operand, index=operand.index.reshape(*operand.shape[:2], -1, operand.shape[-1])), rank


def _ranked(index: Index, rank: int) -> Index:
    """An image's index for a value of `rank` dimensions behind the channels."""
    return index if rank == 2 else index[:, :, 0]


def _window(importer: Importer, node: onnx_ir.Node, rank: int, size: Pair) -> Window:
    window = read_window(importer, node, rank, size)
    if any(pad >= window.kernel[axis % 2] for axis, pad in enumerate(window.pads)):
        raise importer.invalid(
            node, f"pads {window.pads} are not smaller than the kernel {window.kernel}", "pad less: onnxruntime refuses this too"
        )
    window = window.rounded_up(size) if importer.attribute(node, "ceil_mode", 0) else window
    if min(window.outputs(size)) < 1:
        raise importer.invalid(node, f"the kernel {list(window.kernel)} is larger than the padded image", "check the model")
    return window


HANDLERS = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _max_pool,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "ReduceSum": _reduce,
}
