"""verify: equal where all is well, and every kind of difference noticed."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from talos.compiler.pipeline import Compiled, compile_model
from talos.config import PRESETS
from talos.isa import Instruction, Opcode, Unit
from talos.memory import MemoryTiming
from talos.model.functional import FunctionalModel
from talos.model.timing.core import Timing, simulate
from talos.program import LayerInfo, Program
from talos.registers import COUNTERS
from talos.runtime import verify as verify_module
from talos.runtime.classes import predicted_class
from talos.runtime.device import Run
from talos.runtime.layers import layer_cycles
from talos.runtime.samples import Samples, load_arrays, load_samples
from talos.runtime.timing_check import check_timing
from talos.runtime.verify import verify
from talos.runtime.verilated import TRACE_DTYPE
from tests.cli_runner import DIGITS, MODELS

ARRAYS = load_arrays(MODELS / "digits.npz")


@pytest.fixture(scope="module")
def digits() -> Compiled:
    return compile_model(DIGITS, PRESETS["4x4"], ARRAYS)


@pytest.fixture(scope="module")
def timing(digits: Compiled) -> Timing:
    return simulate(digits.program)


def samples(compiled: Compiled, count: int) -> Samples:
    return load_samples(compiled.program, ARRAYS, "digits.npz", count)


def faithful_run(compiled: Compiled, timing: Timing) -> Run:
    """What the device returns when the Verilog does exactly what the cycle model says."""
    events = [
        (int(cycle), int(instruction.unit), kind)
        for kind, cycles in ((0, timing.starts), (1, timing.ends))
        for instruction, cycle in zip(compiled.program.instructions, cycles, strict=True)
    ]
    events += [(3, int(Unit.FETCH), 0), (3, int(Unit.FETCH), 1)]
    trace = np.array(sorted(events), TRACE_DTYPE)
    return Run({}, timing.cycles, timing.counters.copy(), trace)


def test_digits_on_every_backend(digits: Compiled) -> None:
    """The real thing, on the generated Verilog, with a DRAM that pauses at random."""
    stages: list[tuple[str, int, int]] = []
    result = verify(
        digits,
        samples(digits, 12),
        rtl_images=2,
        memory=MemoryTiming(latency=20, bytes_per_cycle=3, outstanding=3, stall=64, seed=7),
        float_model=DIGITS.read_bytes(),
        progress=lambda stage, done, total: stages.append((stage, done, total)),
    )
    assert result.rtl.difference == ""
    assert result.equal
    assert (result.images, result.bytes, result.mismatched_bytes) == (12, 120, 0)
    assert (result.rtl.images, result.rtl.bytes, result.rtl.mismatched_bytes) == (2, 20, 0)
    assert result.rtl.cycles == result.timing.cycles
    assert result.rtl.cycles_equal and result.rtl.trace_equal and result.rtl.counters_equal
    assert result.accuracy is not None and result.accuracy.talos == result.accuracy.onnxruntime
    assert result.utilization == result.program.macs / (16 * result.timing.cycles)
    assert {("functional model against onnxruntime", 12, 12), ("float model in onnxruntime", 12, 12)} <= set(stages)
    assert all(0 <= done <= total or total == 0 for _, done, total in stages)


def test_accuracy_of_the_whole_test_split(digits: Compiled) -> None:
    result = verify(digits, samples(digits, 360), rtl_images=0, float_model=DIGITS.read_bytes())
    assert result.accuracy is not None and result.accuracy.float32 == pytest.approx(358 / 360)  # models/README.md
    assert result.accuracy.talos == result.accuracy.onnxruntime > 0.98
    assert (result.bytes, result.mismatched_bytes, result.rtl.images, result.rtl.cycles) == (3600, 0, 0, None)
    assert result.equal


def test_a_wrong_byte_is_noticed(digits: Compiled, monkeypatch: pytest.MonkeyPatch) -> None:
    right = FunctionalModel.run_codes

    def wrong(self: FunctionalModel, *arguments: object) -> dict[str, np.ndarray]:
        codes = right(self, *arguments)  # type: ignore[arg-type]
        codes["logits"].reshape(-1)[3] -= 2
        return codes

    monkeypatch.setattr(FunctionalModel, "run_codes", wrong)
    result = verify(digits, samples(digits, 5), rtl_images=0)
    assert not result.equal
    assert (result.bytes, result.mismatched_bytes) == (50, 5)
    assert [output.max_difference for output in result.outputs] == [2]


class _OtherDevice:
    """A device that is right or wrong as the test wants."""

    change: Callable[[Run], Run]
    compiled: Compiled
    timing_result: Timing

    def __init__(self, config: object, *, timing: object, waves: object = None) -> None:
        self.model = FunctionalModel(self.compiled.program.config)

    def run(self, program: object, tensors: dict[str, np.ndarray], **_: object) -> Run:
        run = faithful_run(self.compiled, self.timing_result)
        outputs = self.model.run_codes(self.compiled.program, tensors)
        return type(self).change(dataclasses.replace(run, outputs=outputs))

    def close(self) -> None:
        pass


def _flip(run: Run) -> Run:
    run.outputs["logits"].reshape(-1)[0] ^= 1
    return run


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda run: run, (True, 0, True, True, True)),
        (_flip, (False, 3, True, True, True)),
        (lambda run: dataclasses.replace(run, cycles=run.cycles + 1), (False, 0, False, True, True)),
        (lambda run: dataclasses.replace(run, counters=run.counters + 1), (False, 0, True, True, False)),
        (lambda run: dataclasses.replace(run, trace=run.trace[:-1]), (False, 0, True, False, True)),
    ],
)
def test_what_differs_in_the_verilog(
    digits: Compiled, timing: Timing, monkeypatch: pytest.MonkeyPatch, change: Callable[[Run], Run], found: tuple[object, ...]
) -> None:
    device = type("Device", (_OtherDevice,), {"change": staticmethod(change), "compiled": digits, "timing_result": timing})
    monkeypatch.setattr(verify_module, "VerilatedDevice", device)
    result = verify(digits, samples(digits, 4), rtl_images=3)
    rtl = result.rtl
    assert (result.equal, rtl.mismatched_bytes, rtl.cycles_equal, rtl.trace_equal, rtl.counters_equal) == found
    assert rtl.images == 3 and result.mismatched_bytes == 0


def test_timing_check_names_the_first_difference(digits: Compiled, timing: Timing) -> None:
    program = digits.program
    run = faithful_run(digits, timing)
    assert check_timing(program, timing, run).equal and check_timing(program, timing, run).difference == ""

    late = run.trace.copy()
    chosen = int(np.flatnonzero((late["unit"] == Unit.MATRIX) & (late["kind"] == 1))[1])
    late["cycle"][chosen] += 1
    check = check_timing(program, timing, dataclasses.replace(run, trace=late))
    index = [i for i, instruction in enumerate(program.instructions) if instruction.unit is Unit.MATRIX][1]
    end = int(timing.ends[index])
    layer = program.layers[program.layer_of[index]].name
    assert check.difference == (
        f"instruction {index} (MATMUL, layer '{layer}') ends in cycle {end} in the model, {end + 1} in the Verilog"
    )
    assert (check.cycles_equal, check.trace_equal, check.counters_equal) == (True, False, True)

    fewer = run.trace[~((run.trace["unit"] == Unit.STORE) & (run.trace["kind"] == 1))]
    assert "the store unit ends 1 instructions in the model, 0 in the Verilog" in (
        check_timing(program, timing, dataclasses.replace(run, trace=fewer)).difference
    )

    counters = timing.counters.copy()
    counters[Unit.VECTOR, COUNTERS.index("sync")] += 5
    check = check_timing(program, timing, dataclasses.replace(run, counters=counters))
    expected = int(timing.counters[Unit.VECTOR, 1])
    assert check.difference == f"counter vector sync: model {expected}, Verilog {expected + 5}"


def test_layer_cycles_sum_to_the_run(digits: Compiled, timing: Timing) -> None:
    layers = layer_cycles(digits.program, timing)
    assert [layer.name for layer in layers] == [layer.name for layer in digits.program.layers]
    assert sum(layer.cycles for layer in layers) == timing.cycles
    assert sum(layer.macs for layer in layers) == digits.program.macs
    for layer in layers:
        assert layer.cycles >= 0
        assert layer.utilization == (layer.macs / (16 * layer.cycles) if layer.cycles else 0)
        assert layer.utilization <= 1
        assert layer.bound in ("array", "weights", "vector", "load", "store", "latency")
        assert 0 <= layer.lost <= layer.cycles


def test_each_cycle_belongs_to_one_layer() -> None:
    """Two layers that overlap, by hand: see the drawing, one column for five cycles.

    ::

        load    0 0 . . . . . . . . . .
        matrix  . . 0 0 1 1 1 . . . . .     the second MATMUL starts when the first has issued everything
        vector  . . . . 0 . . 1 . . . .
        store   . . . . . . . . . 1 . .
        owner   0 0 0 0 1 1 1 1 1 1 1 1
    """
    opcodes = (Opcode.LOAD, Opcode.MATMUL, Opcode.MATMUL, Opcode.VECTOR, Opcode.VECTOR, Opcode.STORE)
    instructions = [Instruction(opcode) for opcode in opcodes]
    program = Program(
        name="two",
        config=PRESETS["4x4"],
        constants=b"".join(instruction.encode() for instruction in instructions),
        program_offset=0,
        instruction_count=6,
        region_bytes=(384, 0, 0, 0),
        inputs=(),
        outputs=(),
        layers=(LayerInfo("a", "conv", 160, "array", ("a",)), LayerInfo("b", "conv", 640, "array", ("b",))),
        layer_of=(0, 0, 1, 0, 1, 1),
    )
    starts, ends = np.array([0, 10, 20, 20, 35, 45]), np.array([9, 22, 34, 24, 39, 49])
    first, second = layer_cycles(program, Timing(60, starts, ends, np.zeros((6, 3), np.int64)))
    assert (first.cycles, second.cycles) == (20, 40)
    assert (first.utilization, second.utilization) == (160 / (16 * 20), 640 / (16 * 40))
    assert (first.bound, second.bound) == ("load", "latency")


def test_predicted_class() -> None:
    vector = np.array([[0.1, 0.7, 0.2]], np.float32)
    assert predicted_class({"p": vector}) == 1
    assert predicted_class({"class": np.array([4]), "p": vector}) == 4
    assert predicted_class({"map": np.zeros((1, 3, 4, 4))}) is None
    assert predicted_class({"height": np.array([1.5])}) is None
    assert predicted_class({"map": np.zeros((1, 3, 4, 4)), "p": vector}) == 1
