"""Linux without a driver of its own: registers and interrupt through UIO, the buffer through the kernel module u-dma-buf."""

import mmap
import os
import select
import struct
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError

__all__ = ["UioBackend"]

Word = TypeVar("Word", np.uint8, np.uint32)

REGISTER_BYTES = 4096
SYSFS = Path("/sys/class/u-dma-buf")
_TO_DEVICE, _FROM_DEVICE = 1, 2  # the kernel's enum dma_data_direction


class UioBackend:
    """`MappedBackend` on /dev/uioN (map 0: the registers) and /dev/udmabufN.

    sysfs: folder with the attributes of u-dma-buf devices. Raises TalosError if something is missing or not permitted.
    """

    def __init__(self, uio: str | Path = "/dev/uio0", buffer: str | Path = "/dev/udmabuf0", *, sysfs: Path = SYSFS) -> None:
        self._sysfs = sysfs / Path(buffer).name
        self.address = self._attribute("phys_addr")
        self.size = self._attribute("size")
        self._uio, self._mapped = _map(uio, REGISTER_BYTES)
        try:
            buffer_file, self._mapped_buffer = _map(buffer, self.size)
        except TalosError:
            self._mapped.close()
            os.close(self._uio)
            raise
        os.close(buffer_file)  # the mapping stays
        # One aligned word of this view is one bus access.
        self._registers: NDArray[np.uint32] | None = np.frombuffer(self._mapped, np.uint32)
        self._memory: NDArray[np.uint8] | None = np.frombuffer(self._mapped_buffer, np.uint8)

    def read32(self, offset: int) -> int:
        return int(_open(self._registers)[offset // 4])

    def write32(self, offset: int, value: int) -> None:
        _open(self._registers)[offset // 4] = value

    def write_memory(self, offset: int, data: NDArray[np.uint8]) -> None:
        _open(self._memory)[offset : offset + data.size] = data

    def read_memory(self, offset: int, size: int) -> NDArray[np.uint8]:
        return _open(self._memory)[offset : offset + size].copy()

    def flush(self, offset: int, size: int) -> None:
        self._synchronize("sync_for_device", _TO_DEVICE, offset, size)

    def invalidate(self, offset: int, size: int) -> None:
        self._synchronize("sync_for_cpu", _FROM_DEVICE, offset, size)

    def wait(self, seconds: float) -> None:
        try:
            os.write(self._uio, struct.pack("=I", 1))  # UIO leaves the interrupt masked after each one
            if select.select([self._uio], [], [], seconds)[0]:
                os.read(self._uio, 4)
        except OSError as error:
            raise TalosError(f"UIO device: its interrupt cannot be used ({error.strerror}); check the device tree") from error

    def close(self) -> None:
        if self._registers is not None:
            self._registers = self._memory = None  # or the mappings cannot be closed
            self._mapped.close()
            self._mapped_buffer.close()
            os.close(self._uio)

    def _synchronize(self, action: str, direction: int, offset: int, size: int) -> None:
        """Have the kernel write back or drop the caches' copy of a part of the buffer."""
        if size == 0:
            return
        values = {"sync_offset": offset, "sync_size": size, "sync_direction": direction, action: 1}
        for name, value in values.items():
            try:
                (self._sysfs / name).write_text(f"{value}\n")
            except OSError as error:
                raise TalosError(f"{self._sysfs / name}: cannot be written ({error.strerror}); run as a user who may") from error

    def _attribute(self, name: str) -> int:
        path = self._sysfs / name
        try:
            return int(path.read_text(), 0)
        except OSError as error:
            raise TalosError(f"{path}: cannot be read ({error.strerror}); load the kernel module u-dma-buf") from error
        except ValueError as error:
            raise TalosError(f"{path}: not a number; is this a u-dma-buf device?") from error


def _open(view: NDArray[Word] | None) -> NDArray[Word]:
    if view is None:
        raise TalosError("this device was closed; make a new one")
    return view


def _map(path: str | Path, size: int) -> tuple[int, mmap.mmap]:
    """File descriptor and mapping of a device file."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError as error:
        raise TalosError(f"{path}: cannot be opened ({error.strerror}); check the device tree and the permissions") from error
    try:
        return descriptor, mmap.mmap(descriptor, size)
    except (OSError, ValueError) as error:
        os.close(descriptor)
        raise TalosError(f"{path}: {size} bytes of it cannot be mapped ({error}); check the device tree") from error
