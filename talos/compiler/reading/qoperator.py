"""QOperator models to QDQ form: QLinearConv and its like become DequantizeLinear, the float operator, QuantizeLinear."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from talos.compiler.reading.qdq_rewriter import QdqRewriter

__all__ = ["convert_qoperators"]


def convert_qoperators(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """A copy of `model` in QDQ form, with the same integers; every converted node keeps its name on the float operator.

    Besides onnxruntime's quantized operators of the domains "" and com.microsoft, com.microsoft's Quantize- and DequantizeLinear become
    the standard ones. Other nodes stay as they are. `file` is for messages. Raises TalosError naming the node where a quantized operator
    has computed scales.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if not any(node.op_type in _CONVERTERS for node in copy.graph.node):
        return copy
    writer = QdqRewriter(copy, file)
    for node in list(copy.graph.node):
        convert = _CONVERTERS.get(node.op_type) if node.domain in ("", "ai.onnx", "com.microsoft") else None
        if convert is None:
            writer.emit(node)
        else:
            convert(writer, node)
    return writer.finish()


def _conv(writer: QdqRewriter, node: onnx.NodeProto) -> None:
    x, scale_x, zero_x, w, scale_w, zero_w, scale_y, zero_y = node.input[:8]
    inputs = [writer.dequantized(node, x, scale_x, zero_x), writer.weight(node, w, scale_w, zero_w, axis=0)]
    if len(node.input) > 8 and node.input[8]:
        inputs.append(writer.bias(node, node.input[8], scale_x, scale_w))
    writer.operator(node, "Conv", inputs, scale_y, zero_y, writer.constant(node, w).ndim)


def _matmul(writer: QdqRewriter, node: onnx.NodeProto) -> None:
    a, scale_a, zero_a, b, scale_b, zero_b, scale_y, zero_y = node.input[:8]
    inputs = [writer.operand(node, a, scale_a, zero_a, axis=-2), writer.operand(node, b, scale_b, zero_b, axis=-1)]
    writer.operator(node, "MatMul", inputs, scale_y, zero_y)


def _gemm(writer: QdqRewriter, node: onnx.NodeProto) -> None:
    a, scale_a, zero_a, b, scale_b, zero_b = node.input[:6]
    c, scale_y, zero_y = (*node.input[6:], "", "", "")[:3]
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    inputs = [
        writer.operand(node, a, scale_a, zero_a, axis=1 if attributes.get("transA") else 0),
        writer.operand(node, b, scale_b, zero_b, axis=0 if attributes.get("transB") else 1),
    ]
    if c:
        inputs.append(writer.bias(node, c, scale_a, scale_b, attributes.get("alpha", 1.0)))
    writer.operator(node, "Gemm", inputs, scale_y, zero_y)


def _binary(op_type: str) -> "Converter":
    def convert(writer: QdqRewriter, node: onnx.NodeProto) -> None:
        a, scale_a, zero_a, b, scale_b, zero_b, scale_y = node.input[:7]
        inputs = [writer.dequantized(node, a, scale_a, zero_a), writer.dequantized(node, b, scale_b, zero_b)]
        writer.operator(node, op_type, inputs, scale_y, (*node.input[7:], "")[0])

    return convert


def _unary(op_type: str) -> "Converter":
    def convert(writer: QdqRewriter, node: onnx.NodeProto) -> None:
        x, scale_x, zero_x, scale_y = node.input[:4]
        inputs = [writer.dequantized(node, x, scale_x, zero_x)]
        # Images only: the pooling kernels of onnxruntime take nothing else with the channels last.
        writer.operator(node, op_type, inputs, scale_y, (*node.input[4:], "")[0], rank=4)

    return convert


def _softmax(writer: QdqRewriter, node: onnx.NodeProto) -> None:
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    meant, axis = attributes.get("opset", writer.opset), attributes.get("axis", -1)
    if (meant < 13) != (writer.opset < 13) and axis != -1:
        raise writer.error(
            node,
            f"it means the Softmax of opset {meant} along axis {axis} in a model of opset {writer.opset}",
            "convert the model to one opset before quantization",
        )
    kept = [attribute for attribute in node.attribute if attribute.name != "opset"]
    del node.attribute[:]
    node.attribute.extend(kept)
    x, scale_x, zero_x, scale_y, zero_y = (*node.input, "")[:5]
    writer.operator(node, "Softmax", [writer.dequantized(node, x, scale_x, zero_x)], scale_y, zero_y)


def _concat(writer: QdqRewriter, node: onnx.NodeProto) -> None:
    scale_y, zero_y, rest = node.input[0], node.input[1], list(node.input[2:])
    triples = zip(rest[::3], rest[1::3], rest[2::3], strict=True)
    inputs = [writer.dequantized(node, x, scale, zero) for x, scale, zero in triples]
    writer.operator(node, "Concat", inputs, scale_y, zero_y)


def _nhwc_max_pool(writer: QdqRewriter, node: onnx.NodeProto) -> None:
    writer.float_node(node, "MaxPool", list(node.input), node.output[0], last=4)


def _standard(writer: QdqRewriter, node: onnx.NodeProto) -> None:
    node.domain = ""
    writer.emit(node)


def _integer(op_type: str) -> "Converter":
    def convert(writer: QdqRewriter, node: onnx.NodeProto) -> None:
        chain = writer.scaled_sums(node)
        if chain is None:
            writer.emit(node)
            return
        scale, output = chain
        x, w, zero_x, zero_w = (*node.input, "", "")[:4]
        rank = writer.constant(node, w).ndim
        axis = 0 if op_type == "Conv" else rank - 1
        step = _vector(scale, rank, axis)
        if step is None:
            raise writer.error(node, f"its sums are scaled by an array of shape {list(scale.shape)}", "scale per output channel")
        scale_x = writer.source_scale(node, x)
        scale_w = writer.add(_quotient(step, scale_x), f"{node.name}.scale_w")
        inputs = [
            writer.dequantized(node, x, writer.add(scale_x, f"{node.name}.scale_x"), zero_x),
            writer.weight(node, w, scale_w, zero_w, axis=axis),
        ]
        writer.float_node(node, op_type, inputs, output)

    return convert


def _vector(scale: npt.NDArray[np.float32], rank: int, axis: int) -> npt.NDArray[np.float32] | None:
    """`scale`, broadcast against a result of `rank` dimensions, as a scalar or one value per output channel; None if it is neither."""
    if scale.size == 1:
        return scale.reshape(())
    channel = scale.ndim - (rank - 1 if axis == 0 else 1)  # images have their channels in front of height and width
    return scale.reshape(-1) if channel >= 0 and scale.shape[channel] == scale.size else None


def _quotient(product: npt.NDArray[np.float32], factor: np.float32) -> npt.NDArray[np.float32]:
    """The float32 numbers whose products with `factor` come nearest to `product` in float32."""
    nearest = np.asarray(product / factor, np.float32)
    candidates = np.stack([nearest, np.nextafter(nearest, np.float32(0)), np.nextafter(nearest, np.float32(np.inf))])
    best = np.abs((candidates * factor).astype(np.float64) - product.astype(np.float64)).argmin(axis=0)
    return np.asarray(np.take_along_axis(candidates, best[np.newaxis], axis=0)[0], np.float32)


Converter = Callable[[QdqRewriter, onnx.NodeProto], None]

_CONVERTERS: dict[str, Converter] = {
    "ConvInteger": _integer("Conv"),
    "DequantizeLinear": _standard,
    "MatMulInteger": _integer("MatMul"),
    "NhwcMaxPool": _nhwc_max_pool,
    "QGemm": _gemm,
    "QLinearAdd": _binary("Add"),
    "QLinearAveragePool": _unary("AveragePool"),
    "QLinearConcat": _concat,
    "QLinearConv": _conv,
    "QLinearGlobalAveragePool": _unary("GlobalAveragePool"),
    "QLinearLeakyRelu": _unary("LeakyRelu"),
    "QLinearMatMul": _matmul,
    "QLinearMul": _binary("Mul"),
    "QLinearSigmoid": _unary("Sigmoid"),
    "QLinearSoftmax": _softmax,
    "QuantizeLinear": _standard,
}
