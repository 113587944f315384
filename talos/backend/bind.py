"""Graph inputs that the accelerator needs as constants."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from talos.errors import TalosError

__all__ = ["bind", "must_be_constant", "named_inputs"]

Arrays = dict[str, NDArray[Any]]

_DATA_OPERANDS = ("Add", "Concat", "Div", "Max", "Mean", "Min", "Mul", "Sub", "Sum")
"""Operators whose operands are all data. Of all others, what follows the first operand are parameters: weights, scales, pads, shapes…"""


def named_inputs(names: list[str], inputs: Any) -> Arrays:
    """`inputs` (a list in the order of `names`, a dictionary, or a single array) by name. Raises TalosError if they do not fit."""
    if isinstance(inputs, Mapping):
        given = dict(inputs)
    else:
        listed = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        if len(listed) > len(names):
            raise TalosError(f"{len(listed)} inputs given, the model has {len(names)}: {', '.join(names)}")
        given = dict(zip(names, listed, strict=False))
    if set(given) != set(names):
        raise TalosError(f"the model needs the inputs {', '.join(names)}; given were {', '.join(map(str, given)) or 'none'}")
    unfit = next((name for name, value in given.items() if not isinstance(value, np.ndarray | np.generic)), None)
    if unfit is not None:
        raise TalosError(f"input '{unfit}' is a {type(given[unfit]).__name__}; only NumPy arrays are supported")
    return {name: np.asarray(given[name]) for name in names}


def must_be_constant(model: onnx.ModelProto, arrays: Mapping[str, NDArray[Any]]) -> list[str]:
    """The inputs in `arrays` that are to be bound, in their order.

    They are those that a node reads as a parameter: in any position but the first, except for operators of several data operands.
    Of these, an operand that is broadcast, having fewer elements than the largest fed one, is bound too.
    """
    bound: set[str] = set()
    for node in model.graph.node:
        if node.op_type in _DATA_OPERANDS:
            fed = [name for name in node.input if name in arrays]
            largest = max((arrays[name].size for name in fed), default=0)
            if node.op_type != "Concat":
                bound.update(name for name in fed if arrays[name].size < largest)
        else:
            bound.update(name for name in node.input[1:] if name in arrays and name != node.input[0])
    return [name for name in arrays if name in bound]


def bind(model: onnx.ModelProto, constants: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """A copy of `model` in which the inputs in `constants` are initializers."""
    bound = onnx.ModelProto()
    bound.CopyFrom(model)
    free = [value for value in bound.graph.input if value.name not in constants]
    del bound.graph.input[:]
    bound.graph.input.extend(free)
    bound.graph.initializer.extend(numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items())
    return bound
