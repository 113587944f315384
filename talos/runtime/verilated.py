"""The generated Verilog as a device: registers, DRAM, interrupt, clock and trace, at the speed of compiled C++."""

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from talos.errors import TalosError
from talos.isa import Unit
from talos.memory import MemoryTiming
from talos.runtime.build import WaveFormat, build

__all__ = ["TRACE_DTYPE", "VerilatedCore"]

TRACE_DTYPE = np.dtype({"names": ["cycle", "unit", "kind"], "formats": ["<i8", "u1", "u1"], "offsets": [0, 8, 9], "itemsize": 16})
"""One event: in `cycle`, `unit` (a number of `talos.isa.Unit`) started (kind 0) or finished (kind 1) an instruction."""

_LABEL = np.dtype([("opcode", "S8"), ("layer", "S48"), ("index", "<u4")])  # Label in harness/running.h

_IDLE_LIMIT = 10_000_000  # cycles; far beyond the longest instruction

_CHUNK = 1 << 16  # cycles between looks at Ctrl-C and progress: a fraction of a second, seconds on the largest arrays


class VerilatedCore:
    """One simulated core with its DRAM, clocked only by the calls made here.

    Cycle n is the time before rising edge n, counted from the last `reset` or `restart`. The DRAM starts at AXI address 0 and
    is `dram`; it may be read and written between calls. Any breach of the AXI protocol by the core raises TalosError, and
    goes on doing so until `reset`. Close it (or use `with`) to free it early.
    """

    def __init__(self, library: Path, *, dram_bytes: int = 1 << 26, timing: MemoryTiming | None = None) -> None:
        """Load a `library` from `build` and reset the core. dram_bytes: a multiple of 64, the widest beat."""
        if dram_bytes <= 0 or dram_bytes % 64:
            raise TalosError(f"DRAM of {dram_bytes} bytes: the size must be a positive multiple of 64")
        self._library = _load(library)
        self._dram = np.zeros(dram_bytes, np.uint8)  # pages are taken from the system when touched
        self._core = self._library.talos_create(self._dram.ctypes.data, dram_bytes)
        if not self._core:
            raise TalosError(f"the simulated core in {library} cannot be created; delete that file to have it built again")
        self.data_width: int = self._library.talos_data_width()
        self.timing = timing or MemoryTiming()

    @classmethod
    def from_verilog(
        cls,
        verilog: str,
        *,
        data_width: int,
        addr_width: int = 32,
        dram_bytes: int = 1 << 26,
        timing: MemoryTiming | None = None,
        waves: WaveFormat | None = None,
    ) -> Self:
        """Build (or find in the cache) and load; arguments as for `build` and the constructor."""
        library = build(verilog, data_width=data_width, addr_width=addr_width, waves=waves)
        return cls(library, dram_bytes=dram_bytes, timing=timing)

    @property
    def dram(self) -> NDArray[np.uint8]:
        """The memory's bytes themselves, not a copy."""
        return self._dram

    @property
    def timing(self) -> MemoryTiming:
        """How fast the DRAM answers; setting it needs a core without bursts in flight and restarts the memory."""
        return self._timing

    @timing.setter
    def timing(self, timing: MemoryTiming) -> None:
        rate = timing.beat_credit(self.data_width // 8)
        self._call("set_timing", timing.latency, rate, timing.outstanding, timing.stall, timing.seed)
        self._timing = timing

    @property
    def cycle(self) -> int:
        """Edges since the last `reset` or `restart`."""
        return int(self._library.talos_cycle(self._handle()))

    @property
    def irq(self) -> bool:
        """Level of the interrupt after the last edge."""
        return bool(self._library.talos_irq(self._handle()))

    def reset(self, cycles: int = 4) -> None:
        """Hold `rst` for so many cycles. Memory timing, cycle count and trace start afresh; the DRAM's contents stay."""
        self._call("reset", cycles)

    def restart(self) -> None:
        """Set cycle count, trace and memory timing to their state after `reset`, leaving the core alone (it must be idle).

        After this the same writes give the same cycles, whatever came before: the random pauses start afresh too.
        """
        self._call("restart")

    def start(self, offset: int, value: int) -> None:
        """`restart`, then the register write that starts a program: its handshake is in cycle 0 if the core does not stall it."""
        self.restart()
        self.write_register(offset, value)

    def write_register(self, offset: int, value: int) -> None:
        """AXI4-Lite write of 32 bits; takes a few cycles. TalosError on an error response or none at all."""
        self._call("write", offset, value & 0xFFFFFFFF)

    def read_register(self, offset: int) -> int:
        """AXI4-Lite read of 32 bits, unsigned; takes a few cycles. TalosError on an error response or none at all."""
        value = ctypes.c_uint32()
        self._call("read", offset, ctypes.byref(value))
        return value.value

    def run(self, max_cycles: int, progress: Callable[[int], None] | None = None, *, idle_limit: int = _IDLE_LIMIT) -> int:
        """Clock until `irq` is high; the cycles that took.

        progress: called now and then with the cycles so far. TalosError if `max_cycles` do not suffice, or if the core hangs:
        no instruction begins or ends and nothing is transferred over AXI for `idle_limit` cycles.
        """
        done = 0
        while done < max_cycles and not self.irq:
            done += self._clock(min(_CHUNK, max_cycles - done), until_irq=True, idle_limit=idle_limit)
            if progress is not None:
                progress(done)
        if not self.irq:
            raise TalosError(f"simulated core: did not finish within {max_cycles} cycles{self._state()}")
        return done

    def step(self, cycles: int) -> None:
        """Clock exactly so many cycles, whatever `irq` does."""
        while cycles > 0:
            cycles -= self._clock(min(_CHUNK, cycles), until_irq=False, idle_limit=0)

    def trace(self) -> NDArray[np.void]:
        """Events since the last `reset` or `restart`, a copy of TRACE_DTYPE in order of cycle, then unit, start before done."""
        count = self._library.talos_trace_size(self._handle())
        events = np.zeros(count, TRACE_DTYPE)
        if count:
            ctypes.memmove(events.ctypes.data, self._library.talos_trace_data(self._handle()), events.nbytes)
        return events

    def open_waves(self, path: Path) -> None:
        """Write every signal to a file from now on; only for a library built with `waves`, and in that format."""
        self._call("open_waves", str(path).encode())

    def name_instructions(self, labels: Sequence[tuple[Unit, str, str]]) -> None:
        """What the next runs' instructions are called in waves: unit, opcode and layer of each, in program order."""
        units = np.array([unit for unit, _, _ in labels], np.uint8)
        table = np.zeros(len(labels), _LABEL)
        for index, (_, opcode, layer) in enumerate(labels):
            table[index] = opcode.encode("ascii", "replace"), _fitting(layer).encode("ascii", "replace"), index
        self._library.talos_name_instructions(self._handle(), units.ctypes.data, table.ctypes.data, len(labels))

    def close_waves(self) -> None:
        """Finish the file; nothing happens if none is open."""
        self._library.talos_close_waves(self._handle())

    def close(self) -> None:
        """Free the simulation. Nothing but `dram` can be used afterwards."""
        core, self._core = getattr(self, "_core", None), None
        if core:
            self._library.talos_destroy(core)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _handle(self) -> int:
        if not self._core:
            raise TalosError("this simulated core was closed; make a new one")
        return int(self._core)

    def _call(self, name: str, *arguments: object) -> None:
        """Call `talos_NAME`, raising what it reports."""
        if getattr(self._library, f"talos_{name}")(self._handle(), *arguments):
            what = self._library.talos_error(self._handle()).decode()
            raise TalosError(f"simulated core: {what}{self._state() if name == 'run' else ''}")

    def _clock(self, cycles: int, *, until_irq: bool, idle_limit: int) -> int:
        steps = ctypes.c_uint64()
        self._call("run", cycles, int(until_irq), idle_limit, ctypes.byref(steps))
        return steps.value

    def _state(self) -> str:
        """What the core is doing, for the message of a program that does not end well."""
        events = self.trace()
        balance = np.zeros(len(Unit), np.int64)
        np.add.at(balance, events["unit"], 1 - 2 * events["kind"].astype(np.int64))
        busy = [unit.name.lower() for unit in Unit if balance[unit]]
        last = int(events["cycle"][-1]) if len(events) else None
        reads = self._library.talos_reads_in_flight(self._handle())
        writes = self._library.talos_writes_in_flight(self._handle())
        return (
            f" (inside an instruction: {', '.join(busy) or 'no unit'}; last one began or ended in cycle {last}; "
            f"bursts in flight: {reads} read, {writes} write)"
        )


def _fitting(name: str) -> str:
    """The end of a name that is too long for a label."""
    room = _LABEL["layer"].itemsize
    return name if len(name) <= room else f"..{name[2 - room :]}"


def _load(library: Path) -> ctypes.CDLL:
    """The library with the types of its functions declared."""
    try:
        loaded = ctypes.CDLL(str(library))
    except OSError as error:
        raise TalosError(f"cannot load the simulated core {library}: {error}; delete that file to have it built again") from error
    handle, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    signatures: dict[str, tuple[object, list[object]]] = {
        "create": (handle, [handle, u64]),
        "data_width": (ctypes.c_int, []),
        "destroy": (None, [handle]),
        "error": (ctypes.c_char_p, [handle]),
        "cycle": (u64, [handle]),
        "irq": (ctypes.c_int, [handle]),
        "reads_in_flight": (u32, [handle]),
        "writes_in_flight": (u32, [handle]),
        "trace_size": (u64, [handle]),
        "trace_data": (handle, [handle]),
        "close_waves": (None, [handle]),
        "name_instructions": (None, [handle, handle, handle, u64]),
        "reset": (ctypes.c_int, [handle, ctypes.c_int]),
        "restart": (ctypes.c_int, [handle]),
        "set_timing": (ctypes.c_int, [handle, u32, u32, u32, u32, u32]),
        "write": (ctypes.c_int, [handle, u32, u32]),
        "read": (ctypes.c_int, [handle, u32, ctypes.POINTER(u32)]),
        "run": (ctypes.c_int, [handle, u64, ctypes.c_int, u64, ctypes.POINTER(u64)]),
        "open_waves": (ctypes.c_int, [handle, ctypes.c_char_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(loaded, f"talos_{name}")
        function.restype, function.argtypes = result, arguments
    return loaded
