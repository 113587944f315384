"""The host's end of the UART: no board, a wrong one, a port that fails, pyserial missing."""

import sys

import pytest

from talos.errors import TalosError
from talos.runtime.uart import UartBackend
from talos.uart_frames import IDENTITY, MAGIC, PROTOCOL_VERSION, RESPONSE_HEADER, RESPONSE_SYNC, Status, check


class Port:
    """Answers the requests with `answers`, one each; then nothing. closed: whether it was."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.waiting = b""
        self.sent = []
        self.closed = False

    def write(self, data):
        self.sent.append(data)
        if self.answers:
            answer = self.answers.pop(0)
            self.waiting += answer(data[2]) if callable(answer) else answer

    def read(self, size):
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data

    def close(self):
        self.closed = True


def response(payload=b"", status=Status.OK, step=0):
    def make(number):
        body = RESPONSE_HEADER.pack(status, (number + step) & 0xFF, len(payload)) + payload
        return bytes([RESPONSE_SYNC]) + body + check(body)

    return make


BOARD = response(IDENTITY.pack(MAGIC, PROTOCOL_VERSION, 8192, 50_000_000))


def test_what_the_board_says():
    backend = UartBackend(port := Port(BOARD, response(b"\x78\x56\x34\x12")))
    assert (backend.size, backend.clock_hz, backend.read32(0x10)) == (8192, 50_000_000, 0x12345678)
    assert len(port.sent) == 2
    backend.close()
    assert port.closed


def test_noise_and_an_old_answer_in_front():
    backend = UartBackend(
        Port(BOARD, b"", lambda number: b"\x00\xff" + response(b"old!", step=-1)(number) + response(b"new!")(number))
    )
    assert backend.read32(0) == int.from_bytes(b"new!", "little")


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((), "does not answer IDENTIFY: no answer, 4 times; check the bitstream, the baud rate and the cable"),
        ((b"\x5a",) * 4, "half an answer|no answer"),
        ((b"garbage without a frame",) * 4, "no answer"),
        ((b"\x5a" + bytes(10),) * 4, "a damaged answer"),
        ((b"\x5a" + b"\xff" * 10,) * 4, "an answer that is none"),
        ((response(b"short"),) * 4, "5 bytes instead of 16"),
        ((response(status=Status.BAD_CHECK),) * 4, "BAD_CHECK, 4 times"),
        ((response(status=Status.BAD_COMMAND),), "refuses IDENTIFY of 16 bytes at 0x0: BAD_COMMAND"),
        ((response(IDENTITY.pack(b"TLOX", 1, 0, 0)),), "answers as b'TLOX' with protocol 1"),
        ((response(IDENTITY.pack(MAGIC, 99, 0, 0)),), "with protocol 99, not b'TLOS' with 1; load this version's bitstream"),
    ],
)
def test_no_board(answers, message):
    with pytest.raises(TalosError, match=message):
        UartBackend(Port(*answers))


def test_a_port_that_fails():
    class Broken(Port):
        def write(self, data):
            raise OSError("device disconnected")

    with pytest.raises(TalosError, match=r"the board's serial port failed \(device disconnected\); check the cable"):
        UartBackend(Broken())


def test_a_lost_answer_to_a_register_write():
    backend = UartBackend(port := Port(BOARD))
    with pytest.raises(TalosError, match="whether register 0x010 was written is not known: no answer; reset the board"):
        backend.write32(0x10, 1)
    assert len(port.sent) == 2  # not again: it may start a run


def test_open(tmp_path, monkeypatch):
    with pytest.raises(TalosError, match=r"no_such_port: cannot be opened \(.*\); check the cable, the name and the permissions"):
        UartBackend.open(str(tmp_path / "no_such_port"))
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(
        TalosError, match=r"needs the package 'pyserial'; install it with: pip install 'talos-accelerator\[board\]'"
    ):
        UartBackend.open("/dev/ttyUSB0")
