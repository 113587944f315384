"""The front against its definition."""

from hypothesis import given
from hypothesis import strategies as st

from talos.explore.pareto import pareto_front

POINTS = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=40)


def dominates(a, b):
    return a != b and a[0] <= b[0] and a[1] <= b[1]


@given(POINTS)
def test_exactly_what_nothing_dominates(points):
    front = pareto_front(points, lambda point: point)
    assert front == sorted({b for b in points if not any(dominates(a, b) for a in points)})


def test_the_first_of_equals_stays():
    assert pareto_front([("a", 1, 1), ("b", 1, 1), ("c", 2, 1)], lambda item: item[1:]) == [("a", 1, 1)]
