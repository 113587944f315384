"""The arithmetic fields of VECTOR instructions, from the quantization of a layer's tensors."""

from talos.compiler.graph.ir import Binary, Conv, Layer, Lookup, TableLayer
from talos.compiler.graph.pair_parameters import pair_parameters
from talos.compiler.scheduling.builder import Builder
from talos.isa import TableKind
from talos.parameters import pack_add_table, pack_lookup

__all__ = ["pair_fields", "requantization", "set_tables"]


def requantization(layer: Conv) -> dict[str, int]:
    """Fields of the requantization of a convolution's sums to its own result (in front of the residual, if any)."""
    end = layer.residual
    zero_point = layer.result_zero_point if end is None else end.zero_point
    low, high = (layer.low, layer.high) if end is None else (end.low, end.high)
    return {"requantize": 1, "zero_point": zero_point, "low": low, "high": high}


def pair_fields(layer: Conv | Binary) -> dict[str, int]:
    """Fields of the operation of two tensors in `layer`: the ADD table itself is set by `set_tables`.

    Tensor b of the instruction is a Binary's second operand, or a convolution's residual tensor, which may be the first one.
    """
    parameters = pair_parameters(layer)
    return {
        "add": 1,
        "add_swap": int(isinstance(layer, Conv) and layer.residual is not None and not layer.residual.own_first),
        "add_unsigned": int(parameters.unsigned),
        "add_mantissa": parameters.mantissa,
        "add_align": parameters.align,
        "add_shift": parameters.shift,
        "multiply": int(parameters.multiply),
        "operand_zero_point": parameters.zero_a if parameters.multiply else 0,
        "addend_zero_point": parameters.zero_b if parameters.multiply else 0,
        "out_zero_point": parameters.zero_point,
        "out_low": layer.low,
        "out_high": layer.high,
    }


def set_tables(b: Builder, layer: Layer) -> None:
    """Have the lanes hold the tables that `layer` needs."""
    if isinstance(layer, Binary) or (isinstance(layer, Conv) and layer.residual is not None):
        parameters = pair_parameters(layer)
        data = pack_add_table(parameters.table_mantissa, parameters.table_shift)
        b.table(TableKind.ADD, data, data)
    table = layer.table if isinstance(layer, TableLayer | Lookup) else None
    if table is not None:
        data = pack_lookup(table)
        b.table(TableKind.LOOKUP, data, data)
