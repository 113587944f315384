"""Whole ImageNet networks through the generated Verilog: `python -m benchmarks.soak [resnet50 mobilenetv2 …] [--config 16x16]`.

Each network (see `benchmarks.networks`) is compiled and one image runs on the functional model, the cycle model and the Verilog in Verilator.
Output bytes must equal onnxruntime's, cycles, every instruction's start and end and all counters the cycle model's. Minutes per network.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from benchmarks.zoo import NETWORKS, model_file
from talos.compiler.pipeline import compile_model
from talos.config import load_config
from talos.errors import TalosError
from talos.model.checker import check_program
from talos.runtime.samples import load_samples
from talos.runtime.verify import verify

__all__ = ["main"]


def _soak(name: str, config_name: str) -> bool:
    """Run one network and print a line; whether everything that must be equal is."""
    config = load_config(config_name)
    compiled = compile_model(model_file(name), config)
    check_program(compiled.program)
    samples = load_samples(compiled.program, None, name, 1)
    began = time.monotonic()
    result = verify(compiled, samples, rtl_images=1)
    seconds = time.monotonic() - began
    rtl, cycles = result.rtl, result.rtl.cycles or 0
    print(
        f"{name} {config_name}: onnxruntime {result.mismatched_bytes} of {result.bytes} bytes differ; "
        f"Verilog {rtl.mismatched_bytes} of {rtl.bytes} bytes differ, {cycles:,} cycles, cycle model {result.timing.cycles:,}; "
        f"{seconds:.0f} s with the build, {cycles / seconds / 1e6:.2f} M cycles/s; {'equal' if result.equal else 'NOT EQUAL'}",
        flush=True,
    )
    return result.equal


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 if all are equal, 1 if not, 2 for bad arguments."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("networks", nargs="*", default=["resnet50", "mobilenetv2"], help=f"of {', '.join(NETWORKS)}")
    parser.add_argument("--config", default="16x16", help="preset or JSON file")
    options = parser.parse_args(arguments)
    try:
        return 0 if all([_soak(name, options.config) for name in options.networks]) else 1
    except TalosError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
