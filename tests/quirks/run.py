"""Checks one quirk: compile, prove the program sound, run it, compare with onnxruntime."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto

from talos.compiler.pipeline import Compiled, compile_model
from talos.config import AcceleratorConfig
from talos.model.checker import check_program
from talos.runtime.golden import GoldenModel
from talos.runtime.samples import Samples
from talos.runtime.verify import Verification, verify
from tests.quirks.registry import Network, Quirk

__all__ = ["Difference", "Outcome", "check", "random_images", "save"]

Image = dict[str, npt.NDArray[Any]]

IMAGES = 3
SPREAD = 0.8  # of the inputs of float models: less than their samples', so that results rarely leave the calibrated range
NOT_COUNTED = frozenset({
    "Cast", "Constant", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "Reshape", "Squeeze", "Transpose", "Unsqueeze",
})  # fmt: skip
"""Operators that only dress up the values of others: where they run is no matter of `Quirk.host`."""


class Difference(AssertionError):
    """A quirk that does not do what it must."""


@dataclass(frozen=True)
class Outcome:
    """What was compared, for the command's table."""

    layers: int
    bytes: int
    different: int
    noise: float | None
    rtl_cycles: int | None


def check(quirk: Quirk, config: AcceleratorConfig, folder: Path, *, rtl: bool = False, seed: int = 1) -> Outcome:
    """Build, compile for `config` and run `quirk` on random images; with `rtl` the first one on the Verilog too.

    Raises Difference for a wrong result or placement, TalosError if it cannot be compiled.
    """
    network = quirk.build()
    path = save(network, folder)
    images = random_images(network, seed)
    compiled = compile_model(path, config, network.samples)
    check_program(compiled.program)
    _check_placement(quirk, compiled)
    result = verify(compiled, Samples(images, None, "random"), rtl_images=int(rtl))
    different = _check_values(quirk, result)
    noise = _check_reference(quirk, network, compiled, images)
    if not result.rtl.equal:
        raise Difference(f"the Verilog differs from the models: {result.rtl.difference or 'other bytes'}")
    return Outcome(len(compiled.program.layers), result.bytes, different, noise, result.rtl.cycles)


def save(network: Network, folder: Path) -> Path:
    """The network as a file in `folder`, with its weights beside it if they are external."""
    path = folder / "net.onnx"
    if network.external:
        model = onnx.ModelProto()  # saving moves the weights out of the model
        model.CopyFrom(network.model)
        onnx.save(model, path, save_as_external_data=True, location="net.bin", size_threshold=0, convert_attribute=True)
    else:
        onnx.save(network.model, path)
    return path


def random_images(network: Network, seed: int, count: int = IMAGES) -> list[Image]:
    """Inputs that use the codes' whole range and go beyond it; those of float models are distributed as their samples."""
    random = np.random.default_rng(seed)
    constants = {tensor.name for tensor in network.model.graph.initializer}
    images: list[Image] = []
    for _ in range(count):
        image: Image = {}
        for value in network.model.graph.input:
            if value.name in constants:
                continue
            shape = [1, *(dim.dim_value for dim in value.type.tensor_type.shape.dim[1:])]  # one image, whatever the batch
            kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
            if value.type.tensor_type.elem_type != TensorProto.FLOAT:
                limits = np.iinfo(kind)
                image[value.name] = random.integers(limits.min, limits.max + 1, shape).astype(kind)
            elif network.samples is None:
                image[value.name] = random.uniform(-network.reach, network.reach, shape).astype(kind)
            else:
                image[value.name] = random.normal(0, SPREAD, shape).astype(kind)
        images.append(image)
    return images


def _check_placement(quirk: Quirk, compiled: Compiled) -> None:
    found = {row.op for row in compiled.program.placements if row.placement == "host"} - NOT_COUNTED
    if found != quirk.host:
        reasons = "; ".join(sorted({f"{row.op}: {row.reason}" for row in compiled.program.placements if row.op in found}))
        raise Difference(f"on the host: {sorted(found)}, expected {sorted(quirk.host)} ({reasons})")


def _check_values(quirk: Quirk, result: Verification) -> int:
    """The values that differ from onnxruntime; Difference if there are more than allowed."""
    different = result.mismatched_bytes
    if not different:
        return 0
    worst = max((output for output in result.outputs if output.mismatched_bytes), key=lambda output: output.max_difference)
    what = f"{different} of {result.bytes} values differ, '{worst.name}' by up to {worst.max_difference} ({worst.kind})"
    allowance = quirk.allowance
    if allowance is None or worst.max_difference > 1 or different > allowance.share * result.bytes:
        raise Difference(what)
    return different


def _check_reference(quirk: Quirk, network: Network, compiled: Compiled, images: list[Image]) -> float | None:
    """The quantized model that Talos compares with must be the user's own: equal, or close to the float model (the RMS error)."""
    nameless = onnx.ModelProto()
    nameless.CopyFrom(network.model)
    for node in nameless.graph.node:  # onnxruntime insists on unique names; a name changes nothing
        node.name = ""
    users, ours = GoldenModel(nameless.SerializeToString()), GoldenModel(compiled.quantized_model)
    error = power = 0.0
    for image in images:
        expected, found = users.run(_batched(network, image)), ours.run(image)
        for name, value in expected.items():
            if network.samples is None:
                if found[name].tobytes() != value.reshape(-1)[: found[name].size].tobytes():
                    raise Difference(f"the model that Talos compares with gives another '{name}' than the user's model")
            elif value.dtype == np.float32:
                error += float(np.square(found[name] - value).sum())
                power += float(np.square(value).sum())
    if network.samples is None or not power:
        return None
    noise = float(np.sqrt(error / power))
    if noise > quirk.noise:
        raise Difference(f"quantization noise is {noise:.1%} of the float model's results, more than {quirk.noise:.0%}")
    return noise


def _batched(network: Network, image: Image) -> Image:
    """`image` as often as the model's fixed batch wants it."""
    shapes = {value.name: value.type.tensor_type.shape for value in network.model.graph.input}
    return {name: np.repeat(array, max(1, shapes[name].dim[0].dim_value), axis=0) for name, array in image.items()}
