"""A board behind a UART as a place for `MappedDevice`: registers and memory through checked frames, see `talos.uart_frames`."""

import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError
from talos.uart_frames import (
    IDENTITY,
    MAGIC,
    MAX_PAYLOAD,
    PROTOCOL_VERSION,
    RESPONSE_HEADER,
    RESPONSE_SYNC,
    Command,
    Status,
    check,
    encode_request,
)

__all__ = ["SerialPort", "UartBackend"]

_ATTEMPTS = 4
_FRAME_BITS = 10 * (MAX_PAYLOAD + 16)  # more than the longest frame takes on the line
_POLL = 0.0005  # seconds between looks at the core; a run is milliseconds
_NOTHING_DONE = {Status.BAD_CHECK, Status.TIMEOUT, Status.BAD_LENGTH}
"""Answers to a frame that was damaged on its way, perhaps in its length or number: nothing was done, so it may be sent again."""


class SerialPort(Protocol):
    """What is used of `serial.Serial`."""

    def write(self, data: bytes, /) -> object:
        """Send all of `data`."""

    def read(self, size: int, /) -> bytes:
        """`size` bytes, or fewer if they do not come for a while: longer than the board's own patience with a frame."""

    def close(self) -> None:
        """Give it back."""


class _Lost(Exception):
    """No answer, or not one that can be trusted; the text says which."""


class UartBackend:
    """`MappedBackend` over a `port`: the memory on the FPGA is the buffer, from address 0 on.

    A frame that is damaged on its way, in either direction, is sent again; writing a register only if the board said that it did nothing,
    as a register may start a run. Raises TalosError if no board answers, or one with another protocol, now or later.
    """

    def __init__(self, port: SerialPort) -> None:
        self._port = port
        self._number = 0
        magic, version, size, self.clock_hz = IDENTITY.unpack(self._request(Command.IDENTIFY, 0, IDENTITY.size))
        if magic != MAGIC or version != PROTOCOL_VERSION:
            raise TalosError(
                f"the board answers as {magic!r} with protocol {version}, not {MAGIC!r} with {PROTOCOL_VERSION}; load this version's bitstream"
            )
        self.address = 0
        self.size = int(size)

    @classmethod
    def open(cls, path: str = "/dev/ttyUSB0", *, baud: int = 1_000_000, timeout: float = 0.5) -> "UartBackend":
        """The board at the serial device `path`. timeout: seconds to wait for an answer, beside the time on the line; more than the board's patience of 0.1 s.

        Raises TalosError if pyserial is missing, the device cannot be opened, or no board answers.
        """
        try:
            import serial
        except ModuleNotFoundError as error:
            raise TalosError(
                "a board needs the package 'pyserial'; install it with: pip install 'talos-accelerator[board]'"
            ) from error
        try:
            # A read's timeout is for all its bytes, while the request may still be on its way.
            port = serial.Serial(path, baud, timeout=timeout + 2 * _FRAME_BITS / baud, exclusive=True)
        except (OSError, ValueError) as error:
            raise TalosError(f"{path}: cannot be opened ({error}); check the cable, the name and the permissions") from error
        try:
            return cls(port)
        except BaseException:
            port.close()
            raise

    def read32(self, offset: int) -> int:
        return int.from_bytes(self._request(Command.READ_REGISTER, offset, 4), "little")

    def write32(self, offset: int, value: int) -> None:
        self._request(Command.WRITE_REGISTER, offset, 4, (value & 0xFFFFFFFF).to_bytes(4, "little"))

    def write_memory(self, offset: int, data: NDArray[np.uint8]) -> None:
        content = data.tobytes()
        for start in range(0, len(content), MAX_PAYLOAD):
            piece = content[start : start + MAX_PAYLOAD]
            self._request(Command.WRITE_MEMORY, offset + start, len(piece), piece)

    def read_memory(self, offset: int, size: int) -> NDArray[np.uint8]:
        pieces = [
            self._request(Command.READ_MEMORY, offset + start, min(MAX_PAYLOAD, size - start))
            for start in range(0, size, MAX_PAYLOAD)
        ]
        return np.frombuffer(b"".join(pieces), np.uint8).copy()

    def flush(self, offset: int, size: int) -> None:
        """Nothing lies between host and memory."""

    def invalidate(self, offset: int, size: int) -> None:
        """Nothing lies between host and memory."""

    def wait(self, seconds: float) -> None:
        time.sleep(min(seconds, _POLL))

    def close(self) -> None:
        self._port.close()

    def _request(self, command: Command, address: int, length: int, payload: bytes = b"") -> bytes:
        """The response's payload."""
        why = ""
        for _ in range(_ATTEMPTS):
            self._number = (self._number + 1) & 0xFF
            try:
                self._port.write(encode_request(command, self._number, address, length, payload))
                status, answer = self._response()
            except OSError as error:
                raise TalosError(f"the board's serial port failed ({error}); check the cable") from error
            except _Lost as error:
                why = str(error)
                if command is Command.WRITE_REGISTER:
                    raise TalosError(
                        f"whether register {address:#05x} was written is not known: {why}; reset the board"
                    ) from error
            else:
                if status is Status.OK and (bool(payload) or len(answer) == length):
                    return answer
                why = status.name if status is not Status.OK else f"{len(answer)} bytes instead of {length}"
                if status not in _NOTHING_DONE:
                    raise TalosError(f"the board refuses {command.name} of {length} bytes at {address:#x}: {why}")
            self._drain()
        raise TalosError(
            f"the board does not answer {command.name}: {why}, {_ATTEMPTS} times; check the bitstream, the baud rate and the cable"
        )

    def _response(self) -> tuple[Status, bytes]:
        """Status and payload of the answer to the last request; older answers and noise in front of it are skipped."""
        while True:
            while self._bytes(1)[0] != RESPONSE_SYNC:
                pass
            header = self._bytes(RESPONSE_HEADER.size)
            code, number, length = RESPONSE_HEADER.unpack(header)
            if length > MAX_PAYLOAD or code not in set(Status):
                raise _Lost("an answer that is none")
            body = self._bytes(length + 2)
            if check(header + body[:length]) != body[length:]:
                raise _Lost("a damaged answer")
            status = Status(code)
            if number == self._number or status in _NOTHING_DONE:
                return status, body[:length]

    def _bytes(self, size: int) -> bytes:
        data = self._port.read(size)
        if len(data) < size:
            raise _Lost("no answer" if not data else "half an answer")
        return data

    def _drain(self) -> None:
        """Until nothing comes any more; by then the board has given up what it took for a frame, too."""
        while self._port.read(MAX_PAYLOAD):
            pass
