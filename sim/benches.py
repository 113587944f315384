"""The benches: which Verilog each one drives, and where its coroutines are."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.lib import wiring

from sim.matrix_design import MatrixDesign
from talos.config import PRESETS, AcceleratorConfig
from talos.rtl.activation import ActivationMemory
from talos.rtl.array import SystolicArray
from talos.rtl.load import LoadUnit
from talos.rtl.store import StoreUnit
from talos.rtl.vector import VectorUnit
from talos.rtl.verilog import to_verilog
from talos.rtl.weights import WeightsUnit
from talos.runtime.verilog_cache import cached_verilog

__all__ = ["BENCHES", "Bench", "Design"]


@dataclass(frozen=True)
class Design:
    """Verilog under test: the top module's name, and what makes the text for a configuration."""

    top: str
    config: AcceleratorConfig
    make: Callable[[AcceleratorConfig], wiring.Component] | None = None  # None: the whole core

    @property
    def name(self) -> str:
        """Names the build: module and configuration."""
        return f"{self.top}-{self.config.name}"

    def verilog(self) -> str:
        """The Verilog that `talos generate` writes for the core, or that of the unit alone."""
        if self.make is None:
            return cached_verilog(self.config)
        return to_verilog(self.make(self.config), self.top)


@dataclass(frozen=True)
class Bench:
    """`module` holds the cocotb tests; they run on each of `designs`."""

    name: str
    doc: str
    designs: tuple[Design, ...]

    @property
    def module(self) -> str:
        return f"sim.{self.name}_bench"


SMALL = PRESETS["4x4"].replace(activation_bytes=1024, accumulator_depth=64, parameter_bytes=2048, weight_fifo_bytes=512)
"""The 4x4 preset with memories small enough that random addresses meet and wrap, and FIFOs small enough to fill."""
TALL = SMALL.replace(rows=8, axi_data_width=128, max_burst=4, lanes=2, activation_banks=2, depthwise=False)
"""More rows than columns, beats wider than both, fewer lanes than columns, an option left out."""
BROAD = SMALL.replace(cols=8)
"""More columns than rows: in depthwise mode vectors are wider than the array is high."""

CORE = Design("talos", PRESETS["4x4"])


def _unit(
    name: str, doc: str, top: str, make: Callable[[AcceleratorConfig], wiring.Component], *configs: AcceleratorConfig
) -> Bench:
    return Bench(name, doc, tuple(Design(top, config, make) for config in configs))


BENCHES: dict[str, Bench] = {
    bench.name: bench
    for bench in (
        Bench("core", "whole core: digits.onnx in an AXI memory that pauses", (CORE,)),
        Bench("bus_errors", "whole core: SLVERR and DECERR to any beat of any unit", (CORE,)),
        Bench("bus_reset", "whole core: abort and reset at any moment", (CORE,)),
        Bench("bus_start", "whole core: start and register writes while busy, bad programs", (CORE,)),
        Bench("control", "AXI4-Lite registers, start, abort, error stop, interrupt", (CORE,)),
        _unit("vector", "requantize, add, table, pool against NumPy", "vector_unit", VectorUnit, SMALL, TALL),
        _unit("matrix", "MATMUL against NumPy", "matrix_unit", MatrixDesign, SMALL, TALL, BROAD),
        _unit("activation", "banked memory: grants and bytes", "activation_memory", ActivationMemory, SMALL, TALL),
        _unit("array", "systolic array against NumPy", "systolic_array", lambda c: SystolicArray(config=c), SMALL, TALL, BROAD),
        _unit("load", "LOAD and FILL against NumPy", "load_unit", LoadUnit, SMALL, TALL),
        _unit("store", "STORE against NumPy", "store_unit", StoreUnit, SMALL, TALL),
        _unit("weights", "weight stream: order, back-pressure, errors", "weights_unit", WeightsUnit, SMALL, TALL),
    )
}
"""By name; the longest builds first, so that two workers end at the same time."""
