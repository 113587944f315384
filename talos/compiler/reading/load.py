"""Reads an ONNX file and refuses what cannot be compiled whatever its operators are: damage, dynamic shapes, foreign types."""

from pathlib import Path

import onnx

from talos.compiler.reading.infer_shapes import infer_shapes
from talos.compiler.reading.single_image import fixed_batch, single_image
from talos.errors import TalosError

__all__ = ["MIN_OPSET", "fix_batch", "is_quantized", "load_batched", "load_model", "lower_opset", "model_inputs", "name_nodes"]

MIN_OPSET = 7  # older operators differ in broadcasting and have no reference in onnxruntime's quantizer

MAX_OPSET = 26  # onnxruntime has no kernels for the Quantize- and DequantizeLinear of later ones

_CAST_FIRST = ("float16", "float64")
_INPUT_TYPES = {"float32", *_CAST_FIRST, "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"}


def load_model(path: str | Path) -> onnx.ModelProto:
    """As `load_batched`, without the batch."""
    return load_batched(path)[0]


def load_batched(path: str | Path) -> tuple[onnx.ModelProto, int]:
    """The checked model in the file at `path`, and the batch that it was written for.

    The model is unchanged but for two things: a newer opset than `MAX_OPSET` is lowered to it, and a fixed batch is made one image.
    Raises TalosError when it is missing, damaged or not ONNX.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise TalosError(f"{file}: cannot read the model ({error.strerror or error}); check the path") from error
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # the parser's DecodeError has no public name in onnx
        raise TalosError(f"{file}: not an ONNX file, or truncated ({_first_line(error)}); export or copy it again") from error
    if not model.graph.node or not model.opset_import:
        raise TalosError(f"{file}: not an ONNX file, or empty (no nodes); export or copy it again")
    if not _is_text(model.graph):
        raise TalosError(f"{file}: not an ONNX file, or damaged (a name in it is not text); export or copy it again")
    try:
        onnx.load_external_data_for_model(model, str(file.parent))
        written = model.ir_version
        model.ir_version = max(written, 4)  # onnxruntime's quantizer leaves 3, in which every initializer had to be an input
        onnx.checker.check_model(model)
        model.ir_version = written
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        raise TalosError(f"{file}: not a valid ONNX model ({_one_line(error)}); export it again") from error
    for tensor in model.graph.sparse_initializer:
        raise TalosError(f"{file}: the constant '{tensor.values.name}' is sparse; store it as an ordinary initializer")
    for tensor in model.graph.initializer:
        try:
            onnx.numpy_helper.to_array(tensor)
        except (TypeError, ValueError) as error:
            reason = f"the constant '{tensor.name}' has not the type or size that it claims ({_first_line(error)})"
            raise TalosError(f"{file}: {reason}; export the model again") from error
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < MIN_OPSET:
        raise TalosError(f"{file}: opset {opset} is too old; export with opset 13 or later")
    model = lower_opset(model, file.name)
    return single_image(model, file.name), fixed_batch(model)


def lower_opset(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """`model`, or a copy of it in `MAX_OPSET` if it is newer. Raises TalosError naming `file` if it cannot be converted."""
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset <= MAX_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, MAX_OPSET)
    except Exception as error:  # the converter's errors have no common base class
        why = _first_line(error).rpartition(" failed: ")[2]  # without the place in the converter's source
        reason = f"opset {opset} cannot be converted to {MAX_OPSET} ({why})"
        raise TalosError(f"{file}: {reason}; export the model with opset {MAX_OPSET} or earlier") from error


def model_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The graph inputs that the user feeds: those that are not initializers."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def fix_batch(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """A copy with a batch dimension of 1 and every shape inferred.

    Only a symbolic first dimension is replaced. Raises TalosError for any other dynamic dimension, and for inputs that are no tensors
    of numbers. `file` is for messages.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    fixed.ir_version = max(fixed.ir_version, 8)  # before version 4 every initializer had to be a graph input too
    constants = {tensor.name for tensor in fixed.graph.initializer}
    feeds = [value for value in fixed.graph.input if value.name not in constants]
    del fixed.graph.input[:]
    fixed.graph.input.extend(feeds)
    for value in fixed.graph.input:
        kind = value.type.tensor_type
        if not value.type.HasField("tensor_type") or _numpy_name(kind.elem_type) not in _INPUT_TYPES:
            name = onnx.TensorProto.DataType.Name(kind.elem_type) if value.type.HasField("tensor_type") else "not a tensor"
            raise TalosError(f"{file}: input '{value.name}' is {name}; only tensors of numbers are supported")
        if _numpy_name(kind.elem_type) in _CAST_FIRST and not _only_cast(fixed.graph, value.name):
            name = onnx.TensorProto.DataType.Name(kind.elem_type)
            raise TalosError(
                f"{file}: input '{value.name}' is {name} and not cast to float32 at once; export the model in float32"
            )
        if not kind.HasField("shape"):
            raise TalosError(f"{file}: input '{value.name}' has no shape; export the model with static shapes")
        for axis, dim in enumerate(kind.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                if axis == 0 and dim.dim_value != 1 and len(kind.shape.dim) > 1:
                    raise TalosError(
                        f"{file}: input '{value.name}' has a fixed batch of {dim.dim_value}; export the model with a batch of 1"
                    )
                continue
            if axis:
                label = dim.dim_param or "unnamed"
                raise TalosError(
                    f"{file}: input '{value.name}' has a dynamic dimension {axis} ({label}); only the batch dimension may be "
                    "symbolic: export the model with static shapes"
                )
            dim.Clear()
            dim.dim_value = 1
    fed = {value.name: value for value in fixed.graph.input}
    for output in fixed.graph.output:
        if output.name in fed:
            output.CopyFrom(fed[output.name])
        else:  # stale symbolic sizes; inference writes the static ones
            output.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]
    try:
        return infer_shapes(fixed)
    except onnx.shape_inference.InferenceError as error:
        raise TalosError(f"{file}: shapes are inconsistent ({_first_line(error)}); export the model again") from error


def _only_cast(graph: onnx.GraphProto, name: str) -> bool:
    """Whether the value `name` is read by Cast alone."""
    return all(node.op_type == "Cast" for node in graph.node if name in node.input)


def _numpy_name(element: int) -> str:
    return onnx.helper.tensor_dtype_to_np_dtype(element).name if element else ""


def name_nodes(model: onnx.ModelProto) -> None:
    """Gives every node without a name, or with one already taken, a unique name, in place: reports go by node name."""
    taken: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.name or node.op_type}_{index}"
        taken.add(node.name)


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether the model computes with integers: it quantizes, or dequantizes a computed or fed value, or adds up integer products."""
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {output for node in model.graph.node if node.op_type == "Constant" for output in node.output}
    kinds = ("ConvInteger", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QuantizeLinear")
    # A QLinear operator's scales and zero points tell; QLinearConcat's first operand is a scale.
    return any(
        node.op_type.startswith(("QLinear", "QGemm")) or (node.op_type in kinds and node.input[0] not in constants)
        for node in model.graph.node
    )


def _is_text(graph: onnx.GraphProto) -> bool:
    """Whether all names in the graph are UTF-8: the parser does not care, and hands others over as bytes."""
    nodes = (name for node in graph.node for name in (node.name, node.op_type, node.domain, *node.input, *node.output))
    attributes = (attribute.name for node in graph.node for attribute in node.attribute)
    values = (value.name for value in (*graph.input, *graph.output, *graph.initializer, *graph.value_info))
    return all(isinstance(name, str) for name in (graph.name, *nodes, *attributes, *values))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
