"""Everything the accelerator and its DRAM hold between two instructions."""

from collections import deque

import numpy as np
import numpy.typing as npt

from talos.config import AcceleratorConfig
from talos.effects import DRAM
from talos.errors import TalosError
from talos.model.strided import Loops, hull
from talos.parameters import CODES, RECORD_BYTES

__all__ = ["State", "WeightFifo"]


class WeightFifo:
    """The weight stream: runs of int8 in consumption order, unbounded, for a MATMUL takes its tiles at once."""

    def __init__(self) -> None:
        self._runs: deque[npt.NDArray[np.int8]] = deque()
        self.level = 0

    def clear(self) -> None:
        self._runs.clear()
        self.level = 0

    def push(self, run: npt.NDArray[np.int8]) -> None:
        self._runs.append(run)
        self.level += run.size

    def take(self, size: int) -> npt.NDArray[np.int8]:
        """The next `size` bytes. Raises TalosError when fewer were streamed."""
        if size > self.level:
            raise TalosError(f"needs {size} bytes of weights, the FIFO holds {self.level}: a STREAM is missing or too short")
        self.level -= size
        parts = []
        while size:
            run = self._runs[0]
            parts.append(run[:size])
            if run.size <= size:
                self._runs.popleft()
            else:
                self._runs[0] = run[size:]
            size -= parts[-1].size
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


class State:
    """Memories as flat arrays, addressed as the instructions address them.

    `activation` int8, `parameter` uint8, `accumulator` int32 (depth, cols), `dram` one uint8 array a region; `lookup`, `add_mantissa`
    and `add_shift` are the lanes' tables, indexed by code + 128. All are zero until written.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.activation = np.zeros(config.activation_bytes, np.int8)
        self.parameter = np.zeros(config.parameter_bytes, np.uint8)
        self.accumulator = np.zeros((config.accumulator_depth, config.cols), np.int32)
        self.dram = [np.zeros(0, np.uint8) for _ in DRAM]
        self.weights = WeightFifo()
        self.lookup = np.zeros(CODES, np.int8)
        self.add_mantissa = np.zeros(CODES, np.int64)
        self.add_shift = np.zeros(CODES, np.int64)

    def region(self, number: int, base: int, loops: Loops, length: int) -> npt.NDArray[np.uint8]:
        """DRAM region `number`. Raises TalosError when the nest leaves it."""
        memory = self.dram[number]
        low, high = hull(base, loops, length)
        if low < 0 or high > memory.size:
            raise TalosError(f"DRAM bytes [{low}, {high}) are outside region {number} of {memory.size} bytes")
        return memory

    def parameters(self, record: int, size: int) -> bytes:
        """`size` bytes of parameter memory from record number `record` on. Raises TalosError when they are not in it."""
        start = record * RECORD_BYTES
        if start + size > self.parameter.size:
            raise TalosError(f"parameter bytes [{start}, {start + size}) are outside the memory of {self.parameter.size} bytes")
        return self.parameter[start : start + size].tobytes()

    def accumulators(self, first: int, count: int) -> npt.NDArray[np.int32]:
        """View of accumulator entries, (count, cols). Raises TalosError when they are not in the memory."""
        if first + count > len(self.accumulator):
            raise TalosError(f"accumulator entries [{first}, {first + count}) are outside the depth of {len(self.accumulator)}")
        return self.accumulator[first : first + count]
