"""`README.txt`: how to use the exported files, for this program."""

from collections.abc import Iterator

from talos.driver.c_text import network_identifier, unique_identifiers
from talos.driver.driver_source import PAGE, template
from talos.driver.registers_header import REGION_NAMES
from talos.program import HostPart, Port, Program

__all__ = ["host_file", "readme"]


def host_file(program: Program, index: int) -> str:
    """Name of the file with the model of host part `index`."""
    return f"{network_identifier(program.name)}_host_{index}.onnx"


def readme(program: Program) -> str:
    """The text of the file."""
    name = network_identifier(program.name)
    title = f"C driver for {program.name}"
    files = {
        "talos.h, talos.c": "the driver; no library, no heap, no operating system",
        "talos_regs.h": "the core's registers",
        f"{name}_program.h, .c": "this network: constants, instructions, inputs and outputs",
        "main.c": "an example for Linux (UIO or /dev/mem)",
    } | {host_file(program, i): f"what onnxruntime runs {part.stage} the accelerator" for i, part in enumerate(program.host)}
    width = max(map(len, files))
    return template("README.txt").substitute(
        title=title,
        underline="=" * len(title),
        name=name,
        program_name=program.name,
        config_name=program.config.name,
        config_hash=program.config.hash,
        files="".join(f"  {file:<{width}}   {what}\n" for file, what in files.items()),
        use_lines="\n".join(_use(program, name)) + "\n",
        address_bits=program.config.axi_addr_width,
        regions="\n".join(_regions(program)),
        memory_bytes=sum(-(-size // PAGE) * PAGE for size in program.region_bytes),
        page=PAGE,
        inputs="".join(f"{line}\n" for line in _ports(program, program.inputs)),
        outputs="".join(f"{line}\n" for line in _ports(program, program.outputs)),
        host="\n".join(_host(program)),
    )


def _use(program: Program, name: str) -> Iterator[str]:
    images = f"image 0 to {program.batch - 1}" if program.batch > 1 else "image 0"
    for port, called in zip(program.inputs, unique_identifiers([port.spec.name for port in program.inputs]), strict=True):
        yield f"  {name}_set_{called}(&device, image, values);   {port.spec.onnx_dtype}, ONNX order; {images}"
    yield f"  talos_run(&device, &{name}_program, timeout_cycles);"
    for port, called in zip(program.outputs, unique_identifiers([port.spec.name for port in program.outputs]), strict=True):
        yield f"  {name}_get_{called}(&device, image, values);   {port.spec.onnx_dtype}"


def _regions(program: Program) -> Iterator[str]:
    for region, size in enumerate(program.region_bytes):
        yield f"    region {region} {REGION_NAMES[region].lower():<10} {size:>12,} bytes"


def _ports(program: Program, ports: tuple[Port, ...]) -> Iterator[str]:
    for port in ports:
        spec = port.spec
        codes = {
            "float32": f"value = {spec.scale:.9g} * (code - ({spec.zero_point}))",
            "int8": "value = code",
            "uint8": "value = code + 128",
        }[spec.onnx_dtype]
        more = f", images {port.stride} bytes apart" if program.batch > 1 else ""
        yield f"  {spec.name}: {spec.onnx_dtype} {_shape(spec.onnx_shape)}"
        yield f"    int8 codes {_shape(spec.tensor_shape)} (height, width, channels) in region {port.region} at byte {port.offset}{more}"
        yield f"    {codes}"


def _host(program: Program) -> Iterator[str]:
    made = {port.spec.name for port in program.outputs}
    if not program.host:
        yield "All of the network runs on the accelerator; its results are: " + ", ".join(program.results)
        return
    yield "Host parts"
    yield "  This driver runs the accelerator. The rest of the network is for onnxruntime (or code of your own):"
    for index, part in enumerate(program.host):
        yield from _part(program, index, part)
    yield "  Results of the network:"
    for result in program.results:
        by = next((host_file(program, i) for i, part in enumerate(program.host) if result in part.outputs), None)
        yield f"    {result}: from {by or ('the accelerator' if result in made else 'the input itself')}"


def _part(program: Program, index: int, part: HostPart) -> Iterator[str]:
    yield f"  {host_file(program, index)}, {part.stage} the accelerator: {', '.join(part.op_types) or 'no node'}"
    yield f"    reads {', '.join(part.inputs) or 'nothing'}"
    yield f"    gives {', '.join(part.outputs)}"
    for reason in part.reasons:
        yield f"    {reason.node} ({reason.op}): {reason.reason}"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "scalar"
