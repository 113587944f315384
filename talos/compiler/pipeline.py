"""The whole compiler: an ONNX file → a program, with the quantized model that it must agree with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
import onnx

from talos.compiler.frontend import build_graph
from talos.compiler.graph.network import NetworkNode, network_nodes
from talos.compiler.graph.repeat_graph import repeat_graph
from talos.compiler.scheduling.expose_layers import LayerProgram, expose_layers
from talos.compiler.scheduling.schedule import schedule
from talos.config import AcceleratorConfig
from talos.program import Program

__all__ = ["Compiled", "compile_model"]


@dataclass(frozen=True)
class Compiled:
    """`program`, and the serialized QDQ model whose results in onnxruntime the program gives.

    `layers`, if asked for, is a second program that also hands back what every layer makes. `network` says which layer reads which.
    """

    program: Program
    quantized_model: bytes
    layers: LayerProgram | None = None
    network: tuple[NetworkNode, ...] = ()


def compile_model(
    path: str | Path,
    config: AcceleratorConfig,
    calibrate: Mapping[str, npt.NDArray[Any]] | None = None,
    *,
    layers: bool = False,
    host: bool = True,
    batch: int | None = 1,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Compiled:
    """Compile the ONNX file at `path` for `config`.

    A float model is quantized with the samples in `calibrate` ({input name: (n, …)}). `layers`: also compile the program that shows
    every layer. `batch`: images that a run takes (None: as many as the model is written for). `host`: what the accelerator cannot run may
    go to the host. `progress` hears of calibration and scheduling.
    Raises TalosError, one line, for anything that cannot be compiled, naming the file and the node.
    """
    front = build_graph(path, calibrate, host=host, progress=progress)
    images = front.batch if batch is None else batch
    graph = repeat_graph(front.graph, images) if images > 1 else front.graph
    program = schedule(graph, config, front.node_placement, progress)
    shown = expose_layers(front.graph, config, _computed(front.quantized_model)) if layers else None
    return Compiled(program, front.quantized_model.SerializeToString(), shown, network_nodes(front.graph))


def _computed(model: onnx.ModelProto) -> set[str]:
    """The names of the values that nodes of `model` compute."""
    return {name for node in model.graph.node for name in node.output}
