"""`talos export`: the files, their names, the register map, and the example program."""

import dataclasses
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import onnx
import onnx.helper as make
import pytest

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.driver.c_text import identifier, string_literal, unique_identifiers
from talos.driver.driver_source import MAX_LOOPS
from talos.driver.export import driver_files
from talos.driver.program_source import program_source
from talos.driver.registers_header import registers_header
from talos.errors import TalosError
from talos.io import IoSpec
from talos.isa import Unit
from talos.program import INPUTS, OUTPUTS, Port, Program
from talos.registers import COUNTERS, IDENTIFICATION, REGISTERS, ErrorCause, counter_offset
from talos.runtime.samples import load_arrays
from talos.toolchain import find_compiler, find_tool
from tests.cli_runner import DIGITS, MODELS, Talos, runner
from tests.driver.compiled import compile_c

CONFIG = PRESETS["4x4"]


@pytest.fixture
def talos(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Talos:
    return runner(monkeypatch, capsys)


@pytest.fixture(scope="module")
def digits() -> Program:
    return compile_model(DIGITS, CONFIG, load_arrays(MODELS / "digits.npz")).program


def renamed(program: Program, name: str, *ports: str) -> Program:
    """`program` under another name, with outputs of these names."""
    (port,) = program.outputs
    outputs = tuple(dataclasses.replace(port, spec=dataclasses.replace(port.spec, name=name)) for name in ports)
    return dataclasses.replace(program, name=name, outputs=outputs or program.outputs)


def test_command(talos: Talos, digits: Program, tmp_path: Path) -> None:
    digits.save(tmp_path / "net.talos")
    done = talos("export", tmp_path / "net.talos", "-o", tmp_path / "new" / "c", "--json", tmp_path / "files.json")
    assert done.status == 0 and not done.err
    files = driver_files(digits)
    assert set(files) == {"talos_regs.h", "talos.h", "talos.c", "digits_program.h", "digits_program.c", "main.c", "README.txt"}
    assert {path.name: path.read_bytes() for path in (tmp_path / "new" / "c").iterdir()} == files  # and nothing temporary
    listed = json.loads((tmp_path / "files.json").read_text())
    assert {Path(file["path"]).name: file["bytes"] for file in listed["files"]} == {
        name: len(data) for name, data in files.items()
    }
    assert listed["config_hash"] == CONFIG.hash
    assert driver_files(Program.load(tmp_path / "net.talos")) == files


def test_command_refuses(talos: Talos, digits: Program, tmp_path: Path) -> None:
    digits.save(tmp_path / "net.talos")
    (tmp_path / "file").touch()
    done = talos("export", tmp_path / "net.talos", "-o", tmp_path / "file")
    assert done.status == 2 and "this folder cannot be made" in done.err
    done = talos("export", DIGITS, "-o", tmp_path / "out")
    assert done.status == 2 and "this is a model, not a program" in done.err
    assert not (tmp_path / "out").exists()


def test_every_register_is_in_the_header(tmp_path: Path) -> None:
    """By asking the compiler what the macros are worth."""
    (tmp_path / "talos_regs.h").write_text(registers_header())
    expected = {f"TALOS_REG_{name}": register.offset for name, register in REGISTERS.items()}
    expected |= {f"TALOS_CAUSE_{cause.name}": cause.value for cause in ErrorCause} | {"TALOS_IDENTIFICATION": IDENTIFICATION}
    expected |= {f"TALOS_REG_REGION_LOW({i})": REGISTERS[f"REGION{i}_LOW"].offset for i in range(4)}
    expected |= {
        f"TALOS_COUNTER_OFFSET(TALOS_UNIT_{unit.name}, TALOS_COUNTER_{counter.upper()})": counter_offset(unit, counter)
        for unit in Unit
        for counter in COUNTERS
    }
    expected |= {"TALOS_CONTROL_START": 1, "TALOS_CONTROL_ABORT": 2, "TALOS_STATUS_BUSY": 1, "TALOS_STATUS_DONE": 2}
    expected |= {"TALOS_STATUS_ERROR": 4, "TALOS_STATUS_ABORTING": 8, "TALOS_IRQ_ENABLE_MASK": 3, "TALOS_IRQ_CLEAR_MASK": 3}
    prints = "\n".join(f'    printf("%u\\n", (unsigned)({macro}));' for macro in expected)
    (tmp_path / "show.c").write_text(
        f'#include <stdio.h>\n#include "talos_regs.h"\nint main(void)\n{{\n{prints}\n    return 0;\n}}\n'
    )
    compile_c(tmp_path, "show.c", "-o", "show")
    shown = subprocess.run([tmp_path / "show"], capture_output=True, text=True, check=True).stdout.split()
    assert dict(zip(expected, map(int, shown), strict=True)) == expected


def test_every_bit_of_a_register_has_a_name_of_its_own() -> None:
    for register in REGISTERS.values():
        assert len(register.bits) == len(re.findall(r"\bBit \d+:", register.doc)), register.name


def test_every_file_is_strict_c99_and_needs_no_library(digits: Program, tmp_path: Path) -> None:
    for name, data in driver_files(digits).items():
        assert data.isascii(), name
        (tmp_path / name).write_bytes(data)
    for unit in ("talos", "digits_program"):
        compile_c(tmp_path, "-ffreestanding", "-c", f"{unit}.c")
    compile_c(tmp_path, "-nostdlib", "-r", "talos.o", "digits_program.o", "-o", "all.o")
    undefined = subprocess.run([find_tool("nm"), "-u", "all.o"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert undefined == ""
    (tmp_path / "user.cpp").write_text('#include "digits_program.h"\nint main() { return digits_program.batch != 1; }\n')
    subprocess.run([find_compiler(), "-Wall", "-Wextra", "-Werror", "-pedantic", "user.cpp", "all.o"], cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "a.out"], check=True)


def test_names_that_are_no_c(tmp_path: Path, digits: Program) -> None:
    strange = renamed(digits, '3-Netz "ü" ??/', "a.b", "a/b", "x */ \n", "7")
    files = driver_files(strange)
    assert {"n3_netz_program.h", "n3_netz_program.c"} < set(files)
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    compile_c(tmp_path, "-c", "n3_netz_program.c")
    compile_c(tmp_path, "-c", "main.c")
    header = files["n3_netz_program.h"].decode()
    assert re.findall(r"n3_netz_get_(\w+)\(", header) == ["a_b", "a_b_2", "x", "n7"]
    assert string_literal('ü"?\\1') == r'"\303\274\042\077\1341"'
    assert identifier("!") == "n" and unique_identifiers(["a", "A", "a_2"]) == ["a", "a_2", "a_2_2"]


def test_a_network_called_talos_does_not_collide_with_the_driver(tmp_path: Path, digits: Program) -> None:
    files = driver_files(renamed(digits, "talos"))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    compile_c(tmp_path, "main.c", "talos.c", "talos_net_program.c", "-o", "all")


def test_an_order_beyond_the_driver_is_refused(digits: Program) -> None:
    axes = MAX_LOOPS + 1
    order = tuple(reversed(range(axes)))
    spec = IoSpec("deep", (1, 1 << axes), "int8", (2,) * axes, order, (1, 1, 1 << axes), 1.0, 0)
    with pytest.raises(TalosError, match="'deep': the order of its bytes takes 17 loops, the C driver has 16"):
        program_source(dataclasses.replace(digits, inputs=(Port(spec, INPUTS, 0),)))


def test_batches(digits: Program) -> None:
    ports = [dataclasses.replace(port, batch=3, stride=128) for port in (*digits.inputs, *digits.outputs)]
    batched = dataclasses.replace(
        digits, batch=3, inputs=(ports[0],), outputs=(ports[1],), region_bytes=(digits.region_bytes[0], 0, 384, 384)
    )
    source = program_source(batched)
    assert ".batch = 3u," in source and source.count(".stride = 128u,") == 2
    assert "image 0 to 2" in driver_files(batched)["README.txt"].decode()


def test_host_parts_are_listed_and_written(tmp_path: Path) -> None:
    path = tmp_path / "soft.onnx"
    model = onnx.load(DIGITS)
    (output,) = model.graph.output
    model.graph.node.append(make.make_node("Softmax", [output.name], ["probabilities"], name="last"))
    model.graph.output[0].CopyFrom(make.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [1, 10]))
    onnx.save(model, path)
    program = compile_model(path, CONFIG, {"x": np.asarray(load_arrays(MODELS / "digits.npz")["x"])}).program
    files = driver_files(program)
    assert files[f"{program.name}_host_0.onnx"] == program.host[0].model
    text = files["README.txt"].decode()
    assert "soft_host_0.onnx, after the accelerator: " in text and "last (Softmax): " in text
    assert "probabilities: from soft_host_0.onnx" in text
    assert program.outputs[0].region == OUTPUTS


def test_example_for_linux(digits: Program, tmp_path: Path) -> None:
    """With files in place of the device: no core, one of another configuration, one that was aborted, and one that has done its work."""
    for name, data in driver_files(digits).items():
        (tmp_path / name).write_bytes(data)
    compile_c(tmp_path, "main.c", "talos.c", "digits_program.c", "-o", "digits")
    registers = np.zeros(2048, "<u4")
    (tmp_path / "memory").write_bytes(bytes(1 << 16))
    (tmp_path / "image").write_bytes(np.full(64, 0.5, np.float32).tobytes())

    def run(*arguments: str) -> str:
        (tmp_path / "registers").write_bytes(registers.tobytes())
        done = subprocess.run([tmp_path / "digits", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == bool(done.stderr)
        return (done.stderr or done.stdout).strip()

    usual = ("registers@4096", "memory@8192", "0x10000", "image", "logits")
    assert run(*usual) == "digits: registers@4096: no Talos core answers at the registers' address"
    registers[1024] = IDENTIFICATION
    assert run(*usual) == "digits: registers@4096: the core has another configuration than the program: wrong bitstream"
    registers[1025] = int(CONFIG.hash, 16)
    assert run(*usual) == "digits: run: the run was aborted"  # nothing runs, nothing is done
    assert (tmp_path / "memory").read_bytes()[8192:].startswith(digits.constants)
    written = np.frombuffer((tmp_path / "registers").read_bytes(), "<u4")[1024:]
    assert written[REGISTERS["CONTROL"].offset // 4] == 1
    assert written[REGISTERS["PROGRAM_LOW"].offset // 4] == 0x10000 + digits.program_offset
    registers[1024 + REGISTERS["STATUS"].offset // 4] = 2
    registers[1024 + REGISTERS["CYCLES_LOW"].offset // 4] = 4711
    codes = np.arange(-5, 5, dtype=np.int8)
    memory = bytearray((tmp_path / "memory").read_bytes())
    start = 8192 + sum(-(-size // 4096) * 4096 for size in digits.region_bytes[:OUTPUTS])
    memory[start : start + 10] = codes.tobytes()
    (tmp_path / "memory").write_bytes(memory)
    assert run(*usual) == "4711 cycles"
    expected = digits.outputs[0].spec.from_tensor(codes.reshape(1, 1, 10))
    np.testing.assert_array_equal(np.frombuffer((tmp_path / "logits").read_bytes(), np.float32), expected.reshape(-1))
    assert run("registers@4096", "memory@8192", "0x10020", "image", "logits") == (
        "digits: memory@8192: a memory region is too small, not aligned to 64 bytes, or out of the core's reach"
    )
    assert run("missing", *usual[1:]) == "digits: missing: cannot be opened"
    (tmp_path / "image").write_bytes(bytes(255))
    assert run(*usual) == "digits: image: cannot be read, or has not the size of the input"
    assert run() == "digits: usage: REGISTERS MEMORY ADDRESS INPUT... OUTPUT..."
