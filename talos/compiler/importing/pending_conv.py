"""A convolution whose weights and sums are known, waiting for the scale of its result."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.graph.index import nchw_index
from talos.compiler.graph.ir import Conv, Layer, Tensor
from talos.compiler.importing.broadcast import per_channel
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.values import Activation, Constant, Pending, QuantizedConstant, Value
from talos.compiler.importing.weights import int8_terms, integer_bias
from talos.compiler.importing.windows import Pair, Window

__all__ = ["biased", "pending_conv"]


def pending_conv(
    importer: Importer,
    node: onnx_ir.Node,
    tensor: Tensor,
    weight: npt.NDArray[np.integer],
    step: npt.NDArray[np.float32],
    size: Pair,
    window: Window,
    groups: int = 1,
) -> Pending:
    """The convolution of `tensor` by `weight` (out_channels, kernel_h, kernel_w, in_channels / groups) with results at `size` positions.

    `step` is what 1 in the accumulator stands for, one per output channel. Weights beyond int8 read the input several times over, as
    further channels. The result has no bias yet: `with_bias` gives it one.
    """
    terms = int8_terms(weight)
    if len(terms) > 1:
        depth = weight.shape[3]
        channels = np.arange(tensor.shape[2]).reshape(groups, 1, depth).repeat(len(terms), axis=1).reshape(-1)
        copies = Activation(tensor, nchw_index(tensor.shape)[:, channels], real=True)
        tensor, _ = importer.image(node, copies, keep_pads=False)
    codes = np.ascontiguousarray(np.concatenate(terms, axis=3))
    shape = (*size, len(codes))

    def build(nodes: tuple[str, ...], bias_value: Value | None) -> Pending:
        bias = integer_bias(importer, node, bias_value, step, codes)

        def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
            with np.errstate(all="ignore"):
                multiplier = np.asarray(step / output.scale, np.float32)
            if not (np.isfinite(multiplier).all() and (multiplier > 0).all()):
                raise importer.error(node, "its scales make the requantization overflow or vanish", "recalibrate the model")
            return Conv(
                name=nodes[0],
                nodes=nodes,
                inputs=[tensor],
                output=output,
                low=low,
                high=high,
                weight=codes,
                bias=bias,
                multiplier=multiplier,
                strides=window.strides,
                pads=window.pads,
                dilations=window.dilations,
                groups=groups,
            )

        def with_bias(nodes: tuple[str, ...], constant: Constant | QuantizedConstant) -> Pending:
            return build(nodes, constant)

        return Pending(nodes, shape, nchw_index(shape), finish, with_bias if bias_value is None else None)

    return build((str(node.name),), None)


def biased(importer: Importer, node: onnx_ir.Node, pending: Pending, bias: Value | None) -> Pending:
    """`pending` with the bias that is an operand of its own `node`: a constant that broadcasts to one value per output channel."""
    if bias is None:
        return pending
    if not isinstance(bias, (Constant, QuantizedConstant)):
        raise importer.error(node, "its bias is computed at run time", "only a constant is supported here")
    constant = per_channel(bias, pending.index, pending.shape[2])
    if constant is None or pending.with_bias is None:
        raise importer.error(node, "its bias is not one value per output channel", "add it with Add behind it")
    return replace(pending.with_bias(pending.nodes, constant), index=pending.index)
