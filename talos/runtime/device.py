"""The generated Verilog as a device that runs programs: memory map, registers, start, interrupt, results."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.memory import MemoryTiming
from talos.model.timing.core import START_LATENCY
from talos.program import CONSTANTS, Program
from talos.registers import REGISTERS
from talos.runtime.progress import Progress, silent
from talos.runtime.register_access import START, require_identity, require_success, run_counters, run_cycles, start_values
from talos.runtime.verilated import VerilatedCore
from talos.runtime.verilog_cache import cached_verilog
from talos.runtime.waves import wave_format

__all__ = ["Run", "VerilatedDevice", "memory_map", "run_limit"]

PAGE = 4096
RUN_LIMIT = 1 << 40  # cycles; the caller's patience ends earlier


@dataclass(frozen=True)
class Run:
    """One run: output tensors (int8 codes of `Port.shape` by ONNX name), cycles from start to done, counters[unit, (busy, sync, stall)], trace.

    `trace` has one row per event, as `VerilatedCore.trace`, with cycle 0 the run's first.
    """

    outputs: dict[str, NDArray[np.int8]]
    cycles: int
    counters: NDArray[np.int64]
    trace: NDArray[np.void]


def memory_map(program: Program) -> tuple[tuple[int, int, int, int], int]:
    """Base address of each region, one after another on page boundaries, and the end of the last."""
    bases, end = [], 0
    for size in program.region_bytes:
        bases.append(end)
        end += -(-size // PAGE) * PAGE + PAGE
    return (bases[0], bases[1], bases[2], bases[3]), end


def run_limit(cycles: int) -> int:
    """Cycles after which a run that the cycle model says takes `cycles` is given up: a core that hangs must not hang the user."""
    return 2 * cycles + 10_000


class VerilatedDevice:
    """Verilog of `config` in Verilator with a DRAM of the given `timing`.

    The core is built (or found in the cache) when the device is made. `waves`: a file for all signals, .vcd or .fst.
    Raises TalosError when Amaranth, Verilator or a compiler is missing.
    """

    def __init__(self, config: AcceleratorConfig, *, timing: MemoryTiming | None = None, waves: Path | None = None) -> None:
        self.config = config
        self._timing = timing or MemoryTiming()
        self._waves = waves
        self._verilog = cached_verilog(config)
        self._core: VerilatedCore | None = None
        self._program: Program | None = None
        self._open(1 << 20)

    def _open(self, dram_bytes: int) -> VerilatedCore:
        """A core with at least `dram_bytes` of DRAM."""
        if self._core is None or len(self._core.dram) < dram_bytes:
            if self._core is not None:
                self._core.close()
            self._program = None
            self._core = VerilatedCore.from_verilog(
                self._verilog,
                data_width=self.config.axi_data_width,
                addr_width=self.config.axi_addr_width,
                dram_bytes=-(-dram_bytes // PAGE) * PAGE,
                timing=self._timing,
                waves=None if self._waves is None else wave_format(self._waves),
            )
            if self._waves is not None:
                self._core.open_waves(self._waves)
            require_identity(self._core.read_register, self.config)
        return self._core

    @property
    def timing(self) -> MemoryTiming:
        """How the DRAM answers; may be changed between runs."""
        return self._timing

    @timing.setter
    def timing(self, timing: MemoryTiming) -> None:
        self._timing = timing
        if self._core is not None:
            self._core.timing = timing

    def run(
        self, program: Program, tensors: dict[str, NDArray[np.int8]], *, limit: int = RUN_LIMIT, progress: Progress = silent
    ) -> Run:
        """Run one image, or a batch: `tensors` are the inputs' codes by ONNX name (`Port.shape`).

        Raises TalosError for another configuration, an error stop, or a run that has not ended after `limit` cycles.
        """
        program.require_config(self.config, "the device")
        bases, end = memory_map(program)
        core = self._open(end)
        if self._program is not program:
            core.dram[bases[CONSTANTS] : bases[CONSTANTS] + len(program.constants)] = np.frombuffer(program.constants, np.uint8)
            self._program = program
            if self._waves is not None:
                owners = zip(program.instructions, program.layer_of, strict=True)
                core.name_instructions([(i.unit, i.opcode.name, program.layers[layer].name) for i, layer in owners])
        for port in program.inputs:
            codes = np.ascontiguousarray(tensors[port.spec.name]).view(np.uint8).reshape(port.batch, -1)
            for offset, image in zip(port.offsets, codes, strict=True):
                start = bases[port.region] + offset
                core.dram[start : start + image.size] = image
        for name, value in start_values(program, bases).items():
            core.write_register(REGISTERS[name].offset, value)
        core.start(REGISTERS["CONTROL"].offset, START)
        try:
            core.run(limit, lambda done: progress("Verilog", done, limit))
        except (TalosError, KeyboardInterrupt):
            core.reset()  # it stands in the middle of a run
            raise
        trace = core.trace()
        trace["cycle"] -= START_LATENCY
        require_success(core.read_register)
        outputs: dict[str, NDArray[np.int8]] = {}
        for port in program.outputs:
            size = int(np.prod(port.spec.tensor_shape))
            starts = [bases[port.region] + offset for offset in port.offsets]
            stored = np.stack([core.dram[start : start + size] for start in starts])
            outputs[port.spec.name] = stored.view(np.int8).reshape(port.shape)
        return Run(outputs, run_cycles(core.read_register), run_counters(core.read_register), trace)

    def close(self) -> None:
        """Free the simulated core."""
        if self._core is not None:
            self._core.close()
            self._core = None
