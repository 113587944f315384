"""Every quirk: compiled, proved sound, and equal to onnxruntime."""

from pathlib import Path

import pytest

from talos.config import PRESETS
from tests.quirks.catalogue import QUIRKS
from tests.quirks.registry import Quirk
from tests.quirks.run import Difference, check


@pytest.mark.parametrize("quirk", QUIRKS.values(), ids=lambda quirk: quirk.name)
def test_quirk(quirk: Quirk, tmp_path: Path) -> None:
    check(quirk, PRESETS["4x4"], tmp_path)


@pytest.mark.parametrize("quirk", list(QUIRKS.values())[::8], ids=lambda quirk: quirk.name)
def test_quirk_at_8x8(quirk: Quirk, tmp_path: Path) -> None:
    check(quirk, PRESETS["8x8"], tmp_path, seed=2)


def test_a_layer_on_the_host_is_noticed(tmp_path: Path) -> None:
    quirk = QUIRKS["softmax"]
    forbidden = Quirk(quirk.name, quirk.description, quirk.build, frozenset(), quirk.noise, None)
    with pytest.raises(Difference, match="Softmax"):
        check(forbidden, PRESETS["4x4"], tmp_path)


def test_noise_is_noticed(tmp_path: Path) -> None:
    quirk = QUIRKS["batch_normalization"]
    silent = Quirk(quirk.name, quirk.description, quirk.build, quirk.host, 1e-4, None)
    with pytest.raises(Difference, match="noise"):
        check(silent, PRESETS["4x4"], tmp_path)


def test_descriptions() -> None:
    descriptions = [quirk.description for quirk in QUIRKS.values()]
    assert len(QUIRKS) >= 60 and len(set(descriptions)) == len(descriptions)
