"""Parameter memory, and the sequencer that brings records and tables from there to the lanes."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.isa import TableKind
from talos.latency import RECORD_DELAY
from talos.parameters import CODES, RECORD_BYTES
from talos.rtl.lane import SETS, record_layout, table_write_layout
from talos.rtl.memories import NO_COLLISION
from talos.rtl.pipeline import delay
from talos.rtl.tables import ENTRY_WIDTH

__all__ = ["ParameterFetch", "ParameterMemory"]

_GROUP = 8 * RECORD_BYTES


class ParameterMemory(wiring.Component):
    """`parameter_bytes` of memory, written in beats and read in groups of 8 bytes.

    Members
    -------
    write, write_address, write_data
        Write beat number `write_address` at the end of this cycle.
    address
        In units of 8 bytes; wraps at the memory's size.
    group
        The 8 bytes at the `address` of RECORD_DELAY cycles ago.
    """

    def __init__(self, *, config: AcceleratorConfig) -> None:
        self.config = config
        self.word_bytes = max(config.beat_bytes, RECORD_BYTES)
        super().__init__(
            {
                "write": In(1),
                "write_address": In(range(config.parameter_bytes // config.beat_bytes)),
                "write_data": In(config.axi_data_width),
                "address": In(range(config.parameter_bytes // RECORD_BYTES)),
                "group": Out(_GROUP),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self.config.axi_data_width
        beats = self.word_bytes // self.config.beat_bytes  # of a word: more than one with beats below 8 bytes
        groups = self.word_bytes // RECORD_BYTES
        m.submodules.words = memory = Memory(
            shape=unsigned(8 * self.word_bytes), depth=self.config.parameter_bytes // self.word_bytes, init=[], attrs=NO_COLLISION
        )
        write = memory.write_port(granularity=width)
        beat_bits, group_bits = exact_log2(beats), exact_log2(groups)
        m.d.comb += [
            write.addr.eq(self.write_address[beat_bits:]),
            write.data.eq(self.write_data.replicate(beats)),
            write.en.eq(self.write << self.write_address[:beat_bits]),
        ]

        read = memory.read_port()
        word = Signal(8 * self.word_bytes, reset_less=True)
        group = Signal(_GROUP, reset_less=True)
        select = delay(m, self.address[:group_bits], 2, "select")[2] if group_bits else 0
        m.d.comb += [read.addr.eq(self.address[group_bits:]), read.en.eq(1), self.group.eq(group)]
        m.d.sync += [word.eq(read.data), group.eq(word.word_select(select, _GROUP))]
        return m


def _counted(level: Value, up: Value, down: Value) -> Value:
    """The next value of a count in thermometer code (bit i: more than i), which nothing takes beyond its ends."""
    return Mux(up & ~down, Cat(Const(1, 1), level)[: len(level)], Mux(down & ~up, level[1:], level))


class ParameterFetch(wiring.Component):
    """Reads the records of a VECTOR instruction's blocks into the lanes' free parameter sets, one record per cycle, or a table into
    all lanes, one entry per cycle.

    Members
    -------
    follow, records, table
        Start: with `records` (and `follow`) fetch `blocks` + 1 blocks of records, with `table` the table of `kind`, from `param` (units of
        8 bytes) on. The first read is in the next cycle. Not while the last start's work is unfinished, which holds for `follow` too:
        it takes `param` and `blocks` before it is known whether this is a start.
    ready, ready_after
        The block of the next pixel has its records, or will have them in time for a pixel issued in the next cycle: without and with
        `take` in this cycle.
    take
        The last pixel of a block is issued in this cycle.
    release
        The oldest set is not used any more.
    record_write (one bit per lane), record_index, record; table_write
        Writes into the lanes.
    table_done
        The last table entry is written in this cycle.
    """

    def __init__(self, *, config: AcceleratorConfig) -> None:
        self.config = config
        self.substeps = config.cols // config.lanes
        super().__init__(
            {
                "follow": In(1),
                "records": In(1),
                "table": In(1),
                "kind": In(1),
                "param": In(14),
                "blocks": In(10),
                "ready": Out(1),
                "ready_after": Out(1),
                "take": In(1),
                "release": In(1),
                "record_write": Out(config.lanes),
                "record_index": Out(range(SETS * self.substeps)),
                "record": Out(record_layout()),
                "table_write": Out(table_write_layout()),
                "table_done": Out(1),
                "write": In(1),
                "write_address": In(range(config.parameter_bytes // config.beat_bytes)),
                "write_data": In(config.axi_data_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = ParameterMemory(config=self.config)
        m.d.comb += [
            memory.write.eq(self.write),
            memory.write_address.eq(self.write_address),
            memory.write_data.eq(self.write_data),
        ]
        address = Signal(14, reset_less=True)
        m.d.comb += memory.address.eq(address)
        self._elaborate_records(m, address, memory.group)
        self._elaborate_table(m, address, memory.group)
        return m

    def _elaborate_records(self, m: Module, address: Signal, group: Signal) -> None:
        cols, lanes = self.config.cols, self.config.lanes
        active = Signal()
        blocks = Signal(10, reset_less=True)
        column = Signal(range(cols))
        at_last = Signal()  # column == cols - 1; there are two at least
        last = Signal()
        which = Signal(range(SETS))
        free = Signal(
            SETS, init=(1 << SETS) - 1
        )  # bit i: more than i sets are free, hold the records of a block that is still to be taken
        ready = Signal(SETS)
        request = Signal()
        m.d.comb += [
            request.eq(active & free[0]),
            last.eq(request & at_last),
            self.ready.eq(ready[0] | last),
            self.ready_after.eq(ready[1] | (ready[0] & last)),
        ]
        m.d.sync += [free.eq(_counted(free, self.release, last)), ready.eq(_counted(ready, last, self.take))]
        with m.If(request):
            m.d.sync += [address.eq(address + 1), column.eq(column + 1), at_last.eq(column == cols - 2)]
        with m.If(last):
            m.d.sync += [which.eq(which + 1), blocks.eq(blocks - 1), active.eq(blocks != 0)]
        with m.If(self.follow):
            m.d.sync += [active.eq(self.records), blocks.eq(self.blocks)]
        with m.If(self.follow | self.table):
            m.d.sync += address.eq(self.param)

        lane_bits = exact_log2(lanes)
        lane = delay(m, Mux(request, 1 << column[:lane_bits], 0)[:lanes], RECORD_DELAY, "lane", reset=True)[-1]
        index = delay(m, Cat(column[lane_bits:], which), RECORD_DELAY, "index")[-1]
        m.d.comb += [self.record_write.eq(lane), self.record_index.eq(index), self.record.eq(group)]

    def _elaborate_table(self, m: Module, address: Signal, group: Signal) -> None:
        active = Signal()
        kind = Signal(TableKind, reset_less=True)
        index = Signal(range(CODES))
        group_end = Signal()  # 8 codes of one byte or 2 of four in a group
        m.d.comb += group_end.eq(Mux(kind == TableKind.LOOKUP, index[:3].all(), index[0]))
        with m.If(active):
            m.d.sync += index.eq(index + 1)
            with m.If(group_end):
                m.d.sync += address.eq(address + 1)
            with m.If(index == CODES - 1):
                m.d.sync += active.eq(0)
        with m.If(self.table):
            m.d.sync += [active.eq(1), kind.eq(self.kind)]

        arriving = delay(m, active, RECORD_DELAY + 1, "table_active", reset=True)[-1]
        indices = delay(m, index, RECORD_DELAY + 1, "table_index")
        entry = Signal(ENTRY_WIDTH, reset_less=True)
        position = indices[RECORD_DELAY]
        words = data.View(data.ArrayLayout(32, 2), group)
        m.d.sync += entry.eq(Mux(kind == TableKind.LOOKUP, group.word_select(position[:3], 8), words[position[0]]))
        m.d.comb += [
            self.table_write.lookup.eq(arriving & (kind == TableKind.LOOKUP)),
            self.table_write.add.eq(arriving & (kind == TableKind.ADD)),
            self.table_write.index.eq(indices[-1]),
            self.table_write.entry.eq(entry),
            self.table_done.eq(delay(m, active & (index == CODES - 1), RECORD_DELAY + 1, "table_last", reset=True)[-1]),
        ]
