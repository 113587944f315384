"""Which nodes of a model run on the host: in front of the accelerated part, or behind it."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from talos.compiler.reading.dataflow import Dataflow, node_kind
from talos.compiler.reading.macs import WORK, node_macs, value_types
from talos.compiler.reading.refusal import Refusal
from talos.program import HostReason

__all__ = ["MOVEMENT", "Partition"]

MOVEMENT = ("Flatten", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that change no element. onnxruntime moves Quantize- and DequantizeLinear past them before it fuses integer kernels."""


class Partition:
    """The two sets of nodes on the host and what is left of `model` (nodes named, shapes inferred).

    `before` holds with a node all that it depends on, `after` all that depends on it, so the accelerated part between them runs at one
    go. Nodes that make constants are in neither. `refusals` are the reasons, in the order in which they were found.
    `file` is for messages. `layers_in_front`: a node may go to the front even if that takes multiply-accumulates with it.
    """

    def __init__(self, model: onnx.ModelProto, file: str, *, layers_in_front: bool) -> None:
        self.flow = Dataflow(model)
        self.types = value_types(model)
        self.macs = {name: node_macs(node, self.types) for name, node in self.flow.nodes.items()}
        self.before: set[str] = set()
        self.after: set[str] = set()
        self.refusals: list[Refusal] = []
        self._layers_in_front = layers_in_front
        self._refuse_second_scales(model, file)

    # Deciding ------------------------------------------------------------------------------------------------------------------

    def refuse(self, refusal: Refusal) -> bool:
        """Give the refused node to the host, on the side that leaves more work to the accelerator. Returns whether that is the front."""
        assert refusal.node not in self.before and refusal.node not in self.after, "a node on the host is not imported"
        self.refusals.append(refusal)
        up = self.flow.ancestors(refusal.node) - self.before
        down = self.flow.descendants(refusal.node) - self.after
        front = self._work(up) < self._work(down)
        if not self._layers_in_front and any(self.macs[name] for name in up):
            front = False
        if front:
            self.before |= up
            self._extend_front()
        else:
            self.after |= down
        return front

    def _work(self, nodes: Iterable[str]) -> tuple[int, int, int]:
        names = list(nodes)
        return (
            sum(self.macs[name] for name in names),
            sum(self.flow.nodes[name].op_type in WORK for name in names),
            len(names),
        )

    def _extend_front(self) -> None:
        """QuantizeLinear behind a node in front, also behind mere movement, goes to the front too: onnxruntime fuses them."""
        for name, node in self.flow.nodes.items():
            if name in self.before or name in self.after or node.op_type not in ("QuantizeLinear", *MOVEMENT):
                continue
            computed = self.flow.computed(name)
            makers = [self.flow.producer.get(value) for value in computed]
            real = all(self.types.get(value, ("float32",))[0] == "float32" for value in computed)
            if real and any(makers) and all(maker is None or maker in self.before for maker in makers):
                self.before.add(name)

    def _refuse_second_scales(self, model: onnx.ModelProto, file: str) -> None:
        """A float input quantized with two scales: the accelerator gets the codes of the first, the host makes the others."""
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        first: dict[str, list[tuple[np.dtype[Any], bytes]]] = {}
        origin = {name: name for name in self.flow.feeds}
        for name, node in self.flow.nodes.items():
            source = origin.get(node.input[0]) if node.input else None
            if source is None:
                continue
            if node.op_type in MOVEMENT:
                origin[node.output[0]] = source
            elif node.op_type == "QuantizeLinear":
                arrays = [numpy_helper.to_array(constants[value]) for value in node.input[1:] if value in constants]
                key = [(array.dtype, array.tobytes()) for array in arrays]
                if first.setdefault(source, key) != key:
                    reason = f"input '{source}' is quantized with a second scale"
                    self.refuse(Refusal(file, name, node_kind(node), reason, "quantize it once"))

    # Asking --------------------------------------------------------------------------------------------------------------------

    @property
    def accelerated_macs(self) -> int:
        """Multiply-accumulates of the nodes that are not on the host."""
        return sum(count for name, count in self.macs.items() if name not in self.before and name not in self.after)

    def host_values(self) -> set[str]:
        """The values that are there before the accelerator starts: feeds and what the front makes."""
        return {*self.flow.feeds, *(value for name in self.before for value in self.flow.nodes[name].output if value)}

    def reasons(self, nodes: Iterable[str]) -> tuple[HostReason, ...]:
        """Why those of `nodes` that were refused are on the host; one reason a node."""
        wanted = set(nodes)
        found: dict[str, HostReason] = {}
        for refusal in self.refusals:
            if refusal.node in wanted and refusal.node not in found:
                found[refusal.node] = HostReason(refusal.node, refusal.op, self._in_context(refusal), refusal.suggestion)
        return tuple(found.values())

    def _in_context(self, refusal: Refusal) -> str:
        """The reason of a refusal, with what else it costs."""
        if refusal.node in self.after:
            behind = self.flow.descendants(refusal.node) - {refusal.node}
            if any(self.flow.nodes[name].op_type in WORK for name in behind):
                return f"{refusal.reason} (what follows it runs on the host too)"
        elif refusal.node in self.before:
            ahead = self.flow.ancestors(refusal.node) - {refusal.node}
            if any(self.flow.nodes[name].op_type in WORK for name in ahead):
                return f"{refusal.reason} (what it depends on runs on the host too)"
        return refusal.reason

    def reason(self, node: str) -> tuple[str, str]:
        """(reason, suggestion) for a node in `before` or `after`; one that was not refused itself follows or leads to one that was."""
        for own in self.reasons([node]):
            return own.reason, own.suggestion
        side = self.before if node in self.before else self.after
        causes = [refusal.node for refusal in self.refusals if refusal.node in side]
        ahead, behind = self.flow.ancestors(node), self.flow.descendants(node)
        leads = [f"leads to '{cause}'" for cause in causes if cause in behind]
        follows = [f"follows '{cause}'" for cause in causes if cause in ahead]
        beside = [f"belongs to '{cause}'" for cause in causes]
        return [*(leads + follows if node in self.before else follows + leads), *beside][0], ""
