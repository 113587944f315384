"""`talos synth`: netlist and placements of a configuration on a device, out of the cache where they are known.

    synth/KEY/modules.json       resources by module
    synth/KEY/netlist.json.gz    the netlist, if the family can be placed
    synth/KEY/DEVICE-SPEED-SEED.json   fmax and critical path

KEY covers the design as RTLIL (and so the configuration and what the generator makes of it), this package's sources and the versions of
the tools: a change elsewhere does not cost hours of place and route.
"""

import functools
import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from talos.cache import cache_directory, mark_used, require_cache
from talos.config import AcceleratorConfig
from talos.program import write_atomically
from talos.runtime.progress import Progress, silent
from talos.runtime.verilog_cache import cached_rtlil
from talos.synth.devices import Device
from talos.synth.harness import find_module, module_names
from talos.synth.place import Placement, place
from talos.synth.resources import Hierarchy, Resources, group, shortages, total
from talos.synth.yosys import NETLIST, synthesize_netlist
from talos.yowasp import YOSYS, tool_version

__all__ = ["Synthesis", "synthesize"]

_TOP = "talos"
_SOURCES = Path(__file__).parent
_MODULES = "modules.json"
_PACKED = f"{NETLIST}.gz"


@dataclass(frozen=True)
class Synthesis:
    """Area and clock of one configuration on one device.

    modules: resources by module path, those of the harness under `harness`. missing: what does not fit the device, one text per
    resource. placements: one per seed, none if the device has no place and route, it does not fit, or no seed was asked for.
    """

    config: AcceleratorConfig
    device: Device
    speed: int | None
    module: str | None
    modules: dict[str, Resources]
    missing: list[str] = field(default_factory=list)
    placements: list[Placement] = field(default_factory=list)

    @property
    def total(self) -> Resources:
        """The sum over the modules, without the harness."""
        return total(self.modules)

    @property
    def best(self) -> Placement | None:
        """The fastest placement."""
        return max(self.placements, key=lambda placement: placement.fmax_mhz, default=None)

    def to_json(self, depth: int) -> dict[str, Any]:
        """For --json; modules down to `depth` levels."""
        best = self.best
        return {
            "config": self.config.name,
            "config_hash": self.config.hash,
            "module": self.module,
            "device": self.device.name,
            "speed": self.speed,
            "seeds": len(self.placements),
            "fmax_mhz": best.fmax_mhz if best else None,
            "fmax_by_seed": {str(placement.seed): placement.fmax_mhz for placement in self.placements},
            **self.total.to_json(),
            "missing": self.missing,
            "modules": {name: resources.to_json() for name, resources in group(self.modules, depth).items()},
            "critical_path": best.critical_path.to_json() if best else None,
        }


def synthesize(
    config: AcceleratorConfig,
    device: Device,
    *,
    speed: int | None = None,
    seeds: int = 1,
    jobs: int = 1,
    module: str | None = None,
    progress: Progress = silent,
) -> Synthesis:
    """Synthesize the core (or one `module` of it, by its path below the core), then place it with seeds 1…`seeds`, `jobs` at a time.

    Raises TalosError if there is no such module, a package is missing, a tool fails, or the cache cannot be written. A design that is
    too large is no error: `missing` says what it lacks.
    """
    placer = device.family.placer if seeds else None
    if placer is not None:
        tool_version(placer)  # told before the synthesis, not after it
    rtlil = cached_rtlil(config)
    hierarchy = Hierarchy(module_names(rtlil), find_module(rtlil, _TOP, module))
    folder = cache_directory() / "synth" / _key(rtlil, device, module)
    what = f"{module or 'core'} {config.name} for {device.name}"
    with tempfile.TemporaryDirectory(prefix="talos-synth-") as scratch:
        work = Path(scratch)
        modules = _modules(rtlil, module, device, folder, work, lambda step: progress(f"synthesizing {what} ({step})", 0, 0))
        missing = shortages(modules, device)
        placements: list[Placement] = []
        if placer is not None and not missing:

            def run(seed: int) -> Placement:
                def stage(name: str) -> None:
                    progress(f"{name} {what}, seed {seed} of {seeds}", 0, 0)

                return _placement(folder, work, device, speed, seed, hierarchy, stage)

            with ThreadPoolExecutor(jobs) as pool:
                try:
                    placements += pool.map(run, range(1, seeds + 1))
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
    return Synthesis(config, device, speed, module, modules, missing, placements)


def _key(rtlil: str, device: Device, module: str | None) -> str:
    text = f"{device.family.name} {module} {tool_version(YOSYS)}\n{rtlil}"
    return hashlib.sha256(text.encode() + _sources()).hexdigest()[:32]


@functools.cache
def _sources() -> bytes:
    """This package's sources as they were when this process first used them: it goes on with those, whoever edits the files."""
    return b"".join(path.read_bytes() for path in sorted(_SOURCES.glob("*.py")))


def _modules(
    rtlil: str, module: str | None, device: Device, folder: Path, work: Path, stage: Callable[[str], None]
) -> dict[str, Resources]:
    known = folder / _MODULES
    if known.is_file():
        mark_used(folder)
        return {name: Resources(**values) for name, values in json.loads(known.read_text()).items()}
    modules = synthesize_netlist(rtlil, _TOP, module, device.family, work, stage)
    require_cache(folder)
    if device.family.placer is not None:
        netlist = (work / NETLIST).read_bytes()
        write_atomically(folder / _PACKED, lambda file: file.write(gzip.compress(netlist, compresslevel=1)))
    _write_json(known, {name: resources.to_json() for name, resources in modules.items()})
    return modules


def _placement(
    folder: Path, work: Path, device: Device, speed: int | None, seed: int, hierarchy: Hierarchy, stage: Callable[[str], None]
) -> Placement:
    assert device.family.placer is not None
    known = folder / f"{device.name}-{speed or 'any'}-{seed}-{tool_version(device.family.placer)}.json"
    if known.is_file():
        return Placement.from_json(json.loads(known.read_text()))
    own = work / f"seed-{seed}"
    own.mkdir()
    with gzip.open(folder / _PACKED) as packed, (own / NETLIST).open("wb") as netlist:
        shutil.copyfileobj(packed, netlist)
    result = place(own, NETLIST, device, speed, seed, hierarchy, stage)
    _write_json(known, result.to_json())
    return result


def _write_json(path: Path, values: dict[str, Any]) -> None:
    text = json.dumps(values, indent=1)
    write_atomically(path, lambda file: file.write(text.encode()))
