"""The network as a list of nodes: which layer reads which, with placed layers and host parts."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from talos.compiler.graph.network import NetworkNode
from talos.compiler.pipeline import compile_model
from talos.config import PRESETS

CONFIG = PRESETS["8x8"]


def network(folder: Path, text: str, weights: dict[str, tuple[int, ...]]) -> tuple[NetworkNode, ...]:
    """Of a float model, calibrated on noise."""
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')
    rng = np.random.default_rng(1)
    for name, shape in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name))
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return compile_model(path, CONFIG, {"x": rng.normal(size=(4, 8, 8, 8)).astype(np.float32)}).network


def edges(nodes: tuple[NetworkNode, ...]) -> set[tuple[str, str]]:
    return {(nodes[source].name, node.name) for node in nodes for source in node.inputs}


def test_residual_and_concat(tmp_path: Path) -> None:
    nodes = network(
        tmp_path,
        """net (float[1,8,8,8] x) => (float[1,16,8,8] y) {
            a = Conv <pads = [1,1,1,1]> (x, w)
            b = Conv <pads = [1,1,1,1]> (a, v)
            c = Add (b, x)
            d = MaxPool <kernel_shape = [3,3], pads = [1,1,1,1], strides = [1,1]> (c)
            y = Concat <axis = 1> (c, d)
        }""",
        {"w": (8, 8, 3, 3), "v": (8, 8, 3, 3)},
    )
    placed = {node.name: node.placement for node in nodes}
    assert placed["x"] == "input" and placed["y"] == "output"
    assert placed["Conv_0"] == placed["Conv_1"] == "array" and placed["MaxPool_3"] == "vector"
    assert "placement" in placed.values()
    found = edges(nodes)
    assert {("x", "Conv_0"), ("Conv_0", "Conv_1"), ("x", "Conv_1"), ("Conv_1", "MaxPool_3")} <= found
    assert all(source < number for number, node in enumerate(nodes) for source in node.inputs)
    (conv,) = (node for node in nodes if node.name == "Conv_1")
    assert conv.shape == (8, 8, 8) and conv.macs == 8 * 8 * 8 * 8 * 9 and "Add_2" in conv.nodes
    assert next(node for node in nodes if node.op == "concat").shape == (8, 8, 16)


def test_host_parts(tmp_path: Path) -> None:
    """A Softmax behind the accelerator."""
    nodes = network(
        tmp_path,
        """net (float[1,8,8,8] x) => (float[1,4] y) {
            a = Conv (x, w)
            b = GlobalAveragePool (a)
            c = Flatten (b)
            y = Softmax (c)
        }""",
        {"w": (4, 8, 3, 3)},
    )
    (host,) = (node for node in nodes if node.placement == "host")
    assert host.op == "Softmax" and "Softmax_3" in host.nodes
    result = nodes[-1]
    assert (result.name, result.placement) == ("y", "output")
    assert [nodes[source] for source in result.inputs] == [host]
    assert [nodes[source].placement for source in host.inputs] == ["vector"]


@pytest.mark.parametrize("images", [1, 3])
def test_batches_have_the_network_of_one_image(images: int) -> None:
    model = Path(__file__).parent.parent.parent / "models" / "digits.onnx"
    with np.load(model.with_suffix(".npz")) as arrays:
        compiled = compile_model(model, CONFIG, dict(arrays), batch=images)
    assert [node.placement for node in compiled.network].count("array") == 5
    assert sum(node.macs for node in compiled.network) == compiled.program.macs
