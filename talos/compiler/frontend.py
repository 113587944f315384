"""The front half of the compiler: an ONNX file to a fused layer graph. The order of its passes is here and nowhere else."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx

from talos.compiler.graph.fuse_clamp import fuse_clamp
from talos.compiler.graph.fuse_lookup import fuse_lookup
from talos.compiler.graph.fuse_residual import fuse_residual
from talos.compiler.graph.fuse_same_source import fuse_same_source
from talos.compiler.graph.ir import Graph
from talos.compiler.graph.remove_dead import remove_dead
from talos.compiler.graph.separate_slices import separate_slices
from talos.compiler.graph.sort_channels import sort_channels
from talos.compiler.importing.import_graph import import_graph
from talos.compiler.importing.placement import place_nodes
from talos.compiler.prepare.expand_upsampling import expand_upsampling
from talos.compiler.quantization.quantize import quantize_float
from talos.compiler.reading.fold_constants import fold_constants
from talos.compiler.reading.load import fix_batch, is_quantized, load_batched, name_nodes
from talos.compiler.reading.qoperator import convert_qoperators
from talos.compiler.reading.require_reference import require_reference
from talos.errors import TalosError
from talos.program import Placement

__all__ = ["PASSES", "FrontendResult", "build_graph"]

PASSES: tuple[Callable[[Graph], object], ...] = (
    remove_dead, fuse_same_source, fuse_clamp, fuse_residual, fuse_lookup, remove_dead, sort_channels, separate_slices,
)  # fmt: skip
"""What happens to the layer graph after the import, in order. Each pass changes it in place and leaves all values as they were."""

_SHOWN = 3  # reasons that the error of --no-host gives in full


@dataclass(frozen=True)
class FrontendResult:
    """`graph` is what to compile; `quantized_model` the QDQ model whose results in onnxruntime the accelerator must give.

    `node_placement` says for every node of the user's model where it went. `batch` is the number of images that the file was written
    for; everything else is about one image.
    """

    graph: Graph
    quantized_model: onnx.ModelProto
    node_placement: tuple[Placement, ...]
    batch: int


def build_graph(
    path: str | Path,
    calibrate: Mapping[str, npt.NDArray[Any]] | None = None,
    *,
    host: bool = True,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> FrontendResult:
    """Reads the ONNX file at `path` and returns its layers, fused, with the model to compare with.

    A float model is quantized with `calibrate`, {input name: float32 samples (n, …)} (see `calibration_arrays`); a quantized one
    must have QuantizeLinear/DequantizeLinear around its operators. What the accelerator cannot run is left to the host, in
    `graph.host`; without `host`, that is an error. Raises TalosError, one line, for anything that cannot be compiled.
    """
    file = Path(path).name
    original, batch = load_batched(path)
    named = onnx.ModelProto()
    named.CopyFrom(original)
    name_nodes(named)
    users = fix_batch(named, file)
    model = fix_batch(convert_qoperators(named, file), file)
    reference = named
    if not is_quantized(model):
        if calibrate is None:
            raise TalosError(
                f"{file}: a float model needs sample inputs to find its scales; pass --calibrate DATA.npz (Python: calibration=)"
            )
        reference = quantize_float(model, calibrate, file, progress=progress).model
        model = fix_batch(reference, file)
        name_nodes(model)
    progress(f"reading {file}", 0, 0)
    model = fold_constants(model)
    model = fix_batch(model, file)  # again: folding has made more shapes known
    name_nodes(model)
    model = expand_upsampling(model)
    imported = import_graph(model, file)
    require_reference(reference, file)
    graph = imported.graph
    graph.name = Path(path).stem
    for graph_pass in PASSES:
        graph_pass(graph)
    placements = place_nodes(users, graph, imported.on_host)
    if not host:
        _require_no_host(graph, placements, file)
    return FrontendResult(graph, reference, placements, batch)


def _require_no_host(graph: Graph, placements: tuple[Placement, ...], file: str) -> None:
    """Raise TalosError, naming the nodes that brought it about, if something runs on the host."""
    reasons = [reason for part in graph.host for reason in part.reasons]
    if not reasons:
        return
    lines = "; ".join(f"node '{why.node}' ({why.op}): {why.reason}; {why.suggestion}" for why in reasons[:_SHOWN])
    names = ", ".join(f"'{why.node}'" for why in reasons[_SHOWN:])
    count = sum(row.placement == "host" for row in placements)
    more = f"; also {names}" if names else ""
    raise TalosError(f"{file}: {count} nodes would run on the host, which --no-host forbids: {lines}{more}")
