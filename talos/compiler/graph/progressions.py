"""Integer sequences cut into nested arithmetic progressions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Progression", "Step", "progressions"]

Integers = npt.NDArray[np.int64]
_Beginnings = tuple[Integers, Integers, "tuple[Step, ...]"]  # places and values of progressions that have the same steps


@dataclass(frozen=True)
class Step:
    """`count` points: from each to the next the place grows by `place` and the value by `value`."""

    count: int
    place: int
    value: int


@dataclass(frozen=True)
class Progression:
    """The points (place + Σ i·step.place, value + Σ i·step.value) for all 0 ≤ i < step.count of each of `steps`, innermost first."""

    place: int
    value: int
    steps: tuple[Step, ...] = ()


def progressions(places: Integers, values: Integers) -> list[Progression]:
    """The points (places[i], values[i]), places rising, as progressions that together hold each point once.

    Greedy: equal steps in a row become one progression; then progressions of the same form whose beginnings follow each other by equal
    steps become one with a further loop, and so on. A periodic sequence takes no more than its period does.
    """
    found = _merged(places, values, ())
    while True:
        forms: dict[tuple[Step, ...], list[tuple[Integers, Integers]]] = {}
        for starts, first, steps in found:
            forms.setdefault(steps, []).append((starts, first))
        merged = []
        for steps, members in forms.items():
            starts, first = (np.concatenate(parts) for parts in zip(*members, strict=True))
            order = np.argsort(starts)
            merged += _merged(starts[order], first[order], steps)
        if _count(merged) == _count(found):
            break
        found = merged
    rows = [
        Progression(int(place), int(value), steps)
        for starts, first, steps in found
        for place, value in zip(starts, first, strict=True)
    ]
    return sorted(rows, key=lambda row: row.place)


def _count(beginnings: list[_Beginnings]) -> int:
    return sum(len(places) for places, _, _ in beginnings)


def _merged(places: Integers, values: Integers, steps: tuple[Step, ...]) -> list[_Beginnings]:
    """Beginnings of one form, cut into runs of equal steps: by form of run the beginnings of the runs."""
    count = len(places)
    by_form: dict[tuple[Step, ...], list[int]] = {}
    differences = np.stack((np.diff(places), np.diff(values)))
    # ends[i]: the last point of the run of equal differences that begins with difference i
    breaks = np.flatnonzero((differences[:, 1:] != differences[:, :-1]).any(axis=0)) + 1
    ends = np.append(breaks, count - 1)[np.searchsorted(breaks, np.arange(max(count - 1, 0)), side="right")]
    position = 0
    while position < count:
        end = int(ends[position]) if position < count - 1 else position
        if end == position + 1 and end < count - 1 and ends[end] > end + 1:
            end = position  # the next point begins a longer run: leave it there
        form = steps
        if end > position:
            form = (*steps, Step(end - position + 1, int(differences[0, position]), int(differences[1, position])))
        by_form.setdefault(form, []).append(position)
        position = end + 1
    return [(places[members], values[members], form) for form, members in by_form.items()]
