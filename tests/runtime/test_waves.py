"""Waves: the two formats hold the same, what units execute is in them as text, and the viewers' files name signals that are there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pylibfst
import pytest

from talos.errors import TalosError
from talos.isa import Unit
from talos.report.wave_views import signal_groups, write_save_files
from talos.runtime.verilated import VerilatedCore
from talos.runtime.waves import complete_waves, wave_format
from tests.cli_runner import DIGITS, Talos, runner

SOURCE, TARGET, LENGTH, CONTROL = range(0, 16, 4)


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


Changes = dict[str, list[tuple[int, str]]]


def read_vcd(path: Path) -> Changes:
    """Time and value of every change, by the signal's path."""
    scopes: list[str] = []
    names: dict[str, list[str]] = {}
    changes: Changes = {}
    time = 0
    for line in path.read_text().splitlines():
        words = line.split()
        if line.lstrip().startswith("$scope"):
            scopes.append(words[2])
        elif line.lstrip().startswith("$upscope"):
            scopes.pop()
        elif line.lstrip().startswith("$var"):
            names.setdefault(words[3], []).append(".".join([*scopes, words[4]]))
        elif line.startswith("#"):
            time = int(line[1:])
        elif line[:1] in "01bx" and line:
            value, code = (words[0][1:], words[1]) if line[0] == "b" else (line[0], line[1:])
            for name in names[code]:
                changes.setdefault(name, []).append((time, value.lstrip("0") or "0"))
    return changes


def read_fst(path: Path) -> Changes:
    """The same, by a reader that is not ours."""
    reader = pylibfst.lib.fstReaderOpen(str(path).encode())
    assert reader != pylibfst.ffi.NULL
    try:
        _, signals = pylibfst.get_scopes_signals2(reader)
        names: dict[int, list[str]] = {}
        for name, signal in signals.by_name.items():
            flat = re.sub(r"([^.]+)\.\1\[", r"\1[", name.split(" ")[0])  # only FST has a scope for each array
            names.setdefault(signal.handle, []).append(flat)
        changes: Changes = {}

        def changed(_: Any, time: int, handle: int, value: Any) -> None:
            text = pylibfst.helpers.string(value)
            for name in names[handle]:
                changes.setdefault(name, []).append((time, text.lstrip("0") or "0"))

        pylibfst.lib.fstReaderSetFacProcessMaskAll(reader)
        pylibfst.fstReaderIterBlocks(reader, changed)
        return changes
    finally:
        pylibfst.lib.fstReaderClose(reader)


def copy(core: VerilatedCore, beats: int) -> None:
    for register, value in ((SOURCE, 0), (TARGET, 4096), (LENGTH, beats)):
        core.write_register(register, value)
    core.start(CONTROL, 1)
    core.run(10_000)


@pytest.fixture(scope="module")
def recorded(copier_verilog: Callable[[int, int], str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same run of the copier in both formats."""
    folder = tmp_path_factory.mktemp("waves")
    paths = {kind: folder / f"core.{kind}" for kind in ("vcd", "fst")}
    for path in paths.values():
        with VerilatedCore.from_verilog(
            copier_verilog(64, 32), data_width=64, dram_bytes=1 << 16, waves=wave_format(path)
        ) as core:
            core.dram[:4096] = np.random.default_rng(1).integers(0, 256, 4096)
            core.name_instructions(
                [(Unit.LOAD, "LOAD", "first"), (Unit.STORE, "STORE", "a/layer/" + "long" * 20), (Unit.LOAD, "LOAD", "x")]
            )
            core.open_waves(path)
            copy(core, 64)
            core.close_waves()
    return paths


def text(value: str) -> str:
    number = int(value, 2)
    return number.to_bytes((number.bit_length() + 7) // 8, "big").decode()


def settled(changes: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """Without repetitions: a format may write a value again."""
    kept: list[tuple[int, str]] = []
    for change in changes:
        if not kept or kept[-1][1] != change[1]:
            kept.append(change)
    return kept


def test_both_formats_hold_the_same_changes(recorded: dict[str, Path]) -> None:
    vcd, fst = read_vcd(recorded["vcd"]), read_fst(recorded["fst"])
    assert set(vcd) == set(fst) and len(vcd) > 50
    for name, changes in vcd.items():
        assert settled(fst[name]) == settled(changes), name
    assert recorded["fst"].stat().st_size < recorded["vcd"].stat().st_size


def test_what_a_unit_executes_is_text(recorded: dict[str, Path]) -> None:
    changes = read_vcd(recorded["vcd"])

    def shown(name: str) -> list[str]:
        (path,) = [path for path in changes if path.endswith(f"running.{name}")]
        return [text(value) for _, value in settled(changes[path])]

    assert shown("load_opcode")[:3] == ["", "LOAD", ""] and shown("load_layer")[1] == "first"
    assert shown("store_opcode")[:3] == ["", "STORE", ""]
    assert shown("store_layer")[1] == ".." + ("a/layer/" + "long" * 20)[-46:]
    starts = [
        time for time, value in settled(changes[next(path for path in changes if path.endswith(".trace_start"))]) if value != "0"
    ]
    loads = [
        time for time, value in changes[next(path for path in changes if path.endswith("running.load_opcode"))] if value != "0"
    ]
    assert loads[0] == starts[0] + 1  # half a cycle later


def test_only_two_formats(tmp_path: Path) -> None:
    assert wave_format(Path("a.FST")) == "fst"
    with pytest.raises(TalosError, match=r"\.fst .* or \.vcd"):
        wave_format(Path("a.lxt"))


def test_a_file_of_waves_is_complete_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "w.vcd"
    with pytest.raises(KeyboardInterrupt), complete_waves(target) as file:
        file.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TalosError, match="hangs"), complete_waves(target) as file:
        file.write_text("what led to it")
        raise TalosError("the core hangs")
    assert target.read_text() == "what led to it" and list(tmp_path.iterdir()) == [target]


def test_verify_writes_waves_and_save_files(talos: Talos, tmp_path: Path) -> None:
    waves = tmp_path / "digits.vcd"
    done = talos("verify", DIGITS, "-c", "4x4", "--images", "1", "--waves", waves)
    assert done.status == 0, done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits.gtkw", "digits.sucl", "digits.vcd"]
    assert "gtkwave" in done.out and "surfer -c" in done.out
    with waves.open() as file:
        widths, scopes = {}, []
        for line in file:
            words = line.split()
            if words[:1] == ["$scope"]:
                scopes.append(words[2])
            elif words[:1] == ["$upscope"]:
                scopes.pop()
            elif words[:1] == ["$var"]:
                widths[".".join([*scopes, words[4]])] = int(words[2])
            elif words[:1] == ["$enddefinitions"]:
                break
    gtkwave = [line for line in (tmp_path / "digits.gtkw").read_text().splitlines() if line[:1] not in "[@-"]
    assert len(gtkwave) > 100
    for line in gtkwave:
        name, high = re.fullmatch(r"([\w.]+)(?:\[(\d+):0\])?", line).groups()  # type: ignore[union-attr]
        assert widths[name] == int(high or 0) + 1, line
    surfer = re.findall(r"^variable_add (\S+)$", (tmp_path / "digits.sucl").read_text(), re.MULTILINE)
    assert set(surfer) <= set(widths) and len(surfer) > 100
    for unit in ("matrix", "vector", "weights", "load", "store"):
        assert f"-{unit}\n@820\ntalos.talos.running.{unit}_opcode[63:0]" in (tmp_path / "digits.gtkw").read_text()


def test_waves_need_the_verilog_and_a_known_suffix(talos: Talos, tmp_path: Path) -> None:
    for arguments, message in (
        (("--waves", tmp_path / "w.png"), "ends in one of these"),
        (("--waves", tmp_path / "w.fst", "--rtl-images", "0"), "no waves without the Verilog"),
        (("--waves", tmp_path / "no" / "w.fst"), "cannot be written"),
    ):
        done = talos("verify", DIGITS, "-c", "4x4", *arguments)
        assert done.status == 2 and message in done.err and done.out == ""
    assert list(tmp_path.iterdir()) == []


def test_groups_hold_each_signal_once() -> None:
    verilog = (Path(__file__).parent.parent.parent / "rtl_out" / "talos_8x8.v").read_text()
    groups = signal_groups(verilog)
    assert [group.name for group in groups][:7] == ["core", "matrix", "vector", "weights", "load", "store", "fetch"]
    paths = [signal.path for group in groups for signal in group.signals]
    assert len(paths) == len(set(paths))
    assert all(group.signals for group in groups)
    ports = set(
        re.findall(r"^  (?:input|output) (?:\[\d+:0\] )?((?:m_axi|s_axil)_\w+);", verilog.partition("endmodule")[0], re.MULTILINE)
    )
    assert ports == {path.rpartition(".")[2] for path in paths if "axi" in path.rpartition(".")[2]}


def test_surfers_items_are_lettered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from talos.config import PRESETS

    verilog = (Path(__file__).parent.parent.parent / "rtl_out" / "talos_4x4.v").read_text()
    monkeypatch.setattr("talos.report.wave_views.cached_verilog", lambda config: verilog)
    _, surfer = write_save_files(tmp_path / "w.fst", PRESETS["4x4"])
    gtkwave = (tmp_path / "w.gtkw").read_text()
    assert f'[dumpfile] "{tmp_path / "w.fst"}"' in gtkwave
    for opened, closed in (("800200", "1000200"), ("c00200", "1401200")):  # groups, and those that are folded
        names = re.findall(rf"@{opened}\n-(.+)", gtkwave)
        assert names and names == re.findall(rf"@{closed}\n-(.+)", gtkwave)
    items: list[str] = []
    for line in surfer.read_text().splitlines():
        command, _, argument = line.partition(" ")
        if command in ("divider_add", "variable_add"):
            items.append(argument)
        elif command == "item_focus":
            place = int("".join(format(ord(letter) - ord("a"), "x") for letter in argument), 16)
            assert place == len(items) - 1 and items[place].startswith("talos.talos.running.")
