"""Brings a float model into the form that quantizes well. The order of the rewrites is here and nowhere else."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir
from onnx_ir.passes import common

from talos.compiler.prepare.affine import fold_affine
from talos.compiler.prepare.check import check_weights
from talos.compiler.prepare.clamps import hoist_clamps
from talos.compiler.prepare.constants import dequantize_constants, simplify_constants
from talos.compiler.prepare.edit import mark, origins
from talos.compiler.prepare.functions import group_functions, isolate_averages
from talos.compiler.prepare.linear import plain_products
from talos.compiler.prepare.opset import upgrade_opset
from talos.compiler.prepare.prelu import expand_prelu
from talos.compiler.prepare.reductions import reductions_to_pooling
from talos.compiler.prepare.resize import expand_linear_resizes
from talos.compiler.prepare.select import quantize_inputs, select_nodes
from talos.compiler.prepare.sums import split_extremes, split_sums
from talos.compiler.prepare.transposed_convolution import expand_transposed_convolutions
from talos.compiler.reading.fold_constants import fold_constants
from talos.compiler.reading.load import fix_batch, name_nodes
from talos.errors import TalosError

__all__ = ["REWRITES", "Prepared", "prepare_float"]

REWRITES: tuple[Callable[[ir.Graph], None], ...] = (
    dequantize_constants, split_sums, split_extremes, simplify_constants, plain_products, reductions_to_pooling, fold_affine, expand_prelu,
    expand_transposed_convolutions, hoist_clamps,
)  # fmt: skip
"""What happens to the graph of a float model, in order, before linear Resizes are expanded and functions are grouped."""


@dataclass(frozen=True)
class Prepared:
    """A float `model` ready for calibration, with its functions as model-local functions.

    `chosen` are the nodes to quantize; `weight_scales` the quantization step per output channel of weights that are exact with it;
    `quantized` and `kept_float` the user's nodes, as far as they are not folded away.
    """

    model: onnx.ModelProto
    chosen: tuple[str, ...]
    weight_scales: dict[str, npt.NDArray[np.float32]]
    quantized: frozenset[str]
    kept_float: frozenset[str]


def prepare_float(model: onnx.ModelProto, file: str, exclude: tuple[str, ...] = ()) -> Prepared:
    """Rewrites a copy of the float `model` (static shapes, nodes named), which computes the same function up to float rounding.

    The nodes named in `exclude` stay as they are, and float. Raises TalosError naming `file` for a node in `exclude` that is not there, an
    opset that cannot be converted, weights that are not finite, and a model of which nothing can be quantized.
    """
    names = [node.name for node in model.graph.node]
    for name in exclude:
        if name not in names:
            near = get_close_matches(name, names, 1, 0) or names[:1]
            raise TalosError(f"{file}: there is no node '{name}' to exclude; the nearest name is '{near[0]}'")
    model = fold_constants(fix_batch(upgrade_opset(model, file), file))
    model = fix_batch(model, file)  # again: folding has made more shapes known
    name_nodes(model)
    ir_model = ir.from_proto(model)
    graph = ir_model.graph
    mark(graph, frozenset(exclude))
    check_weights(graph, file)
    with np.errstate(all="ignore"):  # what comes of it is found below
        for rewrite in REWRITES:
            rewrite(graph)
    check_weights(graph, file)
    scales = expand_linear_resizes(graph)
    group_functions(ir_model)
    isolate_averages(ir_model)
    chosen = select_nodes(graph)
    if not chosen:
        raise TalosError(f"{file}: there is nothing to quantize; a network needs a Conv, Gemm or MatMul with constant weights")
    stands_for = {str(node.name): origins(node) for node in graph}
    quantized = frozenset(name for node in chosen for name in stands_for[node])
    floats = frozenset(name for node, parts in stands_for.items() if node not in chosen for name in parts) - quantized
    chosen = quantize_inputs(graph, chosen)
    _drop_unused(ir_model)
    proto = ir.to_proto(ir_model)
    try:
        proto = onnx.shape_inference.infer_shapes(proto, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise TalosError(f"{file}: shapes are inconsistent ({str(error).splitlines()[0]}); export the model again") from error
    return Prepared(proto, chosen, scales, quantized, floats)


def _drop_unused(model: ir.Model) -> None:
    """Removes what no node reads any more: onnxruntime warns about each."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        common.RemoveUnusedNodesPass()(model)
    finally:
        logger.setLevel(level)
