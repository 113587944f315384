"""The arithmetic fields of VECTOR instructions, from the quantization of a layer's tensors."""

from functools import lru_cache

import numpy as np

from talos.compiler.builder import Builder
from talos.compiler.ir import Add, Conv, Layer, Lookup, TableLayer, Tensor
from talos.isa import TableKind
from talos.numerics import AddParameters, add_parameters
from talos.parameters import pack_add_table, pack_lookup

__all__ = ["addition", "requantization", "set_tables"]


def requantization(layer: Conv) -> dict[str, int]:
    """Fields of the requantization of a convolution's sums to its own result (in front of the residual, if any)."""
    end = layer.residual
    zero_point = layer.result_zero_point if end is None else end.zero_point
    low, high = (layer.low, layer.high) if end is None else (end.low, end.high)
    return {"requantize": 1, "zero_point": zero_point, "low": low, "high": high}


@lru_cache(maxsize=64)
def _parameters(scales: tuple[float, float, float], zeros: tuple[int, int, int], unsigned: bool) -> AddParameters:
    return add_parameters(scales[0], zeros[0], scales[1], zeros[1], scales[2], zeros[2], unsigned=unsigned)


def _operands(layer: Conv | Add) -> tuple[tuple[np.float32, int], tuple[np.float32, int], bool]:
    """Scale and zero point of the first and second ONNX operand of the addition, and whether the second one is on chip already."""

    def quantization(tensor: Tensor) -> tuple[np.float32, int]:
        return tensor.scale, tensor.zero_point

    if isinstance(layer, Add):
        return quantization(layer.inputs[0]), quantization(layer.inputs[1]), False
    residual = layer.residual
    assert residual is not None
    own, other = (residual.scale, residual.zero_point), quantization(residual.tensor)
    return (own, other, False) if residual.own_first else (other, own, True)


def _add_parameters(layer: Conv | Add) -> tuple[AddParameters, bool]:
    first, second, swap = _operands(layer)
    unsigned = layer.output.unsigned
    shift = 128 * unsigned
    scales = (float(first[0]), float(second[0]), float(layer.result_scale))
    zeros = (first[1] + shift, second[1] + shift, layer.result_zero_point + shift)
    return _parameters(scales, zeros, unsigned), swap


def addition(layer: Conv | Add) -> dict[str, int]:
    """Fields of the addition of `layer`: the ADD table itself is set by `set_tables`."""
    parameters, swap = _add_parameters(layer)
    return {
        "add": 1,
        "add_swap": int(swap),
        "add_unsigned": int(parameters.unsigned),
        "add_mantissa": parameters.mantissa,
        "add_align": parameters.align,
        "add_shift": parameters.shift,
        "out_zero_point": parameters.zero_point,
        "out_low": layer.low,
        "out_high": layer.high,
    }


def set_tables(b: Builder, layer: Layer) -> None:
    """Have the lanes hold the tables that `layer` needs."""
    if isinstance(layer, Add) or (isinstance(layer, Conv) and layer.residual is not None):
        parameters, _ = _add_parameters(layer)
        data = pack_add_table(parameters.table_mantissa, parameters.table_shift)
        b.table(TableKind.ADD, data, data)
    table = layer.table if isinstance(layer, TableLayer | Lookup) else None
    if table is not None:
        data = pack_lookup(table)
        b.table(TableKind.LOOKUP, data, data)
