"""The whole compiler: an ONNX file → a program, with the quantized model that it must agree with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from talos.compiler.frontend import build_graph
from talos.compiler.schedule import schedule
from talos.config import AcceleratorConfig
from talos.program import Program

__all__ = ["Compiled", "compile_model"]


@dataclass(frozen=True)
class Compiled:
    """`program`, and the serialized QDQ model whose results in onnxruntime the program gives."""

    program: Program
    quantized_model: bytes


def compile_model(
    path: str | Path, config: AcceleratorConfig, calibrate: Mapping[str, npt.NDArray[Any]] | None = None
) -> Compiled:
    """Compile the ONNX file at `path` for `config`.

    A float model is quantized with the samples in `calibrate` ({input name: (n, …)}). Raises TalosError, one line, for anything that cannot
    be compiled, naming the file and the node.
    """
    front = build_graph(path, calibrate)
    program = schedule(front.graph, config, front.node_placement)
    return Compiled(program, front.quantized_model.SerializeToString())
