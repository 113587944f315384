"""The commands: what they write, to files, to the terminal and as JSON."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import talos as package
from talos.cli.durations import LEAST_SECONDS, Durations
from talos.cli.progress_bar import ProgressBar
from talos.compiler.pipeline import compile_model
from talos.config import PRESETS, load_config
from talos.io import IoSpec
from talos.isa import Instruction, Opcode
from talos.model.functional import FunctionalModel
from talos.program import LayerInfo, Port, Program
from talos.report.disasm import disassembly_lines
from talos.runtime.samples import load_arrays
from talos.runtime.verilog_cache import cached_verilog
from tests.cli_runner import DIGITS, MODELS, Talos, runner

SAMPLES = MODELS / "digits.npz"
COMMANDS = ("compile", "run", "verify", "generate", "disasm", "info", "trace", "doctor", "cache")


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


@pytest.fixture
def program(talos: Talos, tmp_path: Path) -> Path:
    path = tmp_path / "digits.talos"
    done = talos("compile", DIGITS, "-o", path, "--calibrate", SAMPLES, "--config", "4x4", "--quiet")
    assert (done.status, done.out, done.err) == (0, "", "")
    return path


def test_help_shows_examples_for_every_command(talos: Talos) -> None:
    for arguments in ((), *((command,) for command in COMMANDS)):
        done = talos(*arguments, "--help")
        assert done.status == 0 and done.err == ""
        assert "Examples" in done.out and f"$ talos {' '.join(arguments)}".rstrip() in done.out


def test_help_needs_nothing_heavy() -> None:
    heavy = "{'numpy', 'numba', 'onnx', 'onnxruntime', 'amaranth'} & set(sys.modules)"
    code = f"import sys\nfrom talos.cli.app import app\napp(['--help'], standalone_mode=False)\nassert not {heavy}, {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=MODELS.parent)


def test_version(talos: Talos) -> None:
    assert talos("--version").out == f"talos {package.__version__}\n"


def test_compile_summary_and_report(talos: Talos, tmp_path: Path) -> None:
    path, report = tmp_path / "p.talos", tmp_path / "p.json"
    done = talos("compile", DIGITS, "-o", path, "--calibrate", SAMPLES, "--report", "--json", report)
    compiled = Program.load(path)
    assert done.status == 0
    assert f"digits.onnx for 8x8 (hash {PRESETS['8x8'].hash})" in done.out and "101,696 MACs" in done.out
    for node in compiled.placements:
        assert node.node in done.out
    values = json.loads(report.read_text())
    assert values["macs"] == 101_696 and values["instructions"] == compiled.instruction_count
    assert sum(values["placement_counts"].values()) == len(values["placements"]) == 13


def test_compilation_is_reproducible(talos: Talos, tmp_path: Path, program: Path) -> None:
    again = tmp_path / "again.talos"
    assert talos("compile", DIGITS, "-o", again, "--calibrate", SAMPLES, "--config", "4x4").status == 0
    assert again.read_bytes() == program.read_bytes()


def test_run_writes_the_results(talos: Talos, tmp_path: Path, program: Path) -> None:
    single, several = tmp_path / "y.npy", tmp_path / "y.npz"
    done = talos("run", program, "--input", SAMPLES, "--output", single, "--json", tmp_path / "run.json")
    assert done.status == 0
    arrays = load_arrays(SAMPLES)
    results = np.load(single)
    assert results.shape == (360, 10) and results.dtype == np.float32
    right = int((results.argmax(1) == arrays["y"]).sum())
    assert f"{right} of 360 classes equal the labels" in done.out and "… and 340 more images" in done.out
    values = json.loads((tmp_path / "run.json").read_text())
    assert values["classes"] == results.argmax(1).tolist() and values["accuracy"] == right / 360
    assert values["images"] == len(values["cycles"]) == 360 and set(values["cycles"]) == {values["cycles"][0]}

    assert talos("run", program, "--input", SAMPLES, "-o", several).status == 0
    with np.load(several) as loaded:
        np.testing.assert_array_equal(loaded["logits"], results)


def test_run_a_single_image_without_batch_dimension(talos: Talos, tmp_path: Path, program: Path) -> None:
    image = tmp_path / "x.npy"
    arrays = load_arrays(SAMPLES)
    np.save(image, arrays["x"][5])
    done = talos("run", program, "--input", image)
    assert done.status == 0 and done.out.startswith("image 0: ") and f"class {arrays['y'][5]}" in done.out


def test_run_a_model_on_the_verilog(talos: Talos, tmp_path: Path, program: Path) -> None:
    images = tmp_path / "x.npy"
    np.save(images, load_arrays(SAMPLES)["x"][:3])
    outputs = {}
    for backend, subject in (("model", program), ("rtl", DIGITS)):
        target = tmp_path / f"{backend}.npy"
        calibrate = ("--calibrate", SAMPLES) if subject == DIGITS else ()
        done = talos("run", subject, "-i", images, "-b", backend, "-c", "4x4", "-o", target, "--json", "-", *calibrate)
        assert done.status == 0, done.err
        outputs[backend] = (np.load(target).tolist(), json.loads(done.out)["cycles"])
    assert outputs["model"] == outputs["rtl"]


def test_memory_changes_the_cycles(talos: Talos, tmp_path: Path, program: Path) -> None:
    def cycles(*memory: str) -> int:
        done = talos("run", program, "--input", SAMPLES, "--json", "-", *memory)
        return int(json.loads(done.out)["cycles"][0])

    assert cycles("--memory", "latency=1") < cycles() < cycles("--memory", "latency=500,bytes_per_cycle=1,outstanding=1")


def test_verify_json_has_the_promised_keys(talos: Talos, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    done = talos("verify", DIGITS, "--config", "4x4", "--images", "20", "--rtl-images", "2", "--json", path)
    assert done.status == 0, done.out
    values = json.loads(path.read_text())
    assert values["model"] == str(DIGITS) and values["config"] == "4x4" and values["macs"] == 101_696
    assert values["onnxruntime"] == {"images": 20, "bytes": 200, "mismatched_bytes": 0, "max_difference": 0}
    assert values["rtl"] == {"images": 2, "bytes": 20, "mismatched_bytes": 0, "cycles": values["cycles"]}
    assert values["cycles_equal"] is True
    assert values["utilization"] == pytest.approx(101_696 / (16 * values["cycles"]))
    for layer in values["layers"]:
        assert {"name", "op", "macs", "cycles", "utilization", "placement"} <= set(layer)
    assert sum(layer["cycles"] for layer in values["layers"]) == values["cycles"]
    assert values["accuracy"].keys() == {"float", "onnxruntime", "talos"}
    assert "Accuracy over 20 images: float" in done.out
    assert "200 output bytes of 20 images compared, 200 equal" in done.out
    assert "20 output bytes of 2 images compared, 20 equal" in done.out
    assert "✗" not in done.out


def test_verify_without_data_says_so(talos: Talos, tmp_path: Path) -> None:
    quantized = tmp_path / "net.onnx"
    quantized.write_bytes(_quantized_digits())
    done = talos("verify", quantized, "--config", "4x4", "--rtl-images", "0")
    assert done.status == 0 and "random codes (no data given)" in done.out and "of 8 images compared" in done.out
    assert "The generated Verilog was not run" in done.out
    values = json.loads(talos("verify", quantized, "--config", "4x4", "--rtl-images", "0", "--json", "-").out)
    assert values["accuracy"] is None and values["cycles_equal"] is None and values["rtl"]["cycles"] is None


def test_verify_takes_images_from_the_calibration_data(talos: Talos, tmp_path: Path) -> None:
    alone, data = tmp_path / "net.onnx", tmp_path / "other.npz"
    alone.write_bytes(DIGITS.read_bytes())
    data.write_bytes(SAMPLES.read_bytes())
    done = talos("verify", alone, "--calibrate", data, "--rtl-images", "0", "--images", "3", "--config", "4x4")
    assert done.status == 0 and f"images: {data}" in done.out


def test_verify_fails_where_something_differs(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = FunctionalModel.run_codes

    def wrong(self: FunctionalModel, *arguments: Any) -> dict[str, Any]:
        codes = right(self, *arguments)
        codes["logits"].reshape(-1)[0] ^= 1
        return codes

    monkeypatch.setattr(FunctionalModel, "run_codes", wrong)
    path = tmp_path / "result.json"
    done = talos("verify", DIGITS, "--config", "4x4", "--images", "4", "--rtl-images", "0", "--json", path)
    assert done.status == 1 and done.err == ""
    assert "✗ Talos = onnxruntime: 40 output bytes of 4 images compared, 36 equal" in done.out
    assert "✗ output 'logits': 4 bytes differ, by up to 1 codes" in done.out
    values = json.loads(path.read_text())
    assert values["equal"] is False and values["onnxruntime"]["mismatched_bytes"] == 4
    assert talos("verify", DIGITS, "--config", "4x4", "--images", "4", "--rtl-images", "0", "--quiet").status == 1


def test_generate(talos: Talos, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    done = talos("generate", "--config", "4x4", "-o", folder)
    assert done.status == 0 and sorted(path.name for path in folder.iterdir()) == ["talos_4x4.json", "talos_4x4.v"]
    verilog = (folder / "talos_4x4.v").read_text()
    assert verilog == cached_verilog(PRESETS["4x4"]) and "module talos(" in verilog
    description = json.loads((folder / "talos_4x4.json").read_text())
    assert description["config_hash"] == PRESETS["4x4"].hash
    assert f"configuration {PRESETS['4x4'].hash}" in verilog.partition("\n")[0]


def test_generate_writes_all_presets(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talos.runtime.verilog_cache.cached_verilog", lambda config: f"// {config.name}\n")
    monkeypatch.setattr("talos.rtl.export.description", lambda config: f'"{config.name}"\n')
    monkeypatch.chdir(tmp_path)
    assert talos("generate").status == 0
    expected = {f"talos_{name}{suffix}" for name in PRESETS for suffix in (".v", ".json")}
    assert {path.name for path in (tmp_path / "rtl_out").iterdir()} == expected


def test_disasm(talos: Talos, tmp_path: Path, program: Path) -> None:
    compiled = Program.load(program)
    done = talos("disasm", program, "--json", tmp_path / "d.json")
    listed = [line for line in done.out.splitlines() if line and not line.startswith("#")]
    assert len(listed) == compiled.instruction_count
    for index, (line, instruction) in enumerate(zip(listed, compiled.instructions, strict=True)):
        number, opcode, *fields = line.split()
        assert (int(number), opcode) == (index, instruction.opcode.name)
        assert not any(field.startswith(("opcode", "reserved")) for field in fields)
    for layer in compiled.layers:
        assert f": {layer.name} ({layer.op}, " in done.out
    values = json.loads((tmp_path / "d.json").read_text())
    assert [value["opcode"] for value in values] == [i.opcode.name for i in compiled.instructions]
    for value, instruction in zip(values, compiled.instructions, strict=True):
        assert all(instruction[name] == number for name, number in value["fields"].items())
        mask = sum(1 << ("load", "matrix", "vector", "store").index(unit) for unit in value["wait"])
        assert mask == instruction["wait"]


def test_disasm_shows_only_what_matters() -> None:
    instruction = Instruction(Opcode.LOAD, row_bytes=7, rows=1, dst=64, region=2, space=1, wait=0b0101, post=0b0010)
    spec = IoSpec("x", (1, 7), "int8", (7,), (0,), (1, 1, 7), 1.0, 0)
    compiled = Program(
        name="tiny",
        config=PRESETS["4x4"],
        constants=instruction.encode(),
        program_offset=0,
        instruction_count=1,
        region_bytes=(64, 0, 7, 0),
        inputs=(Port(spec, 2, 0),),
        outputs=(),
        layers=(LayerInfo("conv_1", "conv", 1234, "array", ("conv_1",)),),
        layer_of=(0,),
    )
    lines = list(disassembly_lines(compiled))
    assert lines[2:] == [
        "# layer 0: conv_1 (conv, 1,234 MACs)",
        "0  LOAD   region=dram2 row_bytes=7 dst=64 space=parameter wait=load+vector post=matrix",
    ]


def test_info_of_a_program(talos: Talos, tmp_path: Path, program: Path) -> None:
    done = talos("info", program, "--json", tmp_path / "i.json")
    for part in (
        f"hash {PRESETS['4x4'].hash}",
        "101,696 MACs",
        "input: float32 1×1×8×8",
        "logits: float32 1×10",
        "/classifier/Gemm",
    ):
        assert part in done.out
    values = json.loads((tmp_path / "i.json").read_text())
    assert values["config_hash"] == PRESETS["4x4"].hash and values["inputs"][0]["name"] == "input"
    assert set(values["regions"]) == {"constants", "scratch", "inputs", "outputs"}


def test_info_of_a_configuration_is_a_configuration_file(talos: Talos, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    done = talos("info", "8x16", "--json", path)
    assert "8 rows × 16 columns = 128 MACs per cycle" in done.out and PRESETS["8x16"].hash in done.out
    assert load_config(str(path)) == PRESETS["8x16"]
    assert talos("info", path).out == done.out


def test_json_on_standard_output_is_all_there_is(talos: Talos, program: Path) -> None:
    for arguments in (("info", program), ("disasm", program), ("info", "4x4"), ("run", program, "-i", SAMPLES)):
        done = talos(*arguments, "--json", "-")
        assert done.status == 0 and done.err == ""
        json.loads(done.out)


def test_quiet_prints_nothing(talos: Talos, tmp_path: Path, program: Path) -> None:
    for arguments in (
        ("info", program),
        ("disasm", program),
        ("run", program, "-i", SAMPLES, "-o", tmp_path / "y.npy"),
        ("verify", DIGITS, "--images", "2", "--rtl-images", "0", "-c", "4x4"),
    ):
        done = talos(*arguments, "--quiet")
        assert (done.status, done.out, done.err) == (0, "", "")
    assert (tmp_path / "y.npy").exists()


def test_interrupt_is_clean(talos: Talos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt  # what Ctrl-C is to Python; a signal would be lost where the test run itself ignores it

    monkeypatch.setattr("talos.model.checker.check_program", interrupted)
    target = tmp_path / "p"
    done = talos("compile", DIGITS, "-o", target, "--calibrate", SAMPLES)
    assert (done.status, done.out, done.err) == (130, "", "talos: interrupted\n")
    assert not target.exists() and not list(tmp_path.iterdir())


def test_a_closed_pipe_is_no_error(program: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-c", "from talos.cli import main; main()", "disasm", str(program)]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False, cwd=MODELS.parent)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_colours_only_where_they_are_wanted(talos: Talos, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ("verify", DIGITS, "--images", "2", "--rtl-images", "0", "-c", "4x4")
    assert "\x1b[" not in talos(*arguments).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;32m" in talos(*arguments).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[1;32m" not in talos(*arguments).out


def test_progress_bar_shows_stage_and_share(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr("talos.cli.progress_bar.Console", lambda stderr: console)
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path))
    with ProgressBar() as bar:
        bar("first stage", 0, 0)
        bar("second [stage]", 1, 4)
        bar("second [stage]", 3, 4)
    assert "second [stage]" in screen.getvalue() and "75 %" in screen.getvalue()


def test_progress_bar_estimates_by_the_last_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr("talos.cli.progress_bar.Console", lambda stderr: console)
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path))
    Durations().remember("building", 40_000.0)
    Durations().remember("quick", LEAST_SECONDS / 2)
    with ProgressBar() as bar:
        bar("building", 0, 0)
        bar("quick", 0, 0)
        bar("never seen", 0, 0)
    assert re.search(r"about 66\d min \d+ s left", screen.getvalue())
    assert screen.getvalue().count("left") == screen.getvalue().count("about")
    assert Durations().expected("quick") is None and Durations().expected("building") == 40_000.0


def test_damaged_durations_are_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path))
    for text in ("{", "[1]", '{"building": "long"}'):
        (tmp_path / "durations.json").write_text(text)
        assert Durations().expected("building") is None
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path / "durations.json" / "x"))
    Durations().remember("building", 9.0)
    assert Durations().expected("building") is None


def _quantized_digits() -> bytes:
    return compile_model(DIGITS, PRESETS["4x4"], load_arrays(SAMPLES)).quantized_model
