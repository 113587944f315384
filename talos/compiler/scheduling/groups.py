"""Which layers are lowered together, band by band: a layer and the vector-unit layers that follow it.

The vector unit executes its queue in order. A pooling that is emitted behind the whole convolution in front of it would start after the
convolution's last drain; emitted as soon as the rows that it needs are there, it runs while the array works on the next band.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from talos.compiler.graph.ir import Concat, Conv, Layer, Tensor, View, operands

__all__ = ["LATE", "Band", "Lowering", "interleave", "pass_through", "slots"]

LATE = 2
"""Bands between the making and the reading of a tensor that goes through DRAM in between."""


@dataclass(frozen=True)
class Band:
    """A lowering's next step: it reads rows [0, needs) of the layer's inputs and completes rows [0, makes) of its output.

    Inputs with fewer rows are read whole.
    """

    needs: int
    makes: int


Lowering = Iterator[Band]
"""Yields each band before its instructions are emitted; they are emitted when it is resumed."""


def slots(layers: list[Layer]) -> list[int]:
    """The slot of each layer; layers of one slot are lowered together."""
    result: list[int] = []
    made: set[Tensor] = set()
    for layer in layers:
        follows = not isinstance(layer, Conv | View) and any(tensor in made for tensor in operands(layer))
        if not follows:
            made = set()
        result.append(result[-1] + (0 if follows else 1) if result else 0)
        if not isinstance(layer, View):
            made.add(layer.output)
    return result


def pass_through(layer: Concat) -> Lowering:
    """The lowering of a layer without instructions: each row is there as soon as all inputs have it."""
    for row in range(1, layer.output.shape[0] + 1):
        yield Band(row, row)


def interleave(lowerings: list[tuple[Layer, Lowering]], detour: Callable[[Tensor], bool]) -> Iterator[Layer]:
    """Run the lowerings of a slot: each band as soon as its input rows are complete, later layers first.

    A tensor with a `detour` through DRAM is read `LATE` bands late: the next bands of its producer are emitted first, so that their own
    transfers do not queue up behind the wait for this one. Yields the layer whose band is about to be emitted.
    """
    progress = {layer.output: 0 for layer, _ in lowerings}
    pending = [next(lowering, None) for _, lowering in lowerings]
    made = [deque([0] * LATE, LATE) for _ in lowerings]
    while any(pending):
        for i in reversed(range(len(lowerings))):
            layer, lowering = lowerings[i]
            band = pending[i]
            if band is not None and all(progress.get(t, t.shape[0]) >= min(band.needs, t.shape[0]) for t in operands(layer)):
                yield layer
                pending[i] = next(lowering, None)
                late = detour(layer.output) and pending[i] is not None
                progress[layer.output] = made[i][0] if late else band.makes
                made[i].append(band.makes)
                break
        else:
            raise AssertionError("no layer of the slot can go on")
