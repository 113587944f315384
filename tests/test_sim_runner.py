"""The cocotb runner: when a built simulation may be used again."""

import sys

import pytest

from sim.runner import build_key
from talos.toolchain import find_toolchain


def test_a_simulation_belongs_to_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is linked with the cocotb library of one virtual environment, which another one does not have."""
    tools = find_toolchain()
    key = build_key("module m; endmodule", tools)
    assert key == build_key("module m; endmodule", tools)
    assert key != build_key("module n; endmodule", tools)
    monkeypatch.setattr(sys, "prefix", "elsewhere")
    assert key != build_key("module m; endmodule", tools)
