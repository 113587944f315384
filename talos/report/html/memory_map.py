"""The memory map over time: what lies where in the activation memory and the accumulators, and how long it is needed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.isa import Unit
from talos.report.html.data import ReportData
from talos.report.html.labels import size
from talos.report.html.packed import pack
from talos.report.html.palette import UNITS
from talos.report.html.plotting import figure_json
from talos.runtime.lifetimes import LifeTimes

__all__ = ["MEMORY_COLOURS", "memory_data", "memory_figure", "memory_sentence"]

MEMORY_COLOURS = {
    "loaded": (UNITS[Unit.LOAD], "#7fb2e5"),
    "computed": (UNITS[Unit.VECTOR], "#bfa3ea"),
    "padding": ("#aab6c5", "#c8d1dc"),
    "sums": (UNITS[Unit.MATRIX], "#7cc8a8"),
}
"""By where the bytes come from: for layers with even and odd numbers."""


def memory_data(data: ReportData) -> dict[str, Any]:
    """The rectangles of both memories as packed arrays; `writer` is an instruction of the timeline."""
    config = data.program.config
    return {
        "activation": _rectangles(data.activation, _axis(data.activation, config.activation_bytes)),
        "accumulators": _rectangles(data.accumulators, _axis(data.accumulators, config.accumulator_depth)),
        "colors": MEMORY_COLOURS,
    }


def memory_sentence(data: ReportData) -> str:
    """How full the memories get, in a sentence."""
    config = data.program.config
    return (
        f"At most {size(data.activation.peak)} of {size(config.activation_bytes)} of activation memory and {data.accumulators.peak:,} of "
        f"{config.accumulator_depth:,} accumulator entries are in use at a time."
    )


def memory_figure(data: ReportData) -> dict[str, Any]:
    """The frame: addresses of the activation memory above those of the accumulators, over the cycles."""
    config = data.program.config
    activation, accumulators = _axis(data.activation, config.activation_bytes), _axis(data.accumulators, config.accumulator_depth)
    return figure_json(
        [],
        height=430,
        xaxis={"title": {"text": "cycle"}, "range": [0, data.timing.cycles], "tickformat": ",d", "anchor": "y2", "showgrid": False},
        yaxis={
            "title": {"text": "activation memory"}, "range": [0, activation.extent], "domain": [0.33, 1], "showgrid": False, "zeroline": False,
            "tickvals": activation.ticks, "ticktext": [size(activation.address(tick)) for tick in activation.ticks],
        },
        yaxis2={
            "title": {"text": "accumulators"}, "range": [0, accumulators.extent], "domain": [0, 0.26], "showgrid": False, "zeroline": False,
            "tickvals": accumulators.ticks, "ticktext": [f"{accumulators.address(tick):,}" for tick in accumulators.ticks],
        },
        hovermode="closest",
        showlegend=False,
    )  # fmt: skip


@dataclass(frozen=True)
class _Axis:
    """Where addresses are drawn: those from `firsts[i]` on at `places[i]`. What the run never uses is left out if that is most of the memory."""

    firsts: NDArray[np.int64]
    places: NDArray[np.int64]
    extent: int
    ticks: list[int]

    def place(self, address: NDArray[np.int64]) -> NDArray[np.int64]:
        part = np.searchsorted(self.firsts, address, side="right") - 1
        return np.asarray(address - self.firsts[part] + self.places[part])

    def address(self, place: int) -> int:
        part = int(np.searchsorted(self.places, place, side="right")) - 1
        return int(place - self.places[part] + self.firsts[part])


def _axis(times: LifeTimes, capacity: int) -> _Axis:
    order = np.argsort(times.low, kind="stable")
    lows, reach = times.low[order], np.maximum.accumulate(times.high[order])
    gaps = np.flatnonzero(lows[1:] > reach[:-1]) + 1
    firsts = lows[np.concatenate([[0], gaps])] if len(lows) else np.zeros(1, np.int64)
    ends = np.append(reach[gaps - 1], reach[-1]) if len(lows) else np.zeros(1, np.int64)
    used = int((ends - firsts).sum())
    if 2 * used >= capacity or not used:
        return _Axis(np.zeros(1, np.int64), np.zeros(1, np.int64), capacity, [capacity * part // 4 for part in range(5)])
    between = max(1, used // 25)
    places = np.concatenate([[0], np.cumsum(ends - firsts + between)[:-1]]).astype(np.int64)
    extent = int(places[-1] + ends[-1] - firsts[-1])
    ticks = [0]
    for place in places.tolist():
        if place - ticks[-1] >= extent / 12:
            ticks.append(place)
    return _Axis(firsts, places, extent, ticks)


def _rectangles(times: LifeTimes, axis: _Axis) -> dict[str, Any]:
    return {
        "place": pack(axis.place(times.low)),
        "low": pack(times.low),
        "high": pack(times.high),
        "begin": pack(times.begin),
        "end": pack(times.end),
        "writer": pack(times.writers),
    }
