"""Chooses the sites of an ECP5 netlist's multipliers and block RAMs, before nextpnr places the rest.

nextpnr's electrostatic placer finds good places for everything, then moves these blocks to whatever sites are near: that more than
doubles the length of the wires of a design with hundreds of them, and what is placed afterwards cannot make up for it (docs/silicon.md has
the figures). Here the blocks are near their sites from the start.

The method is SimPL's (Kim, Lee, Markov, IEEE TCAD 2012): the wires are shortened without regard to room; then every cell gets an anchor where there is
room, the blocks at sites of their own, as an assignment problem; the wires are shortened again with a growing pull to the anchors.
"""

from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from talos.synth.pack_registers import Netlist
from talos.synth.sites import Floor, Site
from talos.synth.spread import spread
from talos.synth.wires import Floats, Ints, Wires

__all__ = ["floorplan"]

_ROUNDS = 120
_PULL = 0.01  # to a cell's anchor, in nets, more by as much in each round
_BLOCK_PULL = 100  # times as much for a block
_MOVED = 5.0  # cost of a tile between a block's position and its site, in tiles of wire
_SMOOTHING = 300
# Tiles: eight LUTs and eight registers share one, and about half of the registers share with a LUT.
_AREA = {"LUT4": 1 / 8, "TRELLIS_FF": 1 / 20, "CCU2C": 2 / 8, "TRELLIS_DPR16X4": 6 / 8}


def floorplan(netlist: Netlist, floor: Floor, seed: int = 1) -> int:
    """Give each multiplier and block RAM of `netlist` a site, as its attribute BEL, in place; how many there are.

    netlist: a module of Yosys's JSON that fits the device. seed: of the positions at the start. The result is the same for the same
    seed on the same machine; where sums are rounded otherwise it may be another one, as good.
    """
    cells = list(netlist["cells"].values())
    blocks = _blocks(cells, floor)
    if not blocks:
        return 0
    pins = [
        (bit, i) for i, cell in enumerate(cells) for bits in cell["connections"].values() for bit in bits if isinstance(bit, int)
    ]
    wires = Wires(len(cells), pins)
    area = np.array([_AREA.get(cell["type"], 0.0) for cell in cells])
    logic = np.flatnonzero(area)
    held = (area > 0).astype(float)
    for block, _ in blocks:
        held[block] = _BLOCK_PULL
    x, y = _start(wires, floor, seed)
    chosen: list[list[Site]] = []
    for step in range(1, _ROUNDS + 1):
        room_x, room_y = spread(x, y, logic, area, floor.width, floor.height)
        chosen = [_assign(wires, block, sites, x, y) for block, sites in blocks]
        for (block, _), places in zip(blocks, chosen, strict=True):
            room_x[block], room_y[block] = [site.x for site in places], [site.y for site in places]
        x = wires.shorten(x, room_x, _PULL * step * held)
        y = wires.shorten(y, room_y, _PULL * step * held)
    for (block, _), places in zip(blocks, chosen, strict=True):
        for i, site in zip(block, places, strict=True):
            cells[i]["attributes"]["BEL"] = site.bel
    return sum(len(block) for block, _ in blocks)


def _blocks(cells: list[dict[str, Any]], floor: Floor) -> list[tuple[Ints, list[Site]]]:
    """Cells that share sites, and these."""
    found: dict[str, tuple[list[int], list[Site]]] = {}
    for i, cell in enumerate(cells):
        sites = floor.sites(cell["type"])
        if sites:
            found.setdefault(sites[0].bel, ([], sites))[0].append(i)
    return [(np.array(numbers, dtype=np.int64), sites) for numbers, sites in found.values()]


def _start(wires: Wires, floor: Floor, seed: int) -> tuple[Floats, Floats]:
    """Positions where neighbours in the netlist are neighbours: noise, smoothed along the wires, is near the graph's slowest vibrations."""
    random = np.random.default_rng(seed)
    found: list[Floats] = []
    for _ in range(2):
        values = random.standard_normal(wires.cells)
        for _ in range(_SMOOTHING):
            values = (values + wires.smooth(values)) / 2
            values -= values.mean()
            for other in found:
                values -= other * (values @ other) / max(float(other @ other), 1e-30)
            values /= max(float(np.sqrt(np.mean(values**2))), 1e-30)
        found.append(values)
    ranks = [np.argsort(np.argsort(values, kind="stable"), kind="stable") / wires.cells for values in found]
    return floor.width * (0.2 + 0.6 * ranks[0]), floor.height * (0.2 + 0.6 * ranks[1])


def _assign(wires: Wires, block: Ints, sites: list[Site], x: Floats, y: Floats) -> list[Site]:
    """A site for each cell of `block`: the least wire, and not far from where it is."""
    site_x, site_y = np.array([site.x for site in sites], dtype=float), np.array([site.y for site in sites], dtype=float)
    cost = wires.costs(block, x, site_x) + wires.costs(block, y, site_y)
    cost += _MOVED * (np.abs(x[block][:, None] - site_x) + np.abs(y[block][:, None] - site_y))
    _, columns = linear_sum_assignment(cost)
    return [sites[column] for column in columns]
