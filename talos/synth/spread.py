"""Spreads cells so that no part of the device holds more of them than fit."""

import numpy as np

from talos.synth.wires import Floats, Ints

__all__ = ["spread"]

_LEAF = 4.0  # tiles: below, cells are spread evenly
_FULL = 0.72  # of a region's area


def spread(x: Floats, y: Floats, cells: Ints, area: Floats, width: float, height: float) -> tuple[Floats, Floats]:
    """Positions near `x`, `y` (in tiles) where the `cells`, of `area` tiles each, fit.

    The device is halved along its longer side again and again; of a half that is too full the cells next to the cut go to the other one.
    """
    x, y = np.clip(x, 0.5, width - 0.5), np.clip(y, 0.5, height - 0.5)
    regions = [(cells, 0.0, width, 0.0, height)]
    while regions:
        inside, x0, x1, y0, y1 = regions.pop()
        if not len(inside):
            continue
        if max(x1 - x0, y1 - y0) <= _LEAF:
            _even(x, inside, x0, x1)
            _even(y, inside, y0, y1)
            continue
        horizontal = x1 - x0 >= y1 - y0
        position, middle = (x, (x0 + x1) / 2) if horizontal else (y, (y0 + y1) / 2)
        ordered = inside[np.argsort(position[inside], kind="stable")]
        taken = np.cumsum(area[ordered])
        total, room = taken[-1], _FULL * (x1 - x0) * (y1 - y0) / 2
        room = total / 2 if total > 2 * room else room
        cut = int(np.searchsorted(position[ordered], middle))
        below = taken[cut - 1] if cut else 0.0
        if below > room:
            cut = int(np.searchsorted(taken, room))
        elif total - below > room:
            cut = int(np.searchsorted(taken, total - room))
        low, high = ordered[:cut], ordered[cut:]
        position[low], position[high] = np.minimum(position[low], middle), np.maximum(position[high], middle)
        if horizontal:
            regions += [(low, x0, middle, y0, y1), (high, middle, x1, y0, y1)]
        else:
            regions += [(low, x0, x1, y0, middle), (high, x0, x1, middle, y1)]
    return x, y


def _even(position: Floats, cells: Ints, low: float, high: float) -> None:
    rank = np.argsort(np.argsort(position[cells], kind="stable"), kind="stable")
    position[cells] = low + (high - low) * (rank + 0.5) / len(cells)
