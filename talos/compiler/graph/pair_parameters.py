"""The arithmetic of an element-wise operation of two tensors, alone or fused into a convolution."""

from functools import lru_cache

import numpy as np

from talos.compiler.graph.ir import Binary, Conv, Layer, Tensor
from talos.numerics import PairOperation, PairParameters, add_parameters, float_pair_parameters, multiply_parameters

__all__ = ["difference_note", "pair_parameters"]

Quantization = tuple[float, int]  # scale and int8 zero point


def pair_parameters(layer: Binary | Conv) -> PairParameters:
    """What the vector unit needs for the operation of `layer`; a convolution has it as its residual. Operands are in ONNX's order.

    Raises TalosError if the scales are too far apart; the importer has tried.
    """
    first, second = _operands(layer)
    target = _quantization(layer.result_scale, layer.result_zero_point)
    pair = layer if isinstance(layer, Binary) else layer.residual
    assert pair is not None
    return _parameters(pair.function, pair.kernel, first, second, target, layer.output.unsigned)


def difference_note(layer: Layer) -> str:
    """Of how many pairs of codes `layer` makes another result than onnxruntime, in words; nothing if of none."""
    if not (isinstance(layer, Binary) or (isinstance(layer, Conv) and layer.residual is not None)):
        return ""
    count = pair_parameters(layer).mismatches
    return f"{count:,} of 65,536 operand pairs differ from onnxruntime by one code" if count else ""


def _operands(layer: Binary | Conv) -> tuple[Quantization, Quantization]:
    def quantization(tensor: Tensor) -> Quantization:
        return _quantization(tensor.scale, tensor.zero_point)

    if isinstance(layer, Binary):
        return quantization(layer.inputs[0]), quantization(layer.inputs[1])
    residual = layer.residual
    assert residual is not None
    own, other = _quantization(residual.scale, residual.zero_point), quantization(residual.tensor)
    return (own, other) if residual.own_first else (other, own)


def _quantization(scale: np.float32, zero_point: int) -> Quantization:
    return float(scale), zero_point


@lru_cache(maxsize=1024)
def _parameters(
    function: PairOperation, kernel: bool, a: Quantization, b: Quantization, c: Quantization, unsigned: bool
) -> PairParameters:
    if not kernel:
        return float_pair_parameters(function, *a, *b, *c)
    fit = {"add": add_parameters, "multiply": multiply_parameters}[function]
    shift = 128 * unsigned
    return fit(a[0], a[1] + shift, b[0], b[1] + shift, c[0], c[1] + shift, unsigned=unsigned)
