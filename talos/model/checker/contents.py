"""Nothing is read before this run has written it, and no sum is lost: byte by byte, in program order.

The one exception is a matrix instruction whose row vectors run past the end of a tensor: weights of zero meet the bytes there.
"""

from collections import deque

import numpy as np
import numpy.typing as npt

from talos.config import AcceleratorConfig
from talos.effects import RECORD_BYTES
from talos.errors import TalosError
from talos.isa import Instruction, Opcode, Source, Space, TableKind
from talos.model.checker.fields import name
from talos.model.checker.schedule import matmul_bytes
from talos.model.strided import Loops, hull, strided_view
from talos.parameters import ADD_TABLE_BYTES, LOOKUP_BYTES
from talos.program import CONSTANTS

__all__ = ["Contents"]

Flags = npt.NDArray[np.bool_]


class Contents:
    """Which bytes hold something. Give `run` the instructions one after another."""

    def __init__(self, config: AcceleratorConfig, region_bytes: tuple[int, ...], constants: bytes) -> None:
        self.config = config
        self.activation = np.zeros(config.activation_bytes, bool)
        self.parameter = np.zeros(config.parameter_bytes, bool)
        self.accumulator = np.zeros(config.accumulator_depth, bool)
        self._unread = np.full(config.accumulator_depth, -1)  # the MATMUL whose sums no VECTOR has read yet
        self.dram = [np.zeros(size, bool) for size in region_bytes]
        self.dram[CONSTANTS][: len(constants)] = True
        self._tables = {TableKind.LOOKUP: False, TableKind.ADD: False}
        self._constants = np.frombuffer(constants, np.int8)
        self._runs: deque[tuple[int, int]] = deque()  # the rest of the weight stream: region and bytes in constants

    def run(self, index: int, i: Instruction) -> None:
        """Raise TalosError, naming the instruction by `index`, if it reads what was never written; then note what it writes."""
        match i.opcode:
            case Opcode.LOAD:
                self._require(
                    index, i, self.dram[i["region"]], f"DRAM region {i['region']}", i["address"], _nest(i), i["row_bytes"]
                )
                memory = self.parameter if i["space"] == Space.PARAMETER else self.activation
                _mark(memory, i["dst"], _nest(i, "dst_"), i["row_bytes"])
            case Opcode.FILL:
                _mark(self.activation, i["dst"], _nest(i, "dst_"), i["row_bytes"])
            case Opcode.STORE:
                self._require(index, i, self.activation, "activation memory", i["src"], _nest(i, "src_"), i["row_bytes"])
                _mark(self.dram[i["region"]], i["address"], _nest(i), i["row_bytes"])
            case Opcode.STREAM:
                self._require(index, i, self.dram[i["region"]], f"DRAM region {i['region']}", i["address"], (), i["bytes"])
                self._runs.append((i["address"] if i["region"] == CONSTANTS else -1, i["bytes"]))
            case Opcode.TABLE:
                size = LOOKUP_BYTES if i["kind"] == TableKind.LOOKUP else ADD_TABLE_BYTES
                self._require(index, i, self.parameter, "parameter memory", i["param"] * RECORD_BYTES, (), size)
                self._tables[TableKind(i["kind"])] = True
            case Opcode.MATMUL:
                self._matmul(index, i)
            case Opcode.VECTOR:
                self._vector(index, i)

    def _require(self, index: int, i: Instruction, memory: Flags, where: str, base: int, loops: Loops, length: int) -> None:
        view = strided_view(memory, base, loops, length)
        assert view is not None  # inside its memory, as `check_fields` has seen
        if not view.all():
            address = _address(base, loops, np.argwhere(~view)[0])
            raise TalosError(f"{name(index, i)} reads byte {address} of {where}, which nothing has written")

    def finish(self) -> None:
        """Call after the last instruction. Raises TalosError when sums are left over."""
        if (self._unread >= 0).any():
            entry = int(np.argmax(self._unread >= 0))
            raise TalosError(
                f"instruction {self._unread[entry]} (MATMUL) leaves sums in accumulator {entry} that no VECTOR reads"
            )

    def _entries(self, index: int, i: Instruction) -> None:
        """Accumulators are written, read, and only then overwritten: a wrong address shows as sums that are lost or come from nowhere."""
        matmul = i.opcode == Opcode.MATMUL
        part = slice(i["acc"], i["acc"] + i["blocks"] * i["out_h"] * (i["out_w"] - (i["warmup"] if matmul else 0)))
        entries, unread = self.accumulator[part], self._unread[part]
        overwrite = matmul and not i["accumulate"]
        if not overwrite and not entries.all():
            raise TalosError(
                f"{name(index, i)} reads accumulator {i['acc'] + int(np.argmin(entries))}, which no MATMUL has written"
            )
        if overwrite and (unread >= 0).any():
            entry = int(np.argmax(unread >= 0))
            raise TalosError(
                f"{name(index, i)} overwrites sums of instruction {unread[entry]} (MATMUL) in accumulator {i['acc'] + entry} that no "
                "VECTOR has read"
            )
        unread[:] = index if matmul else -1
        entries[:] = True

    def _vector(self, index: int, i: Instruction) -> None:
        cols = self.config.cols
        channels = (i["blocks"] - 1) * cols + i["tail"]

        def pixels(prefix: str) -> list[tuple[int, int]]:
            return [(i["out_h"], i[f"{prefix}_row_stride"]), (i["out_w"], i[f"{prefix}_pixel_stride"])]

        if i["source"] == Source.ACCUMULATOR:
            self._entries(index, i)
        else:
            window = [(i["win_h"], i["a_win_h_stride"]), (i["win_w"], i["a_win_w_stride"])]
            self._require(index, i, self.activation, "activation memory", i["a"], window + pixels("a"), channels)
        if i["add"]:
            self._require(index, i, self.activation, "activation memory", i["b"], pixels("b"), channels)
        if i["requantize"]:
            size = i["blocks"] * cols * RECORD_BYTES
            self._require(index, i, self.parameter, "parameter memory", i["param"] * RECORD_BYTES, (), size)
        for kind, field in ((TableKind.ADD, "add"), (TableKind.LOOKUP, "lookup")):
            if i[field] and not self._tables[kind]:
                raise TalosError(f"{name(index, i)} uses the {kind.name} table before any TABLE instruction has set it")
        _mark(self.activation, i["dst"], pixels("dst"), channels)

    def _matmul(self, index: int, i: Instruction) -> None:
        runs = self._weights(matmul_bytes(i, self.config))
        rows, cols = self.config.rows, self.config.cols
        taps = [(i["taps_h"], i["tap_h_stride"]), (i["taps_w"], i["tap_w_stride"]), (i["slices"], i["slice_stride"])]
        loops = [(i["out_h"], i["row_stride"]), (i["out_w"], i["pixel_stride"]), *taps]
        shape = (i["blocks"], i["taps_h"], i["taps_w"], i["slices"], rows, cols)
        warmup, length = i["warmup"], rows
        if i["depthwise"]:  # row r of the array is the tap r pixels back: a loop of its own
            if self._bytes(runs).reshape(shape)[..., warmup + 1 :, :].any():
                raise TalosError(
                    f"{name(index, i)} has weights in rows above warmup={warmup}, whose pixels are not in the output row"
                )
            loops[1] = (i["out_w"] - warmup, i["pixel_stride"])
            loops.append((min(rows, warmup + 1), -i["pixel_stride"]))
            length = cols
        for block in range(i["blocks"] if i["block_stride"] else 1):
            base = i["act"] + block * i["block_stride"] + warmup * i["pixel_stride"]
            low, high = hull(base, loops, length)
            if self.activation[low:high].all():
                continue
            view = strided_view(self.activation, base, loops, length)
            assert view is not None  # inside the memory, as `check_fields` has seen
            used = self._bytes(runs).reshape(shape) != 0
            used = used[block] if i["block_stride"] else used.any(axis=0)
            used = used[..., : warmup + 1, :] if i["depthwise"] else used.any(axis=-1)
            wrong = ~view & used
            if wrong.any():
                address = _address(base, loops, np.argwhere(wrong)[0])
                raise TalosError(
                    f"{name(index, i)} multiplies byte {address} of activation memory, which nothing has written, by a weight"
                )
        self._entries(index, i)

    def _weights(self, size: int) -> list[tuple[int, int]]:
        """Take the next `size` bytes of the stream, as runs."""
        taken = []
        while size:
            address, length = self._runs[0]
            step = min(size, length)
            taken.append((address, step))
            if step == length:
                self._runs.popleft()
            else:
                self._runs[0] = (address + step if address >= 0 else address, length - step)
            size -= step
        return taken

    def _bytes(self, runs: list[tuple[int, int]]) -> npt.NDArray[np.int8]:
        """The bytes of `runs`; ones for weights that are not constants."""
        parts = [self._constants[a : a + n] if a >= 0 else np.ones(n, np.int8) for a, n in runs]
        return np.concatenate(parts)


def _nest(i: Instruction, prefix: str = "") -> list[tuple[int, int]]:
    return [(i["planes"], i[f"{prefix}plane_stride"]), (i["rows"], i[f"{prefix}row_stride"])]


def _address(base: int, loops: Loops, place: npt.NDArray[np.int64]) -> int:
    """Where the element with the index `place` of a view lies."""
    strides = [*(stride for _, stride in loops), 1]
    return base + int(place @ np.array(strides))


def _mark(memory: Flags, base: int, loops: Loops, length: int) -> None:
    view = strided_view(memory, base, loops, length)
    assert view is not None  # inside its memory, as `check_fields` has seen
    view[...] = True
