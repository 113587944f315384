"""A convolution as weight tiles: its output channels in blocks of array columns, its contraction in slices of array rows.

A dense convolution is one segment. With groups, blocks that hold whole groups form one segment whose blocks read different input
channels; groups that do not fit blocks evenly become a segment each. A depthwise convolution is one segment in the array's depthwise mode,
where rows are taps of a kernel row: a strided one is split into the `stride` phases of its pixels, each filtered at full rate.
"""

from dataclasses import dataclass

import numpy as np

from talos.compiler.graph.ir import Conv
from talos.config import AcceleratorConfig
from talos.numerics import split_multiplier
from talos.parameters import pack_parameters

__all__ = ["Contraction", "Segment", "contraction", "extent", "segment_parameters", "segment_weights", "segments"]


@dataclass(frozen=True)
class Segment:
    """Output channels [first, first + count) in blocks of `cols`; block b reads `inputs` channels from `source` + b·`stride` on."""

    first: int
    count: int
    source: int
    stride: int
    inputs: int
    blocks: int
    depthwise: bool = False


@dataclass(frozen=True)
class Contraction:
    """The loops over taps: (count, stride in bytes) of kernel rows and columns, and the contiguous bytes sliced by the array's rows.

    In depthwise mode the columns loop runs over phases and `warmup` is one less than the taps that the array's rows hold.
    """

    taps_h: int
    tap_h_stride: int
    taps_w: int
    tap_w_stride: int
    slices: int
    warmup: int = 0

    @property
    def tiles(self) -> int:
        """Weight tiles of a block."""
        return self.taps_h * self.taps_w * self.slices


def _filter(layer: Conv, config: AcceleratorConfig) -> tuple[int, int] | None:
    """(taps in the rows, phases) of a convolution that depthwise mode can execute, None for any other."""
    channels, _, kernel_w, group_inputs = layer.weight.shape
    stride, dilation = layer.strides[1], layer.dilations[1]
    if not config.depthwise or layer.groups != channels or group_inputs != 1 or layer.inputs[0].shape[2] != channels:
        return None
    if stride > 1 and dilation > 1:
        return None
    taps = -(-kernel_w // stride) if stride > 1 else (kernel_w - 1) * dilation + 1
    return (taps, min(stride, kernel_w)) if taps <= config.rows else None


def extent(layer: Conv, config: AcceleratorConfig) -> tuple[int, int]:
    """Rows and columns of the input that one output pixel reads (some of them with weight 0)."""
    _, kernel_h, kernel_w, _ = layer.weight.shape
    rows = (kernel_h - 1) * layer.dilations[0] + 1
    taps = _filter(layer, config)
    if taps is not None:
        return rows, (taps[0] - 1) * layer.strides[1] + taps[1]
    return rows, (kernel_w - 1) * layer.dilations[1] + 1


def segments(layer: Conv, config: AcceleratorConfig) -> list[Segment]:
    """The segments of `layer`, in the order of their output channels."""
    out_channels, _, _, group_inputs = layer.weight.shape
    group_outputs = out_channels // layer.groups
    cols = config.cols
    if layer.groups == 1:
        return [Segment(0, out_channels, 0, 0, group_inputs, -(-out_channels // cols))]
    if _filter(layer, config) is not None:
        return [Segment(0, out_channels, 0, cols, min(cols, out_channels), -(-out_channels // cols), depthwise=True)]
    if cols % group_outputs == 0:
        groups = min(cols // group_outputs, layer.groups)
        stride, rest = groups * group_inputs, layer.groups % groups * group_inputs
        if 0 < -(-rest // config.rows) < -(-stride // config.rows):
            # The last block in a segment of its own: it takes fewer slices and, like the others, reads nothing far behind its channels.
            whole = layer.groups // groups
            last = Segment(whole * cols, out_channels - whole * cols, whole * stride, stride, rest, 1)
            return [Segment(0, whole * cols, 0, stride, stride, whole), last]
        return [Segment(0, out_channels, 0, stride, stride, -(-out_channels // cols))]
    blocks = -(-group_outputs // cols)
    return [Segment(g * group_outputs, group_outputs, g * group_inputs, 0, group_inputs, blocks) for g in range(layer.groups)]


def contraction(layer: Conv, segment: Segment, config: AcceleratorConfig, pitch: int, pixel: int = 0) -> Contraction:
    """The tap loops over an input whose rows lie `pitch` bytes apart; loops that are contiguous in memory are merged.

    Pixels lie `pixel` bytes apart; 0 means no gaps between them.
    """
    _, kernel_h, kernel_w, _ = layer.weight.shape
    channels = pixel or layer.inputs[0].shape[2]
    tap_h, tap_w = layer.dilations[0] * pitch, layer.dilations[1] * channels
    taps = _filter(layer, config) if segment.depthwise else None
    if taps is not None:
        return Contraction(kernel_h, tap_h, taps[1], channels, 1, taps[0] - 1)
    whole_pixels = segment.inputs == channels
    if whole_pixels and (kernel_w == 1 or layer.dilations[1] == 1):
        row = kernel_w * channels
        if kernel_h == 1 or tap_h == row:
            return Contraction(1, 0, 1, 0, -(-kernel_h * row // config.rows))
        return Contraction(kernel_h, tap_h, 1, 0, -(-row // config.rows))
    return Contraction(kernel_h, tap_h, kernel_w, tap_w, -(-segment.inputs // config.rows))


def segment_weights(layer: Conv, segment: Segment, loops: Contraction, config: AcceleratorConfig) -> np.ndarray:
    """The weight tiles of `segment`, int8 (blocks, tiles, rows, cols) in the order in which a MATMUL consumes them."""
    _, kernel_h, kernel_w, group_inputs = layer.weight.shape
    rows, cols = config.rows, config.cols
    if segment.depthwise:
        return _filter_weights(layer, segment, loops, config)
    # Dense weights of each block over its own input window: (blocks, cols, kernel_h, kernel_w, inputs).
    dense = np.zeros((segment.blocks, cols, kernel_h, kernel_w, segment.inputs), np.int8)
    weight = layer.weight[segment.first : segment.first + segment.count]
    if segment.stride:
        group_outputs = layer.weight.shape[0] // layer.groups
        for channel in range(segment.count):
            block, column = divmod(channel, cols)
            start = column // group_outputs * group_inputs
            dense[block, column, :, :, start : start + group_inputs] = weight[channel]
    else:
        dense.reshape(-1, kernel_h, kernel_w, segment.inputs)[: segment.count] = weight
    runs = dense.reshape(segment.blocks, cols, loops.taps_h * loops.taps_w, -1)
    padded = np.zeros((*runs.shape[:3], loops.slices * rows), np.int8)
    padded[..., : runs.shape[3]] = runs
    tiles = padded.reshape(segment.blocks, cols, -1, rows)
    return np.ascontiguousarray(tiles.transpose(0, 2, 3, 1))


def _filter_weights(layer: Conv, segment: Segment, loops: Contraction, config: AcceleratorConfig) -> np.ndarray:
    """As `segment_weights`: row r of a tile is the tap r pixels before the newest, column c the filter of channel c."""
    channels, kernel_h, kernel_w, _ = layer.weight.shape
    stride, dilation = layer.strides[1], layer.dilations[1]
    tiles = np.zeros((segment.blocks * config.cols, kernel_h, loops.taps_w, config.rows), np.int8)
    for phase in range(loops.taps_w):
        for row in range(loops.warmup + 1):
            pixel = loops.warmup - row  # of the filter's window, in steps of the stride
            tap, rest = (pixel * stride + phase, 0) if stride > 1 else divmod(pixel, dilation)
            if rest == 0 and tap < kernel_w:
                tiles[:channels, :, phase, row] = layer.weight[:, :, tap, 0]
    blocked = tiles.reshape(segment.blocks, config.cols, -1, config.rows)
    return np.ascontiguousarray(blocked.transpose(0, 2, 3, 1))


def segment_parameters(layer: Conv, segment: Segment, config: AcceleratorConfig) -> bytes:
    """Parameter records of `segment`, padded to whole blocks; the input's zero point is folded into the bias."""
    channels = slice(segment.first, segment.first + segment.count)
    sums = layer.weight[channels].astype(np.int64).sum(axis=(1, 2, 3))
    bias = (layer.bias[channels].astype(np.int64) - layer.inputs[0].zero_point * sums).astype(np.int32)
    mantissa, shift = split_multiplier(layer.multiplier[channels])
    spare = segment.blocks * config.cols - segment.count
    return pack_parameters(np.pad(bias, (0, spare)), np.pad(mantissa, (0, spare)), np.pad(shift, (0, spare)))
