"""`NAME_program.h` and `NAME_program.c`: a compiled program as C data, with a typed function for each input and output."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from talos.driver.c_text import float_literal, network_identifier, string_literal, unique_identifiers
from talos.driver.driver_source import MAX_LOOPS
from talos.driver.registers_header import REGION_NAMES
from talos.errors import TalosError
from talos.io import IoSpec
from talos.program import Port, Program

__all__ = ["program_header", "program_source", "value_loops"]

_C_TYPES = {"float32": "float", "int8": "int8_t", "uint8": "uint8_t"}
_BYTES_PER_LINE = 32


def value_loops(spec: IoSpec) -> list[tuple[int, int]]:
    """The bytes' order as loops (count, step in ONNX values), the last one fastest. Raises TalosError for too many."""
    steps = list(accumulate(reversed(spec.view_shape[1:]), lambda step, size: step * size, initial=1))[::-1]
    loops = [(spec.view_shape[axis], steps[axis]) for axis in spec.permutation]
    if len(loops) > MAX_LOOPS:
        raise TalosError(
            f"'{spec.name}': the order of its bytes takes {len(loops)} loops, the C driver has {MAX_LOOPS}; transpose it in fewer steps"
        )
    return loops


def program_header(program: Program) -> str:
    """The text of the header: the program, sizes, and functions to set inputs and get outputs."""
    name = network_identifier(program.name)
    guard = f"{name.upper()}_PROGRAM_H"
    lines = [
        "/* A network compiled for a Talos accelerator. Written by 'talos export'. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        '#include "talos.h"',
        "",
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        f"extern const uint8_t {name}_constants[{len(program.constants)}];",
        f"extern const talos_program {name}_program;",
        "",
        f"#define {name.upper()}_BATCH {program.batch}u /* images in a run */",
        *(f"#define {name.upper()}_{REGION_NAMES[i]}_BYTES {size}u" for i, size in enumerate(program.region_bytes)),
    ]
    for kind, ports in (("input", program.inputs), ("output", program.outputs)):
        for index, (port, called) in enumerate(zip(ports, _names(ports), strict=True)):
            macro, suffix = f"{name}_{kind}".upper(), called.upper()
            lines += [
                "",
                f"#define {macro}_INDEX_{suffix} {index}u",
                f"#define {macro}_VALUES_{suffix} {_values(port.spec)}u",
                f"{_signature(name, kind, called, port)};",
            ]
    return "\n".join([*lines, "", "#ifdef __cplusplus", "}", "#endif", "#endif", ""])


def program_source(program: Program) -> str:
    """The text of the source file. Raises TalosError if an input or output cannot be described."""
    name = network_identifier(program.name)
    config = program.config
    lines = [
        "/* A network compiled for a Talos accelerator. Written by 'talos export'. */",
        f'#include "{name}_program.h"',
        "",
        *_ports(name, "input", program.inputs),
        *_ports(name, "output", program.outputs),
        f"const talos_program {name}_program = {{",
        f"    .name = {string_literal(program.name)},",
        f"    .config_name = {string_literal(config.name)},",
        f"    .config_hash = 0x{config.hash}u,",
        f"    .address_bits = {config.axi_addr_width}u,",
        f"    .constants = {name}_constants,",
        f"    .constants_bytes = {len(program.constants)}u,",
        f"    .program_offset = {program.program_offset}u,",
        f"    .instruction_count = {program.instruction_count}u,",
        f"    .region_bytes = {{{', '.join(f'{size}u' for size in program.region_bytes)}}},",
        f"    .batch = {program.batch}u,",
        f"    .input_count = {len(program.inputs)}u,",
        f"    .inputs = {_array_name('input', program.inputs)},",
        f"    .output_count = {len(program.outputs)}u,",
        f"    .outputs = {_array_name('output', program.outputs)},",
        "};",
        "",
        *_functions(name, "input", program.inputs),
        *_functions(name, "output", program.outputs),
        f"const uint8_t {name}_constants[{len(program.constants)}] = {{",
        *_rows(program.constants),
        "};",
        "",
    ]
    return "\n".join(lines)


def _values(spec: IoSpec) -> int:
    """Of one image."""
    height, width, channels = spec.tensor_shape
    return height * width * channels


def _names(ports: Sequence[Port]) -> list[str]:
    return unique_identifiers([port.spec.name for port in ports])


def _array_name(kind: str, ports: Sequence[Port]) -> str:
    return f"{kind}s" if ports else "NULL"


def _ports(name: str, kind: str, ports: Sequence[Port]) -> Iterator[str]:
    if not ports:
        return
    for index, port in enumerate(ports):
        shape, loops = port.spec.onnx_shape or (1,), value_loops(port.spec)
        yield f"static const uint32_t {kind}_{index}_shape[] = {{{', '.join(f'{size}u' for size in shape)}}};"
        yield f"static const talos_loop {kind}_{index}_loops[] = {{{', '.join(f'{{{n}u, {step}u}}' for n, step in loops)}}};"
    yield ""
    yield f"static const talos_port {kind}s[] = {{"
    for index, port in enumerate(ports):
        spec = port.spec
        yield "    {"
        yield f"        .name = {string_literal(spec.name)},"
        yield f"        .type = TALOS_{spec.onnx_dtype.upper()},"
        yield f"        .rank = {len(spec.onnx_shape)}u,"
        yield f"        .shape = {kind}_{index}_shape,"
        yield f"        .tensor = {{{', '.join(f'{size}u' for size in spec.tensor_shape)}}},"
        yield f"        .loop_count = {len(value_loops(spec))}u,"
        yield f"        .loops = {kind}_{index}_loops,"
        yield f"        .elements = {_values(spec)}u,"
        yield f"        .scale = {float_literal(spec.scale)}, /* {spec.scale:.9g} */"
        yield f"        .zero_point = {spec.zero_point},"
        yield f"        .region = TALOS_REGION_{REGION_NAMES[port.region]},"
        yield f"        .offset = {port.offset}u,"
        yield f"        .stride = {port.stride}u,"
        yield "    },"
    yield "};"
    yield ""


def _signature(name: str, kind: str, called: str, port: Port) -> str:
    c_type = _C_TYPES[port.spec.onnx_dtype]
    if kind == "input":
        return f"talos_result {name}_set_{called}(talos_device *device, uint32_t image, const {c_type} *values)"
    return f"talos_result {name}_get_{called}(const talos_device *device, uint32_t image, {c_type} *values)"


def _functions(name: str, kind: str, ports: Sequence[Port]) -> Iterator[str]:
    driver = {"input": "talos_set_input", "output": "talos_get_output"}[kind]
    for index, (port, called) in enumerate(zip(ports, _names(ports), strict=True)):
        yield _signature(name, kind, called, port)
        yield "{"
        yield f"    return {driver}(device, &{name}_program, {index}u, image, values);"
        yield "}"
        yield ""


def _rows(data: bytes) -> Iterator[str]:
    for start in range(0, len(data), _BYTES_PER_LINE):
        yield f"    {','.join(map(str, data[start : start + _BYTES_PER_LINE]))},"
