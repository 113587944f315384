"""Sites of multipliers and block RAMs: the list is nextpnr's, and what is chosen makes the wires short."""

import itertools
import json
from collections import Counter

import numpy as np
import pytest

from talos.synth.devices import DEVICES
from talos.synth.floorplan import floorplan
from talos.synth.sites import Floor
from talos.synth.spread import spread
from talos.synth.wires import Wires
from talos.yowasp import run_tool

_ECP5 = [device for device in DEVICES.values() if device.floor is not None]
_FLOOR = DEVICES["ecp5-85k"].floor
assert _FLOOR is not None


def _cell(kind: str, *bits: int) -> dict:
    return {"type": kind, "parameters": {}, "attributes": {}, "port_directions": {}, "connections": {"X": list(bits)}}


def _random_nets(seed: int, cells: int = 40, nets: int = 60) -> list[tuple[int, int]]:
    random = np.random.default_rng(seed)
    return [(net, int(cell)) for net in range(nets) for cell in random.choice(cells, random.integers(1, 6), replace=False)]


def _length(pins: list[tuple[int, int]], x: np.ndarray) -> float:
    nets: dict[int, list[float]] = {}
    for net, cell in pins:
        nets.setdefault(net, []).append(x[cell])
    return sum(max(places) - min(places) for places in nets.values())


@pytest.mark.parametrize("device", _ECP5, ids=lambda device: device.name)
def test_nextpnr_knows_every_site(device, tmp_path):
    kinds = {"MULT18X18D": "dsp", "DP16KD": "bram"}
    cells = {}
    for kind, resource in kinds.items():
        sites = device.floor.sites(kind)
        assert len({site.bel for site in sites}) == len(sites) == dict(device.capacity)[resource]
        for site in sites:
            cells[site.bel] = _cell(kind)
            cells[site.bel] |= {"connections": {}, "attributes": {"BEL": site.bel}}
    cells["loop"] = _cell("TRELLIS_FF")
    cells["loop"] |= {
        "port_directions": {"CLK": "input", "DI": "input", "Q": "output"},
        "connections": {"CLK": [2], "DI": [3], "Q": [3]},
    }
    top = {"attributes": {"top": "1"}, "ports": {"clk": {"direction": "input", "bits": [2]}}, "cells": cells, "netnames": {}}
    (tmp_path / "netlist.json").write_text(json.dumps({"creator": "test", "modules": {"top": top}}))
    arguments = [argument.format(speed=6) for argument in device.arguments]
    run_tool(device.family.placer, [*arguments, "--json", "netlist.json", "--no-route", "--write", "placed.json"], tmp_path)
    placed = json.loads((tmp_path / "placed.json").read_text())["modules"]["top"]["cells"]
    for name, cell in placed.items():
        if cell["type"] in kinds:
            assert cell["attributes"]["NEXTPNR_BEL"] == name


def test_lengths_and_costs_are_those_of_the_boxes_around_the_pins():
    for seed in range(5):
        pins = _random_nets(seed)
        x = np.random.default_rng(seed).uniform(0, 50, 40)
        wires = Wires(40, pins)
        assert wires.length(x) == pytest.approx(_length(pins, x))
        places = np.array([0.0, 17.5, 60.0])
        costs = wires.costs(np.arange(40), x, places)
        for cell, (i, place) in itertools.product(range(40), enumerate(places)):
            moved, others = x.copy(), [pin for pin in pins if pin[1] != cell]
            moved[cell] = place
            nets = {net for net, other in pins if other == cell} & {net for net, _ in others}
            without = _length([pin for pin in others if pin[0] in nets], x)
            assert costs[cell, i] == pytest.approx(_length([pin for pin in pins if pin[0] in nets], moved) - without)


def test_wires_become_shorter_and_anchors_hold():
    pins = _random_nets(1)
    wires = Wires(40, pins)
    x = anchors = np.random.default_rng(3).uniform(0, 50, 40)
    loose = wires.shorten(x, anchors, np.full(40, 0.1))
    tight = wires.shorten(x, anchors, np.full(40, 1e6))
    assert wires.length(loose) < 0.5 * wires.length(x)
    assert np.abs(tight - anchors).max() < 0.01


def test_spread_cells_fit():
    random = np.random.default_rng(0)
    count, area = 3000, np.full(3000, 1 / 8)
    x, y = spread(
        random.normal(40, 0.5, count),
        random.normal(20, 0.5, count),
        np.arange(count),
        area,
        float(_FLOOR.width),
        float(_FLOOR.height),
    )
    assert x.min() > 0 and x.max() < _FLOOR.width and y.min() > 0 and y.max() < _FLOOR.height
    tiles = Counter(zip((x // 8).astype(int), (y // 8).astype(int), strict=True))
    assert max(tiles.values()) <= 8 * 64  # no more than all of their LUTs
    assert np.hypot(x - 40, y - 20).mean() < 20  # and not far from where they were: 3000 of them need 14 × 14 tiles at least


def _chain(floor: Floor) -> dict:
    """Multipliers and memories in turn, each joined to the next one through a few registers."""
    cells, bit = {}, 2
    blocks = [_cell(kind) for kind in ("MULT18X18D", "DP16KD") * 25]
    for i, block in enumerate(blocks):
        cells[f"block_{i}"] = block
        for j in range(12 if i + 1 < len(blocks) else 0):
            cells[f"register_{i}_{j}"] = _cell("TRELLIS_FF", bit, bit + 1)
            block["connections"]["X"].append(bit)
            blocks[i + 1]["connections"]["X"].append(bit + 1)
            bit += 2
    return {"cells": cells}


def _places(netlist: dict, floor: Floor) -> list[tuple[int, int]]:
    sites = {site.bel: site for kind in ("MULT18X18D", "DP16KD") for site in floor.sites(kind)}
    found = [cell["attributes"].get("BEL") for cell in netlist["cells"].values() if cell["type"] != "TRELLIS_FF"]
    assert len(set(found)) == len(found)
    return [(sites[bel].x, sites[bel].y) for bel in found]


def test_neighbours_get_sites_near_each_other():
    netlist = _chain(_FLOOR)
    assert floorplan(netlist, _FLOOR) == 50
    places = _places(netlist, _FLOOR)
    for cell in netlist["cells"].values():
        assert ("BEL" in cell["attributes"]) == (cell["type"] != "TRELLIS_FF")
        if cell["type"] != "TRELLIS_FF":
            assert cell["attributes"]["BEL"] in {site.bel for site in _FLOOR.sites(cell["type"])}

    def length(order):
        return sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in itertools.pairwise(order))

    shuffled = [places[i] for i in np.random.default_rng(0).permutation(len(places))]
    assert length(places) < length(shuffled) / 2


def test_a_seed_gives_one_floorplan():
    first, again, other = _chain(_FLOOR), _chain(_FLOOR), _chain(_FLOOR)
    floorplan(first, _FLOOR, 1), floorplan(again, _FLOOR, 1), floorplan(other, _FLOOR, 2)
    assert first == again != other


def test_nothing_to_place():
    netlist = {"cells": {"a": _cell("TRELLIS_FF", 2, 3), "b": _cell("LUT4", 3, 2)}}
    assert floorplan(netlist, _FLOOR) == 0
    assert all(not cell["attributes"] for cell in netlist["cells"].values())


def test_a_block_without_wires_has_a_site():
    netlist = {"cells": {"a": _cell("PDPW16KD"), "b": _cell("DP16KD"), "c": _cell("TRELLIS_FF", 2, 3)}}
    assert floorplan(netlist, _FLOOR) == 2
    assert len(set(_places({"cells": {k: v for k, v in netlist["cells"].items() if k != "c"}}, _FLOOR))) == 2
