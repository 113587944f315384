"""Which tensors stay in activation memory from their producer to their last reader, and which go through DRAM."""

from collections.abc import Callable, Iterable

from talos.compiler.graph.ir import Conv, Graph, Layer, Tensor, operands
from talos.compiler.scheduling.builder import Builder
from talos.compiler.scheduling.groups import slots
from talos.compiler.scheduling.lower_conv import conv_shape
from talos.compiler.scheduling.plan import resident_bytes
from talos.compiler.scheduling.storage import Storage
from talos.compiler.scheduling.tiling import choose_tile

__all__ = ["choose_residents", "live_bytes", "live_residents"]


def live_residents(storages: Iterable[Storage], slot: int) -> list[Storage]:
    """The resident storages that hold a value while the layers of `slot` run, largest first."""
    live = [storage for storage in storages if storage.resident and storage.first <= slot <= storage.last]
    return sorted(live, key=lambda storage: -storage.resident_size)


def live_bytes(b: Builder, storages: Iterable[Storage], slot: int) -> int:
    """Activation memory that tensors take while the layers of `slot` run."""
    return sum(resident_bytes(b, storage) for storage in live_residents(storages, slot))


def choose_residents(b: Builder, graph: Graph, storages: dict[Tensor, Storage], spilled: set[int]) -> None:
    """Set `resident` of every storage: all that can, less the largest wherever a layer's tiles would not fit beside them.

    `spilled` holds the producers of storages that an earlier attempt found no room for.
    """
    distinct = list(dict.fromkeys(storages.values()))
    for storage in distinct:
        padded_view = bool(storage.views) and any(storage.pads)
        storage.resident = not (storage.pinned or padded_view or storage.producer in spilled)
    slot_of = dict(zip(graph.layers, slots(graph.layers), strict=True))
    makers = {layer.output: slot_of[layer] for layer in graph.layers}
    for layer, slot in slot_of.items():
        if layer.placed:
            continue
        while live := live_residents(distinct, slot):
            room = b.config.activation_bytes - live_bytes(b, distinct, slot)
            detour = any(makers.get(tensor) == slot and not storages[tensor].resident for tensor in operands(layer))
            least = b.config.activation_bytes // 2 if detour else 0  # for the bands on their way between two layers of the slot
            if room >= least and _tiles_fit(b, layer, storages.__getitem__, room):
                break
            live[0].resident = False


def _tiles_fit(b: Builder, layer: Layer, storages: Callable[[Tensor], Storage], room: int) -> bool:
    """Whether the tiles of `layer` fit `room` bytes well enough: twice, and long enough to hide the loading of weights."""
    if isinstance(layer, Conv):
        residual = storages(layer.residual.tensor) if layer.residual else None
        shape = conv_shape(layer, b, storages(layer.inputs[0]), storages(layer.output), residual)
        if not (shape.load_channels or shape.store_channels or shape.residual_channels):
            return True
        tile = choose_tile(shape, b.config, room)
        return tile is not None and tile.rows * tile.columns >= min(shape.out_h * shape.out_w, 2 * b.config.rows)
    rows = sum(tensor.shape[1] * tensor.shape[2] for tensor in (*layer.inputs, layer.output) if not storages(tensor).resident)
    window = max(tensor.shape[0] for tensor in layer.inputs) // max(1, layer.output.shape[0])
    return room >= 4 * rows * max(1, window)
