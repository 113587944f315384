"""Summaries of configurations and programs."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from talos import __version__
from talos.config import AcceleratorConfig
from talos.program import CONSTANTS, INPUTS, OUTPUTS, SCRATCH, Port, Program

__all__ = ["config_lines", "program_json", "program_lines"]

_REGIONS = {CONSTANTS: "constants", SCRATCH: "scratch", INPUTS: "inputs", OUTPUTS: "outputs"}


def config_lines(config: AcceleratorConfig) -> Iterator[str]:
    """The configuration in words, with what follows from it."""
    features = (
        ", ".join(name for name in ("depthwise", "residual", "multiply", "lookup", "pool") if getattr(config, name)) or "none"
    )
    accumulators = config.accumulator_depth * config.cols * 4
    yield f"configuration {config.name} (hash {config.hash})"
    yield f"  array               {config.rows} rows × {config.cols} columns = {config.peak_macs} MACs per cycle"
    yield f"  requantization      {config.lanes} lanes: {_plural(config.cols // config.lanes, 'cycle')} per pixel of {config.cols} channels"
    yield f"  activation memory   {_size(config.activation_bytes)} in {config.activation_banks} banks, lines of {config.line_bytes} bytes"
    yield f"  accumulators        {config.accumulator_depth} pixels × {config.cols} × 32 bits = {_size(accumulators)}, two halves"
    yield f"  weight FIFO         {_size(config.weight_fifo_bytes)}"
    yield f"  parameter memory    {_size(config.parameter_bytes)}"
    yield f"  AXI4 master         {config.axi_data_width} bits of data, {config.axi_addr_width} of address, bursts of at most {config.max_burst} beats"
    yield f"  instruction queues  {config.queue_depth} per unit"
    yield f"  optional features   {features}"


def program_lines(program: Program) -> Iterator[str]:
    """The program in words: configuration, memory, inputs and outputs, layers, host parts."""
    yield f"program {program.name}: {program.instruction_count} instructions, {_plural(len(program.layers), 'layer')}, {program.macs:,} MACs"
    yield from config_lines(program.config)
    yield "DRAM regions"
    for region, name in _REGIONS.items():
        yield f"  {region} {name:<17} {program.region_bytes[region]:,} bytes"
    yield f"instructions at byte {program.program_offset:,} of region {CONSTANTS}"
    if program.batch > 1:
        yield f"a run takes {program.batch} images; what follows is one of them"
    yield "inputs of the network"
    for feed in program.feeds:
        yield f"  {feed.name}: {feed.dtype} {_shape(feed.shape)}"
    for title, ports in (("inputs of the accelerator", program.inputs), ("outputs of the accelerator", program.outputs)):
        yield title
        for port in ports:
            yield f"  {_port(port)}"
    yield "layers"
    width = max((len(layer.name) for layer in program.layers), default=0)
    for index, layer in enumerate(program.layers):
        count = program.layer_of.count(index)
        yield f"  {layer.name:<{width}}  {layer.op:<7} {layer.placement:<7} {layer.macs:>13,} MACs, {_plural(count, 'instruction')}"
    if program.host:
        yield "host parts (onnxruntime)"
        for part in program.host:
            where = f"{part.stage} the accelerator"
            yield f"  {where}: {', '.join(part.inputs) or 'constants'} → {', '.join(part.outputs)} by {', '.join(part.op_types) or 'no node'}"
            for why in part.reasons:
                yield f"    {why.node} ({why.op}): {why.reason}"
    yield f"results: {', '.join(program.results)}"


def program_json(program: Program) -> dict[str, Any]:
    """The same as `program_lines`, for scripts."""
    return {
        "name": program.name,
        "version": __version__,
        "config": program.config.to_json(),
        "config_name": program.config.name,
        "config_hash": program.config.hash,
        "macs": program.macs,
        "instructions": program.instruction_count,
        "program_offset": program.program_offset,
        "constants_bytes": len(program.constants),
        "batch": program.batch,
        "regions": {name: program.region_bytes[region] for region, name in _REGIONS.items()},
        "inputs": [_port_json(port) for port in program.inputs],
        "outputs": [_port_json(port) for port in program.outputs],
        "results": list(program.results),
        "layers": [asdict(layer) for layer in program.layers],
        "placements": [asdict(placement) for placement in program.placements],
        "feeds": [asdict(feed) for feed in program.feeds],
        "host": [{key: value for key, value in asdict(part).items() if key != "model"} for part in program.host],
    }


def _port(port: Port) -> str:
    spec = port.spec
    codes = "codes as they are" if spec.quantized else f"value = {spec.scale:.9g} · (code − {spec.zero_point})"
    more = f" and every {port.stride} bytes" if port.batch > 1 else ""
    where = f"region {port.region}, byte {port.offset}{more}"
    return f"{spec.name}: {spec.onnx_dtype} {_shape(spec.onnx_shape)}, int8 {_shape(spec.tensor_shape)} in {where}; {codes}"


def _port_json(port: Port) -> dict[str, Any]:
    return {
        **port.spec.to_json(),
        "region": port.region,
        "offset": port.offset,
        "batch": port.batch,
        "stride": port.stride,
    }


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _size(count: int) -> str:
    return f"{count // 1024} KiB" if count >= 1024 and count % 1024 == 0 else f"{count} bytes"


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count != 1 else ''}"
