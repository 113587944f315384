"""Products with a constant matrix: a plain Gemm for vectors, a 1×1 convolution where the matrix is applied at every position."""

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite, attribute, nodes_of, rank, shape_of, sole_reader, weights

__all__ = ["plain_products"]

Floats = npt.NDArray[np.float32]


def plain_products(graph: ir.Graph) -> None:
    """MatMul by a constant → Gemm, or 1×1 Conv for operands of three and four dimensions, with the constants for each column behind it.

    Gemm loses `alpha`, `beta` and `transA`; its bias becomes one-dimensional, or an Add where it cannot.
    """
    for node in nodes_of(graph, "MatMul"):
        weight, x = weights(node, 1), node.inputs[0]
        if weight is None or weight.ndim != 2 or not 2 <= rank(x) <= 4:
            continue
        if rank(x) == 2:
            rewrite = Rewrite(graph, [node])
            rewrite.finish(rewrite.op("Gemm", [x, weight], shape_of(node.outputs[0])))
        else:
            _positions_to_convolution(graph, node, weight)
    for node in nodes_of(graph, "Gemm"):
        _plain_gemm(graph, node)


def _positions_to_convolution(graph: ir.Graph, node: ir.Node, weight: Floats) -> None:
    """x[1, …, C] · W[C, K] → Transpose, Conv 1×1, Transpose: the accelerator stores channels last anyway."""
    x, old, bias = node.inputs[0], [node], np.zeros(weight.shape[1], np.float32)
    movable = nodes_of(graph, "Add", "Mul")
    while (reader := sole_reader(old[-1].outputs[0])) is not None and reader in movable:
        vectors = [weights(reader, position) for position in (0, 1)]
        vector = next((v for v in vectors if v is not None and v.size == weight.shape[1] == v.shape[-1]), None)
        if vector is None or rank(reader.outputs[0]) != rank(x):
            break
        old.append(reader)
        if reader.op_type == "Mul":
            weight, bias = weight * vector.reshape(-1), bias * vector.reshape(-1)
        else:
            bias = bias + vector.reshape(-1)
    shape, channels = shape_of(x), weight.shape[1]
    rewrite = Rewrite(graph, old)
    image: tuple[int, ...]
    if len(shape) == 4:
        image = (shape[0], shape[3], shape[1], shape[2])
        y = rewrite.op("Transpose", [x], image, label="channels_first", perm=[0, 3, 1, 2])
    else:
        line = (shape[0], shape[2], shape[1])
        y = rewrite.op("Transpose", [x], line, label="channels_first", perm=[0, 2, 1])
        image = (shape[0], shape[2], 1, shape[1])
        y = rewrite.op("Reshape", [y, np.array(image)], image, label="as_image")
    filters = np.ascontiguousarray(weight.T).reshape(channels, -1, 1, 1)
    image = (image[0], channels, *image[2:])
    y = rewrite.op("Conv", [y, filters, *([bias] if bias.any() else [])], image, kernel_shape=[1, 1])
    if len(shape) == 4:
        y = rewrite.op("Transpose", [y], (*shape[:3], channels), label="channels_last", perm=[0, 2, 3, 1])
    else:
        line = (shape[0], channels, shape[1])
        y = rewrite.op("Reshape", [y, np.array(line)], line, label="as_line")
        y = rewrite.op("Transpose", [y], (*shape[:2], channels), label="channels_last", perm=[0, 2, 1])
    rewrite.finish(y)


def _plain_gemm(graph: ir.Graph, node: ir.Node) -> None:
    weight, has_bias = weights(node, 1), len(node.inputs) > 2 and node.inputs[2] is not None
    if weight is None:
        return
    shape, bias = shape_of(node.outputs[0]), weights(node, 2) if has_bias else None
    alpha, beta = (np.float32(attribute(node, name, 1.0)) for name in ("alpha", "beta"))
    vector = bias is not None and bias.size in (1, shape[1]) and (bias.ndim == 0 or bias.shape[-1] == bias.size)
    rewrite = Rewrite(graph, [node])
    x = node.inputs[0]
    if attribute(node, "transA", 0):
        x = rewrite.op("Transpose", [x], shape_of(x)[::-1], label="transposed", perm=[1, 0])
    inputs: list[ir.Value | np.ndarray | None] = [x, weight * alpha]
    if bias is not None and vector:
        inputs.append(np.broadcast_to(bias.reshape(-1), shape[1:]) * beta)
    y = rewrite.op("Gemm", inputs, shape, transB=attribute(node, "transB", 0))
    if has_bias and not vector:
        addend: ir.Value | Floats | None = node.inputs[2]
        if bias is not None:
            addend = bias * beta
        elif beta != 1:
            addend = rewrite.op("Mul", [node.inputs[2], np.array(beta)], shape_of(node.inputs[2]), label="beta")
        y = rewrite.op("Add", [y, addend], shape, label="bias")
    rewrite.finish(y)
