"""A layer graph → the instructions and constants of a program for one configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from talos.compiler.graph.features import require_features
from talos.compiler.graph.ir import Binary, Concat, Conv, Graph, Layer, Lookup, Pool, Rearrange, Tensor, View
from talos.compiler.scheduling.allocator import Allocator
from talos.compiler.scheduling.builder import DRAM_ALIGN, Builder, OutOfMemory
from talos.compiler.scheduling.groups import Lowering, interleave, pass_through, slots
from talos.compiler.scheduling.lower_conv import lower_conv
from talos.compiler.scheduling.lower_pool import lower_pool
from talos.compiler.scheduling.lower_rearrange import lower_rearrange
from talos.compiler.scheduling.lower_vector import band_cycles, lower_elementwise
from talos.compiler.scheduling.plan import plan_residents
from talos.compiler.scheduling.residency import choose_residents, live_bytes, live_residents
from talos.compiler.scheduling.storage import Storage, assign_storages
from talos.compiler.scheduling.transfers import make_resident
from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.io import IoSpec
from talos.program import SCRATCH, LayerInfo, Placement, Port, Program

__all__ = ["schedule"]

SCRATCH_LIMIT = 1 << 31
SHRINK, SMALLEST = 0.7, 0.05  # of a layer's tile budget, when activation memory is too fragmented for it


@dataclass
class _Attempt:
    """What earlier attempts learnt: storages to keep in DRAM (by producer) and the share of the free memory that a slot's tiles may use."""

    spilled: set[int]
    share: dict[int, float]


class _NoRoom(Exception):
    def __init__(self, slot: int, layer: Layer) -> None:
        super().__init__(slot)
        self.slot = slot
        self.layer = layer


def schedule(
    graph: Graph,
    config: AcceleratorConfig,
    placements: tuple[Placement, ...] = (),
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Program:
    """Compile `graph` for `config`. `progress` hears of every layer.

    Raises TalosError naming the layer that fits the memories in no way or needs an option that is left out."""
    require_features(graph, config)
    attempt = _Attempt(set(), {})
    while True:
        storages = assign_storages(graph, config)
        b = Builder(config)
        choose_residents(b, graph, storages, attempt.spilled)
        homeless = plan_residents(b, dict.fromkeys(storages.values()))
        if homeless is not None:
            attempt.spilled.add(homeless.producer)
            continue
        try:
            _lower(b, graph, storages, attempt, progress)
        except _NoRoom as failure:
            _adjust(graph, storages, attempt, failure, config)
            continue
        return _program(b, graph, storages, placements)


def _adjust(
    graph: Graph, storages: dict[Tensor, Storage], attempt: _Attempt, failure: _NoRoom, config: AcceleratorConfig
) -> None:
    """Plan again after a slot found no room: smaller tiles first, then fewer resident tensors."""
    slot, layer = failure.slot, failure.layer
    share = attempt.share.get(slot, 1.0) * SHRINK
    live = live_residents(dict.fromkeys(storages.values()), slot)
    if share >= SMALLEST and not (live and share < 0.3):
        attempt.share[slot] = share
        return
    if not live:
        raise TalosError(
            f"{graph.name}: layer '{layer.name}' ({layer.op}, output {'×'.join(map(str, layer.output.shape))}) does not fit "
            f"activation_bytes={config.activation_bytes} even in its smallest tiles; use a larger configuration"
        )
    attempt.share.pop(slot, None)
    attempt.spilled.add(live[0].producer)


def _lower(
    b: Builder,
    graph: Graph,
    storages: dict[Tensor, Storage],
    attempt: _Attempt,
    progress: Callable[[str, int, int], None],
) -> None:
    """Emit all layers, slot by slot."""
    distinct = list(dict.fromkeys(storages.values()))
    scratch = Allocator(SCRATCH_LIMIT, align=DRAM_ALIGN)
    ends = dict.fromkeys(range(4), 0)
    for storage in distinct:
        data = storage.tensors[0].data
        if data is not None:
            storage.offset = b.constant(("tensor", id(storage)), data.tobytes)
        elif storage.pinned:
            storage.offset = ends[storage.region]
            ends[storage.region] += -(-storage.size // DRAM_ALIGN) * DRAM_ALIGN
    executed = _executed(graph)
    numbers = {layer: number % (len(executed) // graph.batch) for number, layer in enumerate(executed)}
    slot_of = slots(graph.layers)
    for slot, group in groupby(range(len(graph.layers)), key=slot_of.__getitem__):
        members = list(group)
        progress("scheduling layers", members[0], len(graph.layers))
        layers = [graph.layers[i] for i in members if not isinstance(graph.layers[i], View)]
        free = b.config.activation_bytes - live_bytes(b, distinct, slot)
        budget = int(free * attempt.share.get(slot, 1.0))
        current = layers[0] if layers else None
        try:
            for layer in layers:
                b.layer, current = numbers.get(layer, b.layer), layer
                _place(b, storages[layer.output], scratch)
            behind = sum(band_cycles(layer, b.config) for layer in layers)
            lowerings = [(layer, _lower_layer(b, layer, storages.__getitem__, budget, behind)) for layer in layers]
            for layer in interleave(lowerings, lambda tensor: not storages[tensor].resident):
                b.layer, current = numbers.get(layer, b.layer), layer
        except OutOfMemory as error:
            assert current is not None
            raise _NoRoom(slot, current) from error
        for storage in distinct:
            if max(storage.first, storage.last) == slot:
                if storage.resident:
                    b.activation.free(storage.start)
                elif storage.region == SCRATCH:
                    scratch.free(storage.offset)


def _executed(graph: Graph) -> list[Layer]:
    """The layers that have instructions."""
    return [layer for layer in graph.layers if not layer.placed]


def _place(b: Builder, storage: Storage, scratch: Allocator) -> None:
    """Give `storage` its bytes, unless the layer of another slice has done so."""
    if storage.resident:
        if storage.address < 0:
            make_resident(b, storage)
    elif storage.region == SCRATCH and storage.offset < 0:
        offset = scratch.allocate(storage.size)
        if offset is None:
            raise TalosError(f"tensor '{storage.tensors[0].name}' does not fit the scratch region of {SCRATCH_LIMIT} bytes")
        storage.offset = offset


def _lower_layer(b: Builder, layer: Layer, storages: Callable[[Tensor], Storage], budget: int, behind: int) -> Lowering:
    if isinstance(layer, Conv):
        return lower_conv(b, layer, storages, budget, behind)
    if isinstance(layer, Pool):
        return lower_pool(b, layer, storages, budget)
    if isinstance(layer, Binary | Lookup):
        return lower_elementwise(b, layer, storages, budget)
    if isinstance(layer, Rearrange):
        return lower_rearrange(b, layer, storages, budget)
    if isinstance(layer, Concat):
        return pass_through(layer)
    raise TalosError(f"layer '{layer.name}': no lowering for {type(layer).__name__}")


def _program(b: Builder, graph: Graph, storages: dict[Tensor, Storage], placements: tuple[Placement, ...]) -> Program:
    """Put the finished program together."""
    constants, offset = b.finish()
    layers = tuple(
        LayerInfo(layer.name, layer.op, layer.macs, "array" if isinstance(layer, Conv) else "vector", layer.nodes)
        for layer in _executed(graph)[: len(_executed(graph)) // graph.batch]
    )
    sizes = [len(constants), 0, 0, 0]
    for storage in dict.fromkeys(storages.values()):
        if not storage.resident:
            sizes[storage.region] = max(sizes[storage.region], storage.offset + storage.size)

    def ports(tensors: list[Tensor], specs: list[IoSpec]) -> tuple[Port, ...]:
        made = []
        for position, spec in enumerate(specs):  # of one image; the tensors are those of all
            places = [storages[tensor] for tensor in tensors[position :: len(specs)]]
            first, stride = places[0], places[1].offset - places[0].offset if graph.batch > 1 else 0
            assert [place.offset for place in places] == [first.offset + i * stride for i in range(graph.batch)]
            made.append(Port(spec, first.region, first.offset, graph.batch, stride))
        return tuple(made)

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
        layer_of=tuple(b.layer_of),
        placements=placements,
        host=tuple(graph.host),
        results=tuple(graph.results),
        feeds=tuple(graph.feeds),
        batch=graph.batch,
    )
