"""Random damage to valid models, from a seed: of their bytes, and of single fields."""

import random
from collections.abc import Callable

import onnx

from tests.quirks.net import Net
from tests.quirks.registry import Network

__all__ = ["BASES", "damage_bytes", "damage_fields"]

INTERESTING = (
    -(1 << 63),
    -(1 << 31),
    -129,
    -2,
    -1,
    0,
    1,
    2,
    3,
    5,
    7,
    127,
    128,
    255,
    256,
    1 << 16,
    (1 << 31) - 1,
    1 << 40,
    (1 << 63) - 1,
)
FLOATS = (0.0, -0.0, -1.0, 1e-45, 1e-20, 1.0, 1e20, 3e38, float("inf"), float("-inf"), float("nan"))


def _classifier() -> Network:
    net = Net(100)
    x = net.conv_layer(net.image("N", 3, 8, 8), (5, 3, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1], relu=True, zero=-128)
    x = net.same("MaxPool", x, -128, kernel_shape=[2, 2], strides=[2, 2])
    return net.quantized(net.gemm_layer(net.same("Flatten", x, -128), 20, 4))


def _branches() -> Network:
    net = Net(101)
    x = net.codes(1, 4, 6, 6, zero=-7)
    a = net.conv_layer(x, (4, 1, 3, 3), group=4, pads=[1] * 4, per_channel=False)
    joined = net.qdq(net.node("Concat", [net.qdq(net.node("Add", [a, x]), 0.1, 3), x], axis=1), 0.1, 3)
    return net.quantized(net.conv_layer(joined, (3, 8, 1, 1)), a)


def _float() -> Network:
    net = Net(102)
    x = net.node("Relu", [net.normalize(net.fconv(net.input("x", ["N", 2, 6, 6]), (4, 2, 3, 3)), 4)])
    return net.floating(net.fgemm(net.node("Flatten", [x]), 64, 3))


BASES: dict[str, Callable[[], Network]] = {"classifier": _classifier, "branches": _branches, "float": _float}
"""The valid models."""


def damage_bytes(data: bytes, seed: int) -> bytes:
    """`data` with one to four random damages: bits flipped, bytes replaced, inserted, removed, repeated, or the end cut off."""
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        place, length = chance.randrange(len(damaged)), chance.choice((1, 1, 2, 8, 40))
        kind = chance.randrange(6)
        if kind == 0:
            damaged[place] ^= 1 << chance.randrange(8)
        elif kind == 1:
            damaged[place : place + length] = chance.randbytes(length)
        elif kind == 2:
            damaged[place:place] = chance.randbytes(length)
        elif kind == 3:
            del damaged[place : place + length]
        elif kind == 4:
            damaged[place:place] = damaged[place : place + length]
        else:
            del damaged[max(place, 1) :]
    return bytes(damaged)


def damage_fields(model: onnx.ModelProto, seed: int) -> str:
    """Changes one field of one node, tensor or declaration of `model`, in place; says which."""
    chance = random.Random(seed)
    graph = model.graph
    kind = chance.choice(
        ("attribute", "attribute", "operand", "operator", "remove", "tensor", "tensor", "dimension", "type", "swap")
    )
    node = chance.choice(graph.node)
    tensor = chance.choice(graph.initializer)
    if kind == "attribute" and node.attribute:
        attribute = chance.choice(node.attribute)
        if attribute.ints:
            attribute.ints[chance.randrange(len(attribute.ints))] = chance.choice(INTERESTING)
        elif attribute.type == onnx.AttributeProto.INT:
            attribute.i = chance.choice(INTERESTING)
        else:
            attribute.f = chance.choice(FLOATS)
        return f"attribute {attribute.name} of {node.name}"
    if kind == "operand" and node.input:
        names = [name for other in graph.node for name in [*other.input, *other.output]] + ["", "nowhere"]
        node.input[chance.randrange(len(node.input))] = chance.choice(names)
        return f"operand of {node.name}"
    if kind == "operator":
        node.op_type = chance.choice(
            ("Relu", "Conv", "Add", "Flatten", "Gemm", "MaxPool", "Softmax", "Nothing", "QuantizeLinear", "")
        )
        return f"operator of {node.name}"
    if kind == "remove":
        graph.node.remove(node)
        return f"{node.name} removed"
    if kind == "dimension" and tensor.dims:
        tensor.dims[chance.randrange(len(tensor.dims))] = chance.choice(INTERESTING)
        return f"dimension of {tensor.name}"
    if kind == "type":
        tensor.data_type = chance.randrange(25)
        return f"type of {tensor.name}"
    if kind == "swap":
        other = chance.choice(graph.initializer)
        tensor.name, other.name = other.name, tensor.name
        return f"{tensor.name} and {other.name} exchanged"
    data = bytearray(tensor.raw_data)
    for _ in range(chance.choice((1, 4))):
        data[chance.randrange(len(data))] = chance.choice((0, 1, 127, 128, 255))
    tensor.raw_data = bytes(data)
    return f"contents of {tensor.name}"
