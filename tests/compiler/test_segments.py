"""Weight tiles multiplied as the array does it, byte address by byte address, give the reference's sums."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from talos import numerics, reference
from talos.compiler.graph.ir import Conv, Tensor
from talos.compiler.scheduling.segments import (
    Contraction,
    Segment,
    contraction,
    extent,
    segment_parameters,
    segment_weights,
    segments,
)
from talos.config import PRESETS, AcceleratorConfig
from talos.parameters import unpack_parameters

CONFIGS = [
    PRESETS["4x4"],
    PRESETS["4x4"].replace(depthwise=False),
    PRESETS["8x8"].replace(rows=4),
    PRESETS["8x16"].replace(rows=4, depthwise=False),
    PRESETS["8x8"].replace(rows=16),
]


def _layer(
    rng: np.random.Generator,
    channels: int,
    outputs: int,
    groups: int,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
) -> Conv:
    """A convolution without padding of an image that gives 3 × 4 output pixels."""
    height = 2 * strides[0] + (kernel[0] - 1) * dilations[0] + 1
    width = 3 * strides[1] + (kernel[1] - 1) * dilations[1] + 1
    x = Tensor("x", (height, width, channels), np.float32(0.5), int(rng.integers(-128, 128)))
    y = Tensor("y", (3, 4, outputs), np.float32(0.5), 0)
    return Conv(
        "conv",
        ("conv",),
        [x],
        y,
        weight=rng.integers(-128, 128, (outputs, *kernel, channels // groups)).astype(np.int8),
        bias=rng.integers(-1000, 1000, outputs).astype(np.int32),
        multiplier=rng.uniform(0.001, 0.1, outputs).astype(np.float32),
        strides=strides,
        dilations=dilations,
        groups=groups,
    )


def _sums(layer: Conv, segment: Segment, config: AcceleratorConfig, x: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """Accumulators of `segment`, (3, 4, blocks * cols), by the loops of a MATMUL over memory that is random beyond the image."""
    rng = np.random.default_rng(9)
    height, width, channels = x.shape
    extra = max(0, 3 * layer.strides[1] + extent(layer, config)[1] - width)
    padded = np.concatenate([x, rng.integers(-128, 128, (height, extra, channels)).astype(np.int8)], axis=1)
    pitch = padded.shape[1] * channels
    loops: Contraction = contraction(layer, segment, config, pitch)
    memory = np.concatenate([padded.reshape(-1), rng.integers(-128, 128, 4096).astype(np.int8)]).astype(np.int64)
    weights = segment_weights(layer, segment, loops, config).astype(np.int64)
    assert weights.shape == (segment.blocks, loops.tiles, config.rows, config.cols)
    sums = np.zeros((3, 4, segment.blocks, config.cols), np.int64)
    rows, cols = np.arange(config.rows), np.arange(config.cols)
    for row, column, block, tile in np.ndindex(3, 4, segment.blocks, loops.tiles):
        tap, piece = divmod(tile, loops.slices)
        tap_h, tap_w = divmod(tap, loops.taps_w)
        first = segment.source + block * segment.stride + tap_h * loops.tap_h_stride + tap_w * loops.tap_w_stride
        first += row * layer.strides[0] * pitch + piece * config.rows
        step = layer.strides[1] * channels
        if segment.depthwise:  # the newest vector is `warmup` pixels ahead; row r sees the one that came r before it
            newest = first + (column + loops.warmup) * step
            used = rows <= loops.warmup
            vectors = memory[(newest - np.where(used, rows, 0) * step)[:, np.newaxis] + cols]
            assert not weights[block, tile, ~used].any()
            sums[row, column, block] += (vectors * weights[block, tile]).sum(axis=0)
        else:
            sums[row, column, block] += memory[first + column * step + rows] @ weights[block, tile]
    return sums.reshape(3, 4, -1)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(CONFIGS),
    st.integers(0, 1 << 16),
    st.sampled_from(
        [(c, k, g) for c in (1, 3, 4, 6, 8, 10) for k in (1, 2, 3, 5, 8, 12) for g in (1, 2, 3, 4, 8) if not (c % g or k % g)]
    ),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)
def test_tiles_give_the_reference_sums(
    config: AcceleratorConfig,
    seed: int,
    shape: tuple[int, int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
) -> None:
    assume(np.prod(kernel) * shape[0] <= 120)
    rng = np.random.default_rng(seed)
    layer = _layer(rng, *shape, kernel, strides, dilations)
    x = rng.integers(-128, 128, layer.inputs[0].shape).astype(np.int8)
    # Zero point 0: the sums of plain codes, as the array makes them.
    truth = reference.convolution(x, layer.weight, 0, strides, (0, 0, 0, 0), dilations, layer.groups)
    parts = segments(layer, config)
    assert [part.first for part in parts] == [sum(part.count for part in parts[:i]) for i in range(len(parts))]
    assert sum(part.count for part in parts) == shape[1]
    for part in parts:
        assert part.blocks == -(-part.count // config.cols)
        sums = _sums(layer, part, config, x)[..., : part.count]
        np.testing.assert_array_equal(sums, truth[..., part.first : part.first + part.count])


@pytest.mark.parametrize("config", CONFIGS[:2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_depthwise(config: AcceleratorConfig, stride: int, kernel: int) -> None:
    rng = np.random.default_rng(kernel)
    layer = _layer(rng, 6, 6, 6, (2, kernel), (1, stride), (1, 1))
    x = rng.integers(-128, 128, layer.inputs[0].shape).astype(np.int8)
    (part,) = segments(layer, config)
    fits = -(-kernel // stride) <= config.rows
    assert part.depthwise == (config.depthwise and fits)
    truth = reference.convolution(x, layer.weight, 0, (1, stride), groups=6)
    np.testing.assert_array_equal(_sums(layer, part, config, x)[..., :6], truth)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize(("channels", "outputs", "groups"), [(35, 35, 35), (17, 17, 17), (100, 20, 20), (12, 24, 6), (40, 10, 5)])
def test_no_block_reads_further_than_allocation_allows(
    config: AcceleratorConfig, channels: int, outputs: int, groups: int
) -> None:
    """The last block of a grouped convolution has fewer input channels: it must not read as many bytes as the others."""
    layer = _layer(np.random.default_rng(0), channels, outputs, groups, (3, 3), (1, 1), (1, 1))
    for part in segments(layer, config):
        loops = contraction(layer, part, config, layer.inputs[0].shape[1] * channels)
        vector = config.cols if part.depthwise else config.rows
        end = part.source + (part.blocks - 1) * part.stride + (loops.slices - 1) * config.rows + vector
        whole_rows = loops.taps_w == 1  # of the kernel, in one piece
        assert end <= channels * (3 if whole_rows else 1) + config.matrix_bytes - 1


def test_parameters_fold_the_zero_point() -> None:
    rng, config = np.random.default_rng(4), PRESETS["4x4"]
    layer = _layer(rng, 3, 6, 1, (2, 2), (1, 1), (1, 1))
    x = rng.integers(-128, 128, layer.inputs[0].shape).astype(np.int8)
    (part,) = segments(layer, config)
    records = unpack_parameters(segment_parameters(layer, part, config))
    assert len(records.bias) == 8
    plain = reference.convolution(x, layer.weight, 0)
    folded = numerics.requantize(plain, records.bias[:6], records.mantissa[:6], records.shift[:6], 5)
    truth = reference.conv_layer(x, layer.weight, layer.bias, layer.multiplier, layer.inputs[0].zero_point, 5)
    np.testing.assert_array_equal(folded, truth)
