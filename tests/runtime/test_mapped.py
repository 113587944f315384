"""Memory-mapped hardware, played by the Verilated core: same bytes and cycles, errors and timeouts told, caches cared for."""

import dataclasses
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.errors import TalosError
from talos.isa import INSTRUCTION_BYTES
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import Program
from talos.registers import IDENTIFICATION, REGISTERS
from talos.runtime.device import memory_map
from talos.runtime.mapped import MappedDevice
from talos.runtime.pynq_board import PynqBackend
from talos.runtime.samples import load_arrays
from talos.runtime.uio import UioBackend
from talos.runtime.verilated import VerilatedCore
from talos.runtime.verilog_cache import cached_verilog
from tests.cli_runner import DIGITS, MODELS

CONFIG = PRESETS["4x4"]
ARRAYS = load_arrays(MODELS / "digits.npz")
ADDRESS = 1 << 16
SIZE = 1 << 18
CONTROL = REGISTERS["CONTROL"].offset


class Board:
    """The core, its DRAM, and a cache in front of it: the host's writes reach DRAM by `flush` only, the core's the host by `invalidate`."""

    def __init__(self, core: VerilatedCore) -> None:
        self.core = core
        self.address, self.size = ADDRESS, SIZE
        self.cache = np.zeros(SIZE, np.uint8)
        self.dram = core.dram[ADDRESS : ADDRESS + SIZE]
        self.stuck = False

    def read32(self, offset: int) -> int:
        return self.core.read_register(offset)

    def write32(self, offset: int, value: int) -> None:
        if offset == CONTROL and value == 1:
            self.core.start(offset, value)
        else:
            self.core.write_register(offset, value)

    def write_memory(self, offset: int, data: NDArray[np.uint8]) -> None:
        self.cache[offset : offset + data.size] = data

    def read_memory(self, offset: int, size: int) -> NDArray[np.uint8]:
        return self.cache[offset : offset + size].copy()

    def flush(self, offset: int, size: int) -> None:
        self.dram[offset : offset + size] = self.cache[offset : offset + size]

    def invalidate(self, offset: int, size: int) -> None:
        self.cache[offset : offset + size] = self.dram[offset : offset + size]

    def wait(self, seconds: float) -> None:
        if self.stuck:  # the core's clock moves only with the registers that are read
            time.sleep(seconds)
            return
        for _ in range(100):
            if self.core.irq:
                break
            self.core.step(20)

    def close(self) -> None:
        self.core.close()


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_model(DIGITS, CONFIG, ARRAYS).program


@pytest.fixture(scope="module")
def board() -> Iterator[Board]:
    with VerilatedCore.from_verilog(cached_verilog(CONFIG), data_width=CONFIG.axi_data_width, dram_bytes=ADDRESS + SIZE) as core:
        yield Board(core)


@pytest.fixture(scope="module")
def device(board: Board) -> MappedDevice:
    return MappedDevice(CONFIG, board)


def image(program: Program, index: int) -> dict[str, NDArray[np.int8]]:
    return {"input": program.inputs[0].spec.to_tensor(ARRAYS["x"][index])}


def test_bytes_cycles_and_counters_are_those_of_the_models(device: MappedDevice, program: Program, board: Board) -> None:
    model = FunctionalModel(CONFIG)
    expected = simulate(program, None, tuple(ADDRESS + base for base in memory_map(program)[0]))
    for index in (0, 5):
        run = device.run(program, image(program, index))
        np.testing.assert_array_equal(run.outputs["logits"], model.run_codes(program, image(program, index))["logits"])
        assert run.cycles == expected.cycles
        np.testing.assert_array_equal(run.counters, expected.counters)
        assert len(run.trace) == 0
    board.core.step(2)
    assert not board.core.irq  # cleared, or Linux would see it again


def test_an_error_stop_is_told_and_the_next_run_is_fine(device: MappedDevice, program: Program) -> None:
    bad = bytearray(program.constants)
    bad[program.program_offset + 5 * INSTRUCTION_BYTES] &= 0xF0
    with pytest.raises(TalosError, match=r"stopped with BAD_OPCODE \(info 5\)"):
        device.run(dataclasses.replace(program, constants=bytes(bad)), image(program, 0))
    assert device.run(program, image(program, 0)).cycles == simulate(program).cycles


def test_limits_abort_the_run_and_leave_the_core_at_rest(device: MappedDevice, program: Program, board: Board) -> None:
    seen: list[tuple[str, int, int]] = []
    with pytest.raises(TalosError, match=r"did not finish within 300 cycles; the run was aborted"):
        device.run(program, image(program, 0), limit=300, progress=lambda *values: seen.append(values))
    assert seen[0][0] == "hardware" and 300 < seen[0][1] < 3000
    board.stuck, device.timeout = True, 0.02
    try:
        with pytest.raises(TalosError, match=r"did not finish within 0\.02 s \(\d+ cycles\)"):
            device.run(program, image(program, 0))
    finally:
        board.stuck, device.timeout = False, 60.0
    assert board.read32(REGISTERS["STATUS"].offset) & 1 == 0
    assert device.run(program, image(program, 1)).cycles == simulate(program).cycles


def test_a_busy_core_is_not_touched(
    device: MappedDevice, program: Program, monkeypatch: pytest.MonkeyPatch, board: Board
) -> None:
    monkeypatch.setattr(board, "read32", lambda offset: 1 if offset == REGISTERS["STATUS"].offset else 0)
    monkeypatch.setattr(board, "write32", lambda offset, value: pytest.fail("a register was written"))
    with pytest.raises(TalosError, match="still running"):
        device.run(program, image(program, 0))


def test_what_does_not_fit_is_refused(
    device: MappedDevice, program: Program, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TalosError, match=r"the core has configuration \w+, not \w+ \(8x8\)"):
        MappedDevice(PRESETS["8x8"], board)
    with pytest.raises(TalosError, match="was compiled for 8x8"):
        device.run(compile_model(DIGITS, PRESETS["8x8"], ARRAYS).program, {})
    monkeypatch.setattr(board, "size", 4096)
    with pytest.raises(TalosError, match=r"needs a buffer of \d+ bytes, but the device's has 4096"):
        device.run(program, image(program, 0))
    monkeypatch.setattr(board, "size", SIZE)
    monkeypatch.setattr(board, "address", (1 << 32) - 4096)
    with pytest.raises(TalosError, match="beyond the 32 address bits"):
        device.run(program, image(program, 0))
    monkeypatch.setattr(board, "address", ADDRESS + 64)
    with pytest.raises(TalosError, match="not a multiple of 4096"):
        MappedDevice(CONFIG, board)
    monkeypatch.setattr(board, "read32", lambda offset: 0xFFFFFFFF)
    monkeypatch.setattr(board, "address", ADDRESS)
    with pytest.raises(TalosError, match="identifies itself as ffffffff"):
        MappedDevice(CONFIG, board)


@pytest.fixture
def uio(tmp_path: Path) -> Iterator[UioBackend]:
    """Files in place of the devices."""
    (tmp_path / "uio0").write_bytes(bytes(4096))
    (tmp_path / "udmabuf0").write_bytes(bytes(8192))
    (tmp_path / "sysfs" / "udmabuf0").mkdir(parents=True)
    (tmp_path / "sysfs" / "udmabuf0" / "phys_addr").write_text("0x1fc00000\n")
    (tmp_path / "sysfs" / "udmabuf0" / "size").write_text("8192\n")
    backend = UioBackend(tmp_path / "uio0", tmp_path / "udmabuf0", sysfs=tmp_path / "sysfs")
    yield backend
    backend.close()


def test_uio_registers_buffer_and_caches(uio: UioBackend, tmp_path: Path) -> None:
    assert (uio.address, uio.size) == (0x1FC00000, 8192)
    uio.write32(0x44, 0xDEADBEEF)
    assert uio.read32(0x44) == 0xDEADBEEF
    uio.write_memory(100, np.arange(10, dtype=np.uint8))
    np.testing.assert_array_equal(uio.read_memory(102, 3), [2, 3, 4])
    attributes = tmp_path / "sysfs" / "udmabuf0"
    for action, direction, name in ((uio.flush, 1, "sync_for_device"), (uio.invalidate, 2, "sync_for_cpu")):
        action(4096, 512)
        found = {item.name: int(item.read_text(), 0) for item in attributes.iterdir() if item.name.startswith("sync")}
        assert found == {"sync_offset": 4096, "sync_size": 512, "sync_direction": direction, name: 1}
        (attributes / name).unlink()
    uio.close()
    assert (tmp_path / "uio0").read_bytes()[0x44:0x48] == bytes.fromhex("efbeadde")
    assert (tmp_path / "udmabuf0").read_bytes()[100:110] == bytes(range(10))
    with pytest.raises(TalosError, match="was closed"):
        uio.read32(0)


def test_uio_enables_the_interrupt_and_takes_it(uio: UioBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uio.wait(1.0)  # a file is always ready
    assert (tmp_path / "uio0").read_bytes()[:4] == (1).to_bytes(4, sys.byteorder)
    seen: list[float] = []
    monkeypatch.setattr("talos.runtime.uio.select.select", lambda r, w, x, seconds: (seen.append(seconds), ([], [], []))[1])
    monkeypatch.setattr("talos.runtime.uio.os.read", lambda *arguments: pytest.fail("read without an interrupt"))
    uio.wait(0.25)
    assert seen == [0.25]


def test_uio_devices_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(TalosError, match="load the kernel module u-dma-buf"):
        UioBackend(tmp_path / "uio0", tmp_path / "udmabuf0", sysfs=tmp_path)
    (tmp_path / "udmabuf0.d").mkdir()
    for name, value in (("phys_addr", "0x1000"), ("size", "4096")):
        (tmp_path / "udmabuf0.d" / name).write_text(value)
    with pytest.raises(TalosError, match=r"uio9: cannot be opened"):
        UioBackend(tmp_path / "uio9", tmp_path / "udmabuf0.d", sysfs=tmp_path)
    (tmp_path / "uio0").write_bytes(bytes(16))
    with pytest.raises(TalosError, match=r"4096 bytes of it cannot be mapped"):
        UioBackend(tmp_path / "uio0", tmp_path / "udmabuf0.d", sysfs=tmp_path)


class PynqBuffer(np.ndarray):  # type: ignore[type-arg]
    """What `pynq.allocate` gives."""

    device_address = 0x16800000

    def flush(self) -> None:
        PynqBuffer.calls.append("flush")

    def invalidate(self) -> None:
        PynqBuffer.calls.append("invalidate")

    def freebuffer(self) -> None:
        PynqBuffer.calls.append("freebuffer")

    calls: list[str] = []  # noqa: RUF012


def test_pynq(monkeypatch: pytest.MonkeyPatch) -> None:
    registers: dict[int, int] = {0: IDENTIFICATION}
    mmio = types.SimpleNamespace(read=lambda offset: registers[offset], write=registers.__setitem__)
    overlay: Any = types.SimpleNamespace(ip_dict={"talos": {}}, talos=types.SimpleNamespace(mmio=mmio))
    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(TalosError, match="run it on the board"):
        PynqBackend(overlay)
    pynq = types.SimpleNamespace(allocate=lambda shape, dtype: np.zeros(shape, dtype).view(PynqBuffer))
    monkeypatch.setitem(sys.modules, "pynq", pynq)
    backend = PynqBackend(overlay, size=4096)
    assert (backend.address, backend.size, backend.read32(0)) == (0x16800000, 4096, IDENTIFICATION)
    backend.write32(0x10, 1)
    assert registers[0x10] == 1
    backend.write_memory(8, np.arange(4, dtype=np.uint8))
    np.testing.assert_array_equal(backend.read_memory(9, 2), [1, 2])
    backend.flush(0, 16)
    backend.invalidate(0, 16)
    backend.wait(0.0)
    backend.close()
    assert PynqBuffer.calls == ["flush", "invalidate", "freebuffer"]
    with pytest.raises(TalosError, match=r"no IP 'core' \(it has: talos\)"):
        PynqBackend(overlay, ip="core")
