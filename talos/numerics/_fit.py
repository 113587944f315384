"""Find the table of a pair operation that reproduces a given function of two codes.

Rounding never goes down when the sum S goes up. So for a pair (a, b) the table entries T that give the wanted code are an interval:
from `lower(code) - P * mantissa` to `lower(code + 1) - 1 - P * mantissa`. An entry that lies in the intervals of all 256 values of a
makes its row exact; where they have no point in common, one that lies in most of them is taken.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from talos.numerics._pair import TOTAL_BITS, Int8Array, PairParameters, all_pairs, operand_products
from talos.numerics._rounding import IntArray, bit_length, finish

__all__ = ["fit"]

_LIMIT = (1 << (TOTAL_BITS - 1)) - 1
_TABLE_BITS = 24  # of an entry's magnitude, and a sign
_MANTISSA_REACH = 4  # neighbouring mantissas that are tried when no table is exact


def fit(wanted: Int8Array, natural: IntArray, start: PairParameters, centre: int = 0) -> PairParameters:
    """Parameters whose results are `wanted`, or as many of them as possible; `mismatches` says how many are not.

    `wanted` has shape (256, 256): the code of a = i - 128 and b = j - 128. `natural` are 256 table entries in units of `2^-shift` to
    start from: of those that serve equally the nearest are taken. All fields of `start` but the table are kept, except that the
    mantissa may move by a few units; the natural entries then move with it, so that the sum for P = `centre` stays the same.
    """
    lower, upper = _bounds(start.shift, start.zero_point)
    code = wanted.T.astype(np.int64) + 128
    lower, upper = lower[code], upper[code]
    products = operand_products(*all_pairs(), start).reshape(256, 256).T
    best: PairParameters | None = None
    for step in sorted(range(-_MANTISSA_REACH, _MANTISSA_REACH + 1), key=abs):
        mantissa = start.mantissa + step
        if not 0 <= mantissa < 1 << 24:
            continue
        terms = products * (mantissa << start.align)
        limit = int(_snap(_LIMIT - np.abs(terms).max(), up=False))
        moved = np.clip(natural - centre * (step << start.align), -limit, limit)
        table, wrong = _entries(np.maximum(lower - terms, -limit), np.minimum(upper - terms, limit), moved)
        if best is None or wrong < best.mismatches:
            shifts = _shifts(table)
            best = replace(start, mantissa=mantissa, table_mantissa=table >> shifts, table_shift=shifts, mismatches=wrong)
        if not wrong:
            break
    assert best is not None
    return best


@lru_cache(maxsize=64)
def _bounds(shift: int, zero_point: int) -> tuple[IntArray, IntArray]:
    """The smallest and the largest sum that give each code from -128 to 127, by bisection."""
    codes = np.arange(-127, 128)
    below, at_least = np.full(255, -_LIMIT - 1), np.full(255, _LIMIT + 1)
    while (at_least - below > 1).any():
        middle = (below + at_least) >> 1
        reached = finish(middle, shift, zero_point, -128, 127) >= codes
        at_least, below = np.where(reached, middle, at_least), np.where(reached, below, middle)
    return np.concatenate([[-_LIMIT], at_least]), np.concatenate([at_least - 1, [_LIMIT]])


def _entries(low: IntArray, high: IntArray, natural: IntArray) -> tuple[IntArray, int]:
    """The 256 entries, and how many of the 65,536 intervals [`low`, `high`] (rows: entries) they miss."""
    table = _snap(natural, up=False)
    wrong = _misses(low, high, table)
    rows = np.flatnonzero(wrong)
    if rows.size:
        low, high = low[rows], high[rows]
        target = np.clip(natural[rows], *_deepest(low, high, natural[rows]))
        for up in (False, True):
            candidate = _snap(target, up)
            misses = _misses(low, high, candidate)
            better = misses < wrong[rows]
            table[rows] = np.where(better, candidate, table[rows])
            wrong[rows] = np.where(better, misses, wrong[rows])
    return table, int(wrong.sum())


def _misses(low: IntArray, high: IntArray, table: IntArray) -> IntArray:
    return np.asarray(np.count_nonzero((table[:, None] < low) | (table[:, None] > high), axis=1))


def _deepest(low: IntArray, high: IntArray, natural: IntArray) -> tuple[IntArray, IntArray]:
    """For each row the range that lies in most of its intervals; of several such ranges the nearest to `natural`."""
    count = low.shape[1]
    ends = np.concatenate([np.maximum(high + 1, low), low], axis=1)
    order = np.argsort(ends, axis=1, kind="stable")  # of equal positions the ends come first: an interval is half open
    positions = np.take_along_axis(ends, order, axis=1)
    depth = np.cumsum(np.where(order < count, -1, 1), axis=1)
    start, stop = positions[:, :-1], positions[:, 1:] - 1
    distance = np.maximum(np.maximum(start - natural[:, None], natural[:, None] - stop), 0)
    distance[depth[:, :-1] < depth.max(axis=1, keepdims=True)] = np.iinfo(np.int64).max
    chosen = np.argmin(distance, axis=1)[:, None]
    return np.take_along_axis(start, chosen, axis=1)[:, 0], np.take_along_axis(stop, chosen, axis=1)[:, 0]


def _shifts(values: IntArray) -> IntArray:
    return np.maximum(bit_length(np.abs(values)) - _TABLE_BITS, 0)


def _snap(values: IntArray, up: bool) -> IntArray:
    """The next value below or above (or the same) that a table entry can hold."""
    shifts = _shifts(values)
    return np.asarray(-((-values >> shifts) << shifts) if up else (values >> shifts) << shifts)
