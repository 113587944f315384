"""Templates of the targets: package data with placeholders of the form @NAME@."""

import re
from collections.abc import Mapping
from importlib.resources import files

from talos.errors import TalosError

__all__ = ["render", "template"]

_PLACEHOLDER = re.compile(r"@([A-Z][A-Z0-9_]*)@")


def template(path: str) -> str:
    """The text of the template at `path` (`folder/file`), as it is."""
    return files("talos.targets").joinpath("templates", *path.split("/")).read_text()


def render(path: str, values: Mapping[str, object]) -> str:
    """The template with every placeholder replaced. Raises TalosError if one has no value, or a value no placeholder."""
    text = template(path)
    names = set(_PLACEHOLDER.findall(text))
    if names != set(values):
        raise TalosError(f"template {path}: its placeholders and the values given differ in {sorted(names ^ set(values))}")
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), text)
