"""The front half of the compiler: an ONNX file to a fused layer graph. The order of its passes is here and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx

from talos.compiler.calibrate import calibration_arrays, quantize_float
from talos.compiler.fold_constants import fold_constants
from talos.compiler.fuse_clamp import fuse_clamp
from talos.compiler.fuse_lookup import fuse_lookup
from talos.compiler.fuse_residual import fuse_residual
from talos.compiler.import_graph import import_graph
from talos.compiler.ir import Concat, Conv, Graph, View
from talos.compiler.load import fix_batch, is_quantized, load_model, name_nodes
from talos.compiler.prepare_float import prepare_float
from talos.compiler.remove_dead import remove_dead
from talos.compiler.separate_slices import separate_slices
from talos.errors import TalosError
from talos.program import Placement

__all__ = ["PASSES", "FrontendResult", "build_graph"]

PASSES: tuple[Callable[[Graph], object], ...] = (
    remove_dead, fuse_clamp, fuse_residual, fuse_lookup, remove_dead, separate_slices,
)  # fmt: skip
"""What happens to the layer graph after the import, in order. Each pass changes it in place and leaves all values as they were."""


@dataclass(frozen=True)
class FrontendResult:
    """`graph` is what to compile; `quantized_model` the QDQ model whose results in onnxruntime the accelerator must give.

    `node_placement` says for every node of the user's model where it went.
    """

    graph: Graph
    quantized_model: onnx.ModelProto
    node_placement: tuple[Placement, ...]


def build_graph(path: str | Path, calibrate: Mapping[str, npt.NDArray[Any]] | None = None) -> FrontendResult:
    """Reads the ONNX file at `path` and returns its layers, fused, with the model to compare with.

    A float model is quantized with `calibrate`, {input name: float32 samples (n, …)} (see `calibration_arrays`); a quantized one
    must have QuantizeLinear/DequantizeLinear around its operators. Raises TalosError, one line, for anything that cannot be compiled.
    """
    file = Path(path).name
    original = load_model(path)
    model = fix_batch(original, file)
    name_nodes(model)
    user_nodes = [(node.name, node.op_type) for node in model.graph.node]
    reference = original
    if not is_quantized(model):
        if calibrate is None:
            raise TalosError(f"{file}: a float model needs sample inputs to find its scales; pass --calibrate DATA.npz")
        arrays = calibration_arrays(model, calibrate, file)
        model = reference = quantize_float(prepare_float(model, file), arrays, file)
        model = fix_batch(model, file)
        name_nodes(model)
    model = fold_constants(model)
    model = fix_batch(model, file)  # again: folding has made more shapes known
    name_nodes(model)
    graph = import_graph(model, file)
    graph.name = Path(path).stem
    for graph_pass in PASSES:
        graph_pass(graph)
    return FrontendResult(graph, reference, tuple(_placement(graph, user_nodes)))


def _placement(graph: Graph, nodes: list[tuple[str, str]]) -> list[Placement]:
    layers = {node: layer for layer in graph.layers for node in layer.nodes}
    hosts = {node: part for part in graph.host for node in part.nodes}
    rows = []
    for name, op_type in nodes:
        if name in layers:
            layer = layers[name]
            if isinstance(layer, View):
                place, reason = "placement", "the same bytes under another shape"
            elif isinstance(layer, Concat):
                place, reason = "placement", "its operands are written into slices of its result"
            elif isinstance(layer, Conv):
                place, reason = "array", "moves data with weights 0 and 1" if isinstance(layer, Conv) and layer.copy else ""
            else:
                place, reason = "vector", ""
            rows.append(Placement(name, op_type, place, layer.name, reason))
        elif name in hosts:
            rows.append(Placement(name, op_type, "host", "", hosts[name].reason))
        elif op_type in ("Flatten", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze", "Pad"):
            rows.append(Placement(name, op_type, "placement", "", "changes where elements are looked for, not bytes"))
        else:
            rows.append(Placement(name, op_type, "folded", "", "folded into weights, scales or a neighbouring layer"))
    return rows
