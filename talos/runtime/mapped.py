"""A core on an FPGA as a device that runs programs: memory-mapped registers and a physically contiguous buffer."""

import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.program import CONSTANTS, INPUTS, OUTPUTS, Program
from talos.registers import REGISTERS
from talos.runtime.device import PAGE, RUN_LIMIT, Run, memory_map
from talos.runtime.progress import Progress, silent
from talos.runtime.register_access import (
    ABORT,
    BUSY,
    START,
    require_identity,
    require_success,
    run_counters,
    run_cycles,
    start_values,
)
from talos.runtime.verilated import TRACE_DTYPE

__all__ = ["MappedBackend", "MappedDevice"]

_SLICE = 0.1  # seconds between looks at the limits while a run goes on
_ABORT_SECONDS = 1.0  # an abort takes as long as the memory needs for the transfers under way


class MappedBackend(Protocol):
    """What a platform provides. Offsets into the buffer are bytes from its start.

    address: what the core's AXI master must put out for the buffer's first byte; a multiple of 4096. size: bytes of the buffer.
    """

    address: int
    size: int

    def read32(self, offset: int) -> int:
        """The register at byte `offset`."""

    def write32(self, offset: int, value: int) -> None:
        """Write the register at byte `offset`."""

    def write_memory(self, offset: int, data: NDArray[np.uint8]) -> None:
        """Copy bytes into the buffer."""

    def read_memory(self, offset: int, size: int) -> NDArray[np.uint8]:
        """A copy of bytes of the buffer."""

    def flush(self, offset: int, size: int) -> None:
        """Make what was written visible to the core."""

    def invalidate(self, offset: int, size: int) -> None:
        """Make what the core wrote visible to `read_memory`."""

    def wait(self, seconds: float) -> None:
        """Return when the core interrupts, or after so many seconds, or earlier: the caller looks whether the run has ended."""

    def close(self) -> None:
        """Give everything back."""


class MappedDevice:
    """A core of `config` behind a `backend`. The calls are those of `VerilatedDevice`; only the trace of a run is empty.

    timeout: seconds after which a run is given up. Raises TalosError if no Talos core, or one of another configuration, answers.
    """

    def __init__(self, config: AcceleratorConfig, backend: MappedBackend, *, timeout: float = 60.0) -> None:
        if backend.address % PAGE:
            raise TalosError(f"the buffer's address {backend.address:#x} is not a multiple of {PAGE}; allocate an aligned one")
        self.config = config
        self.timeout = timeout
        self._backend = backend
        self._program: Program | None = None
        require_identity(backend.read32, config)

    def run(
        self, program: Program, tensors: dict[str, NDArray[np.int8]], *, limit: int = RUN_LIMIT, progress: Progress = silent
    ) -> Run:
        """Run one image, or a batch: `tensors` are the inputs' codes by ONNX name (`Port.shape`).

        Raises TalosError for another configuration, a buffer that is too small, an error stop, or a run that has not ended after
        `limit` cycles or the device's `timeout`; the core is at rest then.
        """
        program.require_config(self.config, "the device")
        backend = self._backend
        offsets, end = memory_map(program)
        self._require_room(end, program)
        bases = tuple(backend.address + offset for offset in offsets)
        if self._read("STATUS") & BUSY:
            raise TalosError("the core is still running, started by something else; let that end, or reset the core")
        if self._program is not program:
            backend.write_memory(offsets[CONSTANTS], np.frombuffer(program.constants, np.uint8))
            backend.flush(offsets[CONSTANTS], len(program.constants))
            self._program = program
        for port in program.inputs:
            codes = np.ascontiguousarray(tensors[port.spec.name]).view(np.uint8).reshape(port.batch, -1)
            for offset, image in zip(port.offsets, codes, strict=True):
                backend.write_memory(offsets[port.region] + offset, image)
        backend.flush(offsets[INPUTS], program.region_bytes[INPUTS])
        for name, value in start_values(program, bases).items():
            self._write(name, value)
        self._write("CONTROL", START)
        try:
            self._wait(limit, progress)
        except BaseException:
            self._abort()
            raise
        self._write("IRQ_CLEAR", 3)
        require_success(backend.read32)
        backend.invalidate(offsets[OUTPUTS], program.region_bytes[OUTPUTS])
        outputs: dict[str, NDArray[np.int8]] = {}
        for port in program.outputs:
            size = int(np.prod(port.spec.tensor_shape))
            stored = np.stack([backend.read_memory(offsets[port.region] + offset, size) for offset in port.offsets])
            outputs[port.spec.name] = stored.view(np.int8).reshape(port.shape)
        return Run(outputs, run_cycles(backend.read32), run_counters(backend.read32), np.zeros(0, TRACE_DTYPE))

    def _require_room(self, needed: int, program: Program) -> None:
        backend = self._backend
        if backend.size < needed:
            raise TalosError(
                f"program '{program.name}' needs a buffer of {needed} bytes, but the device's has {backend.size}; allocate a larger one"
            )
        if backend.address + needed > 1 << self.config.axi_addr_width:
            raise TalosError(
                f"the buffer at {backend.address:#x} is beyond the {self.config.axi_addr_width} address bits of the core; allocate it "
                "lower or generate the core with a larger axi_addr_width"
            )

    def _wait(self, limit: int, progress: Progress) -> None:
        """Until the core is not busy any more. Raises TalosError when a limit is reached."""
        deadline = time.monotonic() + self.timeout
        while True:
            left = deadline - time.monotonic()
            self._backend.wait(max(0.0, min(_SLICE, left)))
            if not self._read("STATUS") & BUSY:
                return
            cycles = run_cycles(self._backend.read32)
            progress("hardware", cycles, limit)
            if cycles > limit:
                raise TalosError(f"the core did not finish within {limit} cycles; the run was aborted")
            if left <= 0:
                raise TalosError(f"the core did not finish within {self.timeout:g} s ({cycles} cycles); the run was aborted")

    def _abort(self) -> None:
        """Bring the core to rest, or raise TalosError if the memory does not answer any more."""
        self._write("CONTROL", ABORT)
        deadline = time.monotonic() + _ABORT_SECONDS
        while self._read("STATUS") & BUSY:
            if time.monotonic() > deadline:
                raise TalosError(
                    "the core cannot be aborted: the memory does not answer; reset the core and check its memory port"
                )
        self._write("IRQ_CLEAR", 3)

    def _read(self, name: str) -> int:
        return self._backend.read32(REGISTERS[name].offset)

    def _write(self, name: str, value: int) -> None:
        self._backend.write32(REGISTERS[name].offset, value)

    def close(self) -> None:
        """Give registers and buffer back."""
        self._backend.close()
