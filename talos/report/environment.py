"""The environment and the cache as tables."""

import time
from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from talos.cache import CacheEntry
from talos.runtime.environment import Check

__all__ = ["cache_table", "environment_table"]

_SIGNS = {True: "[bold green]✓[/]", False: "[bold red]✗[/]", None: "[dim]–[/]"}


def environment_table(checks: Sequence[Check]) -> Table:
    """One row per check: whether it is there, what was found, and how to mend what is not."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("", "for", "what", "found", "to mend"):
        table.add_column(name, overflow="fold")
    group = None
    for check in checks:
        if group is not None and check.group != group:
            table.add_section()
        table.add_row(
            _SIGNS[check.good], check.group if check.group != group else "", check.name, escape(check.found), escape(check.mend)
        )
        group = check.group
    return table


def cache_table(entries: Sequence[CacheEntry]) -> Table:
    """Number, size and last use of the entries of each kind, and the sum."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("kind", "entries", "MB", "last used", "oldest"):
        table.add_column(name, justify="right" if name in ("entries", "MB") else "left")
    for kind in sorted({entry.kind for entry in entries}):
        mine = [entry for entry in entries if entry.kind == kind]
        used = [entry.used for entry in mine]
        table.add_row(kind, f"{len(mine):,}", _megabytes(mine), _day(max(used)), _day(min(used)))
    table.add_section()
    table.add_row("total", f"{len(entries):,}", _megabytes(entries), "", "")
    return table


def _megabytes(entries: Sequence[CacheEntry]) -> str:
    return f"{sum(entry.size for entry in entries) / 1e6:,.1f}"


def _day(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds))
