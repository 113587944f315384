"""talos generate"""

import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from talos.cli.options import JsonOption, QuietOption
from talos.errors import TalosError

if TYPE_CHECKING:
    from talos.config import AcceleratorConfig

__all__ = ["generate_command"]

DEFAULT_FOLDER = Path("rtl_out")


def generate_command(
    config: Annotated[
        str | None, typer.Option("--config", "-c", metavar="PRESET|FILE.json", help="One configuration (default: all presets).")
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write to; made if need be.")
    ] = DEFAULT_FOLDER,
    json_path: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Write the accelerator's Verilog, and a JSON description of its ports and registers."""
    from talos.cli.terminal import Terminal
    from talos.config import PRESETS, load_config
    from talos.program import write_atomically

    terminal = Terminal(quiet=quiet, json_path=json_path)
    configs = list(PRESETS.values()) if config is None else [load_config(config)]
    try:
        from talos.rtl.export import description
    except ModuleNotFoundError as error:
        raise TalosError(
            f"generating Verilog needs the package '{error.name}'; install it with: pip install 'talos-accelerator[rtl]'"
        ) from error
    from talos.runtime.verilog_cache import cached_verilog

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TalosError(f"{output}: this folder cannot be made ({error.strerror}); choose another with -o") from error
    files = []
    with terminal.progress() as progress:
        for index, accelerator in enumerate(configs):
            progress(f"generating {accelerator.name}", index, len(configs))
            texts = {".v": cached_verilog(accelerator), ".json": _quietly(description, accelerator)}
            for suffix, text in texts.items():
                path = output / f"talos_{accelerator.name}{suffix}"
                data = text.encode()
                write_atomically(path, lambda file, data=data: file.write(data))
                files.append({"path": str(path), "config": accelerator.name, "config_hash": accelerator.hash, "bytes": len(data)})
    for file in files:
        terminal.line(f"{file['path']}: {file['bytes']:,} bytes")
    terminal.write_json({"files": files})


def _quietly(describe: "Callable[[AcceleratorConfig], str]", config: "AcceleratorConfig") -> str:
    """Amaranth warns, when they are freed, of components that were made but not built; a description only asks for their ports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        text = describe(config)
        gc.collect()
    return text
