"""The accuracy table: its numbers, its verdict, and the preprocessing of the network collection where that is at hand."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import accuracy
from benchmarks.accuracy import NETWORKS, ZOO, Network, accuracy_of, main
from talos.config import PRESETS
from talos.model.functional import FunctionalModel
from talos.runtime.samples import load_arrays
from tests.cli_runner import DIGITS, MODELS

SAMPLES = load_arrays(MODELS / "digits.npz")


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A collection of one network."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "digits.onnx").write_bytes(DIGITS.read_bytes())
    network = Network("digits", lambda _: (SAMPLES["x"], SAMPLES["y"]), lambda _: SAMPLES["calibrate"])
    monkeypatch.setattr(accuracy, "NETWORKS", (network,))
    return tmp_path


def test_table_and_json(zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.json"
    assert main(["--zoo", str(zoo), "--config", "4x4", "--images", "60", "--json", str(path)]) == 0
    values = json.loads(path.read_text())["digits"]
    assert values["images"] == 60 and values["agreement"] == 1 and values["mismatched_bytes"] == 0 and values["bytes"] == 600
    assert values["talos"] == values["onnxruntime"] > 0.95
    assert f"{values['float']:.2%}" in capsys.readouterr().out


def test_too_little_agreement_fails(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = FunctionalModel.run_codes

    def wrong(self: FunctionalModel, *arguments: Any) -> dict[str, Any]:
        return {name: np.roll(codes, 1, axis=2) for name, codes in right(self, *arguments).items()}

    monkeypatch.setattr(FunctionalModel, "run_codes", wrong)
    assert main(["--zoo", str(zoo), "--config", "4x4", "--images", "5"]) == 1


def test_a_missing_collection_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--zoo", str(tmp_path)]) == 2
    assert "there is no such network; name the collection's folder with --zoo" in capsys.readouterr().err


@pytest.mark.skipif(not ZOO.is_dir(), reason=f"the network collection is not at {ZOO}")
@pytest.mark.parametrize(
    ("name", "least"),
    [("mnist8_cntk_ort_qdq", 0.97), ("tiny_kws_dscnn_tflite_qdq", 0.85), ("tiny_vww_mbv1_tflite_qdq", 0.7)],
)
def test_preprocessing_suits_the_network(name: str, least: float) -> None:
    network = next(network for network in NETWORKS if network.name == name)
    result = accuracy_of(network, ZOO, PRESETS["16x16"], 40)
    assert result.talos.accuracy >= least and result.mismatched_bytes == 0
