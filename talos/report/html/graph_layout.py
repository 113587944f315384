"""Where the boxes of the network graph stand: ranks from top to bottom, in columns like those of a newspaper."""

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["BOX_HEIGHT", "BOX_WIDTH", "Layout", "lay_out"]

BOX_WIDTH, BOX_HEIGHT = 184, 38
_PITCH = BOX_HEIGHT + 18  # from rank to rank
_GAP = 22  # between boxes of a rank
_LANE = 14  # room that a passing edge takes
_GUTTER = 46  # between columns
_MARGIN = 12

Point = tuple[float, float]


@dataclass
class _Item:
    """A box or, with a width of _LANE, a place that an edge passes on its way over several ranks."""

    rank: int
    width: int
    above: list["_Item"] = field(default_factory=list)
    x: float = 0


@dataclass(frozen=True)
class Layout:
    """`centres` of the boxes, and for each edge (source, target) the points it passes. `width` × `height` pixels in all."""

    centres: list[Point]
    edges: dict[tuple[int, int], list[Point]]
    width: float
    height: float


def lay_out(inputs: Sequence[Sequence[int]], room: float) -> Layout:
    """Lay out nodes of which node i reads `inputs[i]` (all before i), in as many columns as fit `room` pixels.

    A column ends only where a single box stands in its rank, so that whatever goes on comes from this box.
    """
    ranks = _ranks(inputs)
    items = [_Item(rank, BOX_WIDTH) for rank in ranks]
    rows: list[list[_Item]] = [[] for _ in range(max(ranks, default=0) + 1)]
    for item in items:
        rows[item.rank].append(item)
    paths = {}
    for target, sources in enumerate(inputs):
        for source in sources:
            paths[source, target] = _path(items[source], items[target], rows)
    for row in rows:
        _place(row)
    single = [len(row) == 1 for row in rows]
    left, right = _extent(rows)
    columns = _columns(single, max(1, int((room + _GUTTER) // (right - left + _GUTTER))))
    place = {rank: (number, rank - column[0]) for number, column in enumerate(columns) for rank in column}

    def position(item: _Item) -> Point:
        column, depth = place[item.rank]
        return _MARGIN + column * (right - left + _GUTTER) + item.x - left, _MARGIN + depth * _PITCH + BOX_HEIGHT / 2

    edges = {}
    for key, path in paths.items():
        points: list[Point] = []
        for item, following in zip(path, [*path[1:], None], strict=True):
            x, y = position(item)
            points.append((x, y))
            if following is not None and place[following.rank][0] != place[item.rank][0]:
                gutter = _MARGIN + place[following.rank][0] * (right - left + _GUTTER) - _GUTTER / 2
                bottom, top = y + BOX_HEIGHT / 2 + 9, _MARGIN - 6
                points += [(x, bottom), (gutter, bottom), (gutter, top), (position(following)[0], top)]
        edges[key] = points
    return Layout(
        [position(item) for item in items],
        edges,
        2 * _MARGIN + len(columns) * (right - left + _GUTTER) - _GUTTER,
        2 * _MARGIN + max(map(len, columns)) * _PITCH,
    )


def _ranks(inputs: Sequence[Sequence[int]]) -> list[int]:
    """The longest way from an input; nodes that read nothing stand right above their first reader."""
    ranks: list[int] = []
    for sources in inputs:
        ranks.append(1 + max((ranks[source] for source in sources), default=-1))
    readers: dict[int, int] = {}
    for target, sources in enumerate(inputs):
        for source in sources:
            readers[source] = min(readers.get(source, ranks[target]), ranks[target])
    return [readers[node] - 1 if not inputs[node] and node in readers else rank for node, rank in enumerate(ranks)]


def _path(source: _Item, target: _Item, rows: list[list[_Item]]) -> list[_Item]:
    """The edge's way from rank to rank; what it passes between source and target is added to `rows`."""
    path = [source]
    for rank in range(source.rank + 1, target.rank):
        passed = _Item(rank, _LANE, [path[-1]])
        rows[rank].append(passed)
        path.append(passed)
    target.above.append(path[-1])
    return [*path, target]


def _place(row: list[_Item]) -> None:
    """Give every item of a rank an x: below what is above it, boxes before passing edges, none on top of another."""

    def wanted(item: _Item) -> float:
        if not item.above:
            return 0
        boxes = [above for above in item.above if above.width == BOX_WIDTH] or item.above
        return boxes[0].x if len(boxes) <= 2 else sum(above.x for above in boxes) / len(boxes)

    row.sort(key=lambda item: (wanted(item), item.width == _LANE))
    edge = None
    for item in row:
        item.x = wanted(item) if edge is None else max(wanted(item), edge + _GAP + item.width / 2)
        edge = item.x + item.width / 2


def _extent(rows: list[list[_Item]]) -> tuple[float, float]:
    all_items = [item for row in rows for item in row]
    return min(i.x - i.width / 2 for i in all_items), max(i.x + i.width / 2 for i in all_items)


def _columns(single: list[bool], most: int) -> list[list[int]]:
    """The ranks in at most `most` columns of about equal length; `single[r]`: a column may end behind rank r."""
    least = max(5, -(-len(single) // most))
    columns: list[list[int]] = [[]]
    for rank in range(len(single)):
        columns[-1].append(rank)
        if len(columns[-1]) >= least and single[rank] and rank + 1 < len(single) and len(columns) < most:
            columns.append([])
    return columns
