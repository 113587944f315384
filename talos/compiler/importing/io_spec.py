"""The description of an input or output for the host, from where its elements lie."""

from talos.compiler.graph.index import Index, loops
from talos.compiler.graph.ir import Tensor
from talos.io import IoSpec

__all__ = ["io_spec"]


def io_spec(name: str, tensor: Tensor, order: Index, shape: tuple[int, ...], *, real: bool) -> IoSpec | None:
    """`order[p]` is the ONNX position of byte p of `tensor`; written as reshape, transpose, reshape. None if it is no such thing."""
    factors = loops(order)
    if factors is None:
        return None
    outer_first = sorted(range(len(factors)), key=lambda axis: -factors[axis][1])
    return IoSpec(
        name=name,
        onnx_shape=shape,
        onnx_dtype="float32" if real else ("uint8" if tensor.unsigned else "int8"),
        view_shape=tuple(factors[axis][0] for axis in outer_first) or (1,),
        permutation=tuple(outer_first.index(axis) for axis in range(len(factors))) or (0,),
        tensor_shape=tensor.shape,
        scale=float(tensor.scale),
        zero_point=tensor.zero_point,
        unsigned=tensor.unsigned,
    )
