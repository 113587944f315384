"""The loop nest over blocks, rows and pixels that the vector unit's tensors share."""

from amaranth import Cat, Module, Value
from amaranth.lib import data

from talos.config import AcceleratorConfig
from talos.isa import ADDRESS, Source
from talos.rtl.loopnest import LoopNest, count_flags

__all__ = ["PIXEL_FLAGS", "pixel_flags", "pixel_nest"]

_BLOCK_STRIDE = 8  # bits: up to 64 columns, signed
_LEVELS = (("out_w", 10, "pixel_stride", 18), ("out_h", 10, "row_stride", ADDRESS))
_WINDOW = (("win_w", 8, "win_w_stride", 18), ("win_h", 8, "win_h_stride", ADDRESS))


_ALL = ("win_w", "win_h", "out_w", "out_h", "blocks")

PIXEL_FLAGS = data.StructLayout({"ones": len(_ALL), "twos": len(_ALL)})
"""`LoopNest`'s flags of a VECTOR instruction's counts, window columns first."""


def _count(config: AcceleratorConfig, instruction: data.View, name: str) -> Value:
    value = Value.cast(instruction[name])
    if name not in ("win_w", "win_h"):
        return value
    # Accumulators have no windows; their instructions use the nest for its counts.
    return value & (instruction.source != Source.ACCUMULATOR).replicate(len(value)) if config.pool else value & 0


def pixel_flags(config: AcceleratorConfig, instruction: data.View) -> data.View:
    """The flags of a VECTOR `instruction`."""
    return data.View(PIXEL_FLAGS, Cat(*count_flags([_count(config, instruction, name) for name in _ALL])))


def pixel_nest(
    m: Module,
    name: str,
    config: AcceleratorConfig,
    instruction: data.View,
    flags: data.View,
    prefix: str,
    *,
    windows: bool = False,
) -> LoopNest:
    """Add a nest for the tensor `prefix` (a, b, dst) of a VECTOR `instruction` as submodule `name`; connect its `load` and `step`.

    Levels from the innermost: window columns and rows if `windows`, out_w, out_h, blocks. flags: `pixel_flags(config, instruction)`.
    """
    levels = (*(_WINDOW if windows else ()), *_LEVELS)
    nest = LoopNest(
        address_width=ADDRESS,
        count_widths=[*(level[1] for level in levels), 10],
        stride_widths=[*(level[3] for level in levels), _BLOCK_STRIDE],
    )
    m.submodules[name] = nest
    m.d.comb += [
        nest.base.eq(instruction[prefix]),
        nest.follow.eq(nest.load),
        nest.ones.eq(flags.ones[-nest.levels :]),
        nest.twos.eq(flags.twos[-nest.levels :]),
        getattr(nest, f"count_{len(levels)}").eq(instruction.blocks),
        getattr(nest, f"stride_{len(levels)}").eq(config.cols),
    ]
    for i, (count, _, stride, _) in enumerate(levels):
        m.d.comb += [
            getattr(nest, f"count_{i}").eq(_count(config, instruction, count)),
            getattr(nest, f"stride_{i}").eq(instruction[f"{prefix}_{stride}"]),
        ]
    return nest
