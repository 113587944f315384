"""talos.simulate"""

from talos.api.sources import find_memory
from talos.api.trace import Trace
from talos.memory import MemoryTiming
from talos.model.timing.core import simulate as simulate_cycles
from talos.program import Program
from talos.runtime.device import memory_map
from talos.runtime.progress import Progress, silent

__all__ = ["simulate"]


def simulate(program: Program, *, memory: MemoryTiming | str | None = None, progress: Progress = silent) -> Trace:
    """One run of `program` in the cycle model: exactly the cycles of the generated Verilog, without data.

    memory: the DRAM, e.g. "latency=200,bytes_per_cycle=4" (see `talos.MemoryTiming`). Raises TalosError.
    """
    timing = find_memory(memory)
    return Trace(program, timing, simulate_cycles(program, timing, memory_map(program)[0], progress=progress))
