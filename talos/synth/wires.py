"""Wires between cells as arrays: their length, positions that make them short, and what a cell's place costs.

A net's length is half the perimeter of the box around its pins (HPWL). It is minimized as a sum of squares: the bound-to-bound model joins
each pin of a net to the net's two outermost ones, weighted so that the sum of squares is the length at the present positions (Spindler,
Schlichtmann, Johannes: Kraftwerk2, IEEE TCAD 2008). The two axes are independent of each other.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

__all__ = ["Floats", "Ints", "Wires"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SHORTEST = 1.0  # tiles: distances below are taken as this one
_MOST_PINS = 400  # nets of more pins (clocks, resets) are left out: they say nothing about where a cell should be


class Wires:
    """The nets of `cells` cells. pins: pairs (net, cell), in any order; a cell counts once in each net."""

    def __init__(self, cells: int, pins: Sequence[tuple[int, int]]) -> None:
        self.cells = cells
        pairs = np.unique(np.array(pins, dtype=np.int64).reshape(-1, 2), axis=0)
        _, net, size = np.unique(pairs[:, 0], return_inverse=True, return_counts=True)
        used = (size[net] > 1) & (size[net] <= _MOST_PINS)
        self._cell: Ints = pairs[used, 1]
        _, self._net, self._size = np.unique(net[used], return_inverse=True, return_counts=True)
        self._first: Ints = np.concatenate([[0], np.cumsum(self._size)])[:-1].astype(np.int64)
        self._pins_of: dict[int, Ints] = {}

    @property
    def nets(self) -> int:
        """How many have a length."""
        return len(self._size)

    def length(self, x: Floats) -> float:
        """Extent of all nets along one axis, in tiles."""
        order, low, high = self._ends(x)
        return float((x[high] - x[low]).sum()) if len(order) else 0.0

    def _ends(self, x: Floats) -> tuple[Ints, Ints, Ints]:
        """The pins' cells, of each net from the lowest to the highest; and each net's lowest and highest cell."""
        order = self._cell[np.lexsort((x[self._cell], self._net))]
        return order, order[self._first], order[self._first + self._size - 1]

    def smooth(self, x: Floats) -> Floats:
        """Each cell at the mean of its nets' means; a cell without nets stays."""
        means = np.bincount(self._net, x[self._cell], self.nets) / self._size
        degree = np.bincount(self._cell, minlength=self.cells)
        sums = np.bincount(self._cell, means[self._net], self.cells)
        return np.where(degree > 0, sums / np.maximum(degree, 1), x)

    def shorten(self, x: Floats, anchors: Floats, weights: Floats) -> Floats:
        """Positions of shorter wires, where each cell is also pulled to its anchor with its weight."""
        order, low, high = self._ends(x)
        rank = np.arange(len(order)) - self._first[self._net]
        inner = (rank > 0) & (rank < self._size[self._net] - 1)
        a = np.concatenate([low, order[inner], order[inner]])
        b = np.concatenate([high, low[self._net[inner]], high[self._net[inner]]])
        size = np.concatenate([self._size, self._size[self._net[inner]], self._size[self._net[inner]]])
        pull = 1 / ((size - 1) * np.maximum(np.abs(x[a] - x[b]), _SHORTEST))
        hold = weights / np.maximum(np.abs(x - anchors), _SHORTEST)
        shape = (self.cells, self.cells)
        joined = sparse.coo_matrix((np.concatenate([pull, pull]), (np.concatenate([a, b]), np.concatenate([b, a]))), shape=shape)
        joined = joined.tocsr()
        diagonal = np.asarray(joined.sum(axis=1)).ravel() + hold + 1e-9
        # Where it stops before its tolerance the wires are shorter all the same, and the next round goes on from there.
        solved, _ = cg(sparse.diags(diagonal) - joined, hold * anchors, x0=x, rtol=1e-3, maxiter=60, M=sparse.diags(1 / diagonal))
        return np.asarray(solved)

    def costs(self, cells: Ints, x: Floats, places: Floats) -> Floats:
        """What the nets of each cell are longer along one axis, for the cell at each of `places`: cells × places, in tiles."""
        order, low, high = self._ends(x)
        second_low, second_high = order[self._first + 1], order[self._first + self._size - 2]
        found = np.zeros((len(cells), len(places)))
        for row, cell in enumerate(cells):
            nets = self._nets_of(int(cell))
            lowest = x[np.where(low[nets] == cell, second_low[nets], low[nets])]
            highest = x[np.where(high[nets] == cell, second_high[nets], high[nets])]
            beyond = np.maximum(lowest[:, None] - places, 0) + np.maximum(places - highest[:, None], 0)
            found[row] = beyond.sum(axis=0)
        return found

    def _nets_of(self, cell: int) -> Ints:
        if cell not in self._pins_of:
            self._pins_of[cell] = self._net[self._cell == cell]
        return self._pins_of[cell]
