"""The board behind its UART pins, in Verilator: real digits over the line, the bytes of onnxruntime; damaged frames; garbage."""

import random
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

from talos.board import Board
from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.errors import TalosError
from talos.registers import IDENTIFICATION, REGISTERS
from talos.rtl.board.ulx3s import BOARD_MODULE, system_verilog
from talos.runtime.execute import input_tensors
from talos.runtime.mapped import MappedDevice
from talos.runtime.samples import load_arrays, load_samples
from talos.runtime.uart import UartBackend
from talos.runtime.witness import Witness
from talos.toolchain import find_verilator
from talos.uart_frames import MAX_PAYLOAD, REQUEST_SYNC, Command, Status, check, encode_request
from tests.cli_runner import DIGITS, MODELS

BOARD = Board(config=PRESETS["4x4"], clock_mhz=25, baud=6_250_000, ram_bytes=48 << 10, timeout_seconds=0.0002)
PATIENCE = 2 * BOARD.timeout_cycles
FLAGS = "--cc --exe --build --build-jobs 2 -O3 --x-assign fast --x-initial fast --no-timing --output-split 0 --Mdir obj -Wno-lint -Wno-fatal"


class Line:
    """The simulated UART as a serial port; time passes only in its calls."""

    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.damage_sent = self.damage_received = None  # index of a byte to change in the next transfer

    def write(self, data):
        data = bytearray(data)
        if self.damage_sent is not None:
            data[self.damage_sent] ^= 0x10
            self.damage_sent = None
        self.send(bytes(data))

    def send(self, data):
        self.process.stdin.write(b"w" + struct.pack("<I", len(data)) + data)
        self.process.stdin.flush()

    def rest(self, cycles):
        self.process.stdin.write(b"n" + struct.pack("<I", cycles))

    def read(self, size):
        self.process.stdin.write(b"r" + struct.pack("<II", size, PATIENCE))
        self.process.stdin.flush()
        (count,) = struct.unpack("<I", self.process.stdout.read(4))
        data = bytearray(self.process.stdout.read(count))
        if self.damage_received is not None and count:
            data[-1] ^= 1
            self.damage_received = None
        return bytes(data)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    (folder / "board.v").write_text(system_verilog(BOARD))
    (folder / "bench.cpp").write_text((Path(__file__).parent / "uart_bench.cpp").read_text())
    verilator = find_verilator()
    defines = ["-CFLAGS", f"-O1 -DDIVISOR={BOARD.divisor}", "--top-module", BOARD_MODULE]
    command = [str(verilator.executable), *FLAGS.split(), *defines, "bench.cpp", "board.v"]
    done = subprocess.run(command, cwd=folder, env=verilator.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder / "obj" / f"V{BOARD_MODULE}"


@pytest.fixture
def line(program):
    line = Line(program)
    yield line
    line.close()


@pytest.fixture
def backend(line):
    return UartBackend(line)


def test_digits_over_the_uart(line):
    backend = UartBackend(line)
    assert (backend.size, backend.clock_hz, backend.address) == (48 << 10, 25_000_000, 0)
    data = load_arrays(MODELS / "digits.npz")
    compiled = compile_model(DIGITS, BOARD.config, data)
    device = MappedDevice(BOARD.config, backend)
    witness = Witness(compiled)
    classes = []
    for sample in load_samples(compiled.program, data, "digits", count=4).inputs:
        values = witness.host.prepare(sample)
        run = device.run(compiled.program, input_tensors(compiled.program, values))
        ours, _ = witness.compare(values, run.outputs)
        classes.append(int(np.argmax(ours["logits"])))
        assert 4_000 < run.cycles < 20_000
    assert [(c.bytes, c.mismatched_bytes) for c in witness.outputs.values()] == [(40, 0)]
    assert classes == list(data["y"][:4])


def test_registers_and_memory(backend):
    assert backend.read32(REGISTERS["IDENTIFICATION"].offset) == IDENTIFICATION
    backend.write32(REGISTERS["REGION1_LOW"].offset, 0x12345000)
    assert backend.read32(REGISTERS["REGION1_LOW"].offset) == 0x12345000
    rng = np.random.default_rng(5)
    expected = np.zeros(1500, np.uint8)
    backend.write_memory(0, expected)
    for start, size in ((1, 1), (7, 9), (1030, 3), (0, 1500), (1499, 1), (113, 1025)):
        piece = rng.integers(0, 256, size).astype(np.uint8)
        backend.write_memory(start, piece)
        expected[start : start + size] = piece
        np.testing.assert_array_equal(backend.read_memory(0, 1500), expected)
    end = rng.integers(0, 256, 100).astype(np.uint8)
    backend.write_memory(backend.size - 100, end)
    np.testing.assert_array_equal(backend.read_memory(backend.size - 100, 100), end)
    np.testing.assert_array_equal(backend.read_memory(0, 1500), expected)


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (encode_request(Command.IDENTIFY, 7, 0, 16)[:-1] + b"\0", Status.BAD_CHECK),
        (encode_request(3, 7, 0, 16), Status.BAD_COMMAND),
        (encode_request(0x83, 7, 0, 4, b"1234"), Status.BAD_COMMAND),
        (encode_request(Command.READ_MEMORY, 7, 0, MAX_PAYLOAD + 1), Status.BAD_LENGTH),
        (encode_request(Command.READ_MEMORY, 7, 0, 0), Status.BAD_LENGTH),
        (encode_request(Command.WRITE_MEMORY, 7, 0, 0), Status.BAD_LENGTH),
        (encode_request(Command.READ_REGISTER, 7, 0, 8), Status.BAD_LENGTH),
        (encode_request(Command.READ_REGISTER, 7, 2, 4), Status.BAD_ADDRESS),
        (encode_request(Command.READ_REGISTER, 7, 1 << 12, 4), Status.BAD_ADDRESS),
        (encode_request(Command.READ_MEMORY, 7, BOARD.ram_bytes - 1, 2), Status.BAD_ADDRESS),
        (encode_request(Command.WRITE_MEMORY, 7, 0xFFFFFFFF, 2, b"ab"), Status.BAD_ADDRESS),
        (encode_request(Command.WRITE_MEMORY, 7, 0, 9, b"123456789")[:-5], Status.TIMEOUT),
        (encode_request(Command.READ_REGISTER, 7, 0, 4)[:-1], Status.TIMEOUT),
        (encode_request(Command.READ_REGISTER, 7, 0, 4)[:9], Status.TIMEOUT),
    ],
)
def test_a_wrong_frame_is_answered_with_the_reason(line, frame, status):
    line.send(frame)
    body = bytes([status, 7, 0, 0])
    assert line.read(100) == b"\x5a" + body + check(body)
    UartBackend(line)  # and the next one is fine


def test_garbage_in_front_of_a_frame(line):
    rng = random.Random(11)
    for length in (1, 5, 40, 300):
        # With first bytes of frames in it.
        line.send(bytes(rng.choice([REQUEST_SYNC, rng.randrange(256)]) for _ in range(length)))
        assert UartBackend(line).read32(REGISTERS["IDENTIFICATION"].offset) == IDENTIFICATION


@pytest.mark.parametrize("byte", [0, 1, 2, 7, 9, 12])
def test_a_damaged_request_is_sent_again(backend, line, byte):
    line.damage_sent = byte
    backend.write_memory(100, np.arange(5, dtype=np.uint8))
    np.testing.assert_array_equal(backend.read_memory(99, 7), [0, 0, 1, 2, 3, 4, 0])


def test_a_damaged_answer(backend, line):
    line.damage_received = True
    assert backend.read32(REGISTERS["IDENTIFICATION"].offset) == IDENTIFICATION
    line.damage_received = True
    with pytest.raises(TalosError, match=r"whether register 0x0.. was written is not known"):
        backend.write32(REGISTERS["IRQ_CLEAR"].offset, 3)


def test_refused_by_the_board(backend):
    with pytest.raises(TalosError, match="refuses READ_MEMORY of 8 bytes at 0xc000: BAD_ADDRESS"):
        backend.read_memory(backend.size, 8)
