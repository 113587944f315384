"""Makes inner values of an ONNX model visible as further outputs, to compare them."""

import onnx

from talos.errors import TalosError

__all__ = ["expose_values"]


def expose_values(model: bytes, names: list[str]) -> bytes:
    """The serialized `model` with the computed values in `names` as outputs behind its own.

    Raises TalosError for a name that no node computes.
    """
    proto = onnx.load_model_from_string(model)
    made = {name for node in proto.graph.node for name in node.output}
    known = {output.name for output in proto.graph.output}
    for name in names:
        if name not in made:
            raise TalosError(f"the quantized model computes no value '{name}', which the program has; compile it again")
        if name not in known:
            proto.graph.output.append(onnx.ValueInfoProto(name=name))
    return bytes(proto.SerializeToString())
