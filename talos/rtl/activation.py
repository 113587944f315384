"""Activation memory: banked, byte-addressed, three read and two write ports."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.latency import NEAR_END_BITS
from talos.rtl.memories import NO_COLLISION
from talos.rtl.unit import ReadPort, WritePort

__all__ = ["ActivationMemory"]


def _rotate_bytes(m: Module, value: Value, amount: Value, name: str, *, unit: int = 8) -> Value:
    """`value` rotated to the left by `amount` units of `unit` bits: one multiplexer level for each bit of `amount`."""
    for level in range(len(amount)):
        turned = Signal(len(value), name=f"{name}_{level}")
        m.d.comb += turned.eq(Mux(amount[level], value.rotate_left(unit << level), value))
        value = turned
    return value


def _select(values: Sequence[Value], index: Value) -> Value:
    """`values[index]`, 2 ** len(index) of them, as multiplexers of two: not decoded first, as those of a Switch are."""
    for bit in index:
        values = [Mux(bit, high, low) for low, high in zip(values[::2], values[1::2], strict=True)]
    (value,) = values
    return value


def _extract_bytes(m: Module, value: Value, amount: Value, count: int, name: str) -> Value:
    """Bytes `amount` … `amount` + `count` − 1 of `value`."""
    for level in reversed(range(len(amount))):
        keep = 8 * (count + (1 << level) - 1)
        moved = Signal(keep, name=f"{name}_{level}")
        m.d.comb += moved.eq(Mux(amount[level], value[8 << level :], value[:keep]))
        value = moved
    return value


@dataclass(frozen=True)
class _Geometry:
    """How an address splits into bank, row, parity of the line, and offset in the line."""

    line_bytes: int
    banks: int
    depth: int  # lines of each sub-bank

    @classmethod
    def of(cls, config: AcceleratorConfig) -> "_Geometry":
        return cls(
            line_bytes=config.line_bytes,
            banks=config.activation_banks,
            depth=config.activation_bytes // (2 * config.activation_banks * config.line_bytes),
        )

    @property
    def sub_banks(self) -> list[tuple[int, int]]:
        return [(bank, parity) for bank in range(self.banks) for parity in range(2)]

    @property
    def place(self) -> data.StructLayout:
        """What must travel with an access: the first line's bank and parity, the next line's bank, the offset."""
        bank = max(1, exact_log2(self.banks))
        return data.StructLayout({"bank": bank, "next_bank": bank, "parity": 1, "offset": exact_log2(self.line_bytes)})


class _Access:
    """Combinational view of one port's address: place, row in even and odd sub-banks, sub-banks needed (one too many near the end of a bank)."""

    def __init__(self, m: Module, geometry: _Geometry, address: Signal, width: int, name: str) -> None:
        offset_bits = exact_log2(geometry.line_bytes)
        row_bits = exact_log2(geometry.depth)
        bank_bits = exact_log2(geometry.banks)
        offset, parity = address[:offset_bits], address[offset_bits]
        row = address[offset_bits + 1 : offset_bits + 1 + row_bits]
        bank = address[offset_bits + 1 + row_bits : offset_bits + 1 + row_bits + bank_bits]

        self.place = Signal(geometry.place, name=f"{name}_place")
        self.needs = Signal(2 * geometry.banks, name=f"{name}_needs")
        self.even_row = Signal(row_bits, name=f"{name}_even_row")
        self.odd_row = Signal(row_bits, name=f"{name}_odd_row")
        self.touches = Signal(2, name=f"{name}_touches")  # an even line, an odd line
        self.near_end = Signal(
            name=f"{name}_near_end"
        )  # the line after an odd one may be the first of the next bank, which is even
        self.crosses = crosses = Signal(name=f"{name}_crosses")
        m.d.comb += [
            self.place.offset.eq(offset),
            self.place.parity.eq(parity),
            self.place.bank.eq(bank),
            self.place.next_bank.eq((bank + (parity & row.all()))[:bank_bits]),
            # The line after an odd one is even and in the next row; the line after an even one is odd and in the same row.
            self.even_row.eq(row + parity),
            self.odd_row.eq(row),
            crosses.eq(offset > geometry.line_bytes - width),
            self.touches.eq(Cat(~parity | crosses, parity | crosses)),
            self.near_end.eq(parity & row[-NEAR_END_BITS:].all()),
        ]
        for i, (b, p) in enumerate(geometry.sub_banks):
            here = self.place.bank == b
            if p:
                m.d.comb += self.needs[i].eq(here & self.touches[1])
            else:
                before = self.place.bank == (b - 1) % geometry.banks
                m.d.comb += self.needs[i].eq((here | (before & self.near_end)) & self.touches[0])

    def conflicts(self, other: "_Access", banks: int) -> Value:
        """Both need the same sub-bank: the same as comparing `needs`, in half as many levels of logic."""
        own, others = self.place.bank, other.place.bank
        same = own == others
        ahead = Cat((own == b) & (others == (b + 1) % banks) for b in range(banks)).any()
        behind = Cat((others == b) & (own == (b + 1) % banks) for b in range(banks)).any()
        even = same | (self.near_end & ahead) | (other.near_end & behind)
        return (same & self.touches[1] & other.touches[1]) | (even & self.touches[0] & other.touches[0])

    def row(self, parity: int) -> Signal:
        return self.odd_row if parity else self.even_row


def _arbitrate(m: Module, ports: Sequence[Any], accesses: Sequence[_Access], banks: int, name: str) -> list[Signal]:
    """Grants in priority order; returns for each port the sub-banks that it asks for in this cycle."""
    asked = []
    for i, (port, access) in enumerate(zip(ports, accesses, strict=True)):
        asks = Signal.like(access.needs, name=f"{name}_asks_{i}")
        waits = [before.valid & access.conflicts(other, banks) for before, other in zip(ports[:i], accesses[:i], strict=True)]
        m.d.comb += [port.grant.eq(~Cat(waits).any()), asks.eq(Mux(port.valid, access.needs, 0))]
        asked.append(asks)
    return asked


class ActivationMemory(wiring.Component):
    """`activation_banks` address ranges × 2 parities of lines of `line_bytes`, each sub-bank one memory with a read and a write port.

    ::

        read:  grant │ row register │ memory │ output register │ line pair │ bytes from the offset │ data   (ACT_READ = 5)
        write: grant │ port register │ rotated to the line, byte mask │ memory                             (ACT_WRITE = 2)

    An access at any byte address touches one line or two neighbours, which have different parity. It needs their sub-banks. If it
    crosses from an odd line in the last rows of a bank (those whose NEAR_END_BITS highest bits are 1, an eighth of all) it counts as
    needing the even sub-bank of the next bank as well, whether or not its line is the last: a grant must not wait for that
    comparison. It is granted if no request of higher priority in the same cycle needs one of them, be that one granted or not. The first port of each
    kind is always granted. A grant does not depend on the port's own `valid`, nor on `count`. Reads and writes do not hinder each
    other. Addresses wrap at the memory's size.

    Members
    -------
    matrix_read (config.matrix_bytes), vector_read (cols bytes), store_read (one beat) : In(ReadPort)
        In the order of priority.
    vector_write (cols bytes), load_write (one beat) : In(WritePort)
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "matrix_read": In(ReadPort(config.matrix_bytes)),
                "vector_read": In(ReadPort(config.cols)),
                "store_read": In(ReadPort(config.beat_bytes)),
                "vector_write": In(WritePort(config.cols)),
                "load_write": In(WritePort(config.beat_bytes)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        geometry = _Geometry.of(self.config)
        reads: list[Value] = []  # of each sub-bank: the line at its row register, a cycle later
        writes: list[Any] = []  # of each sub-bank: the write port
        rows = []
        for bank, parity in geometry.sub_banks:
            # Nobody needs a byte that is written in the cycle in which it is read: a read comes after the write or has been granted
            # before it.
            memory = Memory(shape=8 * geometry.line_bytes, depth=geometry.depth, init=[], attrs=NO_COLLISION)
            m.submodules[f"memory_{bank}_{'odd' if parity else 'even'}"] = memory
            row = Signal(exact_log2(geometry.depth), name=f"read_row_{bank}_{parity}", reset_less=True)
            read = memory.read_port()
            m.d.comb += read.addr.eq(row)
            reads.append(read.data)
            writes.append(memory.write_port(granularity=8))
            rows.append(row)
        self._elaborate_reads(m, geometry, rows, reads)
        self._elaborate_writes(m, geometry, writes)
        return m

    def _elaborate_reads(self, m: Module, geometry: _Geometry, rows: Sequence[Signal], fetched: Sequence[Value]) -> None:
        names = ("matrix_read", "vector_read", "store_read")
        ports = [getattr(self, name) for name in names]
        accesses = [_Access(m, geometry, p.address, len(p.data) // 8, n) for p, n in zip(ports, names, strict=True)]
        asks = _arbitrate(m, ports, accesses, geometry.banks, "read")

        lines: dict[tuple[int, int], Signal] = {}
        for i, (bank, parity) in enumerate(geometry.sub_banks):
            line = Signal(8 * geometry.line_bytes, name=f"line_{bank}_{parity}", reset_less=True)
            matrix, vector, store = (access.row(parity) for access in accesses)
            # A port that asks and is not granted does no harm: the ports after it that need the same are not granted either.
            m.d.sync += [rows[i].eq(Mux(asks[0][i], matrix, Mux(asks[1][i], vector, store))), line.eq(fetched[i])]
            lines[bank, parity] = line

        for port, access, name in zip(ports, accesses, names, strict=True):
            place: Any = access.place
            for stage in range(1, 4):
                later = Signal(geometry.place, name=f"{name}_place_{stage}", reset_less=True)
                m.d.sync += later.eq(place)
                place = later
            bits = 8 * geometry.line_bytes
            first = Signal(bits, name=f"{name}_first", reset_less=True)
            second = Signal(bits, name=f"{name}_second", reset_less=True)
            offset = Signal.like(place.offset, name=f"{name}_offset", reset_less=True)
            content = Signal(len(port.data), name=f"{name}_data", reset_less=True)
            at = Cat(place.parity, place.bank)[: exact_log2(2 * geometry.banks)]
            after = Cat(place.parity, place.next_bank)[: exact_log2(2 * geometry.banks)]
            m.d.sync += [
                first.eq(_select([lines[bank, parity] for bank, parity in geometry.sub_banks], at)),
                second.eq(_select([lines[bank, 1 - parity] for bank, parity in geometry.sub_banks], after)),
            ]
            m.d.sync += [
                offset.eq(place.offset),
                content.eq(_extract_bytes(m, Cat(first, second), offset, len(port.data) // 8, f"{name}_shift")),
            ]
            m.d.comb += port.data.eq(content)

    def _elaborate_writes(self, m: Module, geometry: _Geometry, memory_writes: Sequence[Any]) -> None:
        names = ("vector_write", "load_write")
        ports = [getattr(self, name) for name in names]
        accesses = [_Access(m, geometry, p.address, len(p.data) // 8, n) for p, n in zip(ports, names, strict=True)]
        _arbitrate(m, ports, accesses, geometry.banks, "write")
        line_bytes = geometry.line_bytes

        stages = []  # of each port: sub-banks, rows, masks and data for the memories
        for port, access, name in zip(ports, accesses, names, strict=True):
            place = Signal(geometry.place, name=f"{name}_place_1", reset_less=True)
            granted = Signal(name=f"{name}_granted_1")
            crosses = Signal(name=f"{name}_crosses_1", reset_less=True)
            even_row = Signal.like(access.even_row, name=f"{name}_even_row_1", reset_less=True)
            odd_row = Signal.like(access.odd_row, name=f"{name}_odd_row_1", reset_less=True)
            wanted = Signal(line_bytes, name=f"{name}_wanted_1", reset_less=True)  # a bit for each byte of `content`
            upper = Signal(line_bytes, name=f"{name}_upper_1", reset_less=True)  # bytes that belong to the first line
            content = Signal(8 * line_bytes, name=f"{name}_data_1", reset_less=True)
            m.d.sync += [
                place.eq(access.place),
                granted.eq(port.valid & port.grant),
                crosses.eq(access.crosses),
                even_row.eq(access.even_row),
                odd_row.eq(access.odd_row),
                wanted.eq(Cat(port.count > i for i in range(len(port.data) // 8))),
                upper.eq(Cat(*(access.place.offset <= i for i in range(line_bytes - 1)), 1)),
                content.eq(port.data),
            ]
            mask = _rotate_bytes(m, wanted, place.offset, f"{name}_mask", unit=1)
            rotated = Signal(8 * line_bytes, name=f"{name}_data_2", reset_less=True)
            m.d.sync += rotated.eq(_rotate_bytes(m, content, place.offset, f"{name}_rotate"))
            sub_banks = Signal(2 * geometry.banks, name=f"{name}_sub_banks_1")
            for i, (bank, parity) in enumerate(geometry.sub_banks):
                first = (place.bank == bank) & (place.parity == parity)
                second = (place.next_bank == bank) & (place.parity != parity) & crosses
                m.d.comb += sub_banks[i].eq(granted & (first | second))
            stages.append((sub_banks, place.parity, even_row, odd_row, mask & upper, mask & ~upper, rotated))

        for i, (bank, parity) in enumerate(geometry.sub_banks):
            row = Signal(exact_log2(geometry.depth), name=f"write_row_{bank}_{parity}", reset_less=True)
            enable = Signal(line_bytes, name=f"write_enable_{bank}_{parity}")
            from_load = Signal(name=f"write_from_load_{bank}_{parity}", reset_less=True)
            rows = []
            masks = []
            for sub_banks, first_parity, even_row, odd_row, first_mask, second_mask, _ in stages:
                rows.append(odd_row if parity else even_row)
                masks.append(Mux(sub_banks[i], Mux(first_parity == parity, first_mask, second_mask), 0))
            m.d.sync += [
                from_load.eq(stages[1][0][i]),
                row.eq(Mux(stages[1][0][i], rows[1], rows[0])),
                enable.eq(masks[0] | masks[1]),
            ]
            line = Mux(from_load, stages[1][-1], stages[0][-1])
            write = memory_writes[i]
            m.d.comb += [write.addr.eq(row), write.data.eq(line), write.en.eq(enable)]
