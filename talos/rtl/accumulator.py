"""The accumulators: two halves of 32-bit sums, filled by read-modify-write and drained by the vector unit."""

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In

from talos.config import AcceleratorConfig
from talos.rtl.memories import NO_COLLISION
from talos.rtl.unit import ReadPort

__all__ = ["ACC_ADDRESS", "Accumulator"]

ACC_ADDRESS = 16
"""Bits of an accumulator address in instructions; bits above the depth are ignored."""


class Accumulator(wiring.Component):
    """`config.accumulator_depth` entries of cols × int32; the top address bit names the half, a memory with one read and one
    write port.

    An access in cycle t is announced in t - 1, so that all who are refused by it see registers. It reads its entry (unless it
    overwrites), the sums come in t + ACC_SUMS, and the entry is written
    at the end of cycle t + RMW. An entry must not be accessed again before that. A drain read is granted unless
    an access reads the same half in that cycle; its data are on the port ACC_READ cycles later (all in
    `talos.latency`).

    Parameters
    ----------
    config : cols and accumulator_depth.

    Members
    -------
    i_valid, i_address, i_overwrite : In
        The access of the next cycle: entry, and whether the sums replace it or are added to it (modulo 2^32).
    i_sums : In(array of cols × signed(config.psum_width))
    drain : In(ReadPort of cols × 4 bytes)
        Byte 4·c is the lowest of column c.
    """

    def __init__(self, *, config: AcceleratorConfig) -> None:
        self.config = config
        self.address_width = (config.accumulator_depth - 1).bit_length()
        super().__init__(
            {
                "i_valid": In(1),
                "i_address": In(self.address_width),
                "i_overwrite": In(1),
                "i_sums": In(data.ArrayLayout(signed(config.psum_width), config.cols)),
                "drain": In(ReadPort(4 * config.cols, ACC_ADDRESS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cols = self.config.cols
        entry = data.ArrayLayout(signed(32), cols)
        top = self.address_width - 1
        memories = [
            Memory(shape=unsigned(32 * cols), depth=self.config.half_depth, init=[], attrs=NO_COLLISION) for _ in range(2)
        ]

        # Stage i holds the access of i cycles ago.
        valid = [Signal(name=f"valid_{i}") for i in range(4)]
        address = [Signal(self.address_width, name=f"address_{i}", reset_less=True) for i in range(4)]
        overwrite = [Signal(name=f"overwrite_{i}", reset_less=True) for i in range(3)]
        reads_half = Signal(2)  # the access reads this half in this cycle
        reads = self.i_valid & ~self.i_overwrite
        m.d.sync += [
            *(register.eq(value) for register, value in zip(valid, [self.i_valid, *valid[:-1]], strict=True)),
            *(register.eq(value) for register, value in zip(address, [self.i_address, *address[:-1]], strict=True)),
            *(register.eq(value) for register, value in zip(overwrite, [self.i_overwrite, *overwrite[:-1]], strict=True)),
            reads_half.eq(Cat(reads & ~self.i_address[top], reads & self.i_address[top])),
        ]

        drain_half = self.drain.address[top]
        read_data = []
        updated = Signal(entry, reset_less=True)
        for half, memory in enumerate(memories):
            m.submodules[f"half_{half}"] = memory
            read = memory.read_port()
            write = memory.write_port()
            output = Signal(32 * cols, name=f"output_{half}", reset_less=True)
            m.d.comb += [
                read.addr.eq(Mux(reads_half[half], address[0][:top], self.drain.address[:top])),
                write.addr.eq(address[3][:top]),
                write.data.eq(Value.cast(updated)),
                write.en.eq(valid[3] & (address[3][top] == half)),
            ]
            m.d.sync += output.eq(read.data)
            read_data.append(output)

        for c in range(cols):
            lane = slice(32 * c, 32 * c + 32)
            held = Mux(address[2][top], read_data[1][lane], read_data[0][lane])
            m.d.sync += updated[c].eq(Mux(overwrite[2], 0, held).as_signed() + self.i_sums[c])

        from_half = [Signal(name=f"from_half_{i}", reset_less=True) for i in range(2)]
        drained = Signal(32 * cols, reset_less=True)
        m.d.comb += [self.drain.grant.eq(~reads_half.bit_select(drain_half, 1)), self.drain.data.eq(drained)]
        m.d.sync += [
            from_half[0].eq(drain_half),
            from_half[1].eq(from_half[0]),
            drained.eq(Mux(from_half[1], read_data[1], read_data[0])),
        ]
        return m
