"""The configurations to choose from: for every field of `AcceleratorConfig` the values it may have."""

import itertools
import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from talos.config import PRESETS, AcceleratorConfig
from talos.errors import TalosError

__all__ = ["DEFAULT_SPACE", "Space", "load_space"]

Values = tuple[int | bool, ...]

DEFAULT_SPACE: dict[str, Any] = {
    "base": "8x8",
    "rows": {"min": 4, "max": 32},
    "cols": {"min": 4, "max": 32},
    "lanes": {"min": 1, "max": 32},
    "activation_bytes": {"min": 1 << 14, "max": 1 << 18},
    "activation_banks": {"min": 2, "max": 8},
    "accumulator_depth": {"min": 128, "max": 2048},
    "weight_fifo_bytes": {"min": 1 << 11, "max": 1 << 15},
    "parameter_bytes": {"min": 1 << 12, "max": 1 << 13},
    "axi_data_width": {"min": 32, "max": 128},
}
"""Without --space. The optional features come from the networks: `talos.explore.features`."""

_BASE = "base"


@dataclass(frozen=True)
class Space:
    """base: the configuration whose values the fields not in `choices` keep. choices: field → values, at least one, ascending."""

    base: AcceleratorConfig
    choices: dict[str, Values]

    @property
    def size(self) -> int:
        """Combinations, those that cannot be built included."""
        return math.prod(len(values) for values in self.choices.values())

    def config(self, values: Mapping[str, int | bool]) -> AcceleratorConfig | None:
        """The configuration with these values; None if it cannot be built."""
        try:
            return self.base.replace(**values)
        except TalosError:
            return None

    def configs(self) -> Iterator[AcceleratorConfig]:
        """All that can be built, in the order of the fields and values."""
        for values in itertools.product(*self.choices.values()):
            config = self.config(dict(zip(self.choices, values, strict=True)))
            if config is not None:
                yield config

    def holds(self, config: AcceleratorConfig) -> bool:
        """Whether `config` is one of the space."""
        chosen = all(getattr(config, name) in values for name, values in self.choices.items())
        fixed = (field.name for field in fields(config) if field.name not in self.choices)
        return chosen and all(getattr(config, name) == getattr(self.base, name) for name in fixed)

    def with_choices(self, choices: Mapping[str, Values]) -> "Space":
        """This space with other values for some fields."""
        return Space(self.base, {**self.choices, **choices})


def load_space(path: Path | None) -> Space:
    """The space in a TOML, YAML or JSON file (None: `DEFAULT_SPACE`).

    Each field has a value, a list of values, or `{min, max}`: the powers of two between them. `base` names the preset that the other fields
    come from, or gives its fields. Raises TalosError naming file and field.
    """
    if path is None:
        return _space(DEFAULT_SPACE, "default space")
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise TalosError(f"{path}: cannot be read ({error}); --space names a TOML, YAML or JSON file") from error
    return _space(_parse(path, text), str(path))


def _parse(path: Path, text: str) -> Any:
    suffix = path.suffix.lower()
    try:
        if suffix == ".json":
            return json.loads(text)
        if suffix == ".toml":
            return tomllib.loads(text)
        if suffix in (".yaml", ".yml"):
            import yaml

            return yaml.safe_load(text)
    except ModuleNotFoundError as error:
        raise TalosError(
            f"{path}: YAML needs the package 'pyyaml'; pip install 'talos-accelerator[explore]', or write TOML"
        ) from error
    except Exception as error:
        if not isinstance(error, ValueError) and type(error).__module__.partition(".")[0] != "yaml":
            raise
        raise TalosError(f"{path}: cannot be read as {suffix[1:].upper()} ({error})") from error
    raise TalosError(f"{path}: the name must end in .toml, .yaml or .json")


def _space(values: Any, source: str) -> Space:
    known = {field.name: field.type for field in fields(AcceleratorConfig)}
    if not isinstance(values, dict):
        raise TalosError(f"{source}: expected fields of the configuration with their values")
    base = values.get(_BASE, "8x8")
    if isinstance(base, dict):
        start = AcceleratorConfig.from_json(base, f"{source}: {_BASE}")
    elif base in PRESETS:
        start = PRESETS[base]
    else:
        raise TalosError(f"{source}: {_BASE}={base!r} must be a preset ({', '.join(PRESETS)}) or the fields of a configuration")
    choices: dict[str, Values] = {}
    for name, given in values.items():
        if name == _BASE:
            continue
        if name not in known:
            raise TalosError(f"{source}: unknown field '{name}'; the fields are {', '.join(sorted(known))}")
        found = sorted(set(_values(given, f"{source}: {name}")))
        if not found:
            raise TalosError(f"{source}: {name} has no value; write one, a list, or {{min, max}}")
        for value in found:
            if type(value) is not known[name]:
                raise TalosError(f"{source}: {name}={value!r} must be {getattr(known[name], '__name__', known[name])}")
        choices[name] = tuple(found)
    space = Space(start, choices)
    if next(space.configs(), None) is None:
        raise TalosError(f"{source}: no combination of these values can be built; try one with 'talos info FILE.json'")
    return space


def _values(given: Any, where: str) -> list[Any]:
    if isinstance(given, dict):
        if set(given) != {"min", "max"} or not all(type(value) is int and value > 0 for value in given.values()):
            raise TalosError(f"{where}: a range is {{min, max}}, both powers of two")
        low, high = given["min"], given["max"]
        if low > high or low & (low - 1) or high & (high - 1):
            raise TalosError(f"{where}: {low} … {high} is no range of powers of two")
        return [1 << power for power in range(low.bit_length() - 1, high.bit_length())]
    return given if isinstance(given, list) else [given]
