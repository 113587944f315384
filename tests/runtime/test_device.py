"""The generated Verilog as a device: runs follow each other, errors are told, other configurations are refused."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.errors import TalosError
from talos.isa import INSTRUCTION_BYTES
from talos.memory import MemoryTiming
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import Program
from talos.runtime.device import VerilatedDevice, run_limit
from talos.runtime.samples import load_arrays
from tests.cli_runner import DIGITS, MODELS

ARRAYS = load_arrays(MODELS / "digits.npz")


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_model(DIGITS, PRESETS["4x4"], ARRAYS).program


@pytest.fixture(scope="module")
def device() -> Iterator[VerilatedDevice]:
    device = VerilatedDevice(PRESETS["4x4"])
    yield device
    device.close()


def image(program: Program, index: int) -> dict[str, np.ndarray]:
    return {"input": program.inputs[0].spec.to_tensor(ARRAYS["x"][index])}


def test_runs_do_not_depend_on_what_came_before(device: VerilatedDevice, program: Program) -> None:
    model = FunctionalModel(program.config)
    slow = MemoryTiming(latency=90, bytes_per_cycle=2, stall=40, seed=3)
    for timing in (MemoryTiming(), slow, MemoryTiming()):
        device.timing = timing
        expected = simulate(program, timing)
        for index in (0, 7):
            run = device.run(program, image(program, index), limit=run_limit(expected.cycles))
            np.testing.assert_array_equal(run.outputs["logits"], model.run_codes(program, image(program, index))["logits"])
            assert run.cycles == expected.cycles
            np.testing.assert_array_equal(run.counters, expected.counters)


def test_a_bad_instruction_is_reported_and_the_next_run_is_fine(device: VerilatedDevice, program: Program) -> None:
    bad = bytearray(program.constants)
    bad[program.program_offset + 5 * INSTRUCTION_BYTES] &= 0xF0
    with pytest.raises(TalosError, match=r"stopped with BAD_OPCODE \(info 5\)"):
        device.run(dataclasses.replace(program, constants=bytes(bad)), image(program, 0), limit=100_000)
    run = device.run(program, image(program, 3), limit=100_000)
    expected = FunctionalModel(program.config).run_codes(program, image(program, 3))
    np.testing.assert_array_equal(run.outputs["logits"], expected["logits"])


def test_a_run_that_takes_too_long_is_given_up(device: VerilatedDevice, program: Program) -> None:
    with pytest.raises(TalosError, match=r"did not finish within 300 cycles \(inside an instruction: load"):
        device.run(program, image(program, 0), limit=300)
    assert device.run(program, image(program, 0), limit=100_000).cycles == simulate(program).cycles


def test_another_configuration_is_refused(device: VerilatedDevice) -> None:
    other = compile_model(DIGITS, PRESETS["8x8"], ARRAYS).program
    with pytest.raises(TalosError, match=r"was compiled for 8x8 \(hash \w+\) but the device is 4x4 \(hash \w+\)"):
        device.run(other, image(other, 0))
