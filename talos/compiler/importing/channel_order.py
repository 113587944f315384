"""Images whose channels lie in memory in another order: convolutions and Concat take them as they lie, which moves fewer and longer runs."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from talos.compiler.graph.index import Index
from talos.compiler.graph.ir import Tensor
from talos.compiler.importing.values import Activation

__all__ = ["as_stored", "stored_order"]

Weight = npt.NDArray[np.int16]


def stored_order(operand: Activation) -> Index:
    """The channels of an image (1, channels, height, width) in the order in which they lie in memory; those of 0.0 alone come last.

    The ONNX order for a graph input that has no layout yet: it gets the one that is wanted.
    """
    image = operand.index[0]
    if not isinstance(operand.source, Tensor):
        return np.arange(len(image), dtype=np.int32)
    first = np.where(image >= 0, image, np.iinfo(np.int32).max).min(axis=(1, 2))
    return np.argsort(first, kind="stable").astype(np.int32)


def as_stored(operand: Activation, weight: Weight) -> tuple[Activation, Weight]:
    """`operand` (1, channels, height, width) with its channels in the order of memory, and `weight` (out, channels, …) in that order too.

    Channels of 0.0 alone add nothing and are left out.
    """
    order = stored_order(operand)
    used = order[(operand.index[0, order] >= 0).any(axis=(1, 2))]
    order = used if used.size else order
    return replace(operand, index=operand.index[:, order]), np.ascontiguousarray(weight[:, order])
