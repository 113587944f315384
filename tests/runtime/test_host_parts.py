"""A program with host parts on both sides: saved, run and verified as a whole."""

import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from talos.compiler.pipeline import Compiled, compile_model
from talos.config import PRESETS
from talos.errors import TalosError
from talos.model.functional import FunctionalModel
from talos.program import Program
from talos.report.placement import host_json, host_line
from talos.runtime.execute import HostParts, input_tensors
from talos.runtime.samples import load_samples
from talos.runtime.session import run_images
from talos.runtime.verify import verify
from tests.compiler.qdq_models import QdqModel, session

CONFIG = PRESETS["4x4"]


def network(folder: Path) -> Path:
    """Bytes to floats in front; at the end boxes in the units of a second input, and classes."""
    model = QdqModel(3)
    x = model.node("Cast", [model.input("image", [1, 6, 6, 3], "uint8")], to=TensorProto.FLOAT)
    x = model.node("Transpose", [model.node("Div", [x, model.constant(np.float32(255))])], perm=[0, 3, 1, 2])
    x = model.qdq(x, 0.005, 0)
    x = model.qdq(model.conv(x, (4, 3, 3, 3), 0.005), 0.02, 0)
    flat = model.node("Flatten", [model.qdq(model.node("GlobalAveragePool", [x]), 0.02, 0)])
    model.output(model.node("ArgMax", [flat], axis=1), "int64")
    model.output(model.node("Mul", [flat, model.input("size", [4])]))
    model.output(x)
    return model.save(folder)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network(tmp_path_factory.mktemp("host"))


@pytest.fixture(scope="module")
def compiled(path: Path) -> Compiled:
    return compile_model(path, CONFIG)


def images(count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    return {
        "image": random.integers(0, 256, (count, 6, 6, 3)).astype(np.uint8),
        "size": random.random((4,)).astype(np.float32),
    }


def test_results_are_those_of_onnxruntime(path: Path, compiled: Compiled, tmp_path: Path) -> None:
    compiled.program.save(tmp_path / "p.talos")
    program = Program.load(tmp_path / "p.talos")
    assert program == compiled.program
    assert [part.stage for part in program.host] == ["before", "after"]
    assert {feed.name: (feed.shape, feed.dtype) for feed in program.feeds} == {
        "image": ((1, 6, 6, 3), "uint8"),
        "size": ((4,), "float32"),
    }
    samples = load_samples(program, images(5), "test", None)
    reference = session(onnx.load(path))
    for image, run in zip(samples.inputs, run_images(program, samples.inputs), strict=True):
        expected = dict(zip(program.results, reference.run(list(program.results), image), strict=True))
        assert list(run.results) == list(program.results)
        for name, value in expected.items():
            np.testing.assert_array_equal(run.results[name], value)


def test_verification_covers_host_parts(compiled: Compiled) -> None:
    result = verify(compiled, load_samples(compiled.program, images(4), "test", None), rtl_images=0)
    assert result.equal
    assert [output.kind for output in result.outputs].count("values") == 2
    assert {row.placement for row in result.layers} == {"array", "vector", "host"}
    assert len(result.classes) == 4


def test_verification_notices_another_host_part(compiled: Compiled) -> None:
    """With the front's divisor changed, the codes differ from onnxruntime's."""
    front = compiled.program.host[0]
    proto = onnx.load_model_from_string(front.model)
    for tensor in proto.graph.initializer:
        if onnx.numpy_helper.to_array(tensor).item() == 255:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.float32(250), tensor.name))
    changed = dataclasses.replace(front, model=proto.SerializeToString())
    program = dataclasses.replace(compiled.program, host=(changed, compiled.program.host[1]))
    result = verify(Compiled(program, compiled.quantized_model), load_samples(program, images(4), "test", None), rtl_images=0)
    assert not result.equal and result.mismatched_bytes


def test_inputs_are_checked(compiled: Compiled) -> None:
    host = HostParts(compiled.program)
    good = {name: array[:1] if name == "image" else array for name, array in images(1).items()}
    codes = FunctionalModel(CONFIG).run_codes(compiled.program, input_tensors(compiled.program, host.prepare(good)))
    assert set(host.finish(codes, host.prepare(good))) == set(compiled.program.results)
    with pytest.raises(TalosError, match="needs the inputs image, size, not image"):
        host.prepare({"image": good["image"]})
    with pytest.raises(TalosError, match=r"'image': type float32.*needs uint8"):
        host.prepare(good | {"image": good["image"].astype(np.float32)})
    with pytest.raises(TalosError, match=r"'size': shape 5.*needs 4"):
        host.prepare(good | {"size": np.zeros(5, np.float32)})
    with pytest.raises(TalosError, match="host part makes"):
        input_tensors(compiled.program, good)


def test_random_data_have_the_types_of_the_inputs(compiled: Compiled) -> None:
    samples = load_samples(compiled.program, None, "", 3)
    assert len(samples.inputs) == 3
    for image in samples.inputs:
        HostParts(compiled.program).prepare(image)


def test_different_numbers_of_images_are_refused(compiled: Compiled) -> None:
    data = images(3) | {"size": np.zeros((2, 4), np.float32)}
    with pytest.raises(TalosError, match="different numbers"):
        load_samples(compiled.program, data, "test", None)


def test_line_about_the_host(compiled: Compiled) -> None:
    line, values = host_line(compiled.program), host_json(compiled.program)
    assert line is not None
    for part in ("Cast", "Div", "ArgMax", "Mul", "0.0% of the multiply-accumulates"):
        assert part in line
    assert values["nodes"] == sum(values["op_types"].values()) and values["macs"] == 0
    assert {reason["op"] for reason in values["reasons"]} == {"Cast", "Div", "ArgMax", "Mul"}
    for reason in values["reasons"]:
        assert reason["reason"] and reason["suggestion"]
