"""PYNQ: registers of an IP in a loaded overlay, the buffer from `pynq.allocate`."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError

__all__ = ["PynqBackend"]

_POLL = 0.0002  # seconds between looks; a run is milliseconds


class PynqBackend:
    """`MappedBackend` on a loaded `pynq.Overlay`.

    ip: name of the core in the block design. size: bytes of the buffer. The end of a run is found by looking at the core every 0.2 ms.
    Raises TalosError if PYNQ is missing, the overlay has no such IP or the memory is not there.
    """

    def __init__(self, overlay: Any, *, ip: str = "talos", size: int = 1 << 24) -> None:
        try:
            import pynq
        except ModuleNotFoundError as error:
            raise TalosError("this needs the Python package 'pynq', which PYNQ boards come with; run it on the board") from error
        if ip not in overlay.ip_dict:
            raise TalosError(
                f"the overlay has no IP '{ip}' (it has: {', '.join(sorted(overlay.ip_dict)) or 'none'}); name the core"
            )
        self._mmio = getattr(overlay, ip).mmio
        try:
            self._buffer = pynq.allocate(shape=(size,), dtype=np.uint8)
        except (RuntimeError, MemoryError) as error:
            raise TalosError(f"{size} bytes of contiguous memory cannot be had ({error}); ask for less") from error
        self.address = int(self._buffer.device_address)
        self.size = size

    def read32(self, offset: int) -> int:
        return int(self._mmio.read(offset))

    def write32(self, offset: int, value: int) -> None:
        self._mmio.write(offset, value)

    def write_memory(self, offset: int, data: NDArray[np.uint8]) -> None:
        self._buffer[offset : offset + data.size] = data

    def read_memory(self, offset: int, size: int) -> NDArray[np.uint8]:
        return np.array(self._buffer[offset : offset + size])

    def flush(self, offset: int, size: int) -> None:
        self._buffer.flush()  # PYNQ knows whole buffers only

    def invalidate(self, offset: int, size: int) -> None:
        self._buffer.invalidate()

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, _POLL))

    def close(self) -> None:
        self._buffer.freebuffer()
