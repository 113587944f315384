"""Programs for several images at once: the same results, the weights once, fewer cycles per image; models with a batch in their shapes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.errors import TalosError
from talos.model.checker import check_program
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import Program
from talos.runtime.device import VerilatedDevice, memory_map
from talos.runtime.execute import HostParts, input_tensors, stack_batch
from talos.runtime.samples import load_samples
from talos.runtime.session import run_images
from talos.runtime.timing_check import check_timing
from tests.compiler.qdq_models import QdqModel, session

CONFIG = PRESETS["4x4"]


def network(folder: Path, batch: int | str = 1, *, reshape: bool = False, axis: int = 1) -> Path:
    """Two inputs, a residual, a pool, a concat, and Softmax on the host. `reshape`: with the batch in the shape of a Reshape."""
    model = QdqModel(5)
    a = model.qdq(model.input("a", [batch, 4, 8, 8]), 0.03, 2)
    b = model.qdq(model.input("b", [batch, 6, 8, 8]), 0.03, -4)
    b = model.qdq(model.conv(b, (4, 6, 3, 3), 0.03, pads=[1, 1, 1, 1]), 0.1, 0)
    x = model.qdq(model.node("Add", [model.qdq(model.conv(a, (4, 4, 1, 1), 0.03), 0.1, 0), b]), 0.1, 0)
    x = model.node("Concat", [model.qdq(model.node("MaxPool", [x], kernel_shape=[8, 8]), 0.1, 0)] * 2, axis=1)
    x = model.qdq(x, 0.1, 0)
    if reshape:
        x = model.node("Reshape", [x, model.constant(np.array([batch, 8]))])
    else:
        x = model.node("Flatten", [x])
    x = model.qdq(model.node("Gemm", [model.qdq(x, 0.1, 0), model.weight((8, 5), axis=1)]), 0.1, 0)
    model.output(x)
    model.output(model.node("Softmax", [x], axis=axis))
    return model.save(folder)


def images(count: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {name: random.normal(0, 2, (count, depth, 8, 8)).astype(np.float32) for name, depth in (("a", 4), ("b", 6))}


def reference(path: Path, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    model = session(onnx.load(path))
    names = [output.name for output in model.get_outputs()]
    return dict(zip(names, model.run(names, data), strict=True))


def require_equal(program: Program, data: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    samples = load_samples(program, data, "test", None)
    runs = run_images(program, samples.inputs)
    for name, value in expected.items():
        np.testing.assert_array_equal(np.concatenate([run.results[name] for run in runs]), value)


@pytest.mark.parametrize("batch", [2, 3, 8])
def test_same_results_whatever_the_batch(tmp_path: Path, batch: int) -> None:
    path = network(tmp_path, "n")
    one, many = (compile_model(path, CONFIG, batch=count).program for count in (1, batch))
    check_program(many)
    many.save(tmp_path / "p")
    assert Program.load(tmp_path / "p") == many
    assert many.program_offset == one.program_offset  # constants are there once
    assert [layer.name for layer in many.layers] == [layer.name for layer in one.layers] and many.macs == one.macs
    assert max(many.layer_of) == len(many.layers) - 1
    for port in (*many.inputs, *many.outputs):
        assert port.batch == batch and port.stride > 0
    require_equal(many, images(7), reference(path, images(7)))  # 7: the last run is not full


def test_the_end_of_an_image_overlaps_the_beginning_of_the_next(tmp_path: Path) -> None:
    path = network(tmp_path, "n")
    cycles = {}
    for batch in (1, 4):
        program = compile_model(path, CONFIG, batch=batch).program
        cycles[batch] = simulate(program, None, memory_map(program)[0]).cycles
    assert cycles[4] < 4 * cycles[1]


def test_batch_on_the_verilog(tmp_path: Path) -> None:
    program = compile_model(network(tmp_path, "n"), CONFIG, batch=3).program
    samples = load_samples(program, images(3), "test", None)
    host = HostParts(program)
    tensors = stack_batch(program, [input_tensors(program, host.prepare(image)) for image in samples.inputs])
    device = VerilatedDevice(CONFIG)
    try:
        run = device.run(program, tensors)
    finally:
        device.close()
    timing = simulate(program, None, memory_map(program)[0])
    assert check_timing(program, timing, run).equal
    expected = FunctionalModel(CONFIG).run_codes(program, tensors)
    assert set(run.outputs) == set(expected)
    for name, codes in expected.items():
        np.testing.assert_array_equal(run.outputs[name], codes)


@pytest.mark.parametrize("reshape", [False, True])
def test_model_with_a_batch_in_its_shapes(tmp_path: Path, reshape: bool) -> None:
    path = network(tmp_path, 4, reshape=reshape)
    compiled = compile_model(path, CONFIG, batch=None)
    assert compiled.program.batch == 4
    assert [feed.shape[0] for feed in compiled.program.feeds] == [1, 1]
    require_equal(compiled.program, images(4), reference(path, images(4)))
    assert compile_model(path, CONFIG, batch=2).program.batch == 2


def _shared(model: QdqModel, x: str) -> str:
    return model.node("Softmax", [x], axis=0)


def _turned(model: QdqModel, x: str) -> str:
    return model.node("Transpose", [x], perm=[1, 0, 2, 3])


def _joined(model: QdqModel, x: str) -> str:
    return model.node("Reshape", [x, model.constant(np.array([1, 20, 6, 6]))])


@pytest.mark.parametrize("build", [_shared, _turned, _joined])
def test_mixed_images_are_refused(tmp_path: Path, build: Callable[[QdqModel, str], str]) -> None:
    model = QdqModel(6)
    x = model.qdq(model.conv(model.qdq(model.input("x", [4, 3, 8, 8]), 0.03, 0), (5, 3, 3, 3), 0.03), 0.1, 0)
    model.output(build(model, x))
    with pytest.raises(TalosError, match=r"node '.*_7' .*mixes the 4 images|batch of 4 cannot be split"):
        compile_model(model.save(tmp_path), CONFIG)


def test_inputs_of_different_batches_are_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["y"])]
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [size, 3]) for name, size in (("a", 4), ("b", 1))]
    graph = helper.make_graph(nodes, "g", shapes, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 3])])
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(TalosError, match=r"input 'a' has a fixed batch of 4"):
        compile_model(path, CONFIG)
