"""A layer graph → the instructions and constants of a program for one configuration."""

from collections.abc import Callable
from dataclasses import dataclass

from talos.compiler.allocator import Allocator
from talos.compiler.builder import DRAM_ALIGN, Builder, OutOfMemory
from talos.compiler.ir import Add, Conv, Graph, Layer, Lookup, Pool, Tensor, View
from talos.compiler.lower_conv import lower_conv
from talos.compiler.lower_vector import lower_elementwise, lower_pool
from talos.compiler.residency import choose_residents, live_bytes, live_residents
from talos.compiler.storage import Storage, assign_storages
from talos.compiler.transfers import make_resident
from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.program import SCRATCH, HostPart, LayerInfo, Placement, Port, Program

__all__ = ["schedule"]

SCRATCH_LIMIT = 1 << 31
SHRINK, SMALLEST = 0.7, 0.05  # of a layer's tile budget, when activation memory is too fragmented for it


@dataclass
class _Attempt:
    """What earlier attempts learnt: storages to keep in DRAM (by producer) and the share of the free memory that a layer's tiles may use."""

    spilled: set[int]
    share: dict[int, float]


class _NoRoom(Exception):
    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


def schedule(graph: Graph, config: AcceleratorConfig, placements: tuple[Placement, ...] = ()) -> Program:
    """Compile `graph` for `config`. Raises TalosError naming the layer that fits the configuration's memories in no way."""
    attempt = _Attempt(set(), {})
    while True:
        storages = assign_storages(graph)
        b = Builder(config)
        choose_residents(b, graph, storages, attempt.spilled)
        try:
            spans = _lower(b, graph, storages, attempt)
        except _NoRoom as failure:
            _adjust(graph, storages, attempt, failure.index, config)
            continue
        return _program(b, graph, storages, spans, placements)


def _adjust(graph: Graph, storages: dict[Tensor, Storage], attempt: _Attempt, index: int, config: AcceleratorConfig) -> None:
    """Plan again after layer `index` found no room: smaller tiles first, then fewer resident tensors."""
    share = attempt.share.get(index, 1.0) * SHRINK
    live = live_residents(dict.fromkeys(storages.values()), index)
    if share >= SMALLEST and not (live and share < 0.3):
        attempt.share[index] = share
        return
    if not live:
        layer = graph.layers[index]
        raise TalosError(
            f"{graph.name}: layer '{layer.name}' ({layer.op}, output {'×'.join(map(str, layer.output.shape))}) does not fit "
            f"activation_bytes={config.activation_bytes} even in its smallest tiles; use a larger configuration"
        )
    attempt.share.pop(index, None)
    attempt.spilled.add(live[0].first)


def _lower(b: Builder, graph: Graph, storages: dict[Tensor, Storage], attempt: _Attempt) -> list[tuple[int, int]]:
    """Emit all layers; the instruction range of each."""
    distinct = list(dict.fromkeys(storages.values()))
    scratch = Allocator(SCRATCH_LIMIT, align=DRAM_ALIGN)
    ends = {region: 0 for region in range(4)}
    for storage in distinct:
        if storage.pinned:
            storage.offset = ends[storage.region]
            ends[storage.region] += -(-storage.size // DRAM_ALIGN) * DRAM_ALIGN
    spans = []
    for index, layer in enumerate(graph.layers):
        start = len(b.instructions)
        if not isinstance(layer, View):
            free = b.config.activation_bytes - live_bytes(b, distinct, index)
            budget = int(free * attempt.share.get(index, 1.0))
            try:
                _place(b, storages[layer.output], scratch)
                _lower_layer(b, layer, storages.__getitem__, budget)
            except OutOfMemory as error:
                raise _NoRoom(index) from error
        for storage in distinct:
            if max(storage.first, storage.last) == index:
                if storage.resident:
                    b.activation.free(storage.start)
                elif storage.region == SCRATCH:
                    scratch.free(storage.offset)
        spans.append((start, len(b.instructions)))
    return spans


def _place(b: Builder, storage: Storage, scratch: Allocator) -> None:
    if storage.resident:
        make_resident(b, storage)
    elif storage.region == SCRATCH:
        offset = scratch.allocate(storage.size)
        if offset is None:
            raise TalosError(f"tensor '{storage.tensors[0].name}' does not fit the scratch region of {SCRATCH_LIMIT} bytes")
        storage.offset = offset


def _lower_layer(b: Builder, layer: Layer, storages: Callable[[Tensor], Storage], budget: int) -> None:
    if isinstance(layer, Conv):
        lower_conv(b, layer, storages, budget)
    elif isinstance(layer, Pool):
        lower_pool(b, layer, storages, budget)
    elif isinstance(layer, Add | Lookup):
        lower_elementwise(b, layer, storages, budget)
    else:
        raise TalosError(f"layer '{layer.name}': no lowering for {type(layer).__name__}")


def _program(
    b: Builder,
    graph: Graph,
    storages: dict[Tensor, Storage],
    spans: list[tuple[int, int]],
    placements: tuple[Placement, ...],
) -> Program:
    """Put the finished program together."""
    constants, offset = b.finish()
    kept = [(layer, span) for layer, span in zip(graph.layers, spans, strict=True) if not isinstance(layer, View)]
    layers = tuple(
        LayerInfo(layer.name, layer.op, layer.macs, "array" if isinstance(layer, Conv) else "vector", layer.nodes, *span)
        for layer, span in kept
    )
    layer_of = tuple(i for i, (_, span) in enumerate(kept) for _ in range(*span))
    sizes = [len(constants), 0, 0, 0]
    for storage in dict.fromkeys(storages.values()):
        if not storage.resident:
            sizes[storage.region] = max(sizes[storage.region], storage.offset + storage.size)

    def ports(tensors: list[Tensor], specs: list) -> tuple[Port, ...]:  # type: ignore[type-arg]
        return tuple(Port(spec, storages[t].region, storages[t].offset) for t, spec in zip(tensors, specs, strict=True))

    return Program(
        name=graph.name,
        config=b.config,
        constants=constants,
        program_offset=offset,
        instruction_count=len(b.instructions),
        region_bytes=(sizes[0], sizes[1], sizes[2], sizes[3]),
        inputs=ports(graph.inputs, graph.input_specs),
        outputs=ports(graph.outputs, graph.output_specs),
        layers=layers,
        layer_of=layer_of,
        placements=placements,
        host=tuple(
            HostPart(node.nodes, node.op_types, node.model, node.inputs, node.outputs, node.reason) for node in graph.host
        ),
        results=tuple(graph.results),
    )
