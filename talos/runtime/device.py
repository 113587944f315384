"""The generated Verilog as a device that runs programs: memory map, registers, start, interrupt, results."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.isa import Unit
from talos.memory import MemoryTiming
from talos.model.timing.core import START_LATENCY
from talos.program import CONSTANTS, Program
from talos.registers import COUNTERS, IDENTIFICATION, REGIONS, REGISTERS, ErrorCause, counter_offset
from talos.runtime.progress import Progress, silent
from talos.runtime.verilated import VerilatedCore
from talos.runtime.verilog_cache import cached_verilog

__all__ = ["Run", "VerilatedDevice", "memory_map", "run_limit"]

PAGE = 4096
RUN_LIMIT = 1 << 40  # cycles; the caller's patience ends earlier
_ERROR = 4  # STATUS: stopped by an error


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

    The core is built (or found in the cache) when the device is made. Raises TalosError when Amaranth, Verilator or a compiler is missing.
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
                waves=self._waves is not None,
            )
            if self._waves is not None:
                self._core.open_waves(self._waves)
            self._identify(self._core)
        return self._core

    def _identify(self, core: VerilatedCore) -> None:
        found = core.read_register(REGISTERS["IDENTIFICATION"].offset), core.read_register(REGISTERS["CONFIG_HASH"].offset)
        if found != (IDENTIFICATION, int(self.config.hash, 16)):
            raise TalosError(
                f"the core identifies itself as {found[0]:08x}/{found[1]:08x}, not as configuration {self.config.hash}"
            )

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
        for port in program.inputs:
            codes = np.ascontiguousarray(tensors[port.spec.name]).view(np.uint8).reshape(port.batch, -1)
            for offset, image in zip(port.offsets, codes, strict=True):
                start = bases[port.region] + offset
                core.dram[start : start + image.size] = image
        self._start(core, program, bases)
        try:
            core.run(limit, lambda done: progress("Verilog", done, limit))
        except (TalosError, KeyboardInterrupt):
            core.reset()  # it stands in the middle of a run
            raise
        trace = core.trace()
        trace["cycle"] -= START_LATENCY
        self._check(core)
        cycles = self._read64(core, "CYCLES")
        counters = np.array(
            [[core.read_register(counter_offset(unit, counter)) for counter in COUNTERS] for unit in Unit], np.int64
        )
        outputs: dict[str, NDArray[np.int8]] = {}
        for port in program.outputs:
            size = int(np.prod(port.spec.tensor_shape))
            starts = [bases[port.region] + offset for offset in port.offsets]
            stored = np.stack([core.dram[start : start + size] for start in starts])
            outputs[port.spec.name] = stored.view(np.int8).reshape(port.shape)
        return Run(outputs, cycles, counters, trace)

    def _start(self, core: VerilatedCore, program: Program, bases: tuple[int, ...]) -> None:
        address = bases[CONSTANTS] + program.program_offset
        values = {"PROGRAM_LOW": address & 0xFFFFFFFF, "PROGRAM_HIGH": address >> 32, "PROGRAM_COUNT": program.instruction_count}
        for i in range(REGIONS):
            values |= {f"REGION{i}_LOW": bases[i] & 0xFFFFFFFF, f"REGION{i}_HIGH": bases[i] >> 32}
        for name, value in (*values.items(), ("IRQ_CLEAR", 3), ("IRQ_ENABLE", 3)):
            core.write_register(REGISTERS[name].offset, value)
        core.start(REGISTERS["CONTROL"].offset, 1)

    @staticmethod
    def _read64(core: VerilatedCore, name: str) -> int:
        return core.read_register(REGISTERS[f"{name}_LOW"].offset) | core.read_register(REGISTERS[f"{name}_HIGH"].offset) << 32

    @staticmethod
    def _check(core: VerilatedCore) -> None:
        if core.read_register(REGISTERS["STATUS"].offset) & _ERROR:
            cause = ErrorCause(core.read_register(REGISTERS["ERROR_CAUSE"].offset))
            info = core.read_register(REGISTERS["ERROR_INFO"].offset)
            raise TalosError(f"the core stopped with {cause.name} (info {info}); check the program with 'talos info'")

    def close(self) -> None:
        """Free the simulated core."""
        if self._core is not None:
            self._core.close()
            self._core = None
