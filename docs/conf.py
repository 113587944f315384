"""Sphinx: Markdown pages as they are in this folder, built with `make docs`."""

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]

project = "Talos"
author = "the Talos authors"
copyright = f"2026, {author}"
version = release = _PROJECT["version"]
extensions = ["myst_parser"]
exclude_patterns = ["_build", "generate"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"Talos {version}"
nitpicky = True
