"""nextpnr's report: frequency and critical path by component."""

import pytest

from talos.errors import TalosError
from talos.synth.place import Placement, parse_report
from talos.synth.resources import Hierarchy

CLOCK = "posedge $glbnet$clk"
HIERARCHY = Hierarchy(("talos", "talos.queue", "talos.control", "talos.control.counters"), "talos")


def piece(kind, delay, begin, end):
    return {"type": kind, "delay": delay, "from": {"cell": begin, "port": "Q"}, "to": {"cell": end, "port": "A"}}


SLOW = [
    piece("clk-to-q", 0.5, "core.queue.r_FF", "core.queue.r_FF"),
    piece("routing", 1.25, "core.queue.r_FF", "core.queue.x_LUT4_Z"),
    piece("logic", 0.25, "core.queue.x_LUT4_Z", "core.queue.x_LUT4_Z"),
    piece("routing", 2.0, "core.queue.x_LUT4_Z", "core.control.y_LUT4_Z"),
    piece("logic", 0.25, "core.control.y_LUT4_Z", "core.control.y_LUT4_Z"),
    piece("routing", 1.0, "core.control.y_LUT4_Z", "core.control.counters.n_FF"),
    piece("setup", 0.1, "core.control.counters.n_FF", "core.control.counters.n_FF"),
]
FAST = [piece("clk-to-q", 0.5, "a", "a"), piece("routing", 0.1, "a", "b"), piece("setup", 0.1, "b", "b")]
REPORT = {
    "fmax": {"$glbnet$clk": {"achieved": 186.9158, "constraint": 200}},
    "critical_paths": [
        {"from": "<async>", "to": CLOCK, "path": [piece("routing", 99.0, "pin", "core.queue.r_FF")]},
        {"from": CLOCK, "to": CLOCK, "path": FAST},
        {"from": CLOCK, "to": CLOCK, "path": SLOW},
        {"from": CLOCK, "to": "<async>", "path": [piece("routing", 88.0, "core.queue.r_FF", "pin")]},
    ],
}


def test_critical_path_by_component():
    placement = parse_report(REPORT, 3, HIERARCHY)
    path = placement.critical_path
    assert (placement.seed, placement.fmax_mhz) == (3, 186.92)
    assert (path.begin, path.end) == ("core.queue.r_FF", "core.control.counters.n_FF")
    assert [(s.component, s.levels, s.logic_ns, s.routing_ns) for s in path.steps] == [
        ("queue", 1, 0.75, 1.25),
        ("control", 1, 0.25, 2.0),
        ("control.counters", 0, 0.1, 1.0),
    ]
    assert (path.logic_ns, path.routing_ns, path.levels) == (1.1, 4.25, 2)
    assert path.to_json()["ns"] == 5.35


def test_round_trip_through_the_cache():
    placement = parse_report(REPORT, 3, HIERARCHY)
    assert Placement.from_json(placement.to_json()) == placement


def test_no_path_between_registers():
    with pytest.raises(TalosError, match="no path from register to register"):
        parse_report({"fmax": {}, "critical_paths": REPORT["critical_paths"][:1]}, 1, HIERARCHY)
