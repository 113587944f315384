"""Conv, Gemm and MatMul: everything that becomes a convolution on the array."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos import numerics
from talos.compiler.importer import Importer
from talos.compiler.index import nchw_index
from talos.compiler.ir import Conv, Layer, Tensor
from talos.compiler.values import Constant, Pending, QuantizedConstant, Value
from talos.compiler.weights import integer_bias, integer_weight
from talos.compiler.windows import window_pads

__all__ = ["HANDLERS"]


def _conv(importer: Importer, node: onnx_ir.Node) -> None:
    operand = importer.activation(node)
    weight_value = importer.value(node, 1)
    rank = weight_value.codes.ndim if isinstance(weight_value, QuantizedConstant) else 4
    if rank != 4 or operand.index.ndim != 4:
        raise importer.error(node, f"a convolution of {rank - 2} dimensions", "use 2-D convolutions (add a dimension of 1)")
    weight, scale_w = integer_weight(importer, node, weight_value, axis=0)
    tensor, outer = importer.image(node, operand, keep_pads=True)
    kernel: tuple[int, int] = (weight.shape[2], weight.shape[3])
    strides, dilations = importer.attribute(node, "strides", (1, 1)), importer.attribute(node, "dilations", (1, 1))
    groups = importer.attribute(node, "group", 1)
    size = (tensor.shape[0] + outer[0] + outer[2], tensor.shape[1] + outer[1] + outer[3])
    pads = window_pads(importer, node, size, kernel, strides, dilations)
    if weight.shape[1] * groups != tensor.shape[2] or weight.shape[0] % groups:
        raise importer.error(
            node,
            f"weight {list(weight.shape)} does not fit {tensor.shape[2]} input channels in {groups} groups",
            "check the model",
        )
    height, width = (
        (size[axis] + pads[axis] + pads[axis + 2] - (kernel[axis] - 1) * dilations[axis] - 1) // strides[axis] + 1
        for axis in (0, 1)
    )
    if height < 1 or width < 1:
        raise importer.error(node, f"the kernel {list(kernel)} is larger than the padded image", "check the model")
    bias = importer.value(node, 2)
    build = _builder(
        importer,
        node,
        tensor,
        weight.transpose(0, 2, 3, 1),
        scale_w,
        strides=strides,
        pads=tuple(a + b for a, b in zip(pads, outer, strict=True)),
        dilations=dilations,
        groups=groups,
    )
    importer.set(node, build((str(node.name),), (height, width, weight.shape[0]), bias))


def _gemm(importer: Importer, node: onnx_ir.Node) -> None:
    if importer.attribute(node, "transA", 0):
        raise importer.error(node, "transA is not supported", "transpose the model's data, not the activation")
    alpha, beta = importer.attribute(node, "alpha", 1.0), importer.attribute(node, "beta", 1.0)
    if alpha != 1.0 or beta != 1.0:
        raise importer.error(node, f"alpha {alpha} and beta {beta}", "fold them into the constants before quantization")
    weight = importer.value(node, 1)
    if importer.attribute(node, "transB", 0) and isinstance(weight, QuantizedConstant):
        weight = _transposed(weight)
    _fully_connected(importer, node, weight, importer.value(node, 2))


def _matmul(importer: Importer, node: onnx_ir.Node) -> None:
    if isinstance(importer.value(node, 0), (Constant, QuantizedConstant)):
        raise importer.error(node, "the constant is the left operand", "exchange the operands")
    _fully_connected(importer, node, importer.value(node, 1), None)


def _transposed(weight: QuantizedConstant) -> QuantizedConstant:
    return QuantizedConstant(weight.codes.T, weight.scale.T, weight.zero_point.T)  # a scalar's transpose is itself


def _fully_connected(importer: Importer, node: onnx_ir.Node, value: Value | None, bias: Value | None) -> None:
    """`value` is (in_features, out_features): a convolution whose kernel is the whole image."""
    operand = importer.activation(node)
    if isinstance(value, (Constant, QuantizedConstant)):
        rank = (value.codes if isinstance(value, QuantizedConstant) else value.array).ndim
        if rank != 2:
            raise importer.error(node, f"its constant has {rank} dimensions", "use a matrix")
    codes, scale_w = integer_weight(importer, node, value, axis=1)
    features, count = codes.shape
    if operand.shape[-1] != features or operand.index.size != features:
        raise importer.error(
            node,
            f"its operand has shape {list(operand.shape)}; one row of {features} is supported",
            "use 1×1 convolutions for images",
        )
    tensor, index = importer.locate(operand)
    positions = index.reshape(-1)
    stored = positions >= 0  # elements that are 0.0 by padding add nothing, and bytes that are not read get weight 0
    weight = np.zeros((count, tensor.size), np.int8)
    weight[:, positions[stored]] = codes.T[:, stored]
    build = _builder(importer, node, tensor, weight.reshape(count, *tensor.shape), scale_w)
    pending = build((str(node.name),), (1, 1, count), bias)
    importer.set(node, replace(pending, index=pending.index.reshape(*operand.shape[:-1], count)))


def _builder(
    importer: Importer,
    node: onnx_ir.Node,
    tensor: Tensor,
    weight: npt.NDArray[np.int8],
    scale_w: npt.NDArray[np.float32],
    **window: object,
) -> Callable[[tuple[str, ...], tuple[int, int, int], Value | None], Pending]:
    """Makes the pending convolution for a bias; without one, an Add behind it may still bring it."""

    def build(nodes: tuple[str, ...], shape: tuple[int, int, int], bias_value: Value | None) -> Pending:
        bias = integer_bias(importer, node, bias_value, tensor.scale, scale_w)

        def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
            multiplier = numerics.conv_multiplier(tensor.scale, scale_w, output.scale)
            if not (np.isfinite(multiplier).all() and (multiplier > 0).all()):
                raise importer.error(node, "its scales make the requantization overflow or vanish", "recalibrate the model")
            return Conv(
                name=nodes[0],
                nodes=nodes,
                inputs=[tensor],
                output=output,
                low=low,
                high=high,
                weight=np.ascontiguousarray(weight),
                bias=bias,
                multiplier=multiplier,
                **window,  # type: ignore[arg-type]  # the four window fields, checked by their makers
            )

        def with_bias(nodes: tuple[str, ...], constant: Constant | QuantizedConstant) -> Pending:
            return build(nodes, shape, constant)

        return Pending(nodes, shape, nchw_index(shape), finish, with_bias if bias_value is None else None)

    return build


HANDLERS = {"Conv": _conv, "Gemm": _gemm, "MatMul": _matmul}
