"""Pooling layers as programs equal the reference on the functional model, on small and on ample memories."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from talos.compiler.graph.evaluate import run_graph
from talos.compiler.graph.ir import Graph, Pool, Tensor
from talos.compiler.importing.windows import Window
from talos.compiler.scheduling.schedule import schedule
from talos.config import PRESETS, AcceleratorConfig
from talos.io import IoSpec
from talos.model.checker import check_program
from talos.model.functional import FunctionalModel

CONFIGS = {
    "4x4": PRESETS["4x4"],
    "16x16": PRESETS["16x16"],
    "tiny": replace(PRESETS["4x4"], activation_bytes=1 << 11),
}


def _graph(shape: tuple[int, int, int], kind: str, window: Window, **fields: Any) -> Graph:
    x = Tensor("x", shape, np.float32(0.05), -3)
    y = Tensor(
        "y", (*window.outputs(shape[:2]), shape[2]), np.float32(0.05 if kind == "max" else 0.0312), -3 if kind == "max" else 5
    )
    pool = Pool("pool", ("pool",), [x], y, kind, window.kernel, window.strides, window.pads, window.dilations, **fields)
    specs = [IoSpec(t.name, (1, *t.shape), "int8", t.shape, (0, 1, 2), t.shape, float(t.scale), t.zero_point) for t in (x, y)]
    return Graph("test", [x], [y], [pool], input_specs=specs[:1], output_specs=specs[1:], results=["y"])


def _check(graph: Graph, config: AcceleratorConfig) -> None:
    images = {"x": np.random.default_rng(5).integers(-128, 128, graph.inputs[0].shape).astype(np.int8)}
    program = schedule(graph, config)
    check_program(program)
    found = FunctionalModel(config, garbage=6).run_codes(program, images)
    np.testing.assert_array_equal(found["y"], run_graph(graph, images)["y"])


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize(
    "window",
    [
        Window((3, 3), (2, 2), pads=(0, 0, 1, 1)),
        Window((3, 2), (1, 2), (2, 3), (1, 0, 2, 2)),
        Window((2, 2), (3, 3), (4, 5), (1, 1, 1, 1)),
        Window((5, 5), (1, 1), pads=(4, 4, 4, 4)),
        Window((2, 2), (5, 4)),
    ],
    ids=["padded at the end", "dilated", "dilated more than strided", "large pads", "gaps between windows"],
)
def test_windows(window: Window, kind: str, name: str) -> None:
    _check(_graph((11, 13, 6), kind, window), CONFIGS[name])


@pytest.mark.parametrize("name", CONFIGS)
def test_padding_that_counts(name: str) -> None:
    _check(_graph((9, 9, 5), "average", Window((3, 3), (2, 2), pads=(1, 1, 2, 2)), count_include_pad=True), CONFIGS[name])


def test_a_padded_window_as_large_as_the_image() -> None:
    """Only the unpadded window of the whole image is a global average, which rounds ties another way."""
    _check(_graph((4, 4, 6), "average", Window((4, 4), pads=(1, 1, 1, 1))), CONFIGS["4x4"])


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("kernel", [(1, 12), (10, 1), (10, 12)])
@pytest.mark.parametrize("mean", [False, True])
def test_sums(kernel: tuple[int, int], mean: bool, name: str) -> None:
    divisor = kernel[0] * kernel[1] if mean else 40
    _check(_graph((10, 12, 6), "sum", Window(kernel, kernel), divisor=divisor), CONFIGS[name])


@pytest.mark.parametrize("kind", ["max", "average"])
def test_the_longest_window(kind: str) -> None:
    _check(_graph((1, 300, 5), kind, Window((1, 256), (1, 3), pads=(0, 100, 0, 50))), CONFIGS["4x4"])
