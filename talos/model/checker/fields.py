"""Each instruction for itself: fields that make sense together, addresses inside the memories, features that the core has."""

import numpy as np

from talos.config import AcceleratorConfig
from talos.effects import ACCUMULATOR, ACTIVATION, DRAM, PARAMETER, Access
from talos.errors import TalosError
from talos.isa import SYNC_UNITS, Instruction, Opcode, Source, Space, TableKind
from talos.model.strided import Loops, hull, strided_view
from talos.program import CONSTANTS

__all__ = ["check_fields", "name"]


def name(index: int, instruction: Instruction) -> str:
    """How messages call an instruction."""
    return f"instruction {index} ({instruction.opcode.name})"


def check_fields(
    index: int, instruction: Instruction, accesses: list[Access], config: AcceleratorConfig, region_bytes: tuple[int, ...]
) -> None:
    """Raise TalosError, naming the instruction by `index`, if it cannot be meant like this."""
    reason = (
        _header(instruction)
        or _features(instruction, config)
        or _alignment(instruction, config)
        or _arithmetic(instruction, config)
        or _limits(accesses, config, region_bytes)
        or _in_place(instruction, config)
    )
    if reason:
        raise TalosError(f"{name(index, instruction)}: {reason}")


def _header(i: Instruction) -> str:
    if i["reserved"]:
        return f"reserved bits are {i['reserved']}, not 0"
    allowed = sum(1 << bit for bit, unit in enumerate(SYNC_UNITS) if unit != i.unit) if i.unit in SYNC_UNITS else 0
    for field in ("wait", "post"):
        if i[field] & ~allowed:
            return f"{field}={i[field]:04b} names a semaphore that does not exist: {i.unit.name} has those of mask {allowed:04b}"
    return ""


def _limits(accesses: list[Access], config: AcceleratorConfig, region_bytes: tuple[int, ...]) -> str:
    sizes = {ACTIVATION: config.activation_bytes, PARAMETER: config.parameter_bytes, ACCUMULATOR: config.accumulator_depth}
    sizes |= dict(zip(DRAM, region_bytes, strict=True))
    for access in accesses:
        if access.low < 0 or access.high > sizes[access.space]:
            verb = "writes" if access.write else "reads"
            return f"{verb} {access.space} [{access.low}, {access.high}), outside its {sizes[access.space]}"
        if access.write and access.space == DRAM[CONSTANTS]:
            return "writes the region of the constants, which the next run needs"
    return ""


def _features(i: Instruction, config: AcceleratorConfig) -> str:
    if i.opcode == Opcode.TABLE:
        needed = {"lookup": i["kind"] == TableKind.LOOKUP, "residual": i["kind"] == TableKind.ADD}
    elif i.opcode == Opcode.VECTOR:
        pool = i["source"] == Source.SUM or (i["source"] == Source.MAXIMUM and i["win_h"] * i["win_w"] > 1)
        needed = {"lookup": bool(i["lookup"]), "residual": bool(i["add"]), "multiply": bool(i["multiply"]), "pool": pool}
    elif i.opcode == Opcode.MATMUL:
        needed = {"depthwise": bool(i["depthwise"])}
    else:
        return ""
    missing = [feature for feature, used in needed.items() if used and not getattr(config, feature)]
    return f"needs the option {missing[0]}, which this configuration leaves out" if missing else ""


def _alignment(i: Instruction, config: AcceleratorConfig) -> str:
    beat = config.beat_bytes
    values: dict[str, int] = {}
    if i.opcode == Opcode.STREAM:
        values = {field: i[field] for field in ("address", "bytes")}
    elif i.opcode == Opcode.LOAD and i["space"] == Space.PARAMETER:
        values = {field: i[field] for field in ("address", "row_bytes", "dst")}
        for count, prefix in (("rows", "row"), ("planes", "plane")):
            if i[count] > 1:
                values |= {field: i[field] for field in (f"{prefix}_stride", f"dst_{prefix}_stride")}
    for field, value in values.items():
        if value % beat:
            return f"{field}={value} is not a multiple of the beat of {beat} bytes"
    return ""


def _arithmetic(i: Instruction, config: AcceleratorConfig) -> str:
    if i.opcode == Opcode.MATMUL:
        if i["warmup"] and not i["depthwise"]:
            return f"warmup={i['warmup']} has a meaning only with depthwise=1"
        return "" if i["warmup"] < i["out_w"] else f"warmup={i['warmup']} leaves nothing of rows of out_w={i['out_w']} vectors"
    if i.opcode != Opcode.VECTOR:
        return ""
    if i["source"] not in list(Source):
        return f"source={i['source']} does not exist"
    if i["tail"] > config.cols:
        return f"tail={i['tail']} is more than the {config.cols} channels of a block"
    if i["source"] != Source.MAXIMUM and not i["requantize"]:
        return f"{Source(i['source']).name} gives 32-bit sums, which must be requantized"
    if i["source"] == Source.ACCUMULATOR and i["win_h"] * i["win_w"] > 1:
        return "the accumulators have no windows"
    if i["multiply"] and not i["add"]:
        return "multiply=1 says how to combine with tensor b and needs add=1"
    if i["low"] > i["high"] and (i["requantize"] or not i["add"]):
        return f"low={i['low']} is above high={i['high']}"
    if i["out_low"] > i["out_high"] and i["add"]:
        return f"out_low={i['out_low']} is above out_high={i['out_high']}"
    return ""


def _in_place(i: Instruction, config: AcceleratorConfig) -> str:
    """A VECTOR may write where it reads only if each pixel replaces itself: others would be read before or after, by pipeline depth."""
    if i.opcode != Opcode.VECTOR:
        return ""
    channels = (i["blocks"] - 1) * config.cols + i["tail"]
    target = _nest(i, "dst")
    low, high = hull(*target, channels)
    operands: list[tuple[str, int, Loops]] = []
    if i["source"] != Source.ACCUMULATOR:
        operands.append(("a", *_nest(i, "a", ("win_h", "win_w"))))
    if i["add"]:
        operands.append(("b", *_nest(i, "b")))
    for operand, base, loops in operands:
        first, last = hull(base, loops, channels)
        if first >= high or low >= last or (base, loops) == target:
            continue
        touched = np.zeros(config.activation_bytes, bool)
        written, read = strided_view(touched, *target, channels), strided_view(touched, base, loops, channels)
        assert written is not None and read is not None  # within the limits, as checked before
        written[...] = True
        if read.any():
            return f"writes bytes that it reads as operand {operand} of other pixels"
    return ""


def _nest(i: Instruction, prefix: str, window: tuple[str, ...] = ()) -> tuple[int, list[tuple[int, int]]]:
    """Base and loops of an operand, without loops of one turn."""
    loops = [(i[count], i[f"{prefix}_{count}_stride"]) for count in window]
    loops += [(i["out_h"], i[f"{prefix}_row_stride"]), (i["out_w"], i[f"{prefix}_pixel_stride"])]
    return i[prefix], [loop for loop in loops if loop[0] > 1]
