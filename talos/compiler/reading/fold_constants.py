"""Folds what does not depend on the input, and leaves the quantization of weights standing."""

import logging

import onnx
import onnx_ir as ir
from onnx_ir.passes import common
from onnxscript import optimizer

__all__ = ["fold_constants"]

_NO_LIMIT = 1 << 40


def fold_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy without Identity, Dropout, Constant nodes and Shape/Gather/Cast/… chains; `model` has static shapes.

    Quantize- and DequantizeLinear of constants stay: their codes, scales and zero points are what the compiler needs.
    """

    def should_fold(node: ir.Node) -> bool | None:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            return False
        return True if node.op_type == "ConstantOfShape" else None

    graph = ir.from_proto(model)
    clean_up = ir.passes.Sequential(
        common.IdentityEliminationPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.RemoveUnusedNodesPass(),
    )
    loggers = [logging.getLogger(name) for name in ("onnx_ir", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        common.InlinePass()(graph)
        for _ in range(2):  # the second round sees the shapes that the first one made constant
            optimizer.fold_constants(
                graph,
                onnx_shape_inference=True,
                input_size_limit=_NO_LIMIT,
                output_size_limit=_NO_LIMIT,
                should_fold=should_fold,
            )
            clean_up(graph)
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    return ir.to_proto(graph)
