"""talos doctor"""

import typer

from talos.cli.options import JsonOption, QuietOption

__all__ = ["doctor_command"]

MISSING = 1


def doctor_command(json_path: JsonOption = None, quiet: QuietOption = False) -> None:
    """Check the environment: packages, compiler, Verilator, Yosys, nextpnr, the cache; and say how to mend what is missing.

    Optional parts that are not installed are listed with a dash. The exit status is 1 if something is missing that is needed: by the base, or
    by an optional part that is installed.
    """
    from dataclasses import asdict

    from talos.cli.terminal import Terminal
    from talos.report.environment import environment_table
    from talos.runtime.environment import check_environment

    terminal = Terminal(quiet=quiet, json_path=json_path)
    with terminal.progress() as progress:
        checks = check_environment(progress)
    missing = [check for check in checks if check.good is False]
    optional = sum(check.good is None for check in checks)
    terminal.show(environment_table(checks), "")
    if missing:
        terminal.line(f"{len(missing)} missing: {', '.join(check.name for check in missing)}")
    else:
        terminal.line(
            "everything needed is there" + (f"; not installed: {optional} optional packages or tools" if optional else "")
        )
    terminal.write_json({"good": not missing, "checks": [asdict(check) for check in checks]})
    if missing:
        raise typer.Exit(MISSING)
