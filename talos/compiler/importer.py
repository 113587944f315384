"""The state of an import: what each ONNX value is so far, the layers made so far, and where tensors lie."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir

from talos.compiler.copy_layer import copy_layer
from talos.compiler.index import Index, Pads, is_permutation, nchw_index, strip_borders
from talos.compiler.io_spec import io_spec
from talos.compiler.ir import Graph, Layer, Tensor, View
from talos.compiler.values import Activation, Constant, Feed, Pending, QuantizedConstant, Value
from talos.errors import TalosError
from talos.io import IoSpec

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
        self._copies: dict[tuple[int, tuple[int, ...], bytes], Tensor] = {}
        self._views: dict[tuple[int, tuple[int, int, int]], Tensor] = {}

    # Reading a node -------------------------------------------------------------------------------------------------------------

    def error(self, node: onnx_ir.Node, reason: str, suggestion: str) -> TalosError:
        """The refusal of `node`, naming it."""
        kind = f"{node.domain}.{node.op_type}" if node.domain not in ("", "ai.onnx") else node.op_type
        return TalosError(f"{self.file}: node '{node.name}' ({kind}): {reason}; {suggestion}")

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

    def set(self, node: onnx_ir.Node, value: Value) -> None:
        """Output 0 of `node` is `value`."""
        self.values[str(node.outputs[0].name)] = value

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
        images = [onnx_order[0].transpose(axes) for axes in ((1, 2, 0), (0, 1, 2))] if onnx_order.ndim == 4 else []
        if index.ndim == 4 and index.shape[0] == 1 and is_permutation(index, feed.shape):
            images.insert(0, index[0].transpose(1, 2, 0))
        for image in images:
            self.lay_out(feed, image.reshape(-1), image.shape)
            if index.ndim != 4:
                return
            tensor, located = self.locate(Activation(feed, index, real=False))
            if copy_layer("", tensor, strip_borders(located[0].transpose(1, 2, 0))[1]) is not None:
                return
        size = int(np.prod(feed.shape))
        self.lay_out(feed, np.arange(size, dtype=np.int32), (1, 1, size))

    def image(self, node: onnx_ir.Node, activation: Activation, *, keep_pads: bool) -> tuple[Tensor, Pads]:
        """The activation (1, C, H, W) as a tensor that holds exactly its elements in (H, W, C) order, and pads around it.

        Zero borders become pads if `keep_pads`; other borders, strided slices and zero channels cost a copy layer. Raises TalosError
        where even that cannot express it.
        """
        if activation.index.ndim != 4 or activation.index.shape[0] != 1:
            raise self.error(
                node, f"its operand has shape {list(activation.shape)}", "only (1, channels, height, width) is supported"
            )
        source = activation.source
        wanted: Index = activation.index[0].transpose(1, 2, 0)
        pads, inner = strip_borders(wanted)
        if isinstance(source, Feed) and source.order is None and is_permutation(inner, source.shape):
            self.lay_out(source, inner.reshape(-1), inner.shape)
        tensor, located = self.locate(activation)
        wanted = located[0].transpose(1, 2, 0)
        if not keep_pads:
            pads, inner = (0, 0, 0, 0), wanted
        else:
            pads, inner = strip_borders(wanted)
        if inner.size == tensor.size and np.array_equal(inner.reshape(-1), np.arange(tensor.size)):
            return self.view(node, tensor, inner.shape), pads
        copied = self._copy(node, tensor, inner)
        if copied is None and not keep_pads:  # cropped and padded on the same side: one after the other
            borders, core = strip_borders(inner)
            cropped = self._copy(node, tensor, core)
            if cropped is not None:
                widths = ((borders[0], borders[2]), (borders[1], borders[3]), (0, 0))
                positions = np.arange(cropped.size, dtype=np.int32).reshape(cropped.shape)
                copied = self._copy(node, cropped, np.pad(positions, widths, constant_values=-1))
        if copied is None:
            raise self.error(
                node,
                "its operand is transposed, reshaped or sliced in a way that moves data",
                "keep channels and pixels in order",
            )
        return copied, pads

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
        """As `locate`, with every byte of the tensor used once: slices and padding are copied into a tensor of their own."""
        tensor, index = self.locate(activation)
        if is_permutation(index, tensor.shape):
            return tensor, index
        image, _ = self.image(node, activation, keep_pads=False)
        return image, nchw_index(image.shape)

    def _copy(self, node: onnx_ir.Node, tensor: Tensor, wanted: Index) -> Tensor | None:
        key = (id(tensor), wanted.shape, wanted.tobytes())
        if key not in self._copies:
            layer = copy_layer(str(node.name), tensor, wanted)
            if layer is None:
                return None
            self.layers.append(layer)
            self._copies[key] = layer.output
        return self._copies[key]

    # The end --------------------------------------------------------------------------------------------------------------------

    def finish(self, name: str, needed: list[str], results: list[str], last: onnx_ir.Node) -> Graph:
        """The graph whose outputs are the ONNX values `needed` (in that order); `last` is named if one of them cannot be one."""
        outputs: list[Tensor] = []
        specs: list[IoSpec] = []
        for value_name in needed:
            value = self.values.get(value_name)
            if isinstance(value, Pending) or not isinstance(value, Activation) or value.tensor is None:
                raise TalosError(
                    f"{self.file}: output '{value_name}' is not quantized; put QuantizeLinear and DequantizeLinear in front of it"
                )
            tensor, index = self.whole(last, value)
            outputs.append(tensor)
            specs.append(
                io_spec(
                    value_name,
                    tensor,
                    np.argsort(index.reshape(-1)).astype(np.int32),
                    value.shape,
                    real=value.real,
                    file=self.file,
                )
            )
        unread = [feed.name for feed in self.feeds if feed.tensor is None]
        if unread:
            raise TalosError(f"{self.file}: input '{unread[0]}' is never quantized or read; remove it from the model")
        inputs, input_specs = [], []
        for feed in self.feeds:
            if feed.order is None:
                self.locate(Activation(feed, np.arange(np.prod(feed.shape), dtype=np.int32).reshape(feed.shape), real=False))
            assert feed.tensor is not None and feed.order is not None
            inputs.append(feed.tensor)
            real = feed.dtype == "float32"
            input_specs.append(io_spec(feed.name, feed.tensor, feed.order, feed.shape, real=real, file=self.file))
        return Graph(name, inputs, outputs, self.layers, [], input_specs, specs, results)
