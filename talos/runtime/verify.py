"""One network on every backend: onnxruntime, functional model, cycle model and generated Verilog, compared."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.compiler.pipeline import Compiled
from talos.memory import MemoryTiming
from talos.model.timing.core import Timing, simulate
from talos.program import Program
from talos.runtime.device import VerilatedDevice, memory_map, run_limit
from talos.runtime.execute import input_tensors
from talos.runtime.layer_check import LayerCheck, LayerWitness
from talos.runtime.layers import LayerCycles, layer_cycles
from talos.runtime.predictions import compared_runs, float_classes
from talos.runtime.progress import Progress, silent
from talos.runtime.samples import Samples
from talos.runtime.timing_check import TimingCheck, check_timing
from talos.runtime.waves import complete_waves
from talos.runtime.witness import OutputComparison, Witness

__all__ = ["Accuracy", "RtlCheck", "Verification", "verify"]

Codes = dict[str, NDArray[np.int8]]
Values = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Accuracy:
    """Share of images whose class is the label, 0…1. `float32` is None if the model was quantized to begin with."""

    float32: float | None
    onnxruntime: float
    talos: float


@dataclass
class RtlCheck:
    """The Verilog over `images`: bytes against the functional model, time against the cycle model.

    `cycles` is that of the first image, or of the first one that differs from the model. `difference` tells the first difference.
    """

    images: int = 0
    bytes: int = 0
    mismatched_bytes: int = 0
    cycles: int | None = None
    cycles_equal: bool = True
    trace_equal: bool = True
    counters_equal: bool = True
    difference: str = ""

    def add(self, cycles: int, check: TimingCheck, mismatched: int, total: int) -> None:
        """Count one image."""
        self.images += 1
        self.bytes += total
        self.mismatched_bytes += mismatched
        if self.cycles is None or (self.cycles_equal and not check.cycles_equal):
            self.cycles = cycles
        self.cycles_equal &= check.cycles_equal
        self.trace_equal &= check.trace_equal
        self.counters_equal &= check.counters_equal
        self.difference = self.difference or check.difference

    @property
    def equal(self) -> bool:
        """Everything that was looked at."""
        return not self.mismatched_bytes and self.cycles_equal and self.trace_equal and self.counters_equal


@dataclass(frozen=True)
class Verification:
    """What `verify` found. `source` says where the images come from; `layer_check` is None unless the layers were compared."""

    program: Program
    memory: MemoryTiming
    timing: Timing
    layers: list[LayerCycles]
    images: int
    source: str
    outputs: list[OutputComparison]
    rtl: RtlCheck
    accuracy: Accuracy | None
    classes: list[int] = field(default_factory=list)
    layer_check: LayerCheck | None = None

    @property
    def utilization(self) -> float:
        """Multiply-accumulates per cycle as a share of the array's peak."""
        return self.program.macs / (self.program.config.peak_macs * self.timing.cycles)

    @property
    def bytes(self) -> int:
        """Bytes compared with onnxruntime."""
        return sum(output.bytes for output in self.outputs)

    @property
    def mismatched_bytes(self) -> int:
        """Of these, bytes that differ."""
        return sum(output.mismatched_bytes for output in self.outputs)

    @property
    def equal(self) -> bool:
        """Everything that must be equal is."""
        layers = self.layer_check is None or self.layer_check.equal
        return not self.mismatched_bytes and self.rtl.equal and layers


def verify(
    compiled: Compiled,
    samples: Samples,
    *,
    rtl_images: int = 1,
    memory: MemoryTiming | None = None,
    float_model: bytes | None = None,
    waves: Path | None = None,
    progress: Progress = silent,
) -> Verification:
    """Run all `samples` on the functional model and onnxruntime, the cycle model once, and the first `rtl_images` on the Verilog.

    If `compiled` has `layers`, every layer's tensor is compared with onnxruntime too, over all samples. `float_model` is the
    serialized model before quantization, for its accuracy. `waves`: a .fst or .vcd file for all signals of the Verilog.
    Raises TalosError if something cannot be run at all;
    what differs is in the result.
    """
    program = compiled.program
    memory = memory or MemoryTiming()
    witness = Witness(compiled)
    layers = LayerWitness(compiled, compiled.layers) if compiled.layers else None
    expected: list[tuple[Values, Codes]] = []
    classes: list[int] = []
    golden_classes: list[int] = []
    for run in compared_runs(compiled, samples, witness, progress=progress):
        if layers:
            layers.compare(run.values, run.codes)
        if len(expected) < rtl_images:
            expected.append((run.values, run.codes))
        if run.talos is not None and run.onnxruntime is not None:
            classes.append(run.talos)
            golden_classes.append(run.onnxruntime)
    accuracy = None
    if samples.labels is not None and len(classes) == len(samples.inputs):
        of_float = None
        if float_model is not None:
            of_float = _share(float_classes(float_model, samples, progress=progress), samples.labels)
        accuracy = Accuracy(of_float, _share(golden_classes, samples.labels), _share(classes, samples.labels))
    progress("cycle model", 0, 0)
    timing = simulate(program, memory, memory_map(program)[0], progress=progress)
    if waves is None:
        rtl = _run_verilog(program, expected, timing, memory, progress)
    else:
        with complete_waves(waves) as file:
            rtl = _run_verilog(program, expected, timing, memory, progress, file)
    return Verification(
        program=program,
        memory=memory,
        timing=timing,
        layers=layer_cycles(program, timing),
        images=len(samples.inputs),
        source=samples.source,
        outputs=list(witness.outputs.values()),
        rtl=rtl,
        accuracy=accuracy,
        classes=classes,
        layer_check=layers.check if layers else None,
    )


def _run_verilog(
    program: Program,
    expected: list[tuple[Values, Codes]],
    timing: Timing,
    memory: MemoryTiming,
    progress: Progress,
    waves: Path | None = None,
) -> RtlCheck:
    result = RtlCheck()
    if not expected:
        return result
    progress(f"building the simulation of the Verilog ({program.config.name}; minutes the first time)", 0, 0)
    device = VerilatedDevice(program.config, timing=memory, waves=waves)
    limit = run_limit(timing.cycles)
    work = len(expected) * timing.cycles

    def report(stage: str, done: int, total: int) -> None:
        progress("Verilog against the models", min(result.images * timing.cycles + done, work), work)

    try:
        for values, codes in expected:
            run = device.run(program, input_tensors(program, values), limit=limit, progress=report)
            mismatched = sum(int(np.count_nonzero(run.outputs[name] != value)) for name, value in codes.items())
            result.add(run.cycles, check_timing(program, timing, run), mismatched, sum(value.size for value in codes.values()))
    finally:
        device.close()
    return result


def _share(classes: Sequence[int], labels: Any) -> float:
    return float(np.mean(np.asarray(classes) == labels))
