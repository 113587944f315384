"""What the page shows, computed once: from the program and the cycle model's trace, and from images if there are any."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from talos.compiler.graph.network import NetworkNode
from talos.compiler.pipeline import Compiled
from talos.errors import TalosError
from talos.memory import MemoryTiming
from talos.model.timing.core import Timing, simulate
from talos.program import Program
from talos.report.html.labels import short_names
from talos.runtime.device import memory_map
from talos.runtime.layers import LayerCycles, layer_cycles
from talos.runtime.lifetimes import LifeTimes, life_times
from talos.runtime.progress import Progress, silent
from talos.runtime.samples import Samples
from talos.runtime.traffic import KINDS, Traffic, program_traffic
from talos.runtime.verify import Verification, verify

__all__ = ["ReportData", "collect"]


@dataclass(frozen=True)
class ReportData:
    """One run of `program`. Layers are those of the accelerator, in program order; host parts are in `host`.

    `names` are short names of the layers. `network` has all nodes in order, `layer_of_node` their layer (-1: none). `layer_bytes` is
    int64 (layers, len(KINDS)). `activation` and `accumulators` are the use of the on-chip memories, in bytes and in pixels.
    `verification` is None if no images were given.
    """

    model: str
    program: Program
    memory: MemoryTiming
    timing: Timing
    layers: list[LayerCycles]
    host: list[LayerCycles]
    names: list[str]
    network: tuple[NetworkNode, ...]
    layer_of_node: list[int]
    traffic: Traffic
    layer_bytes: NDArray[np.int64]
    activation: LifeTimes
    accumulators: LifeTimes
    verification: Verification | None

    @property
    def utilization(self) -> float:
        """Multiply-accumulates per cycle as a share of the array's peak."""
        return self.program.macs / (self.program.config.peak_macs * self.timing.cycles)

    @property
    def bandwidth(self) -> int:
        """Bytes per cycle that the DRAM of the simulation carries in each direction."""
        return self.memory.beat_credit(self.program.config.beat_bytes)


def collect(
    compiled: Compiled,
    model: str,
    *,
    memory: MemoryTiming | None = None,
    samples: Samples | None = None,
    float_model: bytes | None = None,
    progress: Progress = silent,
) -> ReportData:
    """Run the cycle model, and with `samples` also the functional model and onnxruntime; `float_model` is the model before quantization.

    Raises TalosError if the program takes several images at once: its instructions belong to no single one.
    """
    program, memory = compiled.program, memory or MemoryTiming()
    if program.batch != 1:
        raise TalosError(f"{model}: the report shows the run of one image, the program takes {program.batch}; compile it for one")
    result = None
    if samples is not None:
        result = verify(compiled, samples, rtl_images=0, memory=memory, float_model=float_model, progress=progress)
        timing, rows = result.timing, result.layers
    else:
        progress("cycle model", 0, 0)
        timing = simulate(program, memory, memory_map(program)[0])
        rows = layer_cycles(program, timing)
    progress("memory map", 0, 0)
    config, count = program.config, len(program.layers)
    traffic = program_traffic(program)
    return ReportData(
        model=model,
        program=program,
        memory=memory,
        timing=timing,
        layers=rows[:count],
        host=rows[count:],
        names=short_names([layer.name for layer in program.layers]),
        network=compiled.network,
        layer_of_node=_layers_of_nodes(compiled.network),
        traffic=traffic,
        layer_bytes=_layer_bytes(program, traffic),
        activation=life_times(program, timing, "activation", config.activation_bytes, config.line_bytes),
        accumulators=life_times(program, timing, "accumulator", config.accumulator_depth),
        verification=result,
    )


def _layers_of_nodes(network: tuple[NetworkNode, ...]) -> list[int]:
    """Layers are the nodes that have instructions, in order."""
    numbers: Mapping[int, int] = {
        node: layer for layer, node in enumerate(i for i, node in enumerate(network) if node.placement in ("array", "vector"))
    }
    return [numbers.get(node, -1) for node in range(len(network))]


def _layer_bytes(program: Program, traffic: Traffic) -> NDArray[np.int64]:
    table = np.zeros((len(program.layers), len(KINDS)), np.int64)
    moving = traffic.kinds >= 0
    np.add.at(table, (np.array(program.layer_of)[moving], traffic.kinds[moving]), traffic.counts[moving])
    return table
