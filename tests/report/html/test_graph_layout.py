"""Boxes of the network graph: ranks, columns, edges around boxes."""

import pytest

from talos.report.html.graph_layout import BOX_HEIGHT, BOX_WIDTH, Layout, lay_out

CHAIN = [[], *([index] for index in range(39))]
RESIDUAL = [[], [0], [1], [2, 0], [3], [4], [5, 3]]
INCEPTION = [[], [0], [0], [0], [0], [1, 2, 3, 4], [5]]
TWO_INPUTS = [[], [], [0], [2], [3, 1]]


def boxes_meet(layout: Layout) -> bool:
    centres = layout.centres
    return any(abs(x - u) < BOX_WIDTH and abs(y - v) < BOX_HEIGHT for i, (x, y) in enumerate(centres) for u, v in centres[:i])


@pytest.mark.parametrize("inputs", [CHAIN, RESIDUAL, INCEPTION, TWO_INPUTS, [[]]])
@pytest.mark.parametrize("room", [200, 1200])
def test_boxes_lie_apart_inside_the_drawing(inputs: list[list[int]], room: int) -> None:
    layout = lay_out(inputs, room)
    assert not boxes_meet(layout)
    for x, y in layout.centres:
        assert BOX_WIDTH / 2 <= x <= layout.width - BOX_WIDTH / 2 and BOX_HEIGHT / 2 <= y <= layout.height - BOX_HEIGHT / 2
    assert set(layout.edges) == {(source, target) for target, sources in enumerate(inputs) for source in sources}
    for (source, target), points in layout.edges.items():
        assert points[0] == layout.centres[source] and points[-1] == layout.centres[target]


def test_a_chain_fills_the_columns() -> None:
    layout = lay_out(CHAIN, 1200)
    columns = sorted({x for x, _ in layout.centres})
    assert len(columns) == 5 and layout.width <= 1200 + BOX_WIDTH
    assert max(sum(x == column for x, _ in layout.centres) for column in columns) == 8
    assert len({x for x, _ in lay_out(CHAIN, 200).centres}) == 1


def test_columns_end_where_a_single_edge_goes_on() -> None:
    """A residual block, of which no part may be torn from the addition at its end."""
    layout = lay_out([[], [0], [1], [2], [3], [4], [5], [6, 0], [7]], 1200)
    assert len({x for x, _ in layout.centres[:8]}) == 1 and layout.centres[8][0] > layout.centres[7][0]


def test_edges_pass_beside_boxes() -> None:
    """The skip connection has a lane of its own."""
    layout = lay_out(RESIDUAL, 200)
    passed = layout.edges[0, 3][1:-1]
    assert len(passed) == 2
    for x, y in passed:
        assert all(abs(x - u) > BOX_WIDTH / 2 for u, v in layout.centres if v == y)


def test_an_input_stands_above_its_reader() -> None:
    layout = lay_out(TWO_INPUTS, 200)
    assert layout.centres[1][1] == layout.centres[3][1]
