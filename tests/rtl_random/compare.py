"""Runs one case everywhere and lists every difference."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from talos.compiler.graph.evaluate import run_graph
from talos.compiler.scheduling.schedule import schedule
from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.isa import Instruction, Opcode
from talos.model.checker import check_program
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import SCRATCH, Program
from talos.runtime.device import VerilatedDevice, memory_map
from talos.runtime.timing_check import check_timing
from tests.rtl_random.cases import Case

__all__ = ["Bench", "Result"]

PATIENCE = 10_000
"""Cycles that the Verilog may take beyond the cycle model before the run is given up."""

Tensors = dict[str, npt.NDArray[np.int8]]


@dataclass(frozen=True)
class Result:
    """`differences` is empty if all executions agree. `bytes` and `events` were compared; `features` describe the program."""

    differences: tuple[str, ...]
    cycles: int
    bytes: int
    events: int
    features: frozenset[str]


class Bench:
    """Compares cases on one configuration; the Verilog is built (or found in the cache) when the bench is made."""

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self._device = VerilatedDevice(config)

    def run(self, case: Case) -> Result:
        """Compile, check, run on reference, functional model, cycle model and Verilog, compare. Errors count as differences."""
        try:
            return self._run(case)
        except TalosError as error:
            self._device.close()  # a core that stopped or hangs is of no more use
            self._device = VerilatedDevice(self.config)
            return Result((f"{type(error).__name__}: {error}",), 0, 0, 0, case.features)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Free the simulated core."""
        self._device.close()

    def _run(self, case: Case) -> Result:
        program = schedule(case.graph, self.config)
        check_program(program)
        truth = run_graph(case.graph, case.inputs)
        model = FunctionalModel(self.config, garbage=case.id.number).run_codes(program, case.inputs)
        timing = simulate(program, case.timing, memory_map(program)[0])
        self._device.timing = case.timing
        run = self._device.run(program, case.inputs, limit=timing.cycles + PATIENCE)
        check = check_timing(program, timing, run)
        expected = {port.spec.name: truth[port.spec.name] for port in program.outputs}
        differences = [
            *_values("functional model", expected, model),
            *_values("Verilog", expected, run.outputs),
            *([check.difference] if not check.equal else []),
        ]
        size = sum(array.size for array in expected.values())
        return Result(tuple(differences), run.cycles, size, len(run.trace), case.features | _features(program))


def _values(name: str, expected: Tensors, found: Tensors) -> list[str]:
    lines = []
    for key, truth in expected.items():
        wrong = np.argwhere(truth != found[key])
        if len(wrong):
            place = tuple(int(i) for i in wrong[0])
            lines.append(
                f"{name}: {len(wrong)} of {truth.size} bytes of '{key}' differ from the reference, the first at (row, column, channel) "
                f"{place}: {found[key][place]}, not {truth[place]}"
            )
    return lines


def _features(program: Program) -> set[str]:
    """What the compiler made of a case."""

    def layer_counts(opcode: Opcode) -> list[int]:
        chosen: list[tuple[int, Instruction]] = list(zip(program.layer_of, program.instructions, strict=True))
        return [sum(layer == i and x.opcode == opcode for layer, x in chosen) for i in range(len(program.layers))]

    facts = {
        "tiled": max(layer_counts(Opcode.STORE)) > 1,
        "spilled": program.region_bytes[SCRATCH] > 0,
        "resident": 0 in layer_counts(Opcode.STORE),
    }
    return {name for name, holds in facts.items() if holds}
