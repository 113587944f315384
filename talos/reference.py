"""Layers in plain NumPy, written to be read: what every other execution is compared with.

Tensors are int8 codes of shape (height, width, channels), weights int8 of shape (out_channels, kernel_h, kernel_w, in_channels / groups),
zero point 0. `pads` are (top, left, bottom, right). A layer is its sums in int32 followed by `talos.numerics`; addition and unary
functions are `numerics.combine` and `numerics.apply_table` as they stand.
"""

import numpy as np
import numpy.typing as npt

from talos import numerics
from talos.errors import TalosError

__all__ = [
    "average_pool",
    "conv_layer",
    "convolution",
    "fully_connected",
    "global_average_pool",
    "max_pool",
    "output_size",
    "reduce_sum",
]

Int8Array = npt.NDArray[np.int8]
Int32Array = npt.NDArray[np.int32]
Pair = tuple[int, int]
Pads = tuple[int, int, int, int]


def output_size(size: int, kernel: int, stride: int = 1, before: int = 0, after: int = 0, dilation: int = 1) -> int:
    """Output positions along one axis, incomplete windows left out. Raises TalosError when not even one window fits."""
    positions = (size + before + after - (kernel - 1) * dilation - 1) // stride + 1
    if positions < 1:
        raise TalosError(
            f"window of {kernel} (dilation {dilation}) does not fit into {size} + {before} + {after}; fix kernel or pads"
        )
    return positions


def convolution(
    x: Int8Array,
    weight: Int8Array,
    zero_point: int,
    strides: Pair = (1, 1),
    pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1),
    groups: int = 1,
) -> Int32Array:
    """Accumulators `sum((x - zero_point) * weight)`, int32 (out_height, out_width, out_channels), wrapping.

    Padding holds `zero_point`, the code of 0.0, and so adds nothing. Output channels are divided evenly among the groups, in order;
    group g reads the input channels g * C/groups … (g + 1) * C/groups. Raises TalosError on shapes that do not fit together.
    """
    out_channels, kernel_h, kernel_w, depth = weight.shape
    if x.shape[2] != depth * groups or out_channels % groups:
        raise TalosError(f"convolution: input {x.shape} and weight {weight.shape} do not fit {groups} groups; fix the shapes")
    padded = _pad(x, pads, zero_point).astype(np.int64) - zero_point
    height = output_size(x.shape[0], kernel_h, strides[0], pads[0], pads[2], dilations[0])
    width = output_size(x.shape[1], kernel_w, strides[1], pads[1], pads[3], dilations[1])
    acc = np.zeros((height, width, groups, out_channels // groups), np.int64)
    for row in range(kernel_h):
        for column in range(kernel_w):
            tap = _tap(padded, (row * dilations[0], column * dilations[1]), strides, (height, width))
            inputs = tap.reshape(height, width, groups, depth)
            weights = weight[:, row, column].astype(np.int64).reshape(groups, out_channels // groups, depth)
            acc += np.einsum("hwgc,gkc->hwgk", inputs, weights)
    return acc.reshape(height, width, out_channels).astype(np.int32)


def conv_layer(
    x: Int8Array,
    weight: Int8Array,
    bias: npt.ArrayLike,
    multiplier: npt.ArrayLike,
    zero_x: int,
    zero_y: int,
    strides: Pair = (1, 1),
    pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1),
    groups: int = 1,
    low: int = -128,
    high: int = 127,
) -> Int8Array:
    """Quantized convolution, int8 (out_height, out_width, out_channels).

    `bias` is ONNX's int32 (out_channels,), `multiplier` float32 (out_channels,) from `numerics.conv_multiplier`.
    """
    acc = convolution(x, weight, zero_x, strides, pads, dilations, groups)
    return numerics.requantize(acc, bias, *numerics.split_multiplier(multiplier), zero_y, low, high)


def fully_connected(
    x: Int8Array,
    weight: Int8Array,
    bias: npt.ArrayLike,
    multiplier: npt.ArrayLike,
    zero_x: int,
    zero_y: int,
    low: int = -128,
    high: int = 127,
) -> Int8Array:
    """Quantized matrix-vector product: `x` (features,), `weight` (out_features, features), result int8 (out_features,)."""
    acc = weight.astype(np.int64) @ (x.astype(np.int64) - zero_x)
    return numerics.requantize(acc.astype(np.int32), bias, *numerics.split_multiplier(multiplier), zero_y, low, high)


def max_pool(
    x: Int8Array,
    kernel: Pair,
    strides: Pair = (1, 1),
    pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1),
    low: int = -128,
    high: int = 127,
) -> Int8Array:
    """Largest code of each window, clamped to [`low`, `high`]; padding never wins. The scale stays that of `x`."""
    padded = _pad(x, pads, -128)
    height = output_size(x.shape[0], kernel[0], strides[0], pads[0], pads[2], dilations[0])
    width = output_size(x.shape[1], kernel[1], strides[1], pads[1], pads[3], dilations[1])
    result = np.full((height, width, x.shape[2]), -128, np.int8)
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            tap = _tap(padded, (row * dilations[0], column * dilations[1]), strides, (height, width))
            result = np.maximum(result, tap)
    return np.clip(result, low, high).astype(np.int8)


def average_pool(
    x: Int8Array,
    kernel: Pair,
    scale_x: float | np.float32,
    zero_x: int,
    scale_y: float | np.float32,
    zero_y: int,
    strides: Pair = (1, 1),
    pads: Pads = (0, 0, 0, 0),
    count_include_pad: bool = False,
    low: int = -128,
    high: int = 127,
    dilations: Pair = (1, 1),
) -> Int8Array:
    """Quantized AveragePool, int8 (out_height, out_width, channels). Padding is 0.0 and counts in the divisor if `count_include_pad`.

    A window of the whole unpadded image is a global average, as in onnxruntime.
    """
    if tuple(kernel) == x.shape[:2] and not any(pads):
        return global_average_pool(x, scale_x, zero_x, scale_y, zero_y, low, high)
    height = output_size(x.shape[0], kernel[0], strides[0], pads[0], pads[2], dilations[0])
    width = output_size(x.shape[1], kernel[1], strides[1], pads[1], pads[3], dilations[1])
    result = np.empty((height, width, x.shape[2]), np.int8)
    for row in range(height):
        for column in range(width):
            rows = row * strides[0] - pads[0] + np.arange(kernel[0]) * dilations[0]
            columns = column * strides[1] - pads[1] + np.arange(kernel[1]) * dilations[1]
            rows = rows[(rows >= 0) & (rows < x.shape[0])]
            window = x[rows][:, columns[(columns >= 0) & (columns < x.shape[1])]].astype(np.int64)
            values = window.shape[0] * window.shape[1]
            count = kernel[0] * kernel[1] if count_include_pad else values
            if count == 0:
                raise TalosError(f"average pool: the window at ({row}, {column}) lies in the padding; reduce the pads")
            bias, multiplier, zero_point = numerics.average_window_parameters(scale_x, zero_x, scale_y, zero_y, count)
            total = window.sum(axis=(0, 1)) + (count - values) * zero_x
            mantissa, shift = numerics.split_multiplier(multiplier)
            result[row, column] = numerics.requantize(total, bias, mantissa, shift, zero_point, low, high)
    return result


def global_average_pool(
    x: Int8Array,
    scale_x: float | np.float32,
    zero_x: int,
    scale_y: float | np.float32,
    zero_y: int,
    low: int = -128,
    high: int = 127,
) -> Int8Array:
    """Quantized GlobalAveragePool, int8 (1, 1, channels)."""
    bias, multiplier = numerics.average_parameters(scale_x, zero_x, scale_y, x.shape[0] * x.shape[1])
    total = x.astype(np.int64).sum(axis=(0, 1), keepdims=True)
    mantissa, shift = numerics.split_multiplier(multiplier)
    return numerics.requantize(total, bias, mantissa, shift, zero_y, low, high)


def reduce_sum(
    x: Int8Array,
    kernel: Pair,
    divisor: int,
    scale_x: float | np.float32,
    zero_x: int,
    scale_y: float | np.float32,
    zero_y: int,
    low: int = -128,
    high: int = 127,
) -> Int8Array:
    """Quantized sums over `kernel` positions, windows side by side, divided by `divisor`; int8 (out_height, out_width, channels)."""
    height, width = x.shape[0] // kernel[0], x.shape[1] // kernel[1]
    windows = x[: height * kernel[0], : width * kernel[1]].reshape(height, kernel[0], width, kernel[1], -1)
    bias, multiplier = numerics.sum_parameters(scale_x, zero_x, scale_y, kernel[0] * kernel[1], divisor)
    mantissa, shift = numerics.split_multiplier(multiplier)
    return numerics.requantize(windows.sum(axis=(1, 3), dtype=np.int64), bias, mantissa, shift, zero_y, low, high)


def _pad(x: Int8Array, pads: Pads, value: int) -> Int8Array:
    return np.pad(x, ((pads[0], pads[2]), (pads[1], pads[3]), (0, 0)), constant_values=value)


def _tap(padded: npt.NDArray[np.integer], offset: Pair, strides: Pair, size: Pair) -> npt.NDArray[np.integer]:
    """What one kernel tap sees at every output position."""
    rows = slice(offset[0], offset[0] + (size[0] - 1) * strides[0] + 1, strides[0])
    columns = slice(offset[1], offset[1] + (size[1] - 1) * strides[1] + 1, strides[1])
    return padded[rows, columns]
