"""The cache of generated Verilog: its key follows the configuration and the sources that this process runs."""

import pytest

from talos.config import PRESETS
from talos.runtime import verilog_cache
from talos.synth import flow


@pytest.fixture
def sources(tmp_path, monkeypatch):
    file = tmp_path / "unit.py"
    file.write_text("depth = 1")
    monkeypatch.setattr(verilog_cache, "_ROOT", tmp_path)
    monkeypatch.setattr(flow, "_SOURCES", tmp_path)
    for module in (verilog_cache, flow):
        module._sources.cache_clear()
    yield file
    for module in (verilog_cache, flow):
        module._sources.cache_clear()


def test_configurations_differ(sources):
    assert verilog_cache._key(PRESETS["4x4"]) != verilog_cache._key(PRESETS["8x8"])


@pytest.mark.parametrize("module", [verilog_cache, flow])
def test_an_edit_concerns_the_next_process(sources, module):
    before = module._sources()
    sources.write_text("depth = 2")
    assert module._sources() == before  # what is imported stays as it was: its results must not go under the edited files' key
    module._sources.cache_clear()
    assert module._sources() != before
