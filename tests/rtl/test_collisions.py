"""The core does not mind what a block RAM answers for the word that is being written in the same cycle."""

import re

import numpy as np
import pytest

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.memory import MemoryTiming
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.rtl.export import generate_rtlil
from talos.runtime import device as device_module
from talos.runtime.device import VerilatedDevice, memory_map
from talos.runtime.samples import load_arrays
from talos.synth.collisions import declare_collisions
from talos.yowasp import YOSYS, run_tool

CONFIG = PRESETS["4x4"]
UNKNOWN = re.compile(r"(?<=')h([0-9a-f]*x+)")


@pytest.fixture
def nonsense(tmp_path):
    """The core's Verilog with 0xbbb… for what Yosys writes as unknown: a clocked read of the word that is written."""
    (tmp_path / "design.il").write_text(declare_collisions(generate_rtlil(CONFIG)))
    script = "read_rtlil design.il; proc -nomux -norom; memory_collect; write_verilog -norename design.v"
    run_tool(YOSYS, ["-q", "-p", script], tmp_path)
    text, count = UNKNOWN.subn(lambda match: "h" + match[1].replace("x", "b"), (tmp_path / "design.v").read_text())
    assert count > 2 * len(re.findall(r"no_rw_check", text)) > 20
    return text


def test_digits_with_nonsense_at_collisions(nonsense, monkeypatch):
    monkeypatch.setattr(device_module, "cached_verilog", lambda config: nonsense)
    data = load_arrays("models/digits.npz")
    program = compile_model("models/digits.onnx", CONFIG, data).program
    device = VerilatedDevice(CONFIG)
    rng = np.random.default_rng(3)
    codes = {port.spec.name: rng.integers(-128, 128, port.shape, np.int8) for port in program.inputs}
    run = device.run(program, codes)
    device.close()
    expected = FunctionalModel(CONFIG).run_codes(program, codes)
    for name, values in expected.items():
        np.testing.assert_array_equal(run.outputs[name], values)
    assert run.cycles == simulate(program, MemoryTiming(), memory_map(program)[0]).cycles
