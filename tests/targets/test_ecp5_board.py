"""Target `ecp5-board`: files, refusals, and a bitstream of the board around a core that is only registers."""

import json
import re
import subprocess

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from talos.board import Board
from talos.config import PRESETS
from talos.errors import TalosError
from talos.rtl.axil import BUS_MEMBERS, AxiLiteSlave
from talos.rtl.board import system
from talos.synth import bitstream
from talos.synth.bitstream import build_bitstream
from talos.synth.resources import Resources
from talos.targets.ecp5_board import board_constraints, board_files
from talos.targets.verilog import core_ports
from tests.cli_runner import runner

BOARD = Board(config=PRESETS["4x4"], ram_bytes=8 << 10)


class Registers(wiring.Component):
    """Has the core's ports, and answers a register's read with its word address."""

    def __init__(self, config):
        ports = core_ports(config).items()
        flows = {"input": In, "output": Out}
        super().__init__({name: flows[port["direction"]](port["width"]) for name, port in ports if name not in ("clk", "rst")})

    def elaborate(self, platform):
        m = Module()
        m.submodules.slave = slave = AxiLiteSlave()
        m.d.comb += slave.read_data.eq(slave.read_word)
        for name, member in BUS_MEMBERS.items():
            outer, inner = getattr(self, name), getattr(slave, name)
            m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
        return m


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(system, "Talos", Registers)


def test_files_agree_with_each_other(small, tmp_path):
    files = board_files(BOARD)
    assert set(files) == {"talos_board.v", "talos_board.lpf", "talos_board.json", "build.sh", "README.md"}
    top = files["talos_board.v"].partition("\nmodule talos_board(")[2].partition("endmodule")[0]
    ports = {
        (name, int(high or 0)) for high, name in re.findall(r"^  (?:input|output) (?:\[(\d+):0\] )?(\w+);$", top, re.MULTILINE)
    }
    pins = {f"{name}[{i}]" if high else name for name, high in ports for i in range(high + 1)}
    assert pins == set(re.findall(r'LOCATE COMP "(\S+)" SITE', files["talos_board.lpf"])) and len(pins) == 13
    sites = re.findall(r'SITE "(\w+)"', files["talos_board.lpf"])
    assert len(set(sites)) == len(sites)
    assert "EHXPLLL" in top and ".CLKOP_DIV(32'd16)" in top
    assert json.loads(files["talos_board.json"])["config_hash"] == BOARD.config.hash
    (tmp_path / "build.sh").write_text(files["build.sh"])
    assert subprocess.run(["sh", "-n", tmp_path / "build.sh"], check=False).returncode == 0
    assert not re.search(r"@[A-Z]+@", files["README.md"] + files["build.sh"])


def test_bitstream(small, tmp_path):
    said = []
    path = tmp_path / "talos_board.bit"
    result = build_bitstream(BOARD, board_constraints(), path, progress=lambda text, done, total: said.append(text))
    bits = path.read_bytes()
    assert len(bits) == result.bytes > 100_000
    assert (
        b"LFE5U-85F-6CABGA381" in bits[:200] and bytes.fromhex("bdb3") in bits[:400]
    )  # part, and the preamble of the configuration
    assert result.fmax_mhz > 50 and result.resources.bram >= 4 and result.resources.lut > 300
    assert {text.split()[0] for text in said} >= {"generating", "synthesizing", "placing", "routing", "packing"}


def test_a_memory_too_large(monkeypatch, tmp_path):
    monkeypatch.setattr(bitstream, "synthesize_board", lambda board, folder, stage: Resources(lut=100, bram=548))
    with pytest.raises(
        TalosError, match="4x4 with 1024 KiB of memory does not fit the board: it needs 548 BRAM of 208; choose a smaller"
    ):
        build_bitstream(Board(config=PRESETS["4x4"], ram_bytes=1 << 20), "", tmp_path / "board.bit")


def test_a_clock_that_is_not_reached(monkeypatch, tmp_path):
    def place(tool, arguments, folder, line=None):
        assert tool.program == "nextpnr-ecp5" and "--timing-allow-fail" in arguments
        (folder / "report.json").write_text('{"fmax": {"a": {"achieved": 300.0}, "b": {"achieved": 49.4}}}')

    monkeypatch.setattr(bitstream, "synthesize_board", lambda board, folder, stage: Resources(lut=100))
    monkeypatch.setattr(bitstream, "place_blocks", lambda path, floor, seed: None)
    monkeypatch.setattr(bitstream, "run_tool", place)
    with pytest.raises(
        TalosError, match=r"4x4 reaches 49\.4 MHz on the board, not 50; choose a lower --clock-mhz or another --seed"
    ):
        build_bitstream(BOARD, "", tmp_path / "board.bit")
    assert not (tmp_path / "board.bit").exists()


@pytest.mark.parametrize(
    ("clock", "expected"),
    [(25, None), (12.5, (2, 1, 64)), (37.5, (2, 3, 21)), (50, (1, 2, 16)), (75, (1, 3, 10)), (100, (1, 4, 8)), (200, (1, 8, 4))],
)
def test_dividers_of_the_pll(clock, expected):
    pll = Board(config=PRESETS["4x4"], clock_mhz=clock, baud=250_000).pll
    assert (pll and (pll.input, pll.feedback, pll.output)) == expected
    if pll:
        assert 25 * pll.feedback / pll.input == clock and 400 <= clock * pll.output <= 800


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--clock-mhz", "60"), "a clock of 60 MHz cannot be made here; choose a multiple of 12.5"),
        (("--ram-kib", "5"), "memory of 5120 bytes must be a multiple of 4096"),
        (("--baud", "20000000"), "20000000 baud cannot be made from 50 MHz"),
    ],
)
def test_refusals(monkeypatch, capsys, tmp_path, arguments, message):
    done = runner(monkeypatch, capsys)(
        "generate", "--target", "ecp5-board", "--config", "4x4", "-o", tmp_path / "out", *arguments
    )
    assert done.status == 2 and message in done.err and not (tmp_path / "out").exists()


def test_the_command_without_a_bitstream(small, monkeypatch, capsys, tmp_path):
    talos = runner(monkeypatch, capsys)
    done = talos(
        "generate", "--target", "ecp5-board", "--config", "4x4", "--no-bitstream", "--ram-kib", "8", "-o", tmp_path, "--json", "-"
    )
    assert done.status == 0 and {path.name for path in tmp_path.iterdir()} == set(board_files(BOARD))
    assert json.loads(done.out)["target"] == "ecp5-board"
