"""talos synth"""

from typing import Annotated

import typer

from talos.cli.options import ConfigOption, JsonOption, QuietOption
from talos.errors import TalosError

__all__ = ["synth_command"]


def synth_command(
    config: ConfigOption = "8x8",
    device: Annotated[
        str,
        typer.Option(
            "--device",
            "-d",
            metavar="NAME",
            help="ecp5-25k, ecp5-45k, ecp5-85k, ice40-up5k, ice40-hx8k; without place and route: xc7, gowin-gw2a-18.",
        ),
    ] = "ecp5-85k",
    speed: Annotated[
        int | None, typer.Option("--speed", metavar="GRADE", help="Speed grade (ECP5: 6, 7 or 8; default 6).", show_default=False)
    ] = None,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", min=0, help="Place and route with seeds 1 to N; 0: synthesis only.")
    ] = 1,
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="Seeds at a time.")] = 1,
    module: Annotated[
        str | None,
        typer.Option(
            "--module", "-m", metavar="PATH", help="Only this module of the core, e.g. matrix.array.", show_default=False
        ),
    ] = None,
    depth: Annotated[int, typer.Option("--depth", metavar="N", min=1, help="Levels of the hierarchy that the table shows.")] = 2,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Clock and area of the core on an FPGA: Yosys and nextpnr, resources and critical path by module. Results are cached."""
    from talos.cli.terminal import Terminal
    from talos.config import load_config
    from talos.report.synthesis import module_table, synthesis_lines
    from talos.synth.devices import find_device
    from talos.synth.flow import synthesize

    terminal = Terminal(quiet=quiet, json_path=json_path)
    accelerator = load_config(config)
    target, grade = find_device(device, speed)
    with terminal.progress() as progress:
        result = synthesize(accelerator, target, speed=grade, seeds=seeds, jobs=jobs, module=module, progress=progress)
    terminal.show(module_table(result, depth))
    terminal.line()
    terminal.lines(synthesis_lines(result))
    terminal.write_json(result.to_json(depth))
    if result.missing:
        raise TalosError(
            f"{module or 'the core'} {accelerator.name} does not fit {device}: it needs {', '.join(result.missing)}; "
            "choose a larger device, a smaller --config, or one --module"
        )
    if target.family.placer is None and seeds:
        terminal.line(f"{device}: no place and route on PyPI, so no clock")
