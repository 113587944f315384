"""talos.Trace: what the cycle model found, as tables, as a picture, and as a file for Perfetto."""

from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from talos.api.frames import frame
from talos.isa import Unit
from talos.memory import MemoryTiming
from talos.model.timing.core import Timing
from talos.program import Program
from talos.registers import COUNTERS
from talos.report.notebook import trace_html
from talos.report.perfetto import write_perfetto
from talos.runtime.layers import LayerCycles, layer_cycles

if TYPE_CHECKING:
    import pandas

__all__ = ["Trace"]


@dataclass(frozen=True)
class Trace:
    """One run of `program` with a DRAM of `memory`: `timing` has the start and end of every instruction and all units' counters.

    `layers`, `instructions` and `counters` are pandas frames; they raise TalosError where pandas is not installed (extra `report`).
    """

    program: Program
    memory: MemoryTiming
    timing: Timing

    @property
    def cycles(self) -> int:
        """Cycles of the run, from start to done."""
        return self.timing.cycles

    @property
    def utilization(self) -> float:
        """Multiply-accumulates per cycle as a share of the array's peak."""
        return self.program.batch * self.program.macs / (self.program.config.peak_macs * self.cycles)

    @cached_property
    def layer_cycles(self) -> list[LayerCycles]:
        """The layers in program order, then the host parts; their cycles sum to the run's (see `talos.runtime.layers`)."""
        return layer_cycles(self.program, self.timing)

    @cached_property
    def layers(self) -> "pandas.DataFrame":
        """One row per layer: op, placement, macs, cycles, utilization (0…1), bound (what most cycles went to), lost cycles of the array."""
        rows = [asdict(layer) for layer in self.layer_cycles]
        names = LayerCycles.__dataclass_fields__
        return frame({name: [row[name] for row in rows] for name in names}, index="name")

    @cached_property
    def instructions(self) -> "pandas.DataFrame":
        """One row per instruction in program order: unit, opcode, layer, start and end (cycles, both inside the instruction), cycles."""
        program, timing = self.program, self.timing
        return frame(
            {
                "instruction": range(program.instruction_count),
                "unit": [instruction.unit.name.lower() for instruction in program.instructions],
                "opcode": [instruction.opcode.name for instruction in program.instructions],
                "layer": [program.layers[layer].name for layer in program.layer_of],
                "start": timing.starts,
                "end": timing.ends,
                "cycles": timing.ends - timing.starts + 1,
            },
            index="instruction",
        )

    @cached_property
    def counters(self) -> "pandas.DataFrame":
        """One row per unit: cycles busy, waiting for a semaphore (sync), blocked by a resource (stall), and idle."""
        columns = {name: self.timing.counters[:, place] for place, name in enumerate(COUNTERS)}
        idle = self.cycles - self.timing.counters.sum(axis=1)
        return frame({"unit": [unit.name.lower() for unit in Unit], **columns, "idle": idle}, index="unit")

    def save(self, path: str | Path) -> None:
        """Write the run in Chrome's trace format, which https://ui.perfetto.dev opens; a cycle is a microsecond. Raises TalosError."""
        write_perfetto(path, self.program, self.timing)

    def _repr_html_(self) -> str:
        return trace_html(self.program, self.timing, self.layer_cycles)
