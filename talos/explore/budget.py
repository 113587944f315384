"""How much of each FPGA resource a configuration may take."""

from dataclasses import dataclass

from talos.errors import TalosError
from talos.synth.devices import Device
from talos.synth.resources import Resources

__all__ = ["RESOURCES", "Budget"]

RESOURCES = ("lut", "ff", "dsp", "bram")


@dataclass(frozen=True)
class Budget:
    """limits: resource → the most that may be used; units as in `talos synth`."""

    limits: dict[str, float]

    @classmethod
    def of(cls, device: Device, text: str | None) -> "Budget":
        """What `device` has, lowered by `text`, e.g. `lut=40000,dsp=100`. Raises TalosError for anything that cannot be read or met."""
        limits: dict[str, float] = {name: float(there) for name, there in device.capacity}
        for item in filter(None, (part.strip() for part in (text or "").split(","))):
            name, separator, value = (part.strip() for part in item.partition("="))
            if not separator or name not in RESOURCES:
                raise TalosError(
                    f"--budget {item}: cannot be read; write RESOURCE=NUMBER with a RESOURCE from {', '.join(RESOURCES)}"
                )
            try:
                limit = float(value)
            except ValueError:
                raise TalosError(f"--budget {item}: '{value}' is not a number; write for example {name}=100") from None
            if not 0 < limit < float("inf"):
                raise TalosError(f"--budget {item}: must be more than 0")
            if limit > limits.get(name, limit):
                raise TalosError(f"--budget {item}: {device.name} has only {limits[name]:,g}; choose a larger --device")
            limits[name] = limit
        if not limits:
            raise TalosError(
                f"--device {device.name}: a family of many sizes; say how much there is with --budget lut=…,dsp=…,bram=…"
            )
        return cls(limits)

    def exceeded(self, area: Resources) -> list[str]:
        """The resources of which `area` takes too much."""
        return [name for name, limit in self.limits.items() if getattr(area, name) > limit]

    def share(self, area: Resources) -> float:
        """Mean over the resources of the part of the budget that `area` takes: each resource at the price of its scarcity."""
        shares = [float(getattr(area, name)) / limit for name, limit in self.limits.items()]
        return sum(shares) / len(shares)

    def __str__(self) -> str:
        """The form that `of` reads."""
        return ",".join(f"{name}={limit:g}" for name, limit in self.limits.items())
