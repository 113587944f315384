"""The application: its commands, and how a run of it ends."""

import os
import sys
from typing import Annotated

import typer

from talos import __version__
from talos.cli import INTERRUPTED
from talos.cli.cache import cache_command
from talos.cli.compile import compile_command
from talos.cli.doctor import doctor_command
from talos.cli.evaluate import evaluate_command
from talos.cli.explore import explore_command
from talos.cli.export import export_command
from talos.cli.generate import generate_command
from talos.cli.inspect import disasm_command, info_command
from talos.cli.options import examples
from talos.cli.quantize import quantize_command
from talos.cli.report import report_command
from talos.cli.run import run_command
from talos.cli.synth import synth_command
from talos.cli.trace import trace_command
from talos.cli.verify import verify_command
from talos.errors import TalosError

__all__ = ["app", "run_app"]

BAD_INPUT = 2

app = typer.Typer(
    name="talos",
    help="Compile a CNN in ONNX for a systolic-array accelerator, simulate it to the cycle, and generate the accelerator's Verilog.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "talos verify models/digits.onnx",
        "talos compile net.onnx -o net.talos --calibrate samples.npz",
        "talos run net.talos --input image.npy",
        "talos generate --config 8x8 -o build",
    ),
)

app.command("compile", epilog=examples(
    "talos compile net_int8.onnx -o net.talos --config 16x16",
    "talos compile net.onnx -o net.talos --calibrate samples.npz --report",
))(compile_command)  # fmt: skip
app.command("quantize", epilog=examples(
    "talos quantize net.onnx --calibrate samples.npz -o net_int8.onnx",
    "talos quantize net.onnx --calibrate folder -o net_int8.onnx --method percentile --percentile 99.9 --exclude head_conv",
))(quantize_command)  # fmt: skip
app.command("run", epilog=examples(
    "talos run net.talos --input images.npz --output results.npy",
    "talos run net.onnx --input image.npy --calibrate samples.npz --backend rtl",
))(run_command)  # fmt: skip
app.command("verify", epilog=examples(
    "talos verify models/digits.onnx --rtl-images 5",
    "talos verify net_int8.onnx --config 16x16 --input images.npz --images 100 --json result.json",
    "talos verify net_int8.onnx --memory latency=100,bytes_per_cycle=4",
    "talos verify models/digits.onnx --waves digits.fst",
))(verify_command)  # fmt: skip
app.command("evaluate", epilog=examples(
    "talos evaluate models/digits.onnx --data models/digits.npz",
    "talos evaluate net.onnx --data test.npz --calibrate samples.npz --images 1000 --json result.json",
))(evaluate_command)  # fmt: skip
app.command("generate", epilog=examples(
    "talos generate",
    "talos generate --config 8x8 -o build",
    "talos generate --config mine.json -o build",
))(generate_command)  # fmt: skip
app.command("export", epilog=examples(
    "talos export net.talos -o driver",
    "talos export net.talos -o driver --json -",
))(export_command)  # fmt: skip
app.command("synth", epilog=examples(
    "talos synth",
    "talos synth --config 4x4 --device ecp5-85k --speed 6 --seeds 4 --json clock.json",
    "talos synth --config 16x16 --device xc7",
    "talos synth --config 8x8 --module vector.lanes",
))(synth_command)  # fmt: skip
app.command("trace", epilog=examples(
    "talos trace net.talos -o trace.json",
    "talos trace models/digits.onnx --calibrate models/digits.npz -o trace.json --memory latency=200",
))(trace_command)  # fmt: skip
app.command("doctor", epilog=examples("talos doctor", "talos doctor --json -"))(doctor_command)
app.command("cache", epilog=examples(
    "talos cache",
    "talos cache --prune",
    "talos cache --prune --days 7",
))(cache_command)  # fmt: skip
app.command("explore", epilog=examples(
    "talos explore net_int8.onnx --device ecp5-85k --plot front.html",
    "talos explore resnet8.onnx dscnn.onnx --budget lut=40000,dsp=100,bram=150 --trials 500",
    "talos explore net_int8.onnx --space space.toml --method grid --synth --json front.json",
    "talos explore net_int8.onnx --dask tcp://cluster:8786",
))(explore_command)  # fmt: skip
app.command("report", epilog=examples(
    "talos report models/digits.onnx -o digits.html",
    "talos report net_int8.onnx -o net.html --config 16x16 --data images.npz --images 100 --mhz 150",
))(report_command)  # fmt: skip
app.command("disasm", epilog=examples("talos disasm net.talos", "talos disasm net.talos --json net.json"))(disasm_command)
app.command("info", epilog=examples(
    "talos info 8x8",
    "talos info 8x8 --json mine.json   (a start for a configuration of your own)",
    "talos info net.talos",
))(info_command)  # fmt: skip


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"talos {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options in front of the command."""


def run_app() -> int:
    """Run the command line; its exit status, see `talos.cli.main`."""
    try:
        status = app(standalone_mode=False, prog_name="talos")
    except TalosError as error:
        return _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except BrokenPipeError:
        # The reader of our output has gone (`talos disasm … | head`): nothing is wrong, and nobody is left to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain when it flushes at exit
        return 0
    except Exception as error:
        # What the option parser raises has no public base class that all supported versions of typer share.
        text = getattr(error, "format_message", None)
        if text is None:
            raise
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "talos"
        return 0 if not text() else _fail(f"{text().rstrip('.')}; see '{command} --help'")
    if status == INTERRUPTED:
        return _interrupted()
    return status if isinstance(status, int) else 0


def _fail(message: str) -> int:
    print(f"talos: error: {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT


def _interrupted() -> int:
    print("talos: interrupted", file=sys.stderr)
    return INTERRUPTED
