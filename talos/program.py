"""A compiled network: the instruction words, constants, tensor places and host parts, in one file.

The file is a zip archive: `program.json` (everything readable), `constants.bin` (the bytes of DRAM region 0: parameters, tables, weights
and, at `program_offset`, the instructions) and the host parts' ONNX models. The same constants run on the functional model, the cycle
model, the generated Verilog and hardware.
"""

import json
import os
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from talos.config import AcceleratorConfig
from talos.errors import TalosError
from talos.io import InputSpec, IoSpec
from talos.isa import INSTRUCTION_BYTES, Instruction, decode
from talos.late import call_late

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike

    from talos.api.placement import PlacementReport
    from talos.api.run import Results
    from talos.memory import MemoryTiming
    from talos.runtime.progress import Progress
    from talos.runtime.session import Backend

__all__ = [
    "CONSTANTS",
    "INPUTS",
    "OUTPUTS",
    "SCRATCH",
    "HostPart",
    "HostReason",
    "LayerInfo",
    "Placement",
    "Port",
    "Program",
    "write_atomically",
]

CONSTANTS, SCRATCH, INPUTS, OUTPUTS = range(4)
"""The DRAM regions, by the number of their base-address register."""

FORMAT = 2


@dataclass(frozen=True)
class Port:
    """A program input or output: where its int8 tensor lies (contiguous HWC) and how the host converts it.

    `spec` is that of one image; the tensor of image i of a `batch` lies at `offset` + i · `stride`.
    """

    spec: IoSpec
    region: int
    offset: int
    batch: int = 1
    stride: int = 0

    @property
    def offsets(self) -> list[int]:
        """Where the tensor of each image lies."""
        return [self.offset + image * self.stride for image in range(self.batch)]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the codes that backends take and give: (height, width, channels), with the batch in front if it is not 1."""
        return (self.batch, *self.spec.tensor_shape) if self.batch > 1 else self.spec.tensor_shape


@dataclass(frozen=True)
class LayerInfo:
    """A layer as the user knows it: name and operator of the ONNX node, multiply-accumulates, where it runs, all its ONNX nodes."""

    name: str
    op: str
    macs: int
    placement: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Placement:
    """Where an ONNX node runs (`array`, `vector`, `placement`, `folded` or `host`), in which layer, and why.

    For nodes on the host, `suggestion` says what would bring it to the accelerator. `macs` are the node's multiply-accumulates.
    """

    node: str
    op: str
    placement: str
    layer: str
    reason: str
    suggestion: str = ""
    macs: int = 0


@dataclass(frozen=True)
class HostReason:
    """Why the ONNX node `node` of type `op` cannot run on the accelerator, and what to do about it."""

    node: str
    op: str
    reason: str
    suggestion: str


@dataclass(frozen=True)
class HostPart:
    """An ONNX model that onnxruntime runs on the host, `stage` "before" or "after" the accelerator.

    `inputs` and `outputs` are names of ONNX values: the part in front reads the graph's inputs; the one behind reads these, what the
    part in front makes, and the accelerator's outputs. `reasons` has the nodes that brought it about; the other `nodes` depend on them,
    or they on those.
    """

    stage: str
    nodes: tuple[str, ...]
    op_types: tuple[str, ...]
    model: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reasons: tuple[HostReason, ...]

    @property
    def name(self) -> str:
        """The first node that brought it about."""
        return self.reasons[0].node if self.reasons else f"{self.stage} the accelerator"

    @property
    def op(self) -> str:
        """The operators that brought it about, for reports."""
        return "+".join(dict.fromkeys(why.op for why in self.reasons) or dict.fromkeys(self.op_types))


@dataclass(frozen=True)
class Program:
    """See the module. `layer_of[i]` is the index in `layers` of instruction i; `region_bytes` the size each region needs.

    `feeds` are the ONNX graph's inputs, which the user feeds; `inputs` those of the accelerator, each a feed or an output of the host
    part in front. `results` are the ONNX graph's outputs in order, each a feed, one of `outputs`, or made by a host part. One run takes
    `batch` images; layers, feeds, results and host parts are those of one.
    """

    name: str
    config: AcceleratorConfig
    constants: bytes
    program_offset: int
    instruction_count: int
    region_bytes: tuple[int, int, int, int]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    layers: tuple[LayerInfo, ...]
    layer_of: tuple[int, ...]
    placements: tuple[Placement, ...] = ()
    host: tuple[HostPart, ...] = ()
    results: tuple[str, ...] = ()
    feeds: tuple[InputSpec, ...] = ()
    batch: int = 1

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """The decoded instruction words, in program order."""
        start = self.program_offset
        words = (self.constants[start + i * INSTRUCTION_BYTES :][:INSTRUCTION_BYTES] for i in range(self.instruction_count))
        return tuple(decode(word) for word in words)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return sum(layer.macs for layer in self.layers)

    def run(
        self,
        x: "ArrayLike | Mapping[str, ArrayLike]",
        backend: "Backend" = "model",
        *,
        memory: "MemoryTiming | str | None" = None,
        progress: "Progress | None" = None,
    ) -> "Results":
        """The network's results by name for one image or n of them: an array (one input), or one by each input's name.

        backend: "model", "verilator" (the generated Verilog) or a device. memory: the DRAM of these two, e.g. "latency=200".
        Raises TalosError for inputs that do not fit, and where the backend's tools are missing.
        """
        results: Results = call_late("talos.api.run:run_program", self, x, backend, memory=memory, progress=progress)
        return results

    def placement_report(self) -> "PlacementReport":
        """Where every ONNX node runs, and why; a table in notebooks and as text."""
        report: PlacementReport = call_late("talos.api.placement:PlacementReport", self)
        return report

    def _repr_html_(self) -> str:
        """For notebooks."""
        return str(call_late("talos.report.notebook:program_html", self))

    def require_config(self, config: AcceleratorConfig, owner: str) -> None:
        """Raise TalosError unless the program was compiled for `config`, which `owner` (named in the message) has."""
        if self.config.hash != config.hash:
            raise TalosError(
                f"program '{self.name}' was compiled for {self.config.name} (hash {self.config.hash}) but {owner} is {config.name} "
                f"(hash {config.hash}); compile it again with that configuration"
            )

    def save(self, path: str | Path) -> None:
        """Write the program file; an existing file is replaced only when the new one is complete. Raises TalosError."""
        manifest = {
            "format": FORMAT,
            "name": self.name,
            "config": self.config.to_json(),
            "config_hash": self.config.hash,
            "program_offset": self.program_offset,
            "instruction_count": self.instruction_count,
            "region_bytes": self.region_bytes,
            "batch": self.batch,
            "feeds": [asdict(feed) for feed in self.feeds],
            "inputs": [_port_to_json(port) for port in self.inputs],
            "outputs": [_port_to_json(port) for port in self.outputs],
            "layers": [asdict(layer) for layer in self.layers],
            "layer_of": self.layer_of,
            "placements": [asdict(placement) for placement in self.placements],
            "host": [{key: value for key, value in asdict(part).items() if key != "model"} for part in self.host],
            "results": self.results,
        }
        files = {"program.json": json.dumps(manifest, indent=1).encode(), "constants.bin": self.constants}
        files |= {f"host_{i}.onnx": part.model for i, part in enumerate(self.host)}

        def write(file: Any) -> None:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, data in files.items():
                    archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # a fixed date: same program, same file

        write_atomically(path, write)

    @classmethod
    def load(cls, path: str | Path) -> "Program":
        """Read a program file. Raises TalosError if it is none, is damaged, or belongs to another version of the instruction set."""
        try:
            with zipfile.ZipFile(path) as archive:
                manifest = json.loads(archive.read("program.json"))
                constants = archive.read("constants.bin")
                models = [archive.read(f"host_{i}.onnx") for i in range(len(manifest["host"]))]
            if manifest["format"] != FORMAT:
                raise TalosError(
                    f"{path}: program format {manifest['format']}, this version reads {FORMAT}; compile the model again"
                )
            config = AcceleratorConfig.from_json(manifest["config"], str(path))
            if config.hash != manifest["config_hash"]:
                raise TalosError(
                    f"{path}: configuration hash {manifest['config_hash']} in the file, {config.hash} here (another version of the "
                    "instruction set or an edited file); compile the model again"
                )
            return cls(
                name=manifest["name"],
                config=config,
                constants=constants,
                program_offset=manifest["program_offset"],
                instruction_count=manifest["instruction_count"],
                region_bytes=tuple(manifest["region_bytes"]),
                inputs=tuple(_port_from_json(port) for port in manifest["inputs"]),
                outputs=tuple(_port_from_json(port) for port in manifest["outputs"]),
                layers=tuple(LayerInfo(**_tuples(layer)) for layer in manifest["layers"]),
                layer_of=tuple(manifest["layer_of"]),
                placements=tuple(Placement(**placement) for placement in manifest["placements"]),
                host=tuple(_host_from_json(part, model) for part, model in zip(manifest["host"], models, strict=True)),
                results=tuple(manifest["results"]),
                batch=manifest["batch"],
                feeds=tuple(InputSpec(**_tuples(feed)) for feed in manifest["feeds"]),
            )
        except OSError as error:
            raise TalosError(f"{path}: cannot be read ({error.strerror or error})") from error
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError, EOFError) as error:
            raise TalosError(f"{path}: not a Talos program, or damaged ({error}); write one with 'talos compile'") from error


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _host_from_json(values: dict[str, Any], model: bytes) -> HostPart:
    reasons = tuple(HostReason(**reason) for reason in values["reasons"])
    return HostPart(**(_tuples(values) | {"model": model, "reasons": reasons}))


def _port_to_json(port: Port) -> dict[str, Any]:
    return {
        "spec": port.spec.to_json(),
        "region": port.region,
        "offset": port.offset,
        "batch": port.batch,
        "stride": port.stride,
    }


def _port_from_json(values: dict[str, Any]) -> Port:
    spec = IoSpec.from_json(values["spec"])
    return Port(spec, values["region"], values["offset"], values["batch"], values["stride"])


def write_atomically(path: str | Path, write: Any) -> None:
    """Call `write(binary file)` on a temporary file beside `path`, then move it there: nothing half-written is ever seen.

    Raises TalosError when the folder cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            write(file)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        raise TalosError(f"{path}: cannot be written ({error.strerror or error}); choose another place") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)
