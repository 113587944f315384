"""verify --layers: every layer compared, and a fault in one of them named."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talos.compiler.frontend import build_graph
from talos.compiler.graph.ir import Conv, Graph
from talos.compiler.pipeline import Compiled, compile_model
from talos.config import PRESETS
from talos.report.layer_check import layer_check_json, layer_check_table, layer_check_verdict
from talos.runtime.samples import load_arrays, load_samples
from talos.runtime.verify import Verification, verify
from tests.cli_runner import DIGITS, MODELS, runner
from tests.compiler.qdq_models import QdqModel

ARRAYS = load_arrays(MODELS / "digits.npz")
BLOCK2 = "/residual/block2/conv/Conv"


def check(compiled: Compiled, count: int, arrays: Any = ARRAYS) -> Verification:
    return verify(compiled, load_samples(compiled.program, arrays, "samples", count), rtl_images=0)


def faulty(monkeypatch: pytest.MonkeyPatch, spoil: Any) -> None:
    """Have the compiler schedule a graph that `spoil` has changed: the program is wrong, the reference is not."""

    def wrong(*arguments: Any, **options: Any) -> Any:
        front = build_graph(*arguments, **options)
        spoil(front.graph)
        return front

    monkeypatch.setattr("talos.compiler.pipeline.build_graph", wrong)


def joined(folder: Path) -> Path:
    """Concat of two convolutions, uint8: conv_4 with random weights; conv_8, which repeats channels 0, 1 and 2 of its input."""
    m = QdqModel(seed=3)
    x = m.qdq(m.input("x", (1, 4, 3, 5)), 0.05, 7, "uint8")
    left = m.qdq(m.conv(x, (6, 4, 1, 1), 0.05), 0.1, 100, "uint8")
    codes = np.eye(3, 4, dtype=np.int8).reshape(3, 4, 1, 1) * np.int8(127)
    weight = m.node("DequantizeLinear", [m.constant(codes), m.constant(np.float32(1 / 127)), m.constant(np.int8(0))])
    right = m.qdq(m.node("Conv", [x, weight], kernel_shape=[1, 1]), 0.05, 7, "uint8")
    m.output(m.qdq(m.node("Concat", [left, right], axis=1), 0.05, 7, "uint8"))
    return m.save(folder)


def test_every_layer_of_the_digits_is_compared() -> None:
    compiled = compile_model(DIGITS, PRESETS["4x4"], ARRAYS, layers=True)
    result = check(compiled, 5)
    assert result.layer_check is not None and result.equal and result.layer_check.equal
    found = result.layer_check
    assert (found.images, found.reference_changed, found.program_changed) == (5, 0, 0)
    assert [layer.layer for layer in found.layers] == [layer.name for layer in compiled.program.layers]
    assert [layer.values for layer in found.layers] == [5 * n for n in (1024, 256, 256, 256, 128, 32, 10)]
    assert found.first_different is None
    (line,) = layer_check_verdict(found)
    assert str(line) == "✓ Layers = onnxruntime: 7 layers of 5 images compared, 7 equal"


def test_without_layers_nothing_is_compared() -> None:
    assert check(compile_model(DIGITS, PRESETS["4x4"], ARRAYS), 2).layer_check is None


def test_a_wrong_bias_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(graph: Graph) -> None:
        layer = next(layer for layer in graph.layers if layer.name == BLOCK2)
        assert isinstance(layer, Conv)
        layer.bias = layer.bias.copy()
        layer.bias[2] += 5000

    faulty(monkeypatch, spoil)
    compiled = compile_model(DIGITS, PRESETS["4x4"], ARRAYS, layers=True)
    result = check(compiled, 3)
    found = result.layer_check
    assert found is not None and not result.equal and not found.equal and found.program_changed == 0
    names = [layer.layer for layer in found.layers]
    different = [layer.different > 0 for layer in found.layers]
    assert not any(different[: names.index(BLOCK2)]) and all(different[names.index(BLOCK2) :])
    layer = found.first_different
    assert layer is not None and layer.layer == BLOCK2 and layer.different < layer.values // 8 + 1  # one channel of eight or more
    assert layer.first is not None and layer.first.image == 0 and layer.first.position[1] == 2  # NCHW: the channel with the bias
    text = str(layer_check_verdict(found)[1])
    assert text.startswith(f"✗ first layer that differs: '{BLOCK2}' (conv): ") and "of image 0: Talos code" in text
    assert f"Talos code {layer.first.talos_code} ({layer.first.talos_value:g})" in text
    values = layer_check_json(found)
    assert values["first_different"] == BLOCK2 and values["layers"][names.index(BLOCK2)]["first"]["position"][1] == 2
    table = layer_check_table(found)
    assert table.row_count == 7 and [row.style for row in table.rows] == ["red" if wrong else "" for wrong in different]


def test_one_wrong_code_is_found_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Operands of a Concat, of unequal sizes and uint8: position, codes and values of the only element that differs."""
    path = joined(tmp_path)

    def spoil(graph: Graph) -> None:
        layer = next(layer for layer in graph.layers if layer.name == "conv_8")
        assert isinstance(layer, Conv)
        layer.high = 126  # uint8 code 254 at most

    faulty(monkeypatch, spoil)
    compiled = compile_model(path, PRESETS["4x4"], layers=True)
    x = np.full((1, 4, 3, 5), 0.01, np.float32)
    x[0, 0, 1, 2] = 100
    found = check(compiled, 1, {"x": x}).layer_check
    assert found is not None
    first = found.first_different
    assert first is not None and (first.layer, first.different, first.max_difference) == ("conv_8", 1, 1)
    assert first.first is not None and first.first.position == (0, 0, 1, 2)
    assert (first.first.talos_code, first.first.onnxruntime_code) == (254, 255)
    scale = first.first.onnxruntime_value - first.first.talos_value
    assert scale == pytest.approx(0.05, abs=1e-5) and first.first.onnxruntime_value == pytest.approx(0.05 * (255 - 7))


def test_operands_of_a_concat_are_layers_of_their_own(tmp_path: Path) -> None:
    """One has no ONNX value of its own, for its result lies in the Concat's scale: it is compared as a part of the Concat's."""
    result = check(compile_model(joined(tmp_path), PRESETS["4x4"], layers=True), 4, None)
    found = result.layer_check
    assert found is not None and found.equal and result.equal
    sizes = {layer.layer: (layer.value, layer.values) for layer in found.layers}
    assert sizes == {"conv_4": ("v12_0", 4 * 90), "conv_8": ("v9_0", 4 * 45), "concat_11": ("v12_0", 4 * 135)}


def test_a_change_of_the_reference_is_reported() -> None:
    compiled = compile_model(DIGITS, PRESETS["4x4"], ARRAYS, layers=True)
    result = check(compiled, 1)
    assert result.layer_check is not None
    changed = replace(result.layer_check, reference_changed=3)
    assert changed.equal and "change in 3 elements" in str(layer_check_verdict(changed)[1])


def test_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    talos = runner(monkeypatch, capsys)
    arguments = ("verify", DIGITS, "--layers", "--images", "3", "--rtl-images", "0", "--config", "4x4")
    path = tmp_path / "result.json"
    done = talos(*arguments, "--json", path)
    assert done.status == 0 and "✓ Layers = onnxruntime: 7 layers of 3 images compared, 7 equal" in done.out
    assert [layer["layer"] for layer in json.loads(path.read_text())["layer_check"]["layers"]][3] == BLOCK2

    def spoil(graph: Graph) -> None:
        for layer in graph.layers:
            if isinstance(layer, Conv) and layer.name == BLOCK2:
                layer.high = 0

    faulty(monkeypatch, spoil)
    done = talos(*arguments)
    assert done.status == 1 and f"✗ first layer that differs: '{BLOCK2}'" in done.out
    plain = json.loads(talos(*(argument for argument in arguments if argument != "--layers"), "--json", "-").out)
    assert plain["layer_check"] is None
