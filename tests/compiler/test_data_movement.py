"""Operators that move data: every value equals onnxruntime's, on the layer graph and as a program."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from talos.compiler.frontend import FrontendResult, build_graph
from talos.compiler.graph.evaluate import run_graph
from talos.compiler.graph.ir import Concat, Conv, Lookup, Pool, Rearrange, View
from talos.compiler.scheduling.schedule import schedule
from talos.config import PRESETS
from talos.errors import TalosError
from talos.model.checker import check_program
from talos.model.functional import FunctionalModel
from tests.compiler.qdq_models import QdqModel, compare, random_inputs

X, Y, Z = 0.03, 0.05, 0.11  # scales
SMALL = PRESETS["4x4"].replace(activation_bytes=2048, accumulator_depth=64)


def _input(model: QdqModel, shape: Sequence[int] = (1, 4, 6, 8), zero: int = 7, dtype: str = "int8", name: str = "x") -> str:
    return model.qdq(model.input(name, list(shape)), X, zero, dtype)


def _conv(
    model: QdqModel, x: str, outputs: int = 8, inputs: int = 4, kernel: int = 1, source: float = X, **attributes: Any
) -> str:
    pad = kernel // 2
    return model.qdq(model.conv(x, (outputs, inputs, kernel, kernel), source, pads=[pad] * 4, **attributes), Y, -3)


def _integers(model: QdqModel, *values: int) -> str:
    return model.constant(np.array(values, np.int64))


def _check(model: QdqModel, folder: Path) -> FrontendResult:
    """Against onnxruntime value by value, then as programs against the layers."""
    result = compare(model.save(folder))
    assert not result.graph.host
    sample = {name: array[:1] for name, array in random_inputs(result, 1).items()}
    images: dict[str, npt.NDArray[np.int8]] = {spec.name: spec.to_tensor(sample[spec.name]) for spec in result.graph.input_specs}
    truth = run_graph(result.graph, images)
    for config in (PRESETS["4x4"], SMALL):
        program = schedule(result.graph, config)
        check_program(program)
        found = FunctionalModel(config, garbage=3).run_codes(program, images)
        for spec, tensor in zip(result.graph.output_specs, result.graph.outputs, strict=True):
            np.testing.assert_array_equal(found[spec.name], truth[tensor.name], err_msg=f"{spec.name} on {config.name}")
    return result


def _kinds(result: FrontendResult) -> list[type]:
    return [type(layer) for layer in result.graph.layers]


def _moved(
    model: QdqModel, op: str, inputs: Sequence[str], folder: Path, *, source: str | None = None, **attributes: Any
) -> FrontendResult:
    """A convolution (8 channels of 6×8), `op`, and a pooling that needs all of its result in memory."""
    x = source or _conv(model, _input(model))
    value = model.node(op, [x, *inputs], **attributes)
    value = model.qdq(value, Y if source is None else X, -3 if source is None else 7)
    model.output(model.node("MaxPool", [value], kernel_shape=[2, 2]))
    return _check(model, folder)


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("block", [2, 3])
def test_depth_to_space(tmp_path: Path, mode: str, block: int) -> None:
    model = QdqModel(1, opset=13)
    x = _conv(model, _input(model), 3 * block**2)
    value = model.node("DepthToSpace", [x], blocksize=block, mode=mode)
    model.output(_conv(model, model.qdq(value, Y, -3), 5, 3, 3, Y))
    assert _kinds(_check(model, tmp_path)) == [Conv, Rearrange, Conv]


def test_depth_to_space_is_cropped_on_the_way(tmp_path: Path) -> None:
    """A transposed convolution: its crop is part of the one rearrangement."""
    model = QdqModel(2)
    value = model.node("DepthToSpace", [_conv(model, _input(model), 12)], blocksize=2)
    value = model.node("Slice", [value, _integers(model, 1, 0), _integers(model, 12, 15), _integers(model, 2, 3)])
    model.output(_conv(model, model.qdq(value, Y, -3), 5, 3, 3, Y))
    assert _kinds(_check(model, tmp_path)) == [Conv, Rearrange, Conv]


def test_space_to_depth(tmp_path: Path) -> None:
    assert _kinds(_moved(QdqModel(3), "SpaceToDepth", [], tmp_path, blocksize=2)).count(Rearrange) == 1


@pytest.mark.parametrize(
    ("opset", "sizes"), [(11, [3, 5]), (11, None), (13, [1, 6, 1]), (13, None), (18, [2, 2, 4]), (18, 3)], ids=str
)
@pytest.mark.parametrize("axis", [1, 2, -1])
def test_split(tmp_path: Path, opset: int, sizes: list[int] | int | None, axis: int) -> None:
    """Each part goes its own way; the parts may be unequal, or the last one smaller."""
    model = QdqModel(4, opset=opset)
    x = _input(model, (1, 8, 8, 8)) if opset < 13 else _conv(model, _input(model, (1, 4, 8, 8)))
    inputs = [x]
    attributes: dict[str, Any] = {}
    count = 2 if sizes is None else sizes if isinstance(sizes, int) else len(sizes)
    if isinstance(sizes, list) and opset < 13:
        attributes = {"split": sizes}
    elif isinstance(sizes, list):
        inputs = [x, _integers(model, *sizes)]
    elif opset >= 18:
        attributes = {"num_outputs": count}
    first = model.node("Split", inputs, outputs=count, axis=axis, **attributes)
    for part in range(count):
        value = model.node("Relu", [first.replace("_0", f"_{part}")]) if part % 2 else first.replace("_0", f"_{part}")
        model.output(model.qdq(value, Z, 5))
    _check(model, tmp_path)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ((4,), (-(2**31),), (2,), (-1,)),
        ((-1,), (-(2**63),), (3,), (-2,)),
        ((100, 5), (1, -100), (1, 3), (-3, -1)),
        ((1, 2), (2**31, -1), (2, 3), (2, 1)),
        ((-100,), (3,), (1,), (1,)),
    ],
)
def test_slices(
    tmp_path: Path, starts: tuple[int, ...], ends: tuple[int, ...], axes: tuple[int, ...], steps: tuple[int, ...]
) -> None:
    model = QdqModel(5)
    result = _moved(model, "Slice", [_integers(model, *values) for values in (starts, ends, axes, steps)], tmp_path)
    assert _kinds(result).count(Rearrange) == 1


@pytest.mark.parametrize("indices", [[0, 0, 3, 7, 2], [-1, -3], [[1, 2], [5, 6]]], ids=str)
def test_gather(tmp_path: Path, indices: Any) -> None:
    model = QdqModel(6)
    x = _conv(model, _input(model))
    value = model.node("Gather", [x, model.constant(np.array(indices))], axis=1)
    model.output(model.qdq(model.node("Relu", [model.qdq(value, Y, -3)]), Z, 5))
    _check(model, tmp_path)


def test_gather_of_one_row_drops_the_axis(tmp_path: Path) -> None:
    model = QdqModel(7)
    value = model.node("Gather", [_conv(model, _input(model)), model.constant(np.array(4))], axis=2)
    model.output(model.qdq(value, Y, -3))
    _check(model, tmp_path)


def test_expand_and_tile(tmp_path: Path) -> None:
    model = QdqModel(8)
    x = _conv(model, _input(model, (1, 4, 1, 5)))
    wide = model.qdq(model.node("Expand", [x, _integers(model, 1, 1, 4, 1)]), Y, -3)
    tiled = model.qdq(model.node("Tile", [x, _integers(model, 1, 2, 3, 2)]), Y, -3)
    model.output(model.node("MaxPool", [wide], kernel_shape=[2, 2]))
    model.output(_conv(model, tiled, 5, 16, 3, Y))
    assert _kinds(_check(model, tmp_path)).count(Rearrange) == 2


def _shuffled(model: QdqModel, x: str, channels: int, groups: int, scale: float = Y, zero: int = -3) -> str:
    value = model.node("Reshape", [x, _integers(model, 1, groups, channels // groups, 6, 8)])
    value = model.node("Transpose", [value], perm=[0, 2, 1, 3, 4])
    return model.qdq(model.node("Reshape", [value, _integers(model, 1, channels, 6, 8)]), scale, zero)


def test_convolutions_take_a_channel_shuffle_as_it_is(tmp_path: Path) -> None:
    """Depthwise, then dense: both have their weights in another order."""
    model = QdqModel(31)
    x = _shuffled(model, _conv(model, _input(model), 12), 12, 3)
    x = model.qdq(model.conv(x, (12, 1, 3, 3), Y, group=12, pads=[1] * 4), Y, -3)
    model.output(_conv(model, x, 5, 12, 3, Y))
    assert _kinds(_check(model, tmp_path)) == [Conv, Conv, Conv]


def test_a_convolution_shuffles_its_results(tmp_path: Path) -> None:
    """A pooling needs them in order: then the convolution in front makes them so."""
    model = QdqModel(32)
    x = _shuffled(model, _conv(model, _input(model), 12), 12, 3)
    model.output(model.node("MaxPool", [x], kernel_shape=[2, 2]))
    assert _kinds(_check(model, tmp_path)) == [Conv, Pool]


def test_both_depths_to_space_cost_the_same(tmp_path: Path) -> None:
    counts = []
    for mode in ("DCR", "CRD"):
        model = QdqModel(33)
        value = model.node("DepthToSpace", [_conv(model, _input(model), 12)], blocksize=2, mode=mode)
        model.output(model.node("MaxPool", [model.qdq(value, Y, -3)], kernel_shape=[2, 2]))
        counts.append(len(schedule(_check(model, tmp_path).graph, PRESETS["8x8"]).instructions))
    assert counts[0] == counts[1]


def test_shuffle_units(tmp_path: Path) -> None:
    """ShuffleNetV2: Concat, shuffle, Split: halves are copied in runs of channels, and whatever reads them follows the order they get."""
    model = QdqModel(34, opset=13)
    x = _input(model)
    a, b = _conv(model, x, 16), _conv(model, x, 16, kernel=3)
    for _ in range(2):
        joined = _shuffled(model, model.qdq(model.node("Concat", [a, b], axis=1), Y, -3), 32, 2)
        a = model.node("Split", [joined], outputs=2, axis=1)
        b = _conv(model, model.qdq(a.replace("_0", "_1"), Y, -3), 16, 16, 1, Y)
        b = model.qdq(model.conv(b, (16, 1, 3, 3), Y, group=16, pads=[1] * 4), Y, -3)
        a = model.qdq(a, Y, -3)
    model.output(model.node("Concat", [a, b], axis=1))
    result = _check(model, tmp_path)
    runs = [min(move.channels for move in layer.moves) for layer in result.graph.layers[:-1] if isinstance(layer, Rearrange)]
    assert runs == [8, 8, 4, 4]


@pytest.mark.parametrize("groups", [2, 4])
def test_channel_shuffle(tmp_path: Path, groups: int) -> None:
    """Of the input, which is read as it lies elsewhere too."""
    model = QdqModel(9)
    x = _input(model, (1, 8, 6, 8))
    model.output(_conv(model, x, 4, 8, 3))
    model.output(model.node("MaxPool", [_shuffled(model, x, 8, groups, X, 7)], kernel_shape=[2, 2]))
    assert Rearrange in _kinds(_check(model, tmp_path))


def test_flatten_beside_an_addition(tmp_path: Path) -> None:
    """Channels first, as Flatten has them, added to a vector that lies so."""
    model = QdqModel(10)
    flat = model.node("Flatten", [_conv(model, _input(model))])
    other = model.qdq(model.input("y", [1, 8 * 48]), Y, -3)
    model.output(model.qdq(model.node("Add", [flat, other]), Z, 3))
    _check(model, tmp_path)


PADS = [0, 0, 2, 1, 0, 0, 1, 3]


@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap"])
def test_pad_modes(tmp_path: Path, mode: str) -> None:
    model = QdqModel(11, opset=19)
    _moved(model, "Pad", [_integers(model, *PADS)], tmp_path, mode=mode)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_negative_pads(tmp_path: Path, mode: str) -> None:
    model = QdqModel(12)
    _moved(model, "Pad", [_integers(model, 0, 0, -2, 1, 0, 0, 1, -3)], tmp_path, mode=mode)


@pytest.mark.parametrize("value", [0.0, 0.5, -1.05, 0.123456, 100.0, float("-inf")])
@pytest.mark.parametrize("scale", [Y, Z])
def test_pad_values(tmp_path: Path, value: float, scale: float) -> None:
    """Multiples of the operand's step (0.05) and others, in the operand's scale and another."""
    model = QdqModel(13)
    padded = model.node(
        "Pad", [_conv(model, _input(model)), _integers(model, 0, 1, 2, 1, 0, 3, 1, 3), model.constant(np.float32(value))]
    )
    padded = model.qdq(padded, scale, -3)
    model.output(model.node("MaxPool", [padded], kernel_shape=[2, 2]))
    _check(model, tmp_path)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_pad_of_codes(tmp_path: Path, dtype: str) -> None:
    zero = 7 if dtype == "int8" else 130
    model = QdqModel(14, opset=13)
    x = model.quantize(model.input("x", [1, 4, 6, 8]), X, zero, dtype)
    for fill in (zero, 99):
        padded = model.node("Pad", [x, _integers(model, *PADS), model.constant(np.array(fill, dtype))])
        model.output(_conv(model, model.dequantize(padded, X, zero, dtype), 5, 4, 3))
    assert _kinds(_check(model, tmp_path)).count(Rearrange) == 1


def test_pad_by_axes(tmp_path: Path) -> None:
    model = QdqModel(15, opset=18)
    value = model.constant(np.float32(0.5))
    _moved(model, "Pad", [_integers(model, 1, 2), value, _integers(model, -1)], tmp_path)


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("scale", [Y, Z])
def test_concat_along_any_axis(tmp_path: Path, axis: int, scale: float) -> None:
    model = QdqModel(16)
    shape = [1, 4, 6, 8]
    a = _conv(model, _input(model, shape))
    shape[axis] = 3
    b = model.qdq(model.conv(_input(model, shape, name="y"), (8, shape[1], 1, 1), X), scale, 6 if scale == Z else -3)
    joined = model.qdq(model.node("Relu", [model.node("Concat", [a, b], axis=axis)]), Y, -3)
    model.output(_conv(model, joined, 5, 16 if axis == 1 else 8, 3, Y))
    assert Concat in _kinds(_check(model, tmp_path)) if axis == 1 else Rearrange in _kinds(_check(model, tmp_path))


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("quantized", [False, True])
def test_concat_with_constants(tmp_path: Path, axis: int, quantized: bool) -> None:
    """One number, and coordinates, as CoordConv has them: too many different codes to write them one by one."""
    model = QdqModel(17)
    a = _conv(model, _input(model))
    shape = [1, 8, 6, 8]
    shape[axis] = 2
    constants = [np.full(shape, 0.7, np.float32), model.random.uniform(-5, 5, shape).astype(np.float32)]
    names = [model.constant(array) for array in constants]
    if quantized:
        names = [
            model.dequantize(model.constant(model.random.integers(-128, 128, shape).astype(np.int8)), X, 3),
            model.dequantize(model.constant(np.full(shape, 9, np.int8)), Y, -3),
        ]
    joined = model.qdq(model.node("Concat", [names[0], a, names[1]], axis=axis), Y, -3)
    model.output(_conv(model, joined, 5, 12 if axis == 1 else 8, 3, Y))
    _check(model, tmp_path)


def test_a_split_joined_in_another_order(tmp_path: Path) -> None:
    """Parts of one tensor are one tensor in another order, which the convolution in front makes."""
    model = QdqModel(18, opset=13)
    first = model.node("Split", [_conv(model, _input(model))], outputs=2, axis=1)
    joined = model.qdq(model.node("Concat", [first.replace("_0", "_1"), first], axis=1), Y, -3)
    model.output(model.node("MaxPool", [joined], kernel_shape=[2, 2]))
    assert _kinds(_check(model, tmp_path)) == [Conv, Pool]


def test_four_slices_of_the_input_cost_nothing(tmp_path: Path) -> None:
    """The focus layer of YOLOv5: the host feeds the image as the convolution wants it."""
    model = QdqModel(19)
    x = _input(model, (1, 3, 8, 8))
    ends, axes, steps = _integers(model, 1 << 31, 1 << 31), _integers(model, 2, 3), _integers(model, 2, 2)
    parts = [model.node("Slice", [x, _integers(model, *start), ends, axes, steps]) for start in ((0, 0), (1, 0), (0, 1), (1, 1))]
    joined = model.qdq(model.node("Concat", parts, axis=1), X, 7)
    model.output(_conv(model, joined, 5, 12, 3))
    assert _kinds(compare(model.save(tmp_path))) == [Conv]


@pytest.mark.parametrize(
    ("factors", "attributes"),
    [
        ((2, 2), {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
        ((3, 1), {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}),
        ((2, 3), {}),
        ((1, 2), {"coordinate_transformation_mode": "pytorch_half_pixel"}),
        ((1, 1), {}),
        ((1.5, 0.5), {}),
        ((1.37, 2.2), {"nearest_mode": "ceil"}),
        ((0.4, 0.6), {"coordinate_transformation_mode": "align_corners", "nearest_mode": "round_prefer_ceil"}),
        ((2, 2), {"coordinate_transformation_mode": "half_pixel_symmetric", "nearest_mode": "floor"}),
    ],
)
def test_resize(tmp_path: Path, factors: tuple[float, float], attributes: dict[str, Any]) -> None:
    model = QdqModel(20, opset=19)
    scales = model.constant(np.array([1, 1, *factors], np.float32))
    result = _moved(model, "Resize", ["", scales], tmp_path, mode="nearest", **attributes)
    assert _kinds(result).count(Rearrange) == int(factors != (1, 1))


@pytest.mark.parametrize("policy", ["stretch", "not_larger", "not_smaller"])
def test_resize_to_sizes_of_some_axes(tmp_path: Path, policy: str) -> None:
    model = QdqModel(21, opset=18)
    inputs = ["", "", _integers(model, 9, 20)]
    _moved(model, "Resize", inputs, tmp_path, mode="nearest", axes=[2, 3], keep_aspect_ratio_policy=policy)


def test_crop_and_resize(tmp_path: Path) -> None:
    model = QdqModel(22, opset=13)
    region = model.constant(np.array([0, 0, 0.1, -0.2, 1, 1, 0.8, 0.9], np.float32))
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize"}
    _moved(
        model, "Resize", [region, model.constant(np.array([1, 1, 2, 1.5], np.float32))], tmp_path, mode="nearest", **attributes
    )


@pytest.mark.parametrize("factors", [(2.5, 2), (0.5, 0.7)])
def test_resize_of_opset_10(tmp_path: Path, factors: tuple[float, float]) -> None:
    model = QdqModel(23, opset=10)
    scales = model.constant(np.array([1, 1, *factors], np.float32))
    _moved(model, "Resize", [scales], tmp_path, source=_input(model), mode="nearest")


@pytest.mark.parametrize("opset", [7, 9])
def test_upsample_of_float_models(tmp_path: Path, opset: int) -> None:
    """It is older than QuantizeLinear: quantization makes it a Resize."""
    model = QdqModel(24, opset=opset)
    x = model.input("x", [1, 4, 6, 8])
    x = model.node("Conv", [x, model.constant(model.random.normal(size=(5, 4, 1, 1)).astype(np.float32))])
    scales = np.array([1, 1, 2, 3], np.float32)
    inputs, attributes = ([x], {"scales": scales.tolist()}) if opset == 7 else ([x, model.constant(scales)], {})
    model.output(model.node("Upsample", inputs, mode="nearest", **attributes))
    samples = {"x": model.random.normal(size=(4, 4, 6, 8)).astype(np.float32)}
    assert _kinds(compare(model.save(tmp_path), samples, calibrate=samples)) == [Conv, Rearrange]


def test_linear_resize_of_one_pixel_repeats_it(tmp_path: Path) -> None:
    """The image branch of ASPP."""
    model = QdqModel(24)
    pooled = model.qdq(model.node("GlobalAveragePool", [_conv(model, _input(model))]), Y, -3)
    sizes = _integers(model, 1, 8, 6, 8)
    wide = model.qdq(model.node("Resize", [pooled, "", "", sizes], mode="linear"), Y, -3)
    model.output(_conv(model, wide, 5, 8, 3, Y))
    _check(model, tmp_path)


def test_any_resize_of_large_images_takes_few_moves(tmp_path: Path) -> None:
    model = QdqModel(25)
    x = _conv(model, _input(model, (1, 4, 100, 100)))
    value = model.node("Resize", [x, "", model.constant(np.array([1, 1, 1.234, 0.777], np.float32))], mode="nearest")
    model.output(_conv(model, model.qdq(value, Y, -3), 4, 8, 1, Y))
    layer = next(layer for layer in compare(model.save(tmp_path), count=1).graph.layers if isinstance(layer, Rearrange))
    assert len(layer.moves) < 200


def test_a_rearrangement_takes_the_table_behind_it(tmp_path: Path) -> None:
    model = QdqModel(26)
    value = model.node("DepthToSpace", [_conv(model, _input(model), 12)], blocksize=2)
    value = model.node("Relu", [model.qdq(value, Y, -3)])
    model.output(model.qdq(value, Z, 5))
    result = _check(model, tmp_path)
    assert Lookup not in _kinds(result)


def test_who_moves_is_named(tmp_path: Path) -> None:
    """The layer belongs to the nodes that ask for it, not to the one that reads it."""
    model = QdqModel(27)
    value = model.node("DepthToSpace", [_conv(model, _input(model), 12)], blocksize=2)
    value = model.qdq(model.node("Transpose", [value], perm=[0, 1, 3, 2]), Y, -3)
    model.output(_conv(model, value, 5, 3, 3, Y))
    result = _check(model, tmp_path)
    layer = next(layer for layer in result.graph.layers if isinstance(layer, Rearrange))
    moved = [node for node in layer.nodes if not node.startswith(("quantize", "dequantize"))]
    assert [node.split("_")[0] for node in moved] == ["depthtospace", "transpose"]
    places = {placement.op: placement.placement for placement in result.node_placement}
    assert places["DepthToSpace"] == "vector"


def _refusal(model: QdqModel, folder: Path) -> str:
    with pytest.raises(TalosError) as caught:
        build_graph(model.save(folder), host=False)
    return str(caught.value)


def test_refusals(tmp_path: Path) -> None:
    model = QdqModel(28)
    order = model.random.permutation(4 * 6 * 8 * 64)
    x = model.node("Reshape", [_conv(model, _input(model, (1, 4, 48, 32))), _integers(model, 1, 4 * 6 * 8 * 64)])
    value = model.node("Reshape", [model.node("Gather", [x, model.constant(order)], axis=1), _integers(model, 1, 8, 48, 32)])
    model.output(model.node("MaxPool", [model.qdq(value, Y, -3)], kernel_shape=[2, 2]))
    assert "its elements are so scattered in memory that they take more than 4096 copies" in _refusal(model, tmp_path)

    model = QdqModel(29)
    value = model.node(
        "Resize", [_conv(model, _input(model)), "", model.constant(np.array([1, 1, 2, 2], np.float32))], mode="cubic"
    )
    model.output(model.qdq(value, Y, -3))
    assert "cubic resizing of [1, 8, 6, 8] to [1, 8, 12, 16]" in _refusal(model, tmp_path)


def test_views_are_not_rearranged(tmp_path: Path) -> None:
    model = QdqModel(30)
    pooled = model.qdq(model.node("GlobalAveragePool", [_conv(model, _input(model))]), Y, -3)
    value = model.node("Reshape", [pooled, _integers(model, 1, 2, 2, 2)])
    model.output(model.node("MaxPool", [value], kernel_shape=[1, 1]))
    kinds = _kinds(compare(model.save(tmp_path)))
    assert kinds.count(Rearrange) + kinds.count(View) == 1
