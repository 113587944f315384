"""A tensor's numbers in another tensor's scale."""

import numpy as np

from talos.compiler.graph.ir import Lookup, Tensor
from talos.compiler.importing.float_function import FloatFunction, function_table
from talos.compiler.importing.importer import Importer

__all__ = ["rescaled"]


def rescaled(
    importer: Importer, nodes: tuple[str, ...], tensor: Tensor, output: Tensor, low: int = -128, high: int = 127
) -> Tensor:
    """`tensor` in the scale of `output`, clamped to `low`…`high`: itself, or the result of a table, a layer of `nodes` that is added."""
    same = (tensor.scale, tensor.zero_point, tensor.unsigned) == (output.scale, output.zero_point, output.unsigned)
    if same and (low, high) == (-128, 127):
        return tensor
    table = function_table(FloatFunction(), tensor, output, importer.graph.opset_imports)
    table = np.clip(table, low, high).astype(np.int8)
    name = f"{output.name}:{tensor.name}"
    result = Tensor(name, tensor.shape, output.scale, output.zero_point, output.unsigned)
    importer.layers.append(Lookup(name=nodes[0], nodes=nodes, inputs=[tensor], output=result, table=table))
    return result
