"""Refuses layers that need an option which the configuration leaves out."""

from talos.compiler.graph.ir import Binary, Conv, Graph, Layer, Lookup, Pool, TableLayer
from talos.config import AcceleratorConfig
from talos.errors import TalosError

__all__ = ["require_features"]


def require_features(graph: Graph, config: AcceleratorConfig) -> None:
    """Raise TalosError, naming the layer and the option, if `config` lacks what a layer of `graph` needs."""
    for layer in graph.layers:
        for option in _needed(layer):
            if not getattr(config, option):
                raise TalosError(
                    f"{graph.name}: layer '{layer.name}' ({layer.op}) needs the option {option}, which the configuration {config.name} "
                    f"leaves out; set {option}=true"
                )


def _needed(layer: Layer) -> list[str]:
    needed = []
    pair = layer.residual if isinstance(layer, Conv) else layer if isinstance(layer, Binary) else None
    if pair is not None:
        needed.extend(["residual", "multiply"] if pair.function == "multiply" else ["residual"])
    if isinstance(layer, Lookup) or (isinstance(layer, TableLayer) and layer.table is not None):
        needed.append("lookup")
    if isinstance(layer, Pool):
        needed.append("pool")
    return needed
