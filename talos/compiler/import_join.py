"""Concat along channels and Resize by whole factors."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos import numerics
from talos.compiler.import_quantize import same_scale
from talos.compiler.importer import Importer
from talos.compiler.index import Index, nchw_index
from talos.compiler.ir import Concat, Layer, Lookup, Resize, Tensor
from talos.compiler.values import Activation, Constant, Pending, QuantizedConstant

__all__ = ["HANDLERS"]

Floats = npt.NDArray[np.float64]

_COORDINATES: dict[str, Callable[[Floats, int], Floats]] = {
    "asymmetric": lambda x, factor: x / factor,
    "half_pixel": lambda x, factor: (x + 0.5) / factor - 0.5,
    "pytorch_half_pixel": lambda x, factor: (x + 0.5) / factor - 0.5 if x.size > 1 else np.zeros(1),
}
_ROUNDINGS: dict[str, Callable[[Floats], Floats]] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
}


def _concat(importer: Importer, node: onnx_ir.Node) -> None:
    if any(isinstance(importer.value(node, i), (Constant, QuantizedConstant)) for i in range(len(node.inputs))):
        raise importer.error(node, "one of its operands is constant", "only computed operands are supported")
    operands = [importer.activation(node, position) for position in range(len(node.inputs))]
    rank = operands[0].index.ndim
    axis = int(importer.attribute(node, "axis")) % rank
    if len(operands) == 1:
        importer.set(node, operands[0])
        return
    tensors, join = _slices(importer, node, operands, axis)
    first, real = tensors[0], operands[0].real
    height, width, _ = first.shape
    shape = (height, width, sum(tensor.shape[2] for tensor in tensors))
    if all(same_scale(tensor, first) for tensor in tensors):
        output = Tensor(str(node.outputs[0].name), shape, first.scale, first.zero_point, first.unsigned)
        importer.layers.append(Concat(str(node.name), (str(node.name),), tensors, output))
        importer.set(node, Activation(output, join(shape), real))
        return
    if not real:
        raise importer.error(node, "it joins integer codes of different scales", "dequantize its operands")

    def finish(nodes: tuple[str, ...], output: Tensor, low: int, high: int) -> Layer:
        inputs = [_rescaled(importer, nodes, tensor, output, low, high) for tensor in tensors]
        return Concat(nodes[0], nodes, inputs, output)

    importer.set(node, Pending((str(node.name),), shape, join(shape), finish))


def _slices(
    importer: Importer, node: onnx_ir.Node, operands: list[Activation], axis: int
) -> tuple[list[Tensor], Callable[[tuple[int, int, int]], Index]]:
    """The operands as tensors to be joined along their channels, and from the result's shape its ONNX order."""
    rank = operands[0].index.ndim
    if rank == 4 and axis in (1, 3) and operands[0].shape[0] == 1:
        # Channels first, or an image of a network with channels last: `image` refuses whatever is not one.
        images = [Activation(a.source, np.moveaxis(a.index, axis, 1), a.real) for a in operands]
        tensors = [importer.image(node, image, keep_pads=False)[0] for image in images]
        return tensors, lambda shape: np.moveaxis(nchw_index(shape), 1, axis)
    if rank == 2 and axis == 1 and operands[0].shape[0] == 1:
        tensors, indices, offset = [], [], 0
        for operand in operands:
            tensor, index = importer.whole(node, operand)
            tensors.append(importer.view(node, tensor, (1, 1, tensor.size)))
            indices.append(index + np.int32(offset))
            offset += tensor.size
        return tensors, lambda shape: np.concatenate(indices, axis=1)
    raise importer.error(
        node, f"it joins operands of shape {list(operands[0].shape)} along axis {axis}", "only channels can be joined"
    )


def _rescaled(importer: Importer, nodes: tuple[str, ...], tensor: Tensor, output: Tensor, low: int, high: int) -> Tensor:
    """`tensor` in the scale of `output`, clamped: itself, or the result of a table."""
    if same_scale(tensor, output) and (low, high) == (-128, 127):
        return tensor
    table = numerics.lookup_table(
        numerics.activation("Identity"), tensor.scale, tensor.zero_point, output.scale, output.zero_point
    )
    name = f"{output.name}:{tensor.name}"
    result = Tensor(name, tensor.shape, output.scale, output.zero_point, output.unsigned)
    table = np.clip(table, low, high).astype(np.int8)
    importer.layers.append(Lookup(name=nodes[0], nodes=nodes, inputs=[tensor], output=result, table=table))
    return result


def _resize(importer: Importer, node: onnx_ir.Node) -> None:
    operand = importer.activation(node)
    mode = importer.attribute(node, "mode", "nearest")
    if mode != "nearest" or operand.index.ndim != 4:
        raise importer.error(
            node, f"{mode} resizing of shape {list(operand.shape)}", "only the nearest mode on images is supported"
        )
    shape = importer.output_shape(node)
    before = operand.shape
    factors = tuple(size // old for size, old in zip(shape, before, strict=True))
    if factors[:2] != (1, 1) or any(size != old * factor for size, old, factor in zip(shape, before, factors, strict=True)):
        raise importer.error(
            node, f"resizing {list(before)} to {list(shape)}", "only whole factors in height and width are supported"
        )
    old = importer.version() < 11  # asymmetric and floor, without a choice
    coordinates = "asymmetric" if old else importer.attribute(node, "coordinate_transformation_mode", "half_pixel")
    rounding = "floor" if old else importer.attribute(node, "nearest_mode", "round_prefer_floor")
    for size, factor in zip(before[2:], factors[2:], strict=True):
        if factor > 1 and not _repeats(size, factor, coordinates, rounding):
            raise importer.error(
                node,
                f"coordinate_transformation_mode {coordinates} with nearest_mode {rounding} does not repeat every pixel {factor} times",
                "use asymmetric with floor",
            )
    if factors == (1, 1, 1, 1):
        importer.set(node, operand)
        return
    tensor, _ = importer.image(node, operand, keep_pads=False)
    height, width, channels = tensor.shape
    result = (height * factors[2], width * factors[3], channels)
    output = Tensor(str(node.outputs[0].name), result, tensor.scale, tensor.zero_point, tensor.unsigned)
    importer.layers.append(Resize(str(node.name), (str(node.name),), [tensor], output, factors=(factors[2], factors[3])))
    importer.set(node, Activation(output, nchw_index(result), operand.real))


def _repeats(size: int, factor: int, coordinates: str, rounding: str) -> bool:
    """Whether output x reads input x // factor, computed as the ONNX specification of Resize says."""
    if coordinates not in _COORDINATES or rounding not in _ROUNDINGS:
        return False
    x = np.arange(size * factor, dtype=np.float64)
    source = np.clip(_ROUNDINGS[rounding](_COORDINATES[coordinates](x, factor)), 0, size - 1)
    return bool(np.array_equal(source, x // factor))


HANDLERS = {"Concat": _concat, "Resize": _resize}
