"""The bench beside each target: golden vectors of a program, and a cocotb test that runs them without Talos."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from talos.memory import MemoryTiming
from talos.model.functional import FunctionalModel
from talos.model.timing.core import simulate
from talos.program import CONSTANTS, Port, Program
from talos.registers import IDENTIFICATION, REGISTERS
from talos.runtime.device import memory_map
from talos.runtime.register_access import start_values
from talos.targets.render import render, template
from talos.targets.verilog import core_ports, file_name

__all__ = ["bench_files"]

Tensors = dict[str, NDArray[np.int8]]

_LINE = 32  # bytes


def bench_files(program: Program, runs: Sequence[Tensors]) -> dict[str, str]:
    """Texts by file name, `tb/…`, for a bench beside the program's Verilog.

    runs: input codes by ONNX name (`Port.shape`), one entry for each start of the core. Raises TalosError.
    """
    timing = MemoryTiming()
    bases, end = memory_map(program)
    cycles = simulate(program, timing, bases).cycles
    model = FunctionalModel(program.config)
    hexes = {"constants.hex": _hex(program.constants)}

    def pieces(kind: str, ports: Sequence[Port], codes: Tensors) -> list[dict[str, Any]]:
        entries = []
        for number, port in enumerate(ports):
            images = np.ascontiguousarray(codes[port.spec.name]).reshape(port.batch, -1)
            for image, (offset, data) in enumerate(zip(port.offsets, images, strict=True)):
                name = f"{kind}_{number}_image_{image}.hex"
                hexes[name] = _hex(data.tobytes())
                entries.append({"tensor": port.spec.name, "address": bases[port.region] + offset, "file": name})
        return entries

    vectors = [
        {
            "inputs": pieces(f"run_{index}_input", program.inputs, codes),
            "outputs": pieces(f"run_{index}_output", program.outputs, model.run_codes(program, codes)),
        }
        for index, codes in enumerate(runs)
    ]
    verilog = f"{file_name(program.config)}.v"
    values = {
        "program": program.name,
        "config": program.config.name,
        "verilog": f"../{verilog}",
        "ports": list(core_ports(program.config)),
        "beat_bytes": program.config.beat_bytes,
        "registers": {register.name: register.offset for register in REGISTERS.values()},
        "expected_registers": {"IDENTIFICATION": IDENTIFICATION, "CONFIG_HASH": int(program.config.hash, 16)},
        "memory": {"latency": timing.latency, "outstanding": timing.outstanding},
        "memory_bytes": end,
        "constants": [{"address": bases[CONSTANTS], "file": "constants.hex"}],
        "setup": list(start_values(program, bases).items()),
        "cycles": cycles,
        "runs": vectors,
    }
    readme = {
        "VERILOG": verilog,
        "PROGRAM": program.name,
        "CONFIG_HASH": program.config.hash,
        "LATENCY": timing.latency,
        "OUTSTANDING": timing.outstanding,
        "RUNS": len(runs),
        "CYCLES": f"{cycles:,}",
    }
    return {
        **{f"tb/{name}": template(f"bench/{name}") for name in ("run.py", "talos_tests.py", "memory.py", "vectors.py")},
        "tb/README.md": render("bench/README.md", readme),
        "tb/vectors/bench.json": json.dumps(values, indent=1) + "\n",
        **{f"tb/vectors/{name}": text for name, text in hexes.items()},
    }


def _hex(data: bytes) -> str:
    """Bytes in order of address, so many to a line."""
    return "".join(f"{data[start : start + _LINE].hex()}\n" for start in range(0, len(data), _LINE))
