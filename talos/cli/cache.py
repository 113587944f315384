"""talos cache"""

from typing import Annotated

import typer

from talos.cli.options import JsonOption, QuietOption
from talos.errors import TalosError

__all__ = ["cache_command"]

DEFAULT_DAYS = 30


def cache_command(
    prune: Annotated[bool, typer.Option("--prune", help="Remove what was not used for a while.")] = False,
    days: Annotated[
        float | None,
        typer.Option(
            "--days", metavar="N", min=0, help=f"With --prune: not used for N days (default {DEFAULT_DAYS}; 0: everything)."
        ),
    ] = None,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Show what the cache holds (generated Verilog, compiled simulations, netlists, placements), or remove what is old.

    Everything in it is made again when it is needed. TALOS_CACHE is another place for it.
    """
    from talos.cache import cache_directory, cache_entries, prune_cache
    from talos.cli.terminal import Terminal
    from talos.report.environment import cache_table

    terminal = Terminal(quiet=quiet, json_path=json_path)
    if days is not None and not prune:
        raise TalosError("--days has a meaning only with --prune")
    removed = prune_cache(DEFAULT_DAYS if days is None else days) if prune else []
    entries = cache_entries()
    freed = sum(entry.size for entry in removed)
    if prune:
        terminal.line(f"removed {len(removed)} entries, {freed / 1e6:,.1f} MB")
    terminal.line(str(cache_directory()))
    terminal.show(cache_table(entries))
    terminal.write_json(
        {
            "folder": str(cache_directory()),
            "entries": len(entries),
            "bytes": sum(entry.size for entry in entries),
            "removed_entries": len(removed),
            "removed_bytes": freed,
            "kinds": {
                kind: {
                    "entries": sum(entry.kind == kind for entry in entries),
                    "bytes": sum(entry.size for entry in entries if entry.kind == kind),
                }
                for kind in sorted({entry.kind for entry in entries})
            },
        }
    )
