"""The command: `python -m tests.quirks [NAMES] [--rtl] [--config PRESET] [--list]`. Exit status 1 if any quirk fails."""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from talos.config import PRESETS
from talos.errors import TalosError
from tests.quirks.catalogue import QUIRKS
from tests.quirks.registry import Quirk
from tests.quirks.run import Difference, check

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.quirks", description=sys.modules["tests.quirks"].__doc__)
    parser.add_argument("names", nargs="*", help="quirks to run, or beginnings of their names (all)")
    parser.add_argument("--rtl", action="store_true", help="run the first image on the generated Verilog too")
    parser.add_argument("--config", default="4x4", choices=sorted(PRESETS), help="preset to compile for (4x4)")
    parser.add_argument("--list", action="store_true", help="only list them")
    parser.add_argument("--trace", action="store_true", help="show the traceback of a failure")
    options = parser.parse_args(arguments)
    chosen = [quirk for quirk in QUIRKS.values() if not options.names or quirk.name.startswith(tuple(options.names))]
    if not chosen:
        parser.error(f"no quirk is called {', '.join(options.names)}")
    failed = 0
    for quirk in chosen:
        if options.list:
            print(f"{quirk.name:<34}{quirk.description}")
        else:
            failed += not _run(quirk, options)
    if not options.list:
        print(f"{len(chosen) - failed} of {len(chosen)} quirks passed")
    return 1 if failed else 0


def _run(quirk: Quirk, options: argparse.Namespace) -> bool:
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="talos-quirk-") as folder:
            outcome = check(quirk, PRESETS[options.config], Path(folder), rtl=options.rtl)
    except (TalosError, Difference) as error:
        text, passed = f"FAILED: {error}", False
        if options.trace:
            traceback.print_exc()
    except Exception as error:  # anything else is a bug of the compiler, and the others shall run too
        text, passed = f"CRASHED: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", False
        if options.trace:
            traceback.print_exc()
    else:
        noise = "" if outcome.noise is None else f", noise {outcome.noise:.1%}"
        different = f", {outcome.different} different (allowed)" if outcome.different else ""
        rtl = "" if outcome.rtl_cycles is None else f", {outcome.rtl_cycles:,} cycles on the Verilog"
        text, passed = f"{outcome.layers} layers, {outcome.bytes} values equal{different}{noise}{rtl}", True
    print(f"{quirk.name:<34}{text} ({time.monotonic() - started:.2f} s)", flush=True)
    return passed


if __name__ == "__main__":
    sys.exit(main())
