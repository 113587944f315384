"""`talos explore`: table, JSON, plot, resumption and errors."""

import json
import re
import shlex
import sys

import pytest

from talos.explore import synthesis
from talos.explore.space import load_space
from talos.synth.flow import Synthesis
from talos.synth.resources import Resources
from tests.cli_runner import DIGITS, MODELS, runner

SPACE = "rows = [4, 8]\ncols = [4, 8]\nlanes = [1, 2, 4]\nmultiply = false\n"


@pytest.fixture
def talos(monkeypatch, capsys):
    return runner(monkeypatch, capsys)


@pytest.fixture
def given(tmp_path):
    """Arguments that every run here has."""
    (tmp_path / "space.toml").write_text(SPACE)
    return (DIGITS, "--space", tmp_path / "space.toml", "--results", tmp_path / "r.jsonl", "--jobs", "1", "--method", "grid")


def test_table_json_and_plot(talos, given, tmp_path):
    path, plot = tmp_path / "front.json", tmp_path / "front.html"
    done = talos("explore", *given, "--json", path, "--plot", plot)
    assert done.status == 0, done.err
    assert "12 configurations tried (12 simulations now" in done.out and "budget: LUT 83,640" in done.out
    assert "all of the front: " in done.out and "left out: multiply" in done.out
    values = json.loads(path.read_text())
    assert values["device"] == "ecp5-85k" and len(values["trials"]) == 12
    for trial in values["front"]:
        assert f"{trial['cycles']['digits']:,}" in done.out and f"{trial['area']['lut']:,}" in done.out
    page = plot.read_text()
    assert page.startswith("<html>") and "Pareto front" in page and f"{values['front'][0]['cycles']['digits']:,} cycles" in page
    assert "<script src" not in page and "<link" not in page

    again = talos("explore", *given, "--json", "-", "--plot", plot)
    assert json.loads(again.out) == values and plot.read_text() == page
    assert "0 simulations now" in talos("explore", *given).out
    assert "12 simulations now" in talos("explore", *given, "--memory", "latency=200").out


def test_budget_and_area(talos, given, tmp_path):
    one = json.loads(talos("explore", *given, "--budget", "lut=20000,dsp=50", "--area", "dsp", "--json", "-").out)
    assert one["area"] == "dsp" and one["budget"]["lut"] == 20000
    assert one["trials"] and all(trial["area"]["lut"] <= 20000 and trial["area"]["dsp"] <= 50 for trial in one["trials"])
    assert [t["area_cost"] for t in one["front"]] == [t["area"]["dsp"] for t in one["front"]]
    none = talos("explore", *given, "--budget", "lut=100")
    assert none.status == 2 and "no configuration of the space fits the budget lut=100,ff=83640" in none.err


def test_synthesis_of_the_front(talos, given, monkeypatch):
    def synthesize(config, device, *, seeds):
        assert device.name == "ecp5-45k" and seeds == 0
        return Synthesis(
            config, device, None, None, {"load": Resources(30000 if config.rows == 8 else 50000, 9, config.peak_macs, 7)}
        )

    monkeypatch.setattr(synthesis, "synthesize", synthesize)
    done = talos("explore", *given, "--device", "ecp5-45k", "--synth")
    assert done.status == 0 and "fits" in done.out and "over: lut" in done.out
    values = json.loads(talos("explore", *given, "--device", "ecp5-45k", "--synth", "--json", "-").out)
    for found, trial in zip(values["synthesized"], values["front"], strict=True):
        assert found["config_hash"] == trial["config_hash"] and found["area"]["bram"] == 7
        assert found["difference"]["lut"] == pytest.approx(found["area"]["lut"] / trial["area"]["lut"] - 1, abs=1e-4)


def test_the_default_space_leaves_out_what_the_network_does_not_need(talos, tmp_path):
    arguments = (DIGITS, "--results", tmp_path / "r", "--jobs", "1", "--trials", "8", "--json", "-")
    values = json.loads(talos("explore", *arguments).out)
    assert len(values["trials"]) == 8
    assert all(trial["config"]["pool"] and not trial["config"]["multiply"] for trial in values["trials"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--budget", "lut"), "--budget lut: cannot be read"),
        (("--device", "xc7", "--budget", "lut=9"), "the area estimate is for ECP5 only"),
        (("--device", "ecp6"), "--device ecp6: unknown"),
        (("--plot", "front.png"), "--plot front.png: plots are HTML pages"),
        (("--space", "missing.toml"), "missing.toml: cannot be read"),
        (("--method", "random"), "Invalid value for '--method'"),
        (("--trials", "0"), "Invalid value for '--trials'"),
        ((DIGITS,), "two of the models are called digits"),
        (("--memory", "latency=x"), "latency='x'"),
    ],
)
def test_errors(talos, tmp_path, arguments, message):
    done = talos("explore", DIGITS, "--results", tmp_path / "r", *arguments)
    assert done.status == 2 and message in done.err and done.out == ""


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("optuna", ("--method", "optuna"), "explore"),
        ("plotly.graph_objects", ("--plot", "front.html"), "explore"),
        ("distributed", ("--dask", "tcp://127.0.0.1:1"), "dask"),
        ("yaml", ("--space", "space.yaml"), "explore"),
    ],
)
def test_missing_packages_name_the_extra(talos, tmp_path, monkeypatch, package, arguments, extra):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "space.yaml").write_text("rows: 4\n")
    monkeypatch.setitem(sys.modules, package, None)
    method = () if "--method" in arguments else ("--method", "grid")
    done = talos("explore", DIGITS, "--results", tmp_path / "r", *method, *arguments)
    assert done.status == 2 and f"pip install 'talos-accelerator[{extra}]'" in done.err


def test_the_page_does_what_it_says(talos, tmp_path, monkeypatch):
    page = (MODELS.parent / "docs" / "exploration.md").read_text()
    (command,) = re.findall(r"^talos (explore models/digits.onnx .*)$", page, re.MULTILINE)
    (space,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "models").symlink_to(MODELS)
    (tmp_path / "space.toml").write_text(space)
    monkeypatch.chdir(tmp_path)
    assert load_space(tmp_path / "space.toml").size > 10
    done = talos(*shlex.split(command), "--results", "r", "--jobs", "1")
    assert done.status == 0 and "30 configurations tried" in done.out and not done.err
    assert (tmp_path / "front.html").is_file() and len(json.loads((tmp_path / "front.json").read_text())["trials"]) == 30
