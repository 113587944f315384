"""Loop nests over a byte memory as NumPy arrays: what an address generator visits, in one operation.

A nest is a base address and loops of (count, stride), outermost first, around a run of contiguous bytes. Where it stays inside the
memory it is a strided view without a copy; where it runs over an end it is an array of wrapped addresses.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Loops", "disjoint", "gather", "hull", "scatter", "strided_view"]

Loops = Sequence[tuple[int, int]]
Memory = npt.NDArray[Any]


def hull(base: int, loops: Loops, length: int) -> tuple[int, int]:
    """First address visited and the one behind the last."""
    low = high = base
    for count, stride in loops:
        reach = (count - 1) * stride
        if reach < 0:
            low += reach
        else:
            high += reach
    return low, high + length


def strided_view(memory: Memory, base: int, loops: Loops, length: int) -> Memory | None:
    """View of `memory` (1-D, one byte an element) of shape (*counts, length), or None if the nest leaves the memory.

    Writing through a view whose elements overlap has no defined order: use `scatter`.
    """
    low, high = hull(base, loops, length)
    if low < 0 or high > memory.size:
        return None
    shape = (*(count for count, _ in loops), length)
    strides = (*(stride for _, stride in loops), 1)
    return np.ndarray(shape, memory.dtype, memory, base, strides)


def gather(memory: Memory, base: int, loops: Loops, length: int) -> Memory:
    """Bytes of the nest, shape (*counts, length), addresses modulo the memory's size. A view or a copy: read only."""
    view = strided_view(memory, base, loops, length)
    return memory[_addresses(memory, base, loops, length)] if view is None else view


def scatter(memory: Memory, base: int, loops: Loops, length: int, values: Memory | int) -> None:
    """Write `values` (broadcast to (*counts, length)) in loop order, addresses modulo the memory's size."""
    view = strided_view(memory, base, loops, length) if disjoint(loops, length) else None
    if view is not None:
        view[...] = values
    else:
        addresses = _addresses(memory, base, loops, length)
        # One flat index list: NumPy then assigns in order, and of repeated addresses the last value stays.
        memory[addresses.ravel()] = np.broadcast_to(values, addresses.shape).ravel()


def disjoint(loops: Loops, length: int) -> bool:
    """No address is visited twice. False also when that is not plain to see."""
    extent = length
    for count, stride in sorted(loops, key=lambda loop: abs(loop[1])):
        if count > 1:
            if abs(stride) < extent:
                return False
            extent += (count - 1) * abs(stride)
    return True


def _addresses(memory: Memory, base: int, loops: Loops, length: int) -> npt.NDArray[np.int64]:
    addresses = np.arange(length, dtype=np.int64) + base
    for depth, (count, stride) in enumerate(reversed(loops)):
        addresses = addresses + (np.arange(count, dtype=np.int64) * stride).reshape(-1, *[1] * (depth + 1))
    return addresses % memory.size
