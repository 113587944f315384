"""Where tensors live: whole in activation memory with their padding in place, or in DRAM."""

from dataclasses import dataclass, field

from talos.compiler.graph.ir import Concat, Conv, Graph, Layer, Tensor, View, operands
from talos.compiler.scheduling.groups import slots
from talos.compiler.scheduling.segments import extent
from talos.config import AcceleratorConfig
from talos.program import CONSTANTS, INPUTS, OUTPUTS, SCRATCH

__all__ = ["Storage", "assign_storages"]


@dataclass(eq=False)
class Storage:
    """The bytes behind one tensor, or behind several that are views or channel slices of it.

    `tensors[0]` is the whole; `slices` holds the first channel of those that are a part of its channels. `pads` (top, left, bottom,
    right) is the padding that its convolutions need, filled with `fill`. Layer `producer` (-1: the host) is the first to write it, in slot
    `first`; it is last read in slot `last` (see `talos.compiler.scheduling.groups`). In DRAM, bytes are contiguous HWC at `offset` of `region`.
    Resident, pixel (0, 0) is at `address` and rows follow by `pitch`.
    """

    tensors: list[Tensor]
    producer: int
    first: int
    last: int
    region: int = SCRATCH
    resident: bool = False
    padded: bool = False  # the padding of the resident layout is filled
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    offset: int = -1
    start: int = -1  # of the allocated block
    address: int = -1
    views: list[Layer] = field(default_factory=list)
    slices: dict[Tensor, int] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels of the whole."""
        return self.tensors[0].shape

    @property
    def fill(self) -> int:
        return self.tensors[0].zero_point

    @property
    def size(self) -> int:
        """Bytes without padding."""
        return self.tensors[0].size

    @property
    def pitch(self) -> int:
        """Bytes from row to row of the resident layout."""
        return (self.pads[1] + self.shape[1] + self.pads[3]) * self.shape[2]

    @property
    def resident_size(self) -> int:
        """Bytes of the resident layout."""
        return (self.pads[0] + self.shape[0] + self.pads[2]) * self.pitch

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The addresses that the resident layout occupies; none in DRAM."""
        return ((self.start, self.start + self.resident_size),) if self.resident else ()

    def depth(self, tensor: Tensor) -> int:
        """Bytes from pixel to pixel of `tensor`."""
        return self.shape[2] if tensor in self.slices else tensor.shape[2]

    def row(self, tensor: Tensor) -> int:
        """Bytes from row to row of `tensor` in the resident layout."""
        return tensor.shape[1] * tensor.shape[2] if self.views and tensor not in self.slices else self.pitch

    @property
    def pinned(self) -> bool:
        """Inputs, outputs and constants of the program stay in DRAM, where the host reaches them."""
        return self.region != SCRATCH


def _conv_pads(layer: Conv, config: AcceleratorConfig) -> tuple[int, int, int, int]:
    """The padding a convolution really reads: `pads`, less what its stride never reaches at the end."""
    needed = []
    extents = extent(layer, config)
    for axis in (0, 1):
        reach = (layer.output.shape[axis] - 1) * layer.strides[axis] + extents[axis]
        needed.append(max(0, reach - layer.pads[axis] - layer.inputs[0].shape[axis]))
    return layer.pads[0], layer.pads[1], needed[0], needed[1]


def assign_storages(graph: Graph, config: AcceleratorConfig) -> dict[Tensor, Storage]:
    """A storage for every tensor of `graph`; views and the operands of a Concat share one. Padding is the maximum over its convolutions."""
    storages: dict[Tensor, Storage] = {}
    homes = _homes(graph)
    for tensor in graph.inputs:
        storages[tensor] = Storage([tensor], -1, -1, -1, INPUTS)
    for index, (layer, slot) in enumerate(zip(graph.layers, slots(graph.layers), strict=True)):
        for tensor in operands(layer):
            if tensor.data is not None and tensor not in storages:
                storages[tensor] = Storage([tensor], -1, -1, -1, CONSTANTS)
            storages[tensor].last = slot
        if isinstance(layer, View):
            storage = storages[layer.inputs[0]]
            storage.tensors.append(layer.output)
            storage.views.append(layer)
            storages[layer.output] = storage
        elif layer.output not in storages:
            whole, channel = homes.get(layer.output, (layer.output, 0))
            storage = storages.setdefault(whole, Storage([whole], index, slot, slot))
            storage.last = max(storage.last, slot)
            if whole is not layer.output:
                storage.tensors.append(layer.output)
                storage.slices[layer.output] = channel
                storages[layer.output] = storage
        if isinstance(layer, Conv):
            storage = storages[layer.inputs[0]]
            (top, left, bottom, right), pads = storage.pads, _conv_pads(layer, config)
            storage.pads = max(top, pads[0]), max(left, pads[1]), max(bottom, pads[2]), max(right, pads[3])
    for tensor in graph.outputs:
        storage = storages[tensor]
        if storage.region == SCRATCH:
            storage.region = OUTPUTS
    return storages


def _homes(graph: Graph) -> dict[Tensor, tuple[Tensor, int]]:
    """For each operand of a Concat the tensor whose storage it shares, and its first channel there."""
    homes: dict[Tensor, tuple[Tensor, int]] = {}
    for layer in reversed(graph.layers):
        if isinstance(layer, Concat):
            whole, channel = homes.get(layer.output, (layer.output, 0))
            for tensor in layer.inputs:
                homes[tensor] = whole, channel
                channel += tensor.shape[2]
    return homes
