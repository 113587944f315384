"""Layers far larger than the on-chip memories: every preset tiles them, and the checker accepts the program."""

import numpy as np
import pytest

from talos.compiler.graph.ir import Conv, Graph, Tensor
from talos.compiler.scheduling.schedule import schedule
from talos.config import PRESETS
from talos.io import IoSpec
from talos.model.checker import check_program


def _graph(shape: tuple[int, int, int], outputs: int, kernel: int) -> Graph:
    pad = kernel // 2
    x = Tensor("x", shape, np.float32(0.1), -3)
    y = Tensor("y", (shape[0], shape[1], outputs), np.float32(0.1), 5)
    layer = Conv(
        "conv",
        ("conv",),
        [x],
        y,
        weight=np.ones((outputs, kernel, kernel, shape[2]), np.int8),
        bias=np.zeros(outputs, np.int32),
        multiplier=np.full(outputs, 0.001, np.float32),
        pads=(pad, pad, pad, pad),
    )

    def spec(tensor: Tensor) -> IoSpec:
        return IoSpec(tensor.name, (1, *tensor.shape), "int8", tensor.shape, (0, 1, 2), tensor.shape, 0.1, tensor.zero_point)

    return Graph("large", [x], [y], [layer], input_specs=[spec(x)], output_specs=[spec(y)], results=["y"])


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(
    ("shape", "outputs", "kernel"),
    [((1, 1, 4096), 4096, 1), ((14, 14, 2048), 2048, 1), ((7, 7, 2048), 512, 3)],
    ids=["fully connected", "2048 channels", "3x3 of 2048 channels"],
)
def test_every_preset_tiles_it(preset: str, shape: tuple[int, int, int], outputs: int, kernel: int) -> None:
    program = schedule(_graph(shape, outputs, kernel), PRESETS[preset])
    check_program(program)
    assert program.macs == shape[0] * shape[1] * outputs * kernel * kernel * shape[2]
