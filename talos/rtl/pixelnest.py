"""The loop nest over blocks, rows and pixels that the vector unit's tensors share."""

from amaranth import Module, Value
from amaranth.lib import data

from talos.config import AcceleratorConfig
from talos.isa import ADDRESS
from talos.rtl.loopnest import LoopNest

__all__ = ["pixel_nest"]

_BLOCK_STRIDE = 8  # bits: up to 64 columns, signed
_LEVELS = (("out_w", 10, "pixel_stride", 18), ("out_h", 10, "row_stride", ADDRESS))
_WINDOW = (("win_w", 8, "win_w_stride", 18), ("win_h", 8, "win_h_stride", ADDRESS))


def pixel_nest(
    m: Module, name: str, config: AcceleratorConfig, instruction: data.View, prefix: str, *, window: Value | None = None
) -> LoopNest:
    """Add a nest for the tensor `prefix` (a, b, dst) of a VECTOR `instruction` as submodule `name`; connect its `load` and `step`.

    Levels from the innermost: window columns and rows if `window` is given (windows of one where its value is 0), out_w, out_h, blocks.
    """
    levels = (*(_WINDOW if window is not None else ()), *_LEVELS)
    nest = LoopNest(
        address_width=ADDRESS,
        count_widths=[*(level[1] for level in levels), 10],
        stride_widths=[*(level[3] for level in levels), _BLOCK_STRIDE],
    )
    m.submodules[name] = nest
    m.d.comb += nest.base.eq(instruction[prefix])
    for i, (count, width, stride, _) in enumerate(levels):
        value = Value.cast(instruction[count])
        if window is not None and i < len(_WINDOW):
            value = value & window.replicate(width)
        m.d.comb += [
            getattr(nest, f"count_{i}").eq(value),
            getattr(nest, f"stride_{i}").eq(instruction[f"{prefix}_{stride}"]),
        ]
    m.d.comb += [
        getattr(nest, f"count_{len(levels)}").eq(instruction.blocks),
        getattr(nest, f"stride_{len(levels)}").eq(config.cols),
    ]
    return nest
