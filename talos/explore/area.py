"""Area of a configuration on ECP5 without synthesizing it: DSPs and block RAMs counted, LUTs and registers from a fit."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.explore.structure import UNITS, ecp5_brams, ecp5_dsps
from talos.synth.devices import Device
from talos.synth.resources import Resources

__all__ = ["DATA_FILE", "AreaModel", "area_model"]

DATA_FILE = "area_ecp5.json"
"""In this package: the synthesized configurations and the fit to them; `python -m benchmarks.area` writes it."""


@dataclass(frozen=True)
class AreaModel:
    """coefficients: resource (`lut`, `ff`) → unit → factor of each of the unit's terms (`structure.UNITS`)."""

    coefficients: Mapping[str, Mapping[str, tuple[float, ...]]]

    def estimate(self, config: AcceleratorConfig) -> Resources:
        """LUT and FF rounded; DSP and block RAM as Yosys makes them."""
        return Resources(round(self._sum("lut", config)), round(self._sum("ff", config)), ecp5_dsps(config), ecp5_brams(config))

    def _sum(self, resource: str, config: AcceleratorConfig) -> float:
        return sum(
            sum(factor * size for factor, size in zip(factors, UNITS[unit](config), strict=True))
            for unit, factors in self.coefficients[resource].items()
        )

    @classmethod
    def from_json(cls, values: Any) -> "AreaModel":
        """From the data file's `coefficients`."""
        return cls({name: {unit: tuple(factors) for unit, factors in units.items()} for name, units in values.items()})


def area_model(device: Device) -> AreaModel:
    """The estimate for `device`. TalosError if there is none for its family."""
    if device.family.name != "ecp5":
        raise TalosError(f"--device {device.name}: the area estimate is for ECP5 only; choose ecp5-25k, ecp5-45k or ecp5-85k")
    return _ecp5()


@cache
def _ecp5() -> AreaModel:
    return AreaModel.from_json(json.loads((files("talos.explore") / DATA_FILE).read_text())["coefficients"])
