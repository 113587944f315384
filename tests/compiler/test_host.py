"""What the accelerator refuses runs on the host, in front of it or behind it, and gives exactly what onnxruntime gives."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from talos.compiler.frontend import FrontendResult, build_graph
from talos.errors import TalosError
from tests.compiler.qdq_models import QdqModel, compare, session

X = 0.03


def _head(model: QdqModel, channels: int = 4, size: int = 8) -> str:
    return model.qdq(model.input("x", [1, channels, size, size]), X, 3)


def _norm(model: QdqModel, x: str, channels: int) -> str:
    """A float operator that the accelerator has not."""
    scale, bias = (model.constant(model.random.uniform(0.5, 1.5, channels).astype(np.float32)) for _ in range(2))
    return model.node("InstanceNormalization", [x, scale, bias])


def _stages(result: FrontendResult) -> dict[str, set[str]]:
    return {part.stage: {why.op for why in part.reasons} for part in result.graph.host}


def _on_host(result: FrontendResult) -> set[str]:
    return {row.op for row in result.node_placement if row.placement == "host"}


def test_preprocessing_of_bytes_runs_in_front(tmp_path: Path) -> None:
    model = QdqModel()
    x = model.node("Cast", [model.input("image", [1, 8, 8, 3], "uint8")], to=TensorProto.FLOAT)
    x = model.node("Div", [x, model.constant(np.float32(255))])
    x = model.node("Sub", [x, model.constant(np.array([0.4, 0.5, 0.6], np.float32))])
    x = model.qdq(model.node("Transpose", [x], perm=[0, 3, 1, 2]), 0.005, 0)
    model.output(model.qdq(model.conv(x, (5, 3, 3, 3), 0.005), 0.02, 0))
    result = compare(model.save(tmp_path))
    assert _stages(result) == {"before": {"Cast", "Div", "Sub"}}
    assert [spec.onnx_dtype for spec in result.graph.input_specs] == ["int8"]  # the front hands over codes
    assert [feed.dtype for feed in result.graph.feeds] == ["uint8"]
    assert _on_host(result) == {"Cast", "Div", "Sub", "Transpose", "QuantizeLinear"}


@pytest.mark.parametrize("quantized", [False, True])
def test_resize_of_the_input_runs_in_front_with_its_integer_kernel(tmp_path: Path, quantized: bool) -> None:
    model = QdqModel(1)
    x = _head(model, 3) if quantized else model.input("x", [1, 3, 8, 8])
    sizes = model.constant(np.array([1, 3, 11, 13]))
    x = model.qdq(model.node("Resize", [x, "", "", sizes], mode="linear"), X, 3)
    model.output(model.qdq(model.conv(x, (5, 3, 3, 3), X), 0.1, 0))
    result = compare(model.save(tmp_path))
    assert _stages(result) == {"before": {"Resize"}}


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("quantized", [False, True])
def test_softmax_behind_movement_keeps_its_integer_kernel(tmp_path: Path, moved: bool, quantized: bool) -> None:
    model = QdqModel(2)
    x = model.qdq(model.conv(_head(model), (10, 4, 8, 8), X), 0.1, 5)
    x = model.node("Flatten", [x]) if moved else x
    x = model.node("Softmax", [x], axis=1)
    model.output(model.qdq(x, 1 / 256, -128) if quantized else x)
    result = compare(model.save(tmp_path), count=20)
    assert _stages(result) == {"after": {"Softmax"}}


def test_island_in_the_middle_takes_what_follows_to_the_host(tmp_path: Path) -> None:
    model = QdqModel(3)
    x = model.qdq(model.conv(_head(model), (8, 4, 3, 3), X), 0.1, 0)
    x = model.qdq(_norm(model, x, 8), 0.02, 0)
    model.output(model.qdq(model.conv(x, (2, 8, 1, 1), 0.02), 0.1, 0))
    result = compare(model.save(tmp_path))
    assert _stages(result) == {"after": {"InstanceNormalization"}}
    rows = {row.op: row for row in result.node_placement if row.placement in ("host", "array")}
    assert "what follows it runs on the host too" in rows["InstanceNormalization"].reason
    assert rows["InstanceNormalization"].suggestion
    convolutions = [row for row in result.node_placement if row.op == "Conv"]
    assert [row.placement for row in convolutions] == ["array", "host"]
    assert convolutions[0].macs == 8 * 6 * 6 * 36 and convolutions[1].macs == 2 * 6 * 6 * 8
    assert "follows 'instancenormalization_" in convolutions[1].reason


def test_island_near_the_input_takes_the_small_part_in_front_to_the_host(tmp_path: Path) -> None:
    model = QdqModel(4)
    x = model.qdq(model.conv(_head(model), (4, 4, 1, 1), X), 0.1, 0)
    x = model.qdq(_norm(model, x, 4), 0.02, 0)
    model.output(model.qdq(model.conv(x, (16, 4, 3, 3), 0.02), 0.1, 0))
    result = compare(model.save(tmp_path))
    assert _stages(result) == {"before": {"InstanceNormalization"}}
    assert [row.placement for row in result.node_placement if row.op == "Conv"] == ["host", "array"]


def test_two_islands_leave_the_best_stretch_to_the_accelerator(tmp_path: Path) -> None:
    """The first refusal alone would send the first convolution to the host: the second makes that the worse choice."""
    model = QdqModel(5)
    x = model.qdq(model.conv(_head(model), (8, 4, 3, 3), X), 0.1, 0)
    x = model.qdq(_norm(model, x, 8), 0.02, 0)
    weight = model.constant(model.random.normal(0, 0.1, (32, 8, 3, 3)).astype(np.float32))  # a float weight
    model.output(model.node("Conv", [x, weight]))
    result = compare(model.save(tmp_path))
    assert [row.placement for row in result.node_placement if row.op == "Conv"] == ["array", "host"]


def test_host_reads_inputs_front_and_accelerator(tmp_path: Path) -> None:
    model = QdqModel(6)
    image, size = model.input("image", [1, 3, 8, 8]), model.input("size", [1, 2])
    bright = model.node("Mul", [image, model.constant(np.float32(2))])
    x = model.qdq(bright, X, 0)
    x = model.qdq(model.conv(x, (2, 3, 8, 8), X), 0.1, 0)
    boxes = model.node("Mul", [model.node("Flatten", [x]), size])
    model.output(boxes)
    model.output(model.node("ReduceMax", [bright], axes=[1, 2, 3], keepdims=0))
    result = compare(model.save(tmp_path))
    assert {part.stage for part in result.graph.host} == {"before", "after"}
    after = result.graph.host[1]
    assert {"size", bright} < set(after.inputs)
    assert [spec.name for spec in result.graph.input_specs] != ["image"]


def test_value_read_by_accelerator_and_host(tmp_path: Path) -> None:
    model = QdqModel(7)
    x = model.qdq(model.conv(_head(model), (8, 4, 3, 3), X), 0.1, 0)
    model.output(model.node("ReduceL2", [x], axes=[1, 2, 3]))
    model.output(model.qdq(model.conv(x, (16, 8, 3, 3), 0.1), 0.4, 0))
    result = compare(model.save(tmp_path))
    assert [layer.op for layer in result.graph.layers] == ["conv", "conv"]
    assert len(result.graph.outputs) == 2


def test_unquantized_end_is_float_on_the_host(tmp_path: Path) -> None:
    model = QdqModel(8)
    x = model.qdq(model.conv(_head(model), (8, 4, 3, 3), X), 0.1, 0)
    model.output(model.node("Relu", [model.conv(x, (4, 8, 6, 6), 0.1)]))
    result = compare(model.save(tmp_path))
    (part,) = result.graph.host
    assert [why.op for why in part.reasons] == ["Conv"]
    assert "not quantized" in part.reasons[0].reason and "QuantizeLinear" in part.reasons[0].suggestion


def test_float_result_read_by_the_host_is_made_there(tmp_path: Path) -> None:
    model = QdqModel(9)
    x = model.qdq(model.conv(_head(model), (8, 4, 3, 3), X), 0.1, 0)
    model.output(_norm(model, model.conv(x, (4, 8, 3, 3), 0.1), 4))
    result = compare(model.save(tmp_path))
    assert {why.op: why.reason for part in result.graph.host for why in part.reasons}["Conv"] == "the host reads its float result"


def test_second_scale_of_an_input_is_made_in_front(tmp_path: Path) -> None:
    model = QdqModel(10)
    image = model.input("x", [1, 4, 8, 8])
    for scale in (X, 0.05):
        model.output(model.qdq(model.conv(model.qdq(image, scale, 1), (5, 4, 3, 3), scale), 0.1, 0))
    result = compare(model.save(tmp_path), count=8)
    assert _stages(result) == {"before": {"QuantizeLinear"}}
    assert [layer.op for layer in result.graph.layers] == ["conv", "conv"]


def test_reversed_channels_of_inputs_and_outputs(tmp_path: Path) -> None:
    """No order of bytes that the host could make by reshaping and transposing."""
    model = QdqModel(18)
    x = model.quantize(model.input("x", [1, 3, 8, 8]), X, 3)
    x = model.dequantize(model.node("Gather", [x, model.constant(np.array([2, 1, 0]))], axis=1), X, 3)
    y = model.quantize(model.conv(x, (6, 3, 3, 3), X), 0.1, 0)
    model.output(model.dequantize(model.node("Gather", [y, model.constant(np.arange(6)[::-1].copy())], axis=1), 0.1, 0))
    assert not compare(model.save(tmp_path)).graph.host


def _detector(folder: Path) -> Path:
    """Boxes and scores from two convolutions, then TopK and NonMaxSuppression, as detectors end."""
    model = QdqModel(11)
    x = model.qdq(model.conv(_head(model), (8, 4, 3, 3), X), 0.1, 0)
    boxes = model.qdq(model.conv(x, (4, 8, 1, 1), 0.1), 0.1, 0)
    scores = model.qdq(model.node("Sigmoid", [model.qdq(model.conv(x, (2, 8, 1, 1), 0.1), 0.1, 0)]), 1 / 256, -128)
    boxes = model.node("Transpose", [model.node("Reshape", [boxes, model.constant(np.array([1, 4, 36]))])], perm=[0, 2, 1])
    scores = model.node("Reshape", [scores, model.constant(np.array([1, 2, 36]))])
    limits = [model.constant(np.array([value], kind)) for value, kind in ((5, np.int64), (0.4, np.float32), (0.5, np.float32))]
    model.output(model.node("NonMaxSuppression", [boxes, scores, *limits]), "int64")
    model.output(model.node("TopK", [scores, model.constant(np.array([3]))], outputs=2))
    model.outputs.append(helper.make_tensor_value_info("v999", TensorProto.INT64, None))
    model.nodes[-1].output[1] = "v999"
    return model.save(folder)


def test_detector(tmp_path: Path) -> None:
    result = compare(_detector(tmp_path), count=6)
    assert _stages(result) == {"after": {"NonMaxSuppression", "TopK"}}
    assert [layer.op for layer in result.graph.layers].count("conv") == 3


def test_subgraph_reads_values_from_outside(tmp_path: Path) -> None:
    model = QdqModel(12)
    x = model.qdq(model.conv(_head(model), (8, 4, 8, 8), X), 0.1, 0)
    total = model.node("ReduceSum", [x], keepdims=0)
    positive = model.node("Greater", [total, model.constant(np.float32(0))])
    branches = {}
    for branch, op in (("then_branch", "Neg"), ("else_branch", "Abs")):
        output = helper.make_tensor_value_info(f"{op}_out", TensorProto.FLOAT, [1, 8, 1, 1])
        node = helper.make_node(op, [x], [f"{op}_out"], name=op)  # x comes from outside
        branches[branch] = helper.make_graph([node], branch, [], [output])
    model.output(model.node("If", [positive], **branches))
    result = compare(model.save(tmp_path), count=6)
    assert "If" in _on_host(result)
    assert [layer.op for layer in result.graph.layers] == ["conv"]


@pytest.mark.parametrize("place", ["front", "end"])
def test_operators_that_only_onnxruntime_knows(tmp_path: Path, place: str) -> None:
    model = QdqModel(13)
    x = model.input("x", [1, 4, 8, 8])
    if place == "front":
        x = model.node("QuickGelu", [x], domain="com.microsoft")
    x = model.qdq(model.conv(model.qdq(x, X, 3), (8, 4, 3, 3), X), 0.1, 0)
    if place == "end":
        x = model.node("QuickGelu", [x], domain="com.microsoft")
    model.output(x)
    model.outputs[0] = helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 8, 6, 6])
    result = compare(model.save(tmp_path))
    assert _stages(result) == {"before" if place == "front" else "after": {"com.microsoft.QuickGelu"}}


def test_operators_that_nobody_knows(tmp_path: Path) -> None:
    model = QdqModel(17)
    x = model.qdq(model.conv(_head(model), (8, 4, 3, 3), X), 0.1, 0)
    model.output(model.node("Magic", [x], domain="com.example"))
    model.outputs[0] = helper.make_tensor_value_info(model.outputs[0].name, TensorProto.FLOAT, [1, 8, 6, 6])
    with pytest.raises(TalosError, match=r"onnxruntime cannot run what is left to the host .*com.example.Magic.: this operator"):
        build_graph(model.save(tmp_path))


def test_outputs_that_nothing_computes(tmp_path: Path) -> None:
    model = QdqModel(14)
    x = _head(model)
    model.output(model.qdq(model.conv(x, (5, 4, 3, 3), X), 0.1, 0))
    model.outputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 8, 8]))
    weight = model.constant(np.array([-3, 5], np.int8))
    model.output(model.dequantize(weight, 0.5, 1))
    model.output(model.node("Constant", [], value_floats=[1.0, 2.0]))
    result = compare(model.save(tmp_path))
    assert result.graph.results[1] == "x"
    assert [part.stage for part in result.graph.host] == ["after"]


def test_wrong_models_stay_errors(tmp_path: Path) -> None:
    model = QdqModel(15)
    x = model.qdq(model.conv(_head(model), (8, 4, 3, 3), X), 0.1, 0)
    model.output(model.qdq(model.node("MaxPool", [x], kernel_shape=[2, 2]), -0.1, 0))
    with pytest.raises(TalosError, match=r"scale -0\.1.* is not positive"):
        build_graph(model.save(tmp_path))


def test_what_onnxruntime_cannot_run_is_an_error(tmp_path: Path) -> None:
    """onnxruntime loads the model: the scales fit no axis, which shows when it runs."""
    model = QdqModel(19)
    x = model.quantize(model.conv(_head(model), (8, 4, 3, 3), X), 0.1, 0)
    scales, zeros = model.constant(np.full(3, 0.1, np.float32)), model.constant(np.zeros(3, np.int8))
    model.output(model.node("Softmax", [model.node("DequantizeLinear", [x, scales, zeros], axis=1)], axis=1))
    with pytest.raises(TalosError, match=r"onnxruntime cannot run what is left to the host .*per channel"):
        build_graph(model.save(tmp_path))


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    model = QdqModel(16)
    weight = model.constant(np.ones((4, 4, 1, 1), np.float32))
    model.output(model.qdq(model.node("Conv", [_norm(model, _head(model), 4), weight]), 0.1, 0))
    path = model.save(tmp_path)
    session(onnx.load(path))
    with pytest.raises(TalosError, match=r"nothing is left for the accelerator: node 'instancenormalization_2'.*; node 'conv_3'"):
        build_graph(path)


def test_no_host_names_all_nodes(tmp_path: Path) -> None:
    with pytest.raises(TalosError) as caught:
        build_graph(_detector(tmp_path), host=False)
    message = str(caught.value)
    assert "\n" not in message and "--no-host" in message
    assert "(NonMaxSuppression)" in message and "(TopK)" in message
