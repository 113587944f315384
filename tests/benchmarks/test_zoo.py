"""The benchmark's networks: small versions equal onnxruntime byte for byte, the published ones have the published size."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.bound import layer_bound, network_bound
from benchmarks.zoo import NETWORKS, build_network, model_file
from talos.compiler.frontend import build_graph
from talos.compiler.graph.ir import Concat, Conv, Graph, Rearrange, Tensor
from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.errors import TalosError
from talos.model.checker import check_program
from talos.model.functional import FunctionalModel
from talos.runtime.execute import input_tensors
from talos.runtime.witness import Witness

CONFIG = PRESETS["8x8"]
SIZE, WIDTH = 64, 1 / 8


@pytest.mark.parametrize("name", NETWORKS)
def test_small_versions_equal_onnxruntime(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(build_network(name, SIZE, WIDTH))
    compiled = compile_model(path, CONFIG)
    check_program(compiled.program)
    witness, model = Witness(compiled), FunctionalModel(CONFIG, garbage=1)
    rng = np.random.default_rng(2)
    for spread in (1.0, 3.0):  # the second reaches the clamps
        image = {"image": (spread * rng.standard_normal((1, 3, SIZE, SIZE))).astype(np.float32)}
        codes = model.run_codes(compiled.program, input_tensors(compiled.program, image))
        witness.compare(image, codes)
        assert all(len(np.unique(values)) > 30 for values in codes.values()), "answers with a few codes would prove little"
    assert witness.outputs
    for output in witness.outputs.values():
        assert output.bytes > 0 and output.mismatched_bytes == 0


def _graph(name: str, folder: Path) -> Graph:
    path = folder / f"{name}.onnx"
    path.write_bytes(build_network(name))
    return build_graph(path).graph


@pytest.mark.parametrize(
    ("name", "mmacs", "bounds"),
    [
        ("resnet18", 1814, (28.66, 7.36)),
        ("squeezenet1_1", 349, (5.71, 1.43)),
        ("mobilenetv1", 569, (9.72, 2.68)),
        ("mobilenetv2", 301, (5.69, 1.78)),
        ("yolov3_tiny", 2782, None),
    ],
)
def test_published_networks(name: str, mmacs: int, bounds: tuple[float, float] | None, tmp_path: Path) -> None:
    """Multiply-accumulates as in the literature; bounds in millions of cycles at 8×8 and 16×16 as the design has them."""
    graph = _graph(name, tmp_path)
    assert round(sum(layer.macs for layer in graph.layers) / 1e6) == mmacs
    for preset, bound in zip(("8x8", "16x16"), bounds or (), strict=False):
        assert round(network_bound(graph, PRESETS[preset]) / 1e6, 2) == bound
    kinds = {type(layer) for layer in graph.layers}
    assert (Concat in kinds) == (name in ("squeezenet1_1", "yolov3_tiny"))
    assert (Rearrange in kinds) == (name == "yolov3_tiny")


def test_bound_by_hand() -> None:
    """The first layer of ResNet-18 packs 21 contiguous bytes, a fully connected one waits for its weights."""
    wide = Conv("", (), [], _tensor(112, 112, 64), weight=np.zeros((64, 7, 7, 3), np.int8), strides=(2, 2))
    wide.inputs = [_tensor(224, 224, 3)]
    assert layer_bound(wide, PRESETS["16x16"]) == 112 * 112 * 4 * 7 * 2
    narrow = Conv("", (), [_tensor(1, 1, 512)], _tensor(1, 1, 1000), weight=np.zeros((1000, 1, 1, 512), np.int8))
    assert layer_bound(narrow, PRESETS["16x16"]) == 512 * 1000 // 16
    depthwise = Conv("", (), [_tensor(16, 16, 20)], _tensor(8, 8, 20), weight=np.zeros((20, 3, 3, 1), np.int8))
    depthwise.groups, depthwise.strides = 20, (2, 2)
    assert layer_bound(depthwise, PRESETS["16x16"]) == 8 * 8 * 2 * 3 * 2


def _tensor(height: int, width: int, channels: int) -> Tensor:
    return Tensor("", (height, width, channels), np.float32(1), 0)


def test_models_are_kept_and_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALOS_CACHE", str(tmp_path))
    path = model_file("squeezenet1_1")
    assert path.is_relative_to(tmp_path) and path.name == "squeezenet1_1.onnx"
    written = path.stat().st_mtime_ns
    assert model_file("squeezenet1_1").stat().st_mtime_ns == written
    assert model_file("squeezenet1_1", tmp_path / "models").read_bytes() == path.read_bytes()


def test_refused(tmp_path: Path) -> None:
    with pytest.raises(TalosError, match="network 'alexnet' is unknown; choose from resnet18"):
        build_network("alexnet")
    (tmp_path / "file").write_text("")
    with pytest.raises(TalosError, match="cannot be made"):
        model_file("squeezenet1_1", tmp_path / "file" / "folder")
