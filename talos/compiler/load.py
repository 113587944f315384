"""Reads an ONNX file and refuses what cannot be compiled whatever its operators are: damage, dynamic shapes, foreign types."""

from pathlib import Path

import onnx

from talos.errors import TalosError

__all__ = ["MIN_OPSET", "fix_batch", "is_quantized", "load_model", "model_inputs", "name_nodes"]

MIN_OPSET = 7  # older operators differ in broadcasting and have no reference in onnxruntime's quantizer

_INPUT_TYPES = {onnx.TensorProto.FLOAT: "float32", onnx.TensorProto.INT8: "int8", onnx.TensorProto.UINT8: "uint8"}


def load_model(path: str | Path) -> onnx.ModelProto:
    """The checked model in the file at `path`, unchanged. Raises TalosError when it is missing, damaged or not ONNX."""
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
    try:
        onnx.load_external_data_for_model(model, str(file.parent))
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        raise TalosError(f"{file}: not a valid ONNX model ({_first_line(error)}); export it again") from error
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    if opset < MIN_OPSET:
        raise TalosError(f"{file}: opset {opset} is too old; export with opset 13 or later")
    return model


def model_inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """The graph inputs that the user feeds: those that are not initializers."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in constants]


def fix_batch(model: onnx.ModelProto, file: str) -> onnx.ModelProto:
    """A copy with a batch dimension of 1 and every shape inferred.

    Only a symbolic first dimension is replaced. Raises TalosError for any other dynamic dimension and for input types other than
    float32, int8 and uint8. `file` is for messages.
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
        if kind.elem_type not in _INPUT_TYPES:
            name = onnx.TensorProto.DataType.Name(kind.elem_type) if value.type.HasField("tensor_type") else "not a tensor"
            raise TalosError(f"{file}: input '{value.name}' is {name}; only float32, int8 and uint8 inputs are supported")
        if not kind.HasField("shape"):
            raise TalosError(f"{file}: input '{value.name}' has no shape; export the model with static shapes")
        for axis, dim in enumerate(kind.shape.dim):
            if dim.HasField("dim_value") and dim.dim_value > 0:
                if axis == 0 and dim.dim_value != 1:
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
    for output in fixed.graph.output:  # stale symbolic sizes; inference writes the static ones
        output.type.tensor_type.ClearField("shape")
    del fixed.graph.value_info[:]
    try:
        return onnx.shape_inference.infer_shapes(fixed, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        for index, node in enumerate(fixed.graph.node):
            if node.domain not in ("", "ai.onnx"):
                raise TalosError(
                    f"{file}: node '{node.name or index}' ({node.domain}.{node.op_type}): operators of this domain are not supported; "
                    "export the model with standard ONNX operators"
                ) from error
        raise TalosError(f"{file}: shapes are inconsistent ({_first_line(error)}); export the model again") from error


def name_nodes(model: onnx.ModelProto) -> None:
    """Gives every node without a name, or with one already taken, a unique name, in place: reports go by node name."""
    taken: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.name or node.op_type}_{index}"
        taken.add(node.name)


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether activations carry quantization: some QuantizeLinear, or DequantizeLinear of a computed or fed value, is in the graph."""
    constants = {tensor.name for tensor in model.graph.initializer}
    constants |= {output for node in model.graph.node if node.op_type == "Constant" for output in node.output}
    kinds = ("QuantizeLinear", "DequantizeLinear")
    return any(node.op_type in kinds and node.input[0] not in constants for node in model.graph.node)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
