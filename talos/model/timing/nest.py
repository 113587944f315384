"""A loop nest of addresses inside a unit's state; equal to `talos/rtl/loopnest.py`.

The nest stands at `nest` … `nest` + NEST_SIZE − 1 of the state: for each level, innermost first, index, count, stride, and the address at
which its current iteration began. Levels that are not set up have a count of one.
"""

import numpy as np
from numpy.typing import NDArray

from talos.isa import ADDRESS
from talos.model.timing.compiled import compiled

__all__ = ["NEST_SIZE", "nest_address", "nest_begin", "nest_last", "nest_level", "nest_step"]

_LEVELS = 5
_COUNT, _STRIDE, _START = _LEVELS, 2 * _LEVELS, 3 * _LEVELS
NEST_SIZE = 4 * _LEVELS
_ADDRESS_MASK = (1 << ADDRESS) - 1


@compiled
def nest_begin(state: NDArray[np.int64], nest: int, base: int) -> None:
    """Go to the address `base` with no levels; `nest_level` adds them."""
    for level in range(_LEVELS):
        state[nest + level] = 0
        state[nest + _COUNT + level] = 1
        state[nest + _START + level] = base


@compiled
def nest_level(state: NDArray[np.int64], nest: int, level: int, count: int, stride: int) -> None:
    """Set up one level."""
    state[nest + _COUNT + level] = count
    state[nest + _STRIDE + level] = stride


@compiled
def nest_address(state: NDArray[np.int64], nest: int) -> int:
    """Address of the current element."""
    return state[nest + _START]


@compiled
def nest_last(state: NDArray[np.int64], nest: int, level: int) -> bool:
    """The index of `level` is its count minus one."""
    return state[nest + level] + 1 == state[nest + _COUNT + level]


@compiled
def nest_step(state: NDArray[np.int64], nest: int) -> None:
    """Go to the next element; after the last one the address means nothing."""
    if state[nest] + 1 < state[nest + _COUNT]:
        state[nest] += 1
        state[nest + _START] = (state[nest + _START] + state[nest + _STRIDE]) & _ADDRESS_MASK
        return
    state[nest] = 0
    for level in range(1, _LEVELS):
        if state[nest + level] + 1 < state[nest + _COUNT + level]:
            state[nest + level] += 1
            start = (state[nest + _START + level] + state[nest + _STRIDE + level]) & _ADDRESS_MASK
            for inner in range(level + 1):
                state[nest + _START + inner] = start
            return
        state[nest + level] = 0
