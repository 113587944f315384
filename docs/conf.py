"""Sphinx: Markdown pages as they are in this folder, built with `make docs`."""

from talos import __version__

project = "Talos"
author = "the Talos authors"
copyright = f"2026, {author}"
version = release = __version__
extensions = ["myst_parser"]
exclude_patterns = ["_build", "generate"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"Talos {version}"
nitpicky = True
