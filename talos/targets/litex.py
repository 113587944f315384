"""Target `litex`: a LiteX module and an example SoC."""

from talos.config import AcceleratorConfig
from talos.targets.render import render, template
from talos.targets.verilog import core_files, file_name

__all__ = ["litex_files"]


def litex_files(config: AcceleratorConfig) -> dict[str, str]:
    """Texts by file name. Raises TalosError when Amaranth is missing."""
    name = file_name(config)
    readme = {
        "CONFIG_NAME": config.name,
        "CONFIG_HASH": config.hash,
        "MODULE_FILE": f"{name}.v",
        "JSON_FILE": f"{name}.json",
        "DATA_WIDTH": config.axi_data_width,
    }
    return {
        **core_files(config),
        **{file: template(f"litex/{file}") for file in ("talos_litex.py", "soc_example.py")},
        "README.md": render("litex/README.md", readme),
    }
