"""Per-channel scales and shifts (BatchNormalization, Mul and Add with constants) go into the layer in front or the one behind.

A chain of them is x · a + b with one a and one b per channel. In the order of preference: into the weights of the Conv, ConvTranspose or
Gemm in front; into those of the Conv or Gemm behind (a Conv that pads takes no b: the padding would have it too); one number for all
channels stays for a table; else a depthwise 1×1 convolution, whose weights are quantized channel by channel.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite, attribute, constant, excluded, nodes_of, shape_of, sole_reader, weights

__all__ = ["fold_affine"]

Vector = npt.NDArray[np.float64]

_OPS = ("Add", "BatchNormalization", "Mul", "Sub")
_LINEAR = ("Conv", "ConvTranspose", "Gemm")


@dataclass(frozen=True)
class _Affine:
    """x · `a` + `b`, one entry per channel (axis 1); `plain` if all its nodes multiply or add one number."""

    x: ir.Value
    a: Vector
    b: Vector
    nodes: tuple[ir.Node, ...]
    plain: bool

    @property
    def result(self) -> ir.Value:
        return self.nodes[-1].outputs[0]


def fold_affine(graph: ir.Graph) -> None:
    """Rewrites every chain in `graph`, in place; the function stays the same up to float rounding."""
    done: set[ir.Node] = set()
    for node in nodes_of(graph, *_OPS):
        if node in done:
            continue
        chain = _affine(node)
        if chain is None:
            continue
        while (reader := sole_reader(chain.result)) is not None and not excluded(reader):
            following = _affine(reader)
            if following is None or following.x is not chain.result:
                break
            chain = _Affine(
                chain.x,
                chain.a * following.a,
                chain.b * following.a + following.b,
                (*chain.nodes, reader),
                chain.plain and following.plain,
            )
        done.update(chain.nodes)
        if not (_into_producer(graph, chain) or _into_reader(graph, chain) or chain.plain):
            _as_convolution(graph, chain)


def _affine(node: ir.Node) -> _Affine | None:
    x = node.inputs[0]
    shape = shape_of(node.outputs[0])
    if node.op_type not in _OPS or not 2 <= len(shape) <= 4:
        return None
    channels = shape[1]
    if node.op_type == "BatchNormalization":
        parameters = [constant(value) for value in node.inputs[1:5]]
        if x is None or any(array is None for array in parameters) or attribute(node, "training_mode", 0) or not shape_of(x):
            return None
        gamma, beta, mean, variance = (np.asarray(array, np.float64) for array in parameters)
        scale = gamma / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
        return _Affine(x, scale, beta - mean * scale, (node,), False)
    for position in (0, 1):
        array, x = weights(node, position), node.inputs[1 - position]
        if array is None or x is None or shape_of(x) != shape or array.ndim > len(shape):
            continue
        aligned = array.reshape((1,) * (len(shape) - array.ndim) + array.shape)
        if aligned.size != aligned.shape[1]:
            return None
        if not np.isfinite(array).all():
            return None  # a mask, perhaps
        vector = np.broadcast_to(aligned.reshape(-1).astype(np.float64), (channels,))
        ones, zeros = np.ones(channels), np.zeros(channels)
        if node.op_type == "Mul":
            return _Affine(x, vector, zeros, (node,), array.size == 1)
        if node.op_type == "Add":
            return _Affine(x, ones, vector, (node,), array.size == 1)
        return _Affine(x, -ones if position == 0 else ones, vector if position == 0 else -vector, (node,), array.size == 1)
    return None


def _into_producer(graph: ir.Graph, chain: _Affine) -> bool:
    node = chain.x.producer()
    if node is None or node.op_type not in _LINEAR or excluded(node) or sole_reader(chain.x) is not chain.nodes[0]:
        return False
    weight = weights(node, 1)
    has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
    bias = weights(node, 2) if has_bias else np.zeros(len(chain.a), np.float32)
    if weight is None or bias is None:
        return False
    if node.op_type == "Gemm":
        if bias.shape != chain.a.shape or attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1:
            return False
        scaled = weight * (chain.a[:, np.newaxis] if attribute(node, "transB", 0) else chain.a)
    elif node.op_type == "Conv":
        scaled = weight * chain.a.reshape(-1, *(1,) * (weight.ndim - 1))
    else:
        group = attribute(node, "group", 1)
        split = weight.reshape(group, -1, *weight.shape[1:])
        scaled = (split * chain.a.reshape(group, 1, weight.shape[1], *(1,) * (weight.ndim - 2))).reshape(weight.shape)
    rewrite = Rewrite(graph, [node, *chain.nodes])
    inputs = [node.inputs[0], scaled.astype(np.float32), (bias * chain.a + chain.b).astype(np.float32)]
    rewrite.finish(rewrite.op(node.op_type, inputs, shape_of(chain.result), **_attributes(node)))
    return True


def _into_reader(graph: ir.Graph, chain: _Affine) -> bool:
    node = sole_reader(chain.result)
    if node is None or node.op_type not in ("Conv", "Gemm") or excluded(node) or node.inputs[0] is not chain.result:
        return False
    weight = weights(node, 1)
    has_bias = len(node.inputs) > 2 and node.inputs[2] is not None
    if weight is None or (has_bias and weights(node, 2) is None):
        return False
    if node.op_type == "Gemm":
        if attribute(node, "transA", 0) or attribute(node, "alpha", 1.0) != 1 or attribute(node, "beta", 1.0) != 1:
            return False
        transposed = bool(attribute(node, "transB", 0))
        scaled = weight * (chain.a if transposed else chain.a[:, np.newaxis])
        shift = (weight if transposed else weight.T).astype(np.float64) @ chain.b
    else:
        padded = any(attribute(node, "pads", [0])) or attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID")
        if padded and chain.b.any():
            return False
        group = attribute(node, "group", 1)
        a, b = (np.repeat(v.reshape(group, -1), weight.shape[0] // group, axis=0) for v in (chain.a, chain.b))  # K × C/group
        scaled = weight * a.reshape(*a.shape, *(1,) * (weight.ndim - 2))
        shift = (weight.astype(np.float64) * b.reshape(*b.shape, *(1,) * (weight.ndim - 2))).reshape(len(b), -1).sum(axis=1)
    bias = np.zeros(len(shift)) if not has_bias else weights(node, 2)
    assert bias is not None
    rewrite = Rewrite(graph, [*chain.nodes, node], name=str(node.name))
    parameters = [scaled.astype(np.float32), (bias + shift).astype(np.float32)]
    rewrite.finish(rewrite.op(node.op_type, [chain.x, *parameters], shape_of(node.outputs[0]), **_attributes(node)))
    return True


def _as_convolution(graph: ir.Graph, chain: _Affine) -> None:
    shape, channels = shape_of(chain.result), len(chain.a)
    rewrite = Rewrite(graph, chain.nodes)
    dimensions = max(len(shape) - 2, 1)
    weight = chain.a.reshape(channels, 1, *(1,) * dimensions).astype(np.float32)
    x, image = chain.x, shape
    if len(shape) == 2:
        image = (*shape, 1)
        x = rewrite.op("Reshape", [x, np.array(image)], image, label="as_image")
    kernel = [1] * dimensions
    bias = chain.b.astype(np.float32)
    result = rewrite.op("Conv", [x, weight, bias], image, group=channels, kernel_shape=kernel)
    if len(shape) == 2:
        result = rewrite.op("Reshape", [result, np.array(shape)], shape, label="as_vector")
    rewrite.finish(result)


def _attributes(node: ir.Node) -> dict[str, Any]:
    return {name: attribute(node, name, None) for name in node.attributes}
