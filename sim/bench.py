"""The clock loop of a bench, and what every part of it has at hand: handle, configuration, random numbers, cycle number."""

import json
import os
import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge

from talos.config import AcceleratorConfig

__all__ = ["PERIOD_NS", "Checker", "Part", "Testbench", "configuration", "seed"]

PERIOD_NS = 10


class Part(Protocol):
    """A driver, monitor or responder. Each cycle `drive` sets inputs after the clock edge; when all signals have settled, `sample`
    reads what the edge that ends the cycle will see."""

    def drive(self) -> None: ...

    def sample(self) -> None: ...


SomePart = TypeVar("SomePart", bound=Part)


def configuration() -> AcceleratorConfig:
    """The configuration that the Verilog was generated for."""
    return AcceleratorConfig.from_json(json.loads(os.environ["TALOS_SIM_CONFIG"]))


def seed() -> int:
    """The run's seed."""
    return int(os.environ["COCOTB_RANDOM_SEED"])


class Testbench:
    """Steps the clock and the parts together: one edge and one settled moment per cycle, whatever the number of parts.

    `reset` is the design's reset from the next step on. `random` and `rng` are seeded with the run's seed and `name`, so that a test
    gives the same numbers alone and among others.
    """

    def __init__(self, dut: Any, name: str) -> None:
        self.dut = dut
        self.config = configuration()
        self.random = random.Random(f"{seed()} {name}")
        self.rng = np.random.default_rng(self.random.getrandbits(64))
        self.cycle = 0
        self.reset = False
        self._parts: list[Part] = []

    def add(self, part: SomePart) -> SomePart:
        """Parts drive and sample in the order in which they are added."""
        self._parts.append(part)
        return part

    async def start(self) -> None:
        """Start the clock and reset the design; the reset ends with the first step, when the parts drive their inputs."""
        cocotb.start_soon(Clock(self.dut.clk, PERIOD_NS, unit="ns").start())
        self.dut.rst.value = 1
        for _ in range(2):
            await RisingEdge(self.dut.clk)

    async def step(self, inputs: Mapping[str, int] | None = None) -> None:
        """One clock cycle; `inputs` by port name are set before the parts drive theirs, and stay."""
        await RisingEdge(self.dut.clk)
        self.dut.rst.value = self.reset
        for name, value in (inputs or {}).items():
            getattr(self.dut, name).value = value
        for part in self._parts:
            part.drive()
        await ReadOnly()
        for part in self._parts:
            part.sample()
        self.cycle += 1

    async def run_until(self, finished: Callable[[], bool], limit: int) -> None:
        """Step until `finished()`; fails after `limit` cycles."""
        end = self.cycle + limit
        while not finished():
            assert self.cycle < end, f"not finished after {limit} cycles"
            await self.step()

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return self.random.random() < probability


class Checker:
    """Compares what is seen with what is expected, in order."""

    def __init__(self, what: str, expected: list[Any]) -> None:
        self._what = what
        self._expected = expected
        self.seen = 0

    def see(self, value: Any) -> None:
        """The next value."""
        assert self.seen < len(self._expected), f"{self._what} {self.seen}: {value} although nothing more is expected"
        expected = self._expected[self.seen]
        assert value == expected, f"{self._what} {self.seen}: {value}, expected {expected}"
        self.seen += 1

    @property
    def complete(self) -> bool:
        """Everything expected was seen."""
        return self.seen == len(self._expected)
