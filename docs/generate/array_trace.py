"""What each PE of a small array holds in each cycle, recorded from the RTL in Amaranth's simulator."""

from dataclasses import dataclass, field
from typing import Any

from amaranth.hdl import Fragment, Value
from amaranth.sim import Simulator

from talos.config import PRESETS
from talos.rtl.array import SystolicArray

__all__ = ["SIZE", "ArrayTrace", "trace_array"]

SIZE = 4
CYCLES = 16

Grid = list[list[int]]


@dataclass(frozen=True)
class ArrayTrace:
    """Per cycle and [row][col]: `front`, the number of the vector that the PE multiplies (0: none); `second`, 1 if it does so with
    the second weights; `above`, the number of the vector in the register in which activations move down."""

    front: list[Grid] = field(default_factory=list)
    second: list[Grid] = field(default_factory=list)
    above: list[Grid] = field(default_factory=list)


def trace_array(vectors: int, *, switch_at: int = 0) -> ArrayTrace:
    """Inject `vectors` activation vectors, one a cycle; all bytes of the n-th are n. `switch_at`: the first to use the second weights.

    Entry t of the lists is what the registers hold after the edge that ends cycle t; the first vector is at the inputs in cycle 0.
    """
    array = SystolicArray(config=PRESETS[f"{SIZE}x{SIZE}"])
    fragment = Fragment.get(array, None)
    parts = {name: part.origins[0] for part, name, _ in fragment.subfragments}
    pes = [[parts[f"pe_{r}_{c}"] for c in range(SIZE)] for r in range(SIZE)]
    trace = ArrayTrace()

    async def bench(context: Any) -> None:
        second = [[0] * SIZE for _ in range(SIZE)]
        for cycle in range(CYCLES):
            number = cycle + 1 if cycle < vectors else 0
            context.set(Value.cast(array.i_acts), int.from_bytes(bytes([number] * len(array.i_acts))))
            context.set(array.i_switch, int(number > 0 and number == switch_at))
            await context.tick()
            grid = range(SIZE)
            trace.front.append([[context.get(pes[r][c].o_front.act) for c in grid] for r in grid])
            for r in grid:
                for c in grid:
                    second[r][c] |= context.get(pes[r][c].o_front.switch)
            trace.second.append([row.copy() for row in second])
            trace.above.append([[context.get(pes[r][c].o_down) for c in grid] for r in grid])

    simulator = Simulator(fragment)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return trace
