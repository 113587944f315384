"""Target `verilog`: the core's Verilog and the JSON description of its ports and registers."""

import gc
import json
import warnings
from typing import Any

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.runtime.verilog_cache import cached_verilog

__all__ = ["core_files", "core_ports", "file_name"]


def file_name(config: AcceleratorConfig) -> str:
    """Of the core's files, without suffix."""
    return f"talos_{config.name}"


def core_files(config: AcceleratorConfig) -> dict[str, str]:
    """Texts by file name. Raises TalosError when Amaranth is missing."""
    return {f"{file_name(config)}.v": cached_verilog(config), f"{file_name(config)}.json": _description(config)}


def core_ports(config: AcceleratorConfig) -> dict[str, dict[str, Any]]:
    """The module's ports in order: `direction` ("input" or "output") and `width` in bits by name."""
    ports: dict[str, dict[str, Any]] = json.loads(_description(config))["ports"]
    return ports


def _description(config: AcceleratorConfig) -> str:
    """Amaranth warns, when they are freed, of components that were made but not built; a description only asks for their ports."""
    try:
        from talos.rtl.export import description
    except ModuleNotFoundError as error:
        raise TalosError(
            f"generating Verilog needs the package '{error.name}'; install it with: pip install 'talos-accelerator[rtl]'"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = description(config)
        gc.collect()
    return text
