"""Brings a model to an operator set in which weights can be quantized per channel."""

import re

import onnx

from talos.errors import TalosError

__all__ = ["MIN_QUANTIZED_OPSET", "upgrade_opset"]

MIN_QUANTIZED_OPSET = 13
"""The first with DequantizeLinear per channel."""

_RESIZE_WITH_MODES = 11


def upgrade_opset(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """`model`, or a copy of it in opset 13 if it is older. Raises TalosError naming `file` and the node that cannot be converted."""
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset >= MIN_QUANTIZED_OPSET:
        return model
    kept_meaning = {"Hardmax"}  # the converter copies these although opset 13 reads their axis in another way
    reason = "its meaning has changed"
    try:
        converted = onnx.version_converter.convert_version(model, MIN_QUANTIZED_OPSET)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        kept_meaning = set(re.findall(r"\w+", reason))
        converted = None
    at_fault = next((node for node in model.graph.node if node.op_type in kept_meaning), None)
    if converted is None or at_fault is not None:
        what = f"node '{at_fault.name}' ({at_fault.op_type})" if at_fault is not None else "the model"
        raise TalosError(
            f"{file}: {what} cannot be converted from opset {opset} to {MIN_QUANTIZED_OPSET} ({reason}); export the model with opset "
            f"{MIN_QUANTIZED_OPSET} or later"
        )
    if opset < _RESIZE_WITH_MODES:
        _keep_old_resizes(converted)
    return converted


def _keep_old_resizes(model: onnx.ModelProto) -> None:
    """Before opset 11 Upsample and Resize count from the corner and round down; the converter leaves the new defaults in force."""
    for node in model.graph.node:
        if node.op_type == "Resize" and not any(entry.name == "coordinate_transformation_mode" for entry in node.attribute):
            node.attribute.append(onnx.helper.make_attribute("coordinate_transformation_mode", "asymmetric"))
            node.attribute.append(onnx.helper.make_attribute("nearest_mode", "floor"))
