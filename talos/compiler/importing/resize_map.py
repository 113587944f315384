"""Which input position each output position of a nearest-neighbour Resize reads, as onnxruntime computes it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["COORDINATES", "ROUNDINGS", "ResizeAxis", "nearest"]

COORDINATES = (
    "align_corners", "asymmetric", "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "tf_crop_and_resize", "tf_half_pixel_for_nn",
)  # fmt: skip
ROUNDINGS = ("ceil", "floor", "round_prefer_ceil", "round_prefer_floor", "simple")

_TIE = np.float32(1e-6)  # how near to a half onnxruntime takes a position for one

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ResizeAxis:
    """One axis: elements before and after, the factor between, and the part [start, end] of the input for tf_crop_and_resize."""

    before: int
    after: int
    scale: np.float32
    start: np.float32
    end: np.float32


def nearest(axis: ResizeAxis, coordinates: str, rounding: str) -> npt.NDArray[np.int64]:
    """The input position of each output position; -1 where tf_crop_and_resize looks outside the input.

    `coordinates` is one of `COORDINATES`, `rounding` one of `ROUNDINGS` (simple: that of opsets before 11). The formulas are those of the
    ONNX operator, precision and order of operations those of
    onnxruntime.
    """
    if axis.scale == 1:
        return np.arange(axis.after)
    x = _original(axis, coordinates)
    places = np.clip(_rounded(x, rounding, shrinks=bool(axis.scale < 1)), 0, axis.before - 1).astype(np.int64)
    outside = (x < 0) | (x > axis.before - 1)
    return np.where(outside, -1, places) if coordinates == "tf_crop_and_resize" else places


def _original(axis: ResizeAxis, coordinates: str) -> Floats:
    """Where output positions lie on the input's axis."""
    x = np.arange(axis.after, dtype=np.float32)
    half, last = np.float32(0.5), np.float32(axis.before - 1)
    if coordinates == "asymmetric":
        return x / axis.scale
    if coordinates == "tf_half_pixel_for_nn":
        return (x + half) / axis.scale
    if coordinates == "align_corners":
        return x * last / np.float32(axis.after - 1) if axis.after > 1 else np.zeros(1, np.float32)
    if coordinates == "tf_crop_and_resize":
        if axis.after == 1:
            return np.full(1, half * (axis.start + axis.end) * last, np.float32)
        return axis.start * last + x * (axis.end - axis.start) * last / np.float32(axis.after - 1)
    if coordinates == "pytorch_half_pixel" and axis.after == 1:
        return np.zeros(1, np.float32)
    if coordinates == "half_pixel_symmetric":
        adjustment = np.float32(axis.after) / (axis.scale * np.float32(axis.before))
        offset = np.float32(axis.before) / np.float32(2) * (np.float32(1) - adjustment)
        exact = float(offset) + (x.astype(np.float64) + 0.5) / float(axis.scale) - 0.5
        return exact.astype(np.float32)
    return (x + half) / axis.scale - half


def _rounded(x: Floats, rounding: str, *, shrinks: bool) -> Floats:
    if rounding == "simple":
        return np.ceil(x) if shrinks else np.trunc(x)
    if rounding == "floor":
        return np.floor(x)
    if rounding == "ceil":
        return np.ceil(x)
    below = np.floor(x)
    half = np.abs(x - below - np.float32(0.5)) < _TIE
    return np.where(half, below + np.float32(rounding == "round_prefer_ceil"), np.floor(x + np.float32(0.5)))
