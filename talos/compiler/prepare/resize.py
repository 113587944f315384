"""Linear interpolation by whole factors as a depthwise convolution of fixed weights."""

from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from talos.compiler.prepare.edit import Rewrite, attribute, nodes_of, shape_of, weights
from talos.compiler.prepare.parameters import Parameter
from talos.compiler.prepare.shuffle import crop, interleave

__all__ = ["expand_linear_resizes", "weight_steps"]

_LARGEST = 127  # int8
_LARGEST_CODE = 255  # of the weights that the array takes: more than int8 has costs a second pass
_MAX_DENOMINATOR = 1 << 12  # of a weight: more than the square of any factor that is in use


def expand_linear_resizes(graph: ir.Graph, *, quantized: bool = False) -> dict[str, npt.NDArray[np.float32]]:
    """Linear Resize → Pad with edge values, Conv, DepthToSpace, Slice; returns {weights: scale of each output channel}.

    Between two neighbouring pixels lie f results at fixed fractions of the way: a 2×2 convolution makes all f² of a pixel's at once, as
    channels. Half-pixel centres start half a pixel early and end half a pixel late, which the crop takes off. With `align_corners` the
    distance of results is a whole fraction of a pixel only if (out − 1) is a multiple of (in − 1); anything else is left as it is.
    The scales make the integer weights of each result add up to exactly one. With `quantized` the weights are such integers at once,
    dequantized, and a Resize whose weights are not exact in these is left.
    """
    scales: dict[str, npt.NDArray[np.float32]] = {}
    for node in nodes_of(graph, "Resize"):
        shape, result = shape_of(node.inputs[0]), shape_of(node.outputs[0])
        if attribute(node, "mode", "nearest") != "linear" or len(shape) not in (3, 4) or shape[:2] != result[:2]:
            continue
        if all(length in (1, wanted) for length, wanted in zip(shape, result, strict=True)):
            continue  # nothing lies between two pixels
        mode = attribute(node, "coordinate_transformation_mode", "half_pixel")
        if mode != "align_corners" and not _exact_scales(node, shape, result):
            continue
        plans = [_plan(length, wanted, mode) for length, wanted in zip(shape[2:], result[2:], strict=True)]
        if any(plan is None for plan in plans):
            continue
        factors, offsets, befores, afters = (tuple(int(plan[i]) for plan in plans if plan) for i in range(4))
        phases = [_phases(factor, plan[4]) for factor, plan in zip(factors, plans, strict=True) if plan]
        kernels = phases[0] if len(phases) == 1 else np.einsum("ap,bq->abpq", *phases).reshape(-1, *(p.shape[1] for p in phases))
        channels, rewrite = shape[1], Rewrite(graph, [node])
        weight: ir.Value | npt.NDArray[Any]
        if quantized:
            codes = _exact_codes(kernels, channels)
            if codes is None:
                continue
            weight = codes.operand(rewrite, "interpolation")
        else:
            weight = rewrite.constant(_per_channel(kernels.astype(np.float32), channels), "interpolation")
            scales[str(weight.name)] = np.tile(weight_steps(kernels.reshape(len(kernels), -1)), channels)
        padded = (1, channels, *(length + b + a for length, b, a in zip(shape[2:], befores, afters, strict=True)))
        x = node.inputs[0]
        if any(befores + afters):
            pads = np.array([0, 0, *befores, 0, 0, *afters])
            x = rewrite.op("Pad", [x, pads], padded, label="edge", mode="edge")
        positions = tuple(length - k + 1 for length, k in zip(padded[2:], kernels.shape[1:], strict=True))
        y = rewrite.op(
            "Conv", [x, weight], (1, channels * len(kernels), *positions), group=channels, kernel_shape=list(kernels.shape[1:])
        )
        y = interleave(rewrite, y, channels, positions, factors)
        full = tuple(length * factor for length, factor in zip(positions, factors, strict=True))
        end = tuple(offset + wanted for offset, wanted in zip(offsets, result[2:], strict=True))
        rewrite.finish(crop(rewrite, y, channels, full, offsets, end))
    return scales


def _per_channel(kernels: npt.NDArray[Any], channels: int) -> npt.NDArray[Any]:
    """The same kernels (phases, *window) for every channel, (channels · phases, 1, *window)."""
    return np.tile(kernels[:, np.newaxis], (channels, *(1,) * kernels.ndim))


def _exact_codes(kernels: npt.NDArray[np.float64], channels: int) -> Parameter | None:
    """The weights for every channel as integers times 1/n, n being the same for all; None if they are too large for the array."""
    step = _denominator(kernels.reshape(-1))
    codes = np.rint(kernels * step)
    if codes.max() > _LARGEST_CODE:
        return None
    kind = np.int8 if codes.max() <= _LARGEST else np.uint8
    return Parameter(_per_channel(codes.astype(kind), channels), np.array(1 / step, np.float32), np.array(0, kind))


def _denominator(weights: npt.NDArray[np.float64]) -> int:
    """The smallest n of which 1/n divides all `weights`."""
    return int(np.lcm.reduce([Fraction(weight).limit_denominator(_MAX_DENOMINATOR).denominator for weight in weights]))


def weight_steps(kernels: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """For each row of `kernels` (≥ 0, sum 1) the quantization step 1/n, n as large as int8 allows, with which the codes add up to n.

    If all weights of a row are multiples of some 1/n that int8 has room for, that is the step, and the codes are exact.
    """
    steps = np.empty(len(kernels), np.float32)
    for row, kernel in enumerate(kernels):
        exact = _denominator(kernel)
        limit = int(_LARGEST / kernel.max())
        candidates = (n for n in (exact, *range(limit, 0, -1)) if n <= limit and np.rint(kernel * n).sum() == n)
        steps[row] = 1 / next(candidates, limit)
    return steps


def _exact_scales(node: ir.Node, shape: tuple[int, ...], result: tuple[int, ...]) -> bool:
    """Whether the results are spaced as their number says: a scale of its own may say otherwise."""
    if attribute(node, "keep_aspect_ratio_policy", "stretch") != "stretch":
        return False
    scales = weights(node, 2)
    if scales is None or not scales.size:
        return True
    axes = attribute(node, "axes", None) or range(len(shape))
    return all(np.float32(shape[axis]) * scale == result[axis] for axis, scale in zip(axes, scales, strict=True))


def _plan(length: int, wanted: int, mode: str) -> tuple[int, int, int, int, Fraction] | None:
    """(factor, results to crop at the start, edge pixels in front and behind, fraction of the first phase) of one axis.

    Result i of an axis lies at (i + crop) // factor pixels, counted in the padded image, and a fraction of the way to the next one.
    """
    if length == wanted:
        return 1, 0, 0, 0, Fraction(0)
    if mode == "align_corners":
        if length == 1 or (wanted - 1) % (length - 1):
            return None
        return (wanted - 1) // (length - 1), 0, 0, 1, Fraction(0)
    if wanted % length:
        return None
    factor = wanted // length
    if mode == "asymmetric":
        return factor, 0, 0, 1, Fraction(0)
    if mode in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"):
        return factor, (factor + 1) // 2, 1, 1, Fraction((factor + 1) % 2, 2 * factor)
    return None


def _phases(factor: int, first: Fraction) -> npt.NDArray[np.float64]:
    """The weights (factor, 2) of a pixel and the next; (1, 1) where nothing is resized."""
    if factor == 1:
        return np.ones((1, 1))
    fractions = [float(first + Fraction(phase, factor)) for phase in range(factor)]
    return np.array([[1 - fraction, fraction] for fraction in fractions])
