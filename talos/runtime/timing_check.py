"""The cycle model against the Verilog: cycles, start and end of every instruction, counters of every unit."""

from dataclasses import dataclass

import numpy as np

from talos.isa import Unit
from talos.model.timing.core import Timing
from talos.program import Program
from talos.registers import COUNTERS
from talos.runtime.device import Run

__all__ = ["TimingCheck", "check_timing"]


@dataclass(frozen=True)
class TimingCheck:
    """What is equal in one run, and the first difference in words ("" if there is none)."""

    cycles_equal: bool
    trace_equal: bool
    counters_equal: bool
    difference: str

    @property
    def equal(self) -> bool:
        """All three."""
        return self.cycles_equal and self.trace_equal and self.counters_equal


def check_timing(program: Program, timing: Timing, run: Run) -> TimingCheck:
    """Compare a run of the Verilog with the cycle model's `timing` of the same program and memory.

    The trace is compared unit by unit in order, for all units that execute instructions (fetch only hands them on).
    """
    differences = []
    if run.cycles != timing.cycles:
        differences.append(f"cycles: model {timing.cycles}, Verilog {run.cycles}")
    trace = _trace_difference(program, timing, run)
    counters = _counter_difference(timing, run)
    # The trace comes first: it shows where a difference begins, the other two what it adds up to.
    difference = next((text for text in (trace, counters, *differences) if text), "")
    return TimingCheck(not differences, not trace, not counters, difference)


def _trace_difference(program: Program, timing: Timing, run: Run) -> str:
    first: tuple[int, str] | None = None
    for unit in Unit:
        if unit is Unit.FETCH:
            continue
        indices = [i for i, instruction in enumerate(program.instructions) if instruction.unit is unit]
        events = run.trace[run.trace["unit"] == unit]
        for kind, what, model in ((0, "starts", timing.starts), (1, "ends", timing.ends)):
            expected, found = model[indices], events["cycle"][events["kind"] == kind]
            common = min(len(expected), len(found))
            wrong = np.flatnonzero(expected[:common] != found[:common])
            if wrong.size:
                at = int(wrong[0])
                layer = program.layers[program.layer_of[indices[at]]].name
                instruction = f"instruction {indices[at]} ({program.instructions[indices[at]].opcode.name}, layer '{layer}')"
                place = f"{instruction} {what} in cycle {int(expected[at])} in the model, {int(found[at])} in the Verilog"
                cycle = min(int(expected[at]), int(found[at]))
            elif len(expected) != len(found):
                place = (
                    f"the {unit.name.lower()} unit {what} {len(expected)} instructions in the model, {len(found)} in the Verilog"
                )
                cycle = timing.cycles
            else:
                continue
            if first is None or cycle < first[0]:
                first = cycle, place
    return first[1] if first else ""


def _counter_difference(timing: Timing, run: Run) -> str:
    wrong = np.argwhere(timing.counters != run.counters)
    if not wrong.size:
        return ""
    unit, counter = wrong[0]
    name = f"{Unit(unit).name.lower()} {COUNTERS[counter]}"
    return f"counter {name}: model {timing.counters[unit, counter]}, Verilog {run.counters[unit, counter]}"
