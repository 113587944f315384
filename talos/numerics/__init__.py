"""The arithmetic of the accelerator: the executable specification, in integers.

`requantize` and `combine` are what the vector unit does, step for step, and equal onnxruntime's fused integer kernels byte for byte
(`docs/decisions/0002-arithmetic.md` has the measurements). The other functions derive their parameters at compile time, except
`quantize` and `dequantize`, which the host runs.

Activations are int8 codes: a uint8 tensor of an ONNX model is shifted by 128, and so is its zero point. Zero points are int8 codes
too, except that functions which are told the ONNX type (`unsigned`, or a uint8 array) take the ONNX model's own.
"""

from talos.numerics._add import ADD_ALIGN, add_parameters
from talos.numerics._average import average_parameters, average_window_parameters, sum_parameters
from talos.numerics._fitted import PairOperation, float_pair_parameters, multiply_parameters
from talos.numerics._linear import dequantize, quantize
from talos.numerics._lookup import apply_table
from talos.numerics._pair import PairParameters, combine, combine_fast
from talos.numerics._requantize import conv_multiplier, requantize, requantize_fast, split_multiplier

__all__ = [
    "ADD_ALIGN",
    "PairOperation",
    "PairParameters",
    "add_parameters",
    "apply_table",
    "average_parameters",
    "average_window_parameters",
    "combine",
    "combine_fast",
    "conv_multiplier",
    "dequantize",
    "float_pair_parameters",
    "multiply_parameters",
    "quantize",
    "requantize",
    "requantize_fast",
    "split_multiplier",
    "sum_parameters",
]
