"""Resize in the nearest mode, by any factors; other modes where all they do is to repeat elements."""

from functools import reduce

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.importing.import_shape import move
from talos.compiler.importing.importer import Importer
from talos.compiler.importing.resize_map import COORDINATES, ROUNDINGS, ResizeAxis, nearest

__all__ = ["HANDLERS"]


def _resize(importer: Importer, node: onnx_ir.Node) -> None:
    before, after = importer.activation(node).shape, importer.output_shape(node)
    old = importer.version() < 11
    mode = importer.attribute(node, "mode", "nearest")
    coordinates = "asymmetric" if old else importer.attribute(node, "coordinate_transformation_mode", "half_pixel")
    rounding = "simple" if old else importer.attribute(node, "nearest_mode", "round_prefer_floor")
    if coordinates not in COORDINATES or rounding not in ROUNDINGS:
        raise importer.error(node, f"coordinate_transformation_mode {coordinates}, nearest_mode {rounding}", "check the model")
    axes = _axes(importer, node, before, after)
    if mode != "nearest" and (
        coordinates == "tf_crop_and_resize" or any(axis.before > 1 and axis.before != axis.after for axis in axes)
    ):
        raise importer.error(
            node,
            f"{mode} resizing of {list(before)} to {list(after)}",
            "use the nearest mode, or the linear one with whole factors",
        )
    if before == after:  # onnxruntime copies, whatever the scales are
        places = [np.arange(size) for size in before]
    elif mode != "nearest":
        places = [np.zeros(axis.after, np.int64) if axis.before == 1 else np.arange(axis.after) for axis in axes]
    else:
        places = [nearest(axis, coordinates, rounding) for axis in axes]
    outside = reduce(np.logical_or.outer, [positions < 0 for positions in places])
    if outside.any() and importer.attribute(node, "extrapolation_value", 0.0) != 0:
        raise importer.error(node, "tf_crop_and_resize fills with a number other than 0", "use extrapolation_value 0")
    move(importer, node, lambda index: np.where(outside, -1, index[np.ix_(*places)]).astype(np.int32))


def _axes(importer: Importer, node: onnx_ir.Node, before: tuple[int, ...], after: tuple[int, ...]) -> list[ResizeAxis]:
    """All axes of the operand, with the scales that onnxruntime takes."""
    new = importer.version() >= 11
    roi, scales, sizes = (_floats(importer, node, position) for position in ((1, 2, 3) if new else (2, 1, 2)))
    listed = [int(axis) % len(before) for axis in importer.attribute(node, "axes", range(len(before)))]
    if sizes is not None:
        scales = np.array([size / np.float32(before[axis]) for size, axis in zip(sizes, listed, strict=True)], np.float32)
        policy = importer.attribute(node, "keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            scales[:] = scales.min() if policy == "not_larger" else scales.max()
    if scales is None or len(scales) != len(listed) or len(after) != len(before):
        raise importer.error(node, "it has neither scales nor sizes for its axes", "check the model")
    scale, start, end = np.ones(len(before), np.float32), np.zeros(len(before), np.float32), np.ones(len(before), np.float32)
    scale[listed] = scales
    if roi is not None and len(roi) == 2 * len(listed):
        start[listed], end[listed] = roi[: len(listed)], roi[len(listed) :]
    return [ResizeAxis(*row) for row in zip(before, after, scale, start, end, strict=True)]


def _floats(importer: Importer, node: onnx_ir.Node, position: int) -> npt.NDArray[np.float32] | None:
    """Input `position` as float32; None if it is left out or empty."""
    array = importer.constant(node, position)
    return None if array is None or not array.size else array.reshape(-1).astype(np.float32)


HANDLERS = {"Resize": _resize}
