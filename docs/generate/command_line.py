"""The command-line reference, from the commands' own help."""

import re
from typing import Any

import typer

from talos.cli.app import app

__all__ = ["command_line_page"]


def command_line_page() -> str:
    """The Markdown page."""
    group: Any = typer.main.get_command(app)  # typer keeps its option parser's classes to itself
    sections = "\n".join(_section(name, group.commands[name]) for name in sorted(group.commands))
    return f"""\
# Command line

Made from the commands' own help by `python -m docs.generate`. Exit status: 0 fine, 1 something that must be equal or complete is not, 2 bad
input, 130 interrupted.

{sections}"""


def _section(name: str, command: Any) -> str:
    rows = "\n".join(_row(parameter) for parameter in command.params if not getattr(parameter, "hidden", False))
    examples = "\n".join(re.findall(r"talos .+", _plain(command.epilog or "")))
    return f"""\
## talos {name}
{_plain(command.help or "")}

| argument or option | meaning |
|---|---|
{rows}

```text
{examples}
```
"""


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        names = f"`{parameter.metavar or parameter.name.upper()}`"
    else:
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        if parameter.metavar:
            names += f" `{parameter.metavar}`"
    text = " ".join(_plain(parameter.help or "").split())
    return f"| {_cell(names)} | {_cell(text)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _plain(text: str) -> str:
    """Without the terminal's markup."""
    return re.sub(r"\[/?[a-z ]+\]", "", text.replace("\b", "")).strip()
