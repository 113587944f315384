"""The Pareto front of two costs."""

from collections.abc import Callable, Iterable
from typing import TypeVar

__all__ = ["pareto_front"]

_Item = TypeVar("_Item")


def pareto_front(items: Iterable[_Item], costs: Callable[[_Item], tuple[float, float]]) -> list[_Item]:
    """The items than which none other is better in one cost and at least as good in the other, by rising first cost.

    Of items with equal costs the first stays.
    """
    front: list[_Item] = []
    least = float("inf")
    for item in sorted(items, key=costs):
        second = costs(item)[1]
        if second < least:
            front.append(item)
            least = second
    return front
