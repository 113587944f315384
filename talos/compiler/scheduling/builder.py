"""Collects the instructions and constants of a program while layers are lowered one after another."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from talos.compiler.scheduling.allocator import Allocator
from talos.compiler.scheduling.dependencies import DependencyTracker
from talos.config import AcceleratorConfig
from talos.effects import DRAM, RECORD_BYTES, effects
from talos.errors import TalosError
from talos.isa import Instruction, Opcode, Space, TableKind
from talos.program import CONSTANTS, INPUTS

__all__ = ["Builder", "OutOfMemory"]

DRAM_ALIGN = 64


class OutOfMemory(Exception):
    """Activation memory has no room of `size` bytes; the caller changes its plan."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class Builder:
    """The program under construction.

    `activation` is the allocator of activation memory. Instructions are emitted in sequential order; semaphores are set as they are.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        self.instructions: list[Instruction] = []
        self.layer = 0  # what `emit` notes in `layer_of`
        self.layer_of: list[int] = []
        self.constants = bytearray()
        self.activation = Allocator(
            config.activation_bytes, align=config.line_bytes, bank=config.activation_bytes // config.activation_banks
        )
        self._parameters = Allocator(config.parameter_bytes, align=max(RECORD_BYTES, config.beat_bytes))
        self._cached: dict[object, int] = {}  # what parameter memory holds: key → byte address, least recently used first
        self._offsets: dict[object, int] = {}  # constants already placed in DRAM: key → offset
        self._remembered: dict[object, bytes] = {}
        self._tables: dict[TableKind, object] = {}  # what the lanes' tables hold
        self._tracker = DependencyTracker(untracked=(DRAM[CONSTANTS], DRAM[INPUTS]))
        self._stream: Instruction | None = None
        self._half = 0

    def emit(self, opcode: Opcode, **values: int) -> Instruction:
        """Append an instruction, ordered behind all earlier ones that it depends on."""
        instruction = Instruction(opcode, **values)
        self._tracker.add(instruction, effects(instruction, self.config))
        self.instructions.append(instruction)
        self.layer_of.append(self.layer)
        return instruction

    def constant(self, key: object, make: Callable[[], bytes]) -> int:
        """Place the bytes that `make` gives in the constants region, once per `key`; their offset."""
        if key not in self._offsets:
            self.constants.extend(bytes(-len(self.constants) % DRAM_ALIGN))
            self._offsets[key] = len(self.constants)
            self.constants.extend(make())
        return self._offsets[key]

    def remember(self, key: object, make: Callable[[], bytes]) -> bytes:
        """What `make` gives, made once per `key`."""
        if key not in self._remembered:
            self._remembered[key] = make()
        return self._remembered[key]

    def parameters(self, key: object, data: bytes) -> int:
        """Have `data` (records or a table) in parameter memory; its address in records."""
        if key in self._cached:
            self._cached[key] = self._cached.pop(key)  # most recently used
            return self._cached[key] // RECORD_BYTES
        size = -(-len(data) // self.config.beat_bytes) * self.config.beat_bytes
        address = self._parameters.allocate(size)
        while address is None:
            if not self._cached:
                raise TalosError(
                    f"parameter_bytes={self.config.parameter_bytes} cannot hold {size} bytes at once; make it larger"
                )
            self._parameters.free(self._cached.pop(next(iter(self._cached))))
            address = self._parameters.allocate(size)
        self._cached[key] = address
        offset = self.constant(key, lambda: data.ljust(size, b"\0"))
        self.emit(Opcode.LOAD, region=CONSTANTS, address=offset, row_bytes=size, dst=address, space=Space.PARAMETER)
        return address // RECORD_BYTES

    def table(self, kind: TableKind, key: object, data: bytes) -> None:
        """Have the lanes hold the table `data`."""
        if self._tables.get(kind) != key:
            self.emit(Opcode.TABLE, kind=kind, param=self.parameters((kind, key), data))
            self._tables[kind] = key

    def stream(self, offset: int, size: int) -> None:
        """Append constants [offset, offset + size) to the weight stream; runs that continue the last one extend its instruction."""
        last = self._stream
        if last is not None and last["address"] + last["bytes"] == offset:
            last["bytes"] += size
        else:
            self._stream = self.emit(Opcode.STREAM, region=CONSTANTS, address=offset, bytes=size)

    def next_half(self) -> int:
        """First accumulator entry of the half that the last matrix instruction did not use."""
        self._half ^= 1
        return self._half * self.config.half_depth

    @contextmanager
    def buffer(self, size: int, avoid: tuple[tuple[int, int], ...] = ()) -> Iterator[int]:
        """`size` bytes of activation memory (plus what a row vector may read past them) for the duration of the block."""
        start = self.allocate(size, avoid)
        try:
            yield start
        finally:
            self.activation.free(start)

    def allocate(self, size: int, avoid: tuple[tuple[int, int], ...] = ()) -> int:
        """`size` bytes of activation memory for a tile; the caller frees them with `activation.free`. Raises OutOfMemory."""
        start = self.activation.allocate(size + self.config.matrix_bytes - 1, avoid)
        if start is None:
            raise OutOfMemory(size)
        return start

    def finish(self) -> tuple[bytes, int]:
        """The constants region with the instruction words at its end, and their offset."""
        self.constants.extend(bytes(-len(self.constants) % DRAM_ALIGN))
        offset = len(self.constants)
        words = b"".join(instruction.encode() for instruction in self.instructions)
        return bytes(self.constants) + words, offset
