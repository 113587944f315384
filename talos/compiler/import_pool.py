"""MaxPool, AveragePool, GlobalAveragePool and ReduceMean over the image."""

import numpy as np
import onnx_ir

from talos.compiler.importer import Importer
from talos.compiler.index import Pads, nchw_index
from talos.compiler.ir import Layer, Pool, Tensor
from talos.compiler.values import Activation, Pending
from talos.compiler.windows import window_pads

__all__ = ["HANDLERS"]

Pair = tuple[int, int]


def _max_pool(importer: Importer, node: onnx_ir.Node) -> None:
    if len(node.outputs) > 1 and node.outputs[1] is not None and node.outputs[1].uses():
        raise importer.error(node, "its second output (indices) is used", "remove what reads the indices")
    operand = importer.activation(node)
    known = operand.tensor
    # With the lowest code for 0.0, zero padding never wins either: it can be the pool's own.
    lowest_is_zero = known is not None and known.zero_point == -128
    tensor, outer = importer.image(node, operand, keep_pads=lowest_is_zero)
    kernel, strides, pads = _window(importer, node, tensor, outer)
    shape = _output_shape(importer, node, tensor)
    output = Tensor(str(node.outputs[0].name), shape, tensor.scale, tensor.zero_point, tensor.unsigned)
    name = str(node.name)
    importer.layers.append(
        Pool(name=name, nodes=(name,), inputs=[tensor], output=output, kind="max", kernel=kernel, strides=strides, pads=pads)
    )
    importer.set(node, Activation(output, nchw_index(shape), operand.real))


def _average_pool(importer: Importer, node: onnx_ir.Node) -> None:
    tensor, outer = importer.image(node, importer.activation(node), keep_pads=False)
    kernel, strides, pads = _window(importer, node, tensor, outer)
    include_pad = bool(importer.attribute(node, "count_include_pad", 0))
    if importer.attribute(node, "ceil_mode", 0) and pads != _window(importer, node, tensor, outer, ceil=False)[2]:
        raise importer.error(node, "ceil_mode with windows that reach over the edge", "pad explicitly and use ceil_mode 0")
    _average(importer, node, tensor, kernel, strides, pads, include_pad=include_pad)


def _global_average_pool(importer: Importer, node: onnx_ir.Node) -> None:
    tensor, _ = importer.image(node, importer.activation(node), keep_pads=False)
    _average(importer, node, tensor, (tensor.shape[0], tensor.shape[1]), (1, 1), (0, 0, 0, 0), include_pad=False)


def _reduce_mean(importer: Importer, node: onnx_ir.Node) -> None:
    axes = importer.constant(node, 1)
    listed = importer.attribute(node, "axes", ()) if axes is None else axes.reshape(-1).tolist()
    operand = importer.activation(node)
    if operand.index.ndim != 4 or sorted(int(axis) % 4 for axis in listed) != [2, 3]:
        raise importer.error(node, f"a mean over axes {list(listed)}", "only the mean over height and width (2, 3) is supported")
    _global_average_pool(importer, node)
    if not importer.attribute(node, "keepdims", 1):
        value = importer.values[str(node.outputs[0].name)]
        assert isinstance(value, Pending)
        importer.set(node, _reshaped(value, (1, value.shape[2])))


def _reshaped(pending: Pending, shape: tuple[int, ...]) -> Pending:
    return Pending(pending.nodes, pending.shape, pending.index.reshape(shape), pending.finish)


def _average(
    importer: Importer, node: onnx_ir.Node, tensor: Tensor, kernel: Pair, strides: Pair, pads: Pads, *, include_pad: bool
) -> None:
    height, width = ((tensor.shape[axis] + pads[axis] + pads[axis + 2] - kernel[axis]) // strides[axis] + 1 for axis in (0, 1))
    shape = (height, width, tensor.shape[2])
    if not include_pad and (max(pads[0], pads[2]) >= kernel[0] or max(pads[1], pads[3]) >= kernel[1]):
        raise importer.error(node, "a window lies in the padding entirely", "reduce the pads")

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
        return Pool(
            name=nodes[0],
            nodes=nodes,
            inputs=[tensor],
            output=output,
            kind="average",
            kernel=kernel,
            strides=strides,
            pads=pads,
            count_include_pad=include_pad,
            low=low,
            high=high,
        )

    importer.set(node, Pending((str(node.name),), shape, nchw_index(shape), finish))


def _window(importer: Importer, node: onnx_ir.Node, tensor: Tensor, outer: Pads, *, ceil: bool = True) -> tuple[Pair, Pair, Pads]:
    """Kernel, strides and pads; `ceil_mode` becomes padding at the end. `outer` is zero padding that a Pad in front asks for."""
    kernel = importer.attribute(node, "kernel_shape")
    if kernel is None or len(kernel) != 2:
        raise importer.error(node, "pooling that is not 2-D", "use 2-D pooling (add a dimension of 1)")
    if any(step != 1 for step in importer.attribute(node, "dilations", (1, 1))):
        raise importer.error(node, "dilated pooling", "use dilation 1")
    strides = importer.attribute(node, "strides", (1, 1))
    size = (tensor.shape[0] + outer[0] + outer[2], tensor.shape[1] + outer[1] + outer[3])
    pads = list(window_pads(importer, node, size, kernel, strides))
    if ceil and importer.attribute(node, "ceil_mode", 0):
        for axis in (0, 1):
            rest = (size[axis] + pads[axis] + pads[axis + 2] - kernel[axis]) % strides[axis]
            extra = (strides[axis] - rest) % strides[axis]
            # A last window that would start in the padding behind the image is not counted.
            positions = (size[axis] + pads[axis] + pads[axis + 2] + extra - kernel[axis]) // strides[axis]
            if positions * strides[axis] < size[axis] + pads[axis]:
                pads[axis + 2] += extra
    return kernel, strides, (pads[0] + outer[0], pads[1] + outer[1], pads[2] + outer[2], pads[3] + outer[3])


def _output_shape(importer: Importer, node: onnx_ir.Node, tensor: Tensor) -> tuple[int, int, int]:
    shape = importer.output_shape(node)
    return int(np.int64(shape[2])), int(np.int64(shape[3])), tensor.shape[2]


HANDLERS = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global_average_pool,
    "MaxPool": _max_pool,
    "ReduceMean": _reduce_mean,
}
