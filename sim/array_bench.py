"""Systolic array: back-to-back weight tiles and vectors against matrix products."""

from typing import Any

import cocotb
import numpy as np

from sim.bench import Testbench
from sim.parts import to_int
from talos.latency import array_latency

EDGES = np.array([-128, -127, -1, 0, 1, 127], np.int8)


class ArrayDriver:
    """Random vectors, weight words and switches every cycle; the model of PE weights; and the checker of the sums.

    switch, strobe, down: probability in a cycle. edges: values at the ends of their range only.
    """

    def __init__(self, bench: Testbench, switch: float, strobe: float, down: float, edges: bool) -> None:
        self._bench = bench
        self._switch, self._strobe, self._edges = switch, strobe, edges
        self._down = down if bench.config.depthwise else 0.0
        self._history: list[np.ndarray] = []  # vectors, the latest first
        rows, cols = bench.config.rows, bench.config.cols
        self._shadow = np.zeros((rows, cols), np.int64)
        self._active = np.zeros((rows, cols), np.int64)
        self._expected: dict[int, np.ndarray] = {}
        self._loaded: set[int] = set()  # rows that were ever given weights
        self._usable = False  # weights of every row are defined
        self.compared = 0

    def _random(self, count: int) -> np.ndarray:
        if self._edges:
            return self._bench.rng.choice(EDGES, count)
        return self._bench.rng.integers(-128, 128, count).astype(np.int8)

    def drive(self) -> None:
        dut, bench = self._bench.dut, self._bench
        rows, cols = bench.config.rows, bench.config.cols
        acts, word = self._random(bench.config.matrix_bytes), self._random(cols)
        switch, row = bench.chance(self._switch), bench.random.randrange(rows) if bench.chance(self._strobe) else None
        dut.i_acts.value = to_int(acts)
        dut.i_weights.value = to_int(word)
        dut.i_switch.value = switch
        dut.i_strobes.value = 0 if row is None else 1 << row
        if switch:
            self._active = self._shadow.copy()
            self._usable = len(self._loaded) == rows
        if row is not None:  # in the cycle of a switch it already belongs to the weights after that
            self._shadow[row] = word
            self._loaded.add(row)
        down = bench.chance(self._down)
        if bench.config.depthwise:
            dut.i_down.value = down
        self._history = [acts.astype(np.int64), *self._history[: rows - 1]]
        if self._usable and len(self._history) == rows:
            if down:  # column c filters element c over time
                sums = np.sum([self._history[r][:cols] * self._active[r] for r in range(rows)], axis=0)
            else:
                sums = acts[:rows].astype(np.int64) @ self._active
            self._expected[bench.cycle + array_latency(bench.config)] = sums

    def sample(self) -> None:
        expected = self._expected.pop(self._bench.cycle, None)
        if expected is None:
            return
        width = self._bench.config.psum_width
        bits = int(self._bench.dut.o_sums.value)
        for c, value in enumerate(expected):
            code = bits >> (c * width) & ((1 << width) - 1)
            seen = code - (1 << width) * (code >> (width - 1))
            assert seen == value, f"cycle {self._bench.cycle}, column {c}: sum {seen}, expected {value}"
        self.compared += 1


async def _sums(dut: Any, name: str, cycles: int, switch: float, strobe: float, down: float = 0.0, edges: bool = False) -> None:
    bench = Testbench(dut, name)
    await bench.start()
    driver = bench.add(ArrayDriver(bench, switch, strobe, down, edges))
    for _ in range(cycles):
        await bench.step()
    assert driver.compared > cycles // 2


@cocotb.test()
async def tiles_follow_each_other(dut: Any) -> None:
    """A weight word nearly every cycle and a switch every few cycles."""
    await _sums(dut, "tiles", 1500, switch=0.25, strobe=0.9)


@cocotb.test()
async def weights_stay(dut: Any) -> None:
    """Long tiles: weights of the next one arrive while this one computes and must not disturb it."""
    await _sums(dut, "stay", 800, switch=0.03, strobe=0.5)


@cocotb.test()
async def depthwise_in_between(dut: Any) -> None:
    """The mode changes from vector to vector (where the array has it)."""
    await _sums(dut, "depthwise", 1500, switch=0.1, strobe=0.8, down=0.5)


@cocotb.test()
async def extreme_values(dut: Any) -> None:
    """-128 · -128 in every PE: the widest sums."""
    await _sums(dut, "extreme", 1000, switch=0.2, strobe=0.9, down=0.3, edges=True)
