"""The state of an import: what each ONNX value is so far, the layers made so far, and where tensors lie."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.graph.index import Index, Pads, channel_axis, is_permutation, is_transposition, memory_order, strip_borders
from talos.compiler.graph.ir import Layer, Rearrange, Tensor, View
from talos.compiler.graph.rearrange import MAX_MOVES, TooManyMoves, gather_cost, rearrangement
from talos.compiler.importing.float_function import FloatFunction
from talos.compiler.importing.values import Activation, Constant, Feed, QuantizedConstant, Value
from talos.compiler.reading.refusal import Refusal
from talos.errors import TalosError

__all__ = ["Importer"]


class Importer:
    """Collects layers from ONNX nodes; the functions in `import_*.py` are its operators.

    Parameters
    ----------
    file
        The model's name, for messages.
    graph
        The ONNX graph: static shapes, constants folded, every node named.
    """

    def __init__(self, file: str, graph: onnx_ir.Graph) -> None:
        self.file = file
        self.graph = graph
        self.values: dict[str, Value] = {}
        self.layers: list[Layer] = []
        self.feeds: list[Feed] = []
        # By id of a table's result: of which tensor, and what it was made from.
        self.functions: dict[int, tuple[Tensor, FloatFunction]] = {}
        self._gathered: dict[tuple[int, tuple[int, ...], bytes], Tensor] = {}
        self._views: dict[tuple[int, tuple[int, int, int]], Tensor] = {}

    # Reading a node -------------------------------------------------------------------------------------------------------------

    def error(self, node: onnx_ir.Node, reason: str, suggestion: str) -> Refusal:
        """The refusal of `node`: the accelerator cannot run it, so the host will."""
        return Refusal(self.file, str(node.name), _kind(node), reason, suggestion)

    def invalid(self, node: onnx_ir.Node, reason: str, suggestion: str) -> TalosError:
        """The error that the model is wrong at `node`: nothing can run it."""
        return TalosError(f"{self.file}: node '{node.name}' ({_kind(node)}): {reason}; {suggestion}")

    def value(self, node: onnx_ir.Node, position: int) -> Value | None:
        """What input `position` of `node` is; None if it is left out."""
        value = node.inputs[position] if position < len(node.inputs) else None
        if value is None or not value.name:
            return None
        if value.name not in self.values:
            if value.const_value is None:
                raise self.error(node, f"input '{value.name}' is made by nothing that is supported", "check the model")
            self.values[value.name] = Constant(value.const_value.numpy())
        return self.values[value.name]

    def activation(self, node: onnx_ir.Node, position: int = 0) -> Activation:
        """Input `position` as a quantized activation. Raises TalosError if it is a float result, a constant or missing."""
        value = self.value(node, position)
        if isinstance(value, Activation):
            if value.tensor is None:
                raise self.error(
                    node, "the model's input reaches it without a scale", "put QuantizeLinear and DequantizeLinear in front"
                )
            return value
        if value is None or isinstance(value, (Constant, QuantizedConstant)):
            raise self.error(node, f"operand {position} is constant or missing", "only a computed operand is supported here")
        raise self.error(
            node,
            f"operand {position} is the float result of '{value.nodes[-1]}'",
            "quantize it (QuantizeLinear, DequantizeLinear) between the two nodes",
        )

    def constant(self, node: onnx_ir.Node, position: int) -> npt.NDArray[Any] | None:
        """Input `position` as a plain array; None if it is left out. Raises TalosError if it is computed."""
        value = self.value(node, position)
        if isinstance(value, QuantizedConstant):
            return np.asarray((value.codes.astype(np.int64) - value.zero_point).astype(np.float32) * value.scale)
        if value is not None and not isinstance(value, Constant):
            raise self.error(node, f"operand {position} is computed at run time", "only a constant is supported here")
        return None if value is None else value.array

    def attribute(self, node: onnx_ir.Node, name: str, default: Any = None) -> Any:
        """The value of an attribute; strings as str, lists as tuples."""
        attribute = node.attributes.get(name)
        if attribute is None:
            return default
        value = attribute.value
        return tuple(value) if isinstance(value, (list, tuple)) else value

    def version(self) -> int:
        """The opset of the standard operators."""
        return self.graph.opset_imports.get("", 1)

    def output_shape(self, node: onnx_ir.Node) -> tuple[int, ...]:
        """The static shape of output 0. Raises TalosError if shape inference did not find one."""
        shape = node.outputs[0].shape
        if shape is None or not all(isinstance(size, int) for size in shape):
            raise self.error(node, f"the shape of its output is not static ({shape})", "export the model with static shapes")
        return tuple(int(size) for size in shape if isinstance(size, int))

    def set(self, node: onnx_ir.Node, value: Value, output: int = 0) -> None:
        """Output `output` of `node` is `value`."""
        self.values[str(node.outputs[output].name)] = value

    def is_read(self, node: onnx_ir.Node, output: int) -> bool:
        """Whether something reads output `output` of `node`, or it is a result of the model."""
        value = node.outputs[output]
        return bool(value.uses()) or value in self.graph.outputs

    # Places ---------------------------------------------------------------------------------------------------------------------

    def lay_out(self, feed: Feed, order: Index, shape: tuple[int, int, int]) -> Tensor:
        """Fixes the bytes of `feed`: byte p of its tensor (`shape`) is element `order[p]` of the ONNX value."""
        if feed.tensor is None:
            raise TalosError(f"{self.file}: input '{feed.name}' is used without a scale; put QuantizeLinear behind it")
        feed.order = order
        feed.tensor.shape = shape
        return feed.tensor

    def locate(self, activation: Activation) -> tuple[Tensor, Index]:
        """The tensor behind an activation and the position of each of its elements in that tensor.

        A feed that has no layout yet gets one: images have their channels last, whichever of NCHW and NHWC fits the way they are read;
        everything else is a vector in ONNX order.
        """
        source = activation.source
        if isinstance(source, Tensor):
            return source, activation.index
        if source.order is None:
            self._choose_layout(source, activation.index)
        assert source.order is not None and source.tensor is not None
        position = np.empty(source.order.size + 1, np.int32)
        position[source.order] = np.arange(source.order.size, dtype=np.int32)
        position[-1] = -1  # index -1 (nothing stored) stays -1
        return source.tensor, position[activation.index]

    def _choose_layout(self, feed: Feed, index: Index) -> None:
        onnx_order = np.arange(np.prod(feed.shape), dtype=np.int32).reshape(feed.shape)
        layouts = [onnx_order[0].transpose(axes) for axes in ((1, 2, 0), (0, 1, 2))] if onnx_order.ndim == 4 else []
        layouts.append(onnx_order.reshape(1, 1, -1))
        if index.ndim == 4 and index.shape[0] == 1 and layouts[1:]:
            if is_transposition(index[0].transpose(1, 2, 0), feed.shape):
                layouts.insert(0, index[0].transpose(1, 2, 0))

            def cost(layout: Index) -> float:
                self.lay_out(feed, layout.reshape(-1), layout.shape)
                tensor, located = self.locate(Activation(feed, index, real=False))
                return gather_cost(strip_borders(located[0].transpose(1, 2, 0))[1], tensor.shape)

            layouts.sort(key=cost)
        self.lay_out(feed, layouts[0].reshape(-1), layouts[0].shape)

    def image(self, node: onnx_ir.Node, activation: Activation, *, keep_pads: bool) -> tuple[Tensor, Pads]:
        """The activation (1, C, H, W) as a tensor that holds exactly its elements in (H, W, C) order, and pads around it.

        Zero borders become pads if `keep_pads`; whatever else is not just a part of memory costs a `Rearrange`. Raises TalosError where
        that would take too many moves.
        """
        if activation.index.ndim != 4 or activation.index.shape[0] != 1:
            raise self.error(
                node, f"its operand has shape {list(activation.shape)}", "only (1, channels, height, width) is supported"
            )
        source = activation.source
        inner = strip_borders(activation.index[0].transpose(1, 2, 0))[1]
        if isinstance(source, Feed) and source.order is None and is_transposition(inner, source.shape):
            self.lay_out(source, inner.reshape(-1), inner.shape)
        tensor, located = self.locate(activation)
        wanted: Index = located[0].transpose(1, 2, 0)
        pads, inner = strip_borders(wanted) if keep_pads else ((0, 0, 0, 0), wanted)
        return self.gathered(node, tensor, inner, activation.nodes), pads

    def gathered(self, node: onnx_ir.Node, tensor: Tensor, index: Index, nodes: tuple[str, ...] = ()) -> Tensor:
        """A tensor whose byte (h, w, c) is byte `index[h, w, c]` of `tensor`; -1 stands for 0.0, `fill_code(value)` for another constant.

        A view of `tensor` if that has the same bytes in the same order, else the result of a `Rearrange`, which belongs to `nodes`, or to
        `node` without any. Raises TalosError for `node` if it would take too many moves.
        """
        if index.size == tensor.size and np.array_equal(index.reshape(-1), np.arange(tensor.size)):
            return self.view(node, tensor, index.shape)
        contiguous = np.ascontiguousarray(index, dtype=np.int32)
        key = (id(tensor), index.shape, hashlib.sha256(contiguous.data).digest())
        if key not in self._gathered:
            names = nodes or (str(node.name),)
            name = f"{names[-1]}:moved{len(self._gathered)}"
            output = Tensor(name, index.shape, tensor.scale, tensor.zero_point, tensor.unsigned)
            self.rearrange(node, names, [tensor], output, contiguous)
            self._gathered[key] = output
        return self._gathered[key]

    def rearrange(self, node: onnx_ir.Node, nodes: tuple[str, ...], inputs: list[Tensor], output: Tensor, wanted: Index) -> None:
        """Adds the layer that makes `output` of `inputs`; see `rearrangement`. Raises TalosError for `node` if it takes too many moves."""
        self.layers.append(self.rearrangement(node, nodes, inputs, output, wanted))

    def rearrangement(
        self, node: onnx_ir.Node, nodes: tuple[str, ...], inputs: list[Tensor], output: Tensor, wanted: Index
    ) -> Rearrange:
        """As `rearrange`, without adding the layer."""
        try:
            return rearrangement(nodes[0], nodes, inputs, output, wanted)
        except TooManyMoves:
            raise self.error(
                node,
                f"its elements are so scattered in memory that they take more than {MAX_MOVES} copies",
                "move data in whole rows, columns or channels",
            ) from None

    def view(self, node: onnx_ir.Node, tensor: Tensor, shape: tuple[int, int, int]) -> Tensor:
        """`tensor` under another shape; the same bytes in the same order."""
        if tensor.shape == shape:
            return tensor
        key = (id(tensor), shape)
        if key not in self._views:
            output = Tensor(f"{tensor.name}:{'x'.join(map(str, shape))}", shape, tensor.scale, tensor.zero_point, tensor.unsigned)
            self.layers.append(View(name=str(node.name), nodes=(str(node.name),), inputs=[tensor], output=output))
            self._views[key] = output
        return self._views[key]

    def whole(self, node: onnx_ir.Node, activation: Activation) -> tuple[Tensor, Index]:
        """As `locate`, with every byte of the tensor used once: what else there is goes into a tensor of its own."""
        tensor, index = self.locate(activation)
        return (tensor, index) if is_permutation(index, tensor.shape) else self.in_order(node, activation)

    def in_order(self, node: onnx_ir.Node, activation: Activation) -> tuple[Tensor, Index]:
        """As `whole`, with the elements in a plain order: an image's channels are last, everything else is a matrix."""
        tensor, index = self.locate(activation)
        order = memory_order(index.shape, channel_axis(index))
        return self.gathered(node, tensor, order.laid(index), activation.nodes), order.index


def _kind(node: onnx_ir.Node) -> str:
    return f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
