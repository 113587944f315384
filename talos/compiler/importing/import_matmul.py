"""Gemm and MatMul with a constant factor: fully connected layers, and convolutions of 1 × 1 over the other factor's rows or columns."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.importing.importer import Importer
from talos.compiler.importing.long_kernel import LONGEST_KERNEL
from talos.compiler.importing.pending_conv import biased, pending_conv
from talos.compiler.importing.values import Activation, Constant, Pending, QuantizedConstant, Value
from talos.compiler.importing.weights import accumulator_step, integer_weight
from talos.compiler.importing.windows import Window

__all__ = ["HANDLERS"]


def _gemm(importer: Importer, node: onnx_ir.Node) -> None:
    a, b = (
        _transposed(importer.value(node, position)) if importer.attribute(node, name, 0) else importer.value(node, position)
        for position, name in enumerate(("transA", "transB"))
    )
    beta = np.float32(importer.attribute(node, "beta", 1.0))
    bias = importer.value(node, 2) if beta != 0 else None
    if beta != 1:
        bias = _scaled(importer, node, bias, beta)
    _product(importer, node, a, b, bias, np.float32(importer.attribute(node, "alpha", 1.0)))


def _matmul(importer: Importer, node: onnx_ir.Node) -> None:
    _product(importer, node, importer.value(node, 0), importer.value(node, 1), None, np.float32(1))


def _transposed(value: Value | None) -> Value | None:
    if isinstance(value, QuantizedConstant):
        return QuantizedConstant(value.codes.T, value.scale.T, value.zero_point.T)  # a scalar's transpose is itself
    if isinstance(value, Activation):
        return replace(value, index=value.index.T)
    return value


def _scaled(importer: Importer, node: onnx_ir.Node, bias: Value | None, factor: np.float32) -> Value | None:
    if isinstance(bias, Constant):
        return Constant(bias.array * factor)
    if isinstance(bias, QuantizedConstant) and factor > 0:
        return replace(bias, scale=bias.scale * factor)
    if bias is not None:
        raise importer.error(node, f"beta is {factor}", "fold it into the bias before quantization")
    return None


def _product(
    importer: Importer, node: onnx_ir.Node, a: Value | None, b: Value | None, bias: Value | None, alpha: np.float32
) -> None:
    """alpha · a · b + bias, one of the factors being a constant matrix."""
    if isinstance(a, Activation) and isinstance(b, Activation):
        raise importer.error(node, "it multiplies two activations", "only products with a constant matrix are supported")
    if not alpha > 0:
        raise importer.error(node, f"alpha is {alpha}", "fold it into the constants before quantization")
    left = isinstance(a, (Constant, QuantizedConstant))
    importer.activation(node, int(left))  # refuses whatever is not a quantized activation
    constant, rows = (a, b) if left else (b, a)
    assert isinstance(rows, Activation) and rows.tensor is not None
    scale_x = rows.tensor.scale
    # Below, the matrix is (results, features), and the activation has its features last: a constant on the left multiplies columns.
    codes, scale_w = integer_weight(importer, node, _matrix(importer, node, constant, left=left), axis=0)
    if left and rows.index.ndim > 1:
        rows = replace(rows, index=np.moveaxis(rows.index, -2, -1))
    if rows.shape[-1] != codes.shape[1]:
        raise importer.invalid(
            node,
            f"the constant for {codes.shape[1]} features does not fit an operand with {rows.shape[-1]}",
            "check the model",
        )
    with np.errstate(all="ignore"):  # refused below
        scaled = np.float32(alpha * scale_x)
    step = accumulator_step(importer, node, scaled, scale_w)
    pending = _on_one_row(importer, node, rows, codes, step) if rows.index.size == codes.shape[1] else None
    if pending is None:
        pending = _on_rows(importer, node, rows, codes, step)
    index = pending.index[0].transpose(1, 2, 0).reshape(*rows.shape[:-1], len(codes))
    if left and rows.index.ndim > 1:
        index = np.moveaxis(index, -1, -2)
    pending = replace(pending, index=index.reshape(importer.output_shape(node)))
    importer.set(node, biased(importer, node, pending, bias))


def _matrix(importer: Importer, node: onnx_ir.Node, value: Value | None, *, left: bool) -> Value | None:
    """A constant factor as (results, features)."""
    if not isinstance(value, QuantizedConstant):
        return value  # refused by `integer_weight`
    shape = value.codes.shape
    if value.codes.ndim == 1:
        shape = (1, *shape) if left else (*shape, 1)
    if any(size != 1 for size in shape[:-2]) or len(shape) < 2:
        raise importer.error(node, f"its constant has shape {list(shape)}", "use a matrix")

    scale, zero_point = (np.broadcast_to(part, value.codes.shape).reshape(shape[-2:]) for part in (value.scale, value.zero_point))
    matrix = QuantizedConstant(
        value.codes.reshape(shape[-2:]), scale.astype(np.float32), zero_point.astype(value.zero_point.dtype)
    )
    return matrix if left else _transposed(matrix)


def _on_one_row(
    importer: Importer, node: onnx_ir.Node, row: Activation, codes: npt.NDArray[np.int16], step: npt.NDArray[np.float32]
) -> Pending:
    """A convolution whose kernel is the whole tensor that the row of features lies in, wherever they lie there."""
    tensor, index = importer.locate(row)
    if max(tensor.shape[:2]) > LONGEST_KERNEL:
        tensor = importer.view(node, tensor, (1, 1, tensor.size))
    positions = index.reshape(-1)
    stored = positions >= 0  # elements that are 0.0 by padding add nothing, and bytes that are not read get weight 0
    weight = np.zeros((tensor.size, len(codes)), np.int32)
    np.add.at(weight, positions[stored], codes.T[stored])
    kernel = weight.T.reshape(len(codes), *tensor.shape)
    return pending_conv(importer, node, tensor, kernel, step, (1, 1), Window(tensor.shape[:2]))


def _on_rows(
    importer: Importer, node: onnx_ir.Node, rows: Activation, codes: npt.NDArray[np.int16], step: npt.NDArray[np.float32]
) -> Pending:
    """A 1 × 1 convolution: the last dimension is the channels, the one in front of it the width, all others the height."""
    width, features = rows.index.shape[-2:]
    image = rows.index.reshape(-1, width, features).transpose(2, 0, 1)[np.newaxis]
    tensor, _ = importer.image(node, replace(rows, index=image), keep_pads=False)
    return pending_conv(importer, node, tensor, codes[:, np.newaxis, np.newaxis], step, tensor.shape[:2], Window((1, 1)))


HANDLERS = {"Gemm": _gemm, "MatMul": _matmul}
