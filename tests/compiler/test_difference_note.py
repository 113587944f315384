"""The placement report says of how many pairs of codes an operation of two tensors gives another result than onnxruntime."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from talos.compiler.frontend import FrontendResult, build_graph
from talos.compiler.graph.evaluate import run_graph
from tests.compiler.qdq_models import QdqModel, session

ZEROS = (3, -5, 10)


def _all_pairs(scales: tuple[float, float, float], folder: Path) -> tuple[FrontendResult, npt.NDArray[np.int16]]:
    """QLinearMul of every code with every code, and how far its results are from onnxruntime's."""
    model = QdqModel()
    a, b = (
        model.dequantize(model.input(name, [1, 256, 16, 16], "int8"), scale, zero)
        for name, scale, zero in zip("ab", scales, ZEROS, strict=False)
    )
    model.output(model.quantize(model.node("Mul", [a, b]), scales[2], ZEROS[2]), "int8")
    result = build_graph(model.save(folder))
    codes = np.arange(-128, 128).astype(np.int8)
    feeds = {
        "a": np.broadcast_to(codes.reshape(1, 1, 16, 16), (1, 256, 16, 16)).copy(),
        "b": np.broadcast_to(codes.reshape(1, 256, 1, 1), (1, 256, 16, 16)).copy(),
    }
    (expected,) = session(result.quantized_model).run(None, feeds)
    graph = result.graph
    found = run_graph(graph, {spec.name: spec.to_tensor(feeds[spec.name]) for spec in graph.input_specs})
    ours = graph.output_specs[0].from_tensor(found[graph.outputs[0].name])
    return result, ours.astype(np.int16) - expected


@pytest.mark.parametrize("scales", [(0.03, 0.05, 0.06), (0.1, 0.1, 0.2)])
def test_scales_in_a_simple_ratio(scales: tuple[float, float, float], tmp_path: Path) -> None:
    """onnxruntime rounds the product to float32 before it adds the zero point."""
    result, difference = _all_pairs(scales, tmp_path)
    count = int(np.count_nonzero(difference))
    assert 0 < count < 0.005 * 65536 and np.abs(difference).max() == 1
    reasons = {row.op: row.reason for row in result.node_placement}
    assert reasons["Mul"] == f"{count:,} of 65,536 operand pairs differ from onnxruntime by one code"
    assert "differ" not in reasons["QuantizeLinear"]


@pytest.mark.parametrize("scales", [(0.013, 0.07, 0.09), (2**-5, 2**-6, 2**-7)])
def test_other_scales(scales: tuple[float, float, float], tmp_path: Path) -> None:
    result, difference = _all_pairs(scales, tmp_path)
    assert not difference.any()
    assert not any("differ" in row.reason for row in result.node_placement)
