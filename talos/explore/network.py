"""A network as the trials need it: read once, then compiled for one configuration after the other, in any process."""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.compiler.frontend import build_graph
from talos.compiler.graph.ir import Graph

__all__ = ["Network", "load_network"]


@dataclass(frozen=True)
class Network:
    """name: of the file, without its suffix. hash: of the file and of the calibration samples. graph: the fused layers, pickled, for other
    processes of this version of Talos. on_host: nodes that run on the host, whose time no trial counts."""

    name: str
    hash: str
    graph: bytes
    on_host: int

    def layers(self) -> Graph:
        """The layer graph."""
        graph: Graph = pickle.loads(self.graph)
        return graph


def load_network(path: Path, calibrate: Mapping[str, NDArray[Any]] | None) -> Network:
    """Read and fuse the ONNX file at `path`; a float model is quantized with the samples in `calibrate`. Raises TalosError."""
    front = build_graph(path, calibrate)
    digest = hashlib.sha256(path.read_bytes())
    for name, array in sorted((calibrate or {}).items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    on_host = sum(row.placement == "host" for row in front.node_placement)
    return Network(path.stem, digest.hexdigest()[:16], pickle.dumps(front.graph, protocol=5), on_host)
