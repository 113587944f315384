"""`talos generate --target`: which files it writes, and what it refuses."""

import json
from pathlib import Path

import pytest

from talos.config import PRESETS
from talos.errors import TalosError
from talos.program import Program
from talos.targets.export import target_files
from talos.targets.names import Target
from talos.targets.render import render
from tests.cli_runner import MODELS, Talos, runner

CORE = {"talos_4x4.v", "talos_4x4.json"}
BENCH = {"tb/run.py", "tb/talos_tests.py", "tb/memory.py", "tb/vectors.py", "tb/README.md", "tb/vectors/bench.json"}


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


def written(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("target", "files"),
    [
        (Target.VERILOG, set()),
        (Target.VIVADO, {"package_ip.tcl", "talos_ooc.xdc", "block_design_zynq.tcl", "README.md"}),
        (Target.LITEX, {"talos_litex.py", "soc_example.py", "README.md"}),
    ],
)
def test_files_of_a_target(talos: Talos, target: Target, files: set[str], tmp_path: Path) -> None:
    done = talos(
        "generate", "--config", "4x4", "--target", target, "-o", tmp_path / "new" / "folder", "--json", tmp_path / "r.json"
    )
    assert done.status == 0, done.err
    assert written(tmp_path / "new" / "folder") == CORE | files
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["target"] == target
    assert {Path(file["path"]).name for file in result["files"]} == CORE | files
    for file in result["files"]:
        assert Path(file["path"]).stat().st_size == file["bytes"] and file["config_hash"] == PRESETS["4x4"].hash


def test_a_program_gives_configuration_and_bench(talos: Talos, program: Program, program_file: Path, tmp_path: Path) -> None:
    done = talos(
        "generate", "--target", "vivado", "--program", program_file, "--input", MODELS / "digits.npz", "--images", 3,
        "--clock-mhz", 80, "-o", tmp_path,
    )  # fmt: skip
    assert done.status == 0, done.err
    assert written(tmp_path) >= CORE | BENCH | {"package_ip.tcl"}
    bench = json.loads((tmp_path / "tb/vectors/bench.json").read_text())
    assert len(bench["runs"]) == 3 and bench["program"] == "digits"
    assert bench["expected_registers"]["CONFIG_HASH"] == int(program.config.hash, 16)
    assert "-period 12.500" in (tmp_path / "talos_ooc.xdc").read_text()
    assert (tmp_path / "tb" / bench["verilog"]).resolve() == tmp_path / "talos_4x4.v"


def test_a_bench_without_input_has_one_random_image(talos: Talos, program_file: Path, tmp_path: Path) -> None:
    assert talos("generate", "--program", program_file, "-o", tmp_path).status == 0
    assert len(json.loads((tmp_path / "tb/vectors/bench.json").read_text())["runs"]) == 1


def test_refusals(talos: Talos, program_file: Path, tmp_path: Path) -> None:
    refused = {
        "is for one configuration; name it with --config": ("--target", "litex"),
        "--input belongs to the bench of a program": ("--config", "4x4", "--input", MODELS / "digits.npz"),
        "was compiled for 4x4": ("--config", "8x8", "--program", program_file),
        "not a Talos program": ("--program", MODELS / "digits.npz"),
        "this is a model, not a program": ("--program", MODELS / "digits.onnx"),
        "'--target'": ("--target", "quartus"),
        "greater than or equal to 1": ("--config", "4x4", "--clock-mhz", 0),
    }
    for message, arguments in refused.items():
        done = talos("generate", *arguments, "-o", tmp_path / "out")
        assert done.status == 2 and message in done.err, (arguments, done.err)
        assert not (tmp_path / "out").exists()


def test_names_of_a_configuration_that_is_no_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talos.targets.verilog.cached_verilog", lambda config: "")  # it takes long, and only names matter
    config = PRESETS["4x4"].replace(queue_depth=4)
    files = target_files(Target.VIVADO, config)
    assert {f"talos_4x4-{config.hash}.v", f"talos_4x4-{config.hash}.json"} <= set(files)
    script = files["package_ip.tcl"]
    assert f"set_property name talos_4x4_{config.hash} $core" in script  # a hyphen is not allowed in an IP's name


def test_placeholders_and_values_must_agree() -> None:
    with pytest.raises(TalosError, match=r"differ in \['CLOCK_MHZ', 'X'\]"):
        render("vivado/talos_ooc.xdc", {"CONFIG_NAME": "a", "PERIOD_NS": 1, "X": 2})
