"""Writes the C driver of a program: all files are made before the first is written, and each appears complete or not at all."""

from pathlib import Path

from talos.driver.c_text import network_identifier
from talos.driver.driver_source import driver_header, driver_source, template
from talos.driver.program_source import program_header, program_source
from talos.driver.readme import host_file, readme
from talos.driver.registers_header import registers_header
from talos.errors import TalosError
from talos.program import Program, write_atomically

__all__ = ["driver_files", "export_driver"]


def driver_files(program: Program) -> dict[str, bytes]:
    """Name and content of each file; the same program gives the same bytes.

    Raises TalosError if the order of an input's or output's bytes is beyond the driver.
    """
    name = network_identifier(program.name)
    texts = {
        "talos_regs.h": registers_header(),
        "talos.h": driver_header(),
        "talos.c": driver_source(),
        f"{name}_program.h": program_header(program),
        f"{name}_program.c": program_source(program),
        "main.c": template("main.c").substitute(name=name),
        "README.txt": readme(program),
    }
    models = {host_file(program, index): part.model for index, part in enumerate(program.host)}
    return {file: text.encode() for file, text in texts.items()} | models


def export_driver(program: Program, folder: Path) -> list[Path]:
    """Write the driver into `folder`, made if need be; the files' paths. Raises TalosError when that is not possible."""
    files = driver_files(program)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TalosError(f"{folder}: this folder cannot be made ({error.strerror}); choose another with -o") from error
    paths = []
    for name, data in files.items():
        write_atomically(folder / name, lambda file, data=data: file.write(data))
        paths.append(folder / name)
    return paths
