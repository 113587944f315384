"""The matrix unit: loop nest and weight loading in front of the systolic array and the accumulators."""

from itertools import pairwise

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.isa import ADDRESS, INSTRUCTIONS, Opcode, Unit
from talos.latency import ACC_SUMS, ACT_READ, RMW, array_latency
from talos.rtl.accumulator import ACC_ADDRESS, Accumulator
from talos.rtl.array import SystolicArray
from talos.rtl.layouts import instruction_view
from talos.rtl.loopnest import LoopNest, count_flags
from talos.rtl.unit import ReadPort, unit_ports

__all__ = ["COUNTS", "MatrixUnit", "decode_counts"]

# Loops of a MATMUL, innermost first: count field and stride field.
_LOOPS = (
    ("out_w", "pixel_stride"),
    ("out_h", "row_stride"),
    ("slices", "slice_stride"),
    ("taps_w", "tap_w_stride"),
    ("taps_h", "tap_h_stride"),
    ("blocks", "block_stride"),
)
_PIXEL_LOOPS = slice(0, 2)  # the pixels of one weight tile
_TILE_LOOPS = slice(2, 5)  # the weight tiles that are summed into one block


COUNTS = data.StructLayout(
    {"ones": len(_LOOPS), "twos": len(_LOOPS), **{f"few_{n}": RMW for n in ("columns", "rows")}, "warmup": 1}
)


def decode_counts(payload: Value) -> data.View:
    """What the unit wants to know about a MATMUL's counts when it begins: the loop nest's flags; bit i of `few_columns` and
    `few_rows`: an output has i + 1 of them; `warmup` is not 0."""
    head = instruction_view(Opcode.MATMUL, payload)
    ones, twos = count_flags([head[count] for count, _ in _LOOPS])
    few = [Cat(head[name] == i for i in range(RMW)) for name in ("out_w", "out_h")]
    return data.View(COUNTS, Cat(ones, twos, *few, head.warmup != 0))


class MatrixUnit(wiring.Component):
    """Executes MATMUL; see `docs/microarchitecture.md` for the contract and `talos.model.timing.matrix` for the same in cycles.

    The first pixel of a tile is issued when all words of its weights were injected in earlier cycles; injection of the next
    tile may begin in that very cycle. What is issued or injected in cycle t enters the array in cycle t + ACT_READ.

    An entry must not be read less than RMW + 1 cycles after the issue that wrote it. An instruction with `accumulate` may read
    at once what the one before left last, so its first pixel waits until RMW cycles have passed without an issue. Within an
    instruction entries are read again one tile later: the first pixel of a tile of P pixels waits until RMW + 1 − P cycles have
    passed without an issue, which is always so (rows > RMW) unless reads of the activation memory were refused.

    The first `warmup` vectors of each output row of a depthwise instruction are issued like any other, but have no entry. "r pixels
    back" is r cycles back in the array, so within an output row no read may be refused: the activation memory never does.

    Parameters
    ----------
    config : rows, cols, accumulator_depth, depthwise.

    Members
    -------
    instr … idle
        See `talos.rtl.unit.unit_ports`.
    counts : In
        `decode_counts(instr.payload)`, made when the instruction entered the queue.
    act : Out(ReadPort of config.matrix_bytes bytes)
        Activation memory; data ACT_READ cycles after the grant. Byte k goes to row k, and in a depthwise instruction to column k.
    weights : In(stream of cols × 8 bits)
        Weight words, one array row each, row 0 of a tile first; bits 8·c + 7 … 8·c go to column c.
    acc_read : In(ReadPort of cols × 4 bytes)
        The vector unit's read of the accumulators; data ACC_READ cycles after the grant.
    """

    def __init__(self, *, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                **unit_ports(Unit.MATRIX),
                "counts": In(COUNTS),
                "act": Out(ReadPort(config.matrix_bytes)),
                "weights": In(stream.Signature(8 * config.cols)),
                "acc_read": In(ReadPort(4 * config.cols, ACC_ADDRESS)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        head = instruction_view(Opcode.MATMUL, self.instr.payload)
        width = {field.name: field.width for field in INSTRUCTIONS[Opcode.MATMUL].body}

        m.submodules.nest = nest = LoopNest(
            address_width=ADDRESS,
            count_widths=[width[count] for count, _ in _LOOPS],
            stride_widths=[width[stride] for _, stride in _LOOPS],
        )
        m.submodules.array = array = SystolicArray(config=config)
        m.submodules.accumulator = accumulator = Accumulator(config=config)

        # Issue of pixels. Whether one is asked for is decided a cycle ahead, out of registers.
        active = Signal()
        free = Signal()
        asks = Signal()
        waits = Signal(init=1)  # ~asks, in a register of its own: both have many readers, one in the activation memory, one here
        next_asks = Signal()
        issue = Signal()
        tile_first = Signal(reset_less=True)  # the current pixel is the first of its tile
        tile_last = nest.lasts[_PIXEL_LOOPS].all()
        full = Signal()  # all words of the next tile are injected
        next_active = Signal()
        next_tile_first = Signal()
        next_full = Signal()
        recent = Signal(RMW)  # issues of the last cycles, the latest in bit 0
        guard = Signal(RMW)  # those that the first pixel of a tile must not follow
        tile_guard = Signal(RMW, reset_less=True)  # the same after the instruction's first pixel
        blocked = Signal()  # in the next cycle: (guard & recent) != 0
        m.d.comb += [
            self.act.address.eq(nest.address),
            self.act.valid.eq(asks),
            issue.eq(~waits & self.act.grant),
            next_asks.eq(next_active & (~next_tile_first | (next_full & ~blocked))),
            next_active.eq(self.start | (active & ~(issue & nest.last))),
            next_tile_first.eq(free | Mux(issue, tile_last, tile_first)),
            # Where the unit becomes free: an issue in this cycle, or not.
            blocked.eq(
                Mux(
                    free,
                    head.accumulate & (active | recent[: RMW - 1].any()),
                    Mux(issue, (tile_guard & Cat(1, recent)).any(), (guard & Cat(0, recent)).any()),
                )
            ),
        ]
        m.d.sync += [
            active.eq(next_active),
            tile_first.eq(next_tile_first),
            full.eq(next_full),
            asks.eq(next_asks),
            waits.eq(~next_asks),
            recent.eq(Cat(issue, recent)),
        ]
        with m.If(free):
            m.d.sync += guard.eq(head.accumulate.replicate(RMW))
        with m.Elif(issue):
            m.d.sync += guard.eq(tile_guard)

        # Acceptance of instructions, in the cycle of the last pixel at the earliest. All but `active` take the queue's head whenever they
        # are free, so that the semaphores, which come late in the cycle, decide about few registers; what the last pixel does not need
        # takes it from that pixel's first cycle on.
        accumulate = Signal(reset_less=True)
        post = Signal.like(head.post, reset_less=True)
        m.d.comb += [
            free.eq(~active | (issue & nest.last)),
            self.start.eq(self.instr.valid & self.sync_ready & free),
            self.instr.ready.eq(self.start),
            self.wait.eq(Mux(self.instr.valid, head.wait, 0)),
            nest.load.eq(free),
            nest.follow.eq(~active | nest.last),
            nest.ones.eq(self.counts.ones),
            nest.twos.eq(self.counts.twos),
            nest.step.eq(issue),
            nest.base.eq(head.act),
        ]
        for i, (count, stride) in enumerate(_LOOPS):
            m.d.comb += [getattr(nest, f"count_{i}").eq(head[count]), getattr(nest, f"stride_{i}").eq(head[stride])]
        with m.If(free):
            m.d.sync += [accumulate.eq(head.accumulate), post.eq(head.post)]
        columns, rows = self.counts.few_columns, self.counts.few_rows
        with m.If(nest.follow):
            for pixels in range(1, RMW + 1):  # at most so many in a tile; a prime number of them is one row or one column
                m.d.sync += tile_guard[RMW - pixels].eq((rows[0] & columns[:pixels].any()) | (columns[0] & rows[:pixels].any()))

        # Depthwise: the vectors of an output row that only fill the filter.
        outputs: Value = issue  # the vector issued has an accumulator entry
        if config.depthwise:
            down = Signal(reset_less=True)
            warmup = Signal.like(head.warmup, reset_less=True)
            warm_left = Signal.like(head.warmup, reset_less=True)
            warming = Signal(reset_less=True)  # warm_left != 0
            outputs = issue & ~warming
            with m.If(free):
                m.d.sync += [
                    down.eq(head.depthwise),
                    warmup.eq(head.warmup),
                    warm_left.eq(head.warmup),
                    warming.eq(self.counts.warmup),
                ]
            with m.Elif(issue):
                with m.If(nest.lasts[0]):
                    m.d.sync += [warm_left.eq(warmup), warming.eq(warmup != 0)]
                with m.Elif(warming):
                    m.d.sync += [warm_left.eq(warm_left - 1), warming.eq(warm_left != 1)]

        # Accumulator entry of the pixel: each tile of a block begins again at the block's first entry.
        entry = Signal(accumulator.address_width, reset_less=True)
        block_entry = Signal(accumulator.address_width, reset_less=True)
        with m.If(free):
            m.d.sync += [entry.eq(head.acc), block_entry.eq(head.acc)]
        with m.Elif(outputs):
            with m.If(tile_last & ~nest.lasts[_TILE_LOOPS].all()):
                m.d.sync += entry.eq(block_entry)
            with m.Else():
                m.d.sync += entry.eq(entry + 1)
                with m.If(tile_last):
                    m.d.sync += block_entry.eq(entry + 1)

        # Injection of weights.
        slot = Signal(range(config.rows))
        slot_last = Signal()
        inject = Signal()
        switch = Signal()
        m.d.comb += [
            switch.eq(issue & tile_first),
            self.weights.ready.eq(~full | switch),
            inject.eq(self.weights.valid & self.weights.ready),
            next_full.eq(Mux(self.weights.ready, self.weights.valid & slot_last, 1)),
        ]
        with m.If(inject):
            m.d.sync += [slot.eq(slot + 1), slot_last.eq(slot == config.rows - 2)]  # rows is a power of two

        # Into the array: weights and control wait as long as the activations are under way.
        injection = data.StructLayout({"switch": 1, "strobe": 1, "slot": range(config.rows), "word": 8 * config.cols})
        stages = [Signal(injection, name=f"injection_{i}", reset_less=True) for i in range(ACT_READ - 1)]
        m.d.sync += [
            stages[0].eq(Cat(switch, inject, slot, self.weights.payload)),
            *(stage.eq(before) for before, stage in pairwise(stages)),
        ]
        strobes = Signal(config.rows, reset_less=True)
        switch_in = Signal(reset_less=True)
        word_in = Signal(8 * config.cols, reset_less=True)
        m.d.sync += [
            strobes.eq(Mux(stages[-1].strobe, 1 << stages[-1].slot, 0)),
            switch_in.eq(stages[-1].switch),
            word_in.eq(stages[-1].word),
        ]
        m.d.comb += [
            Value.cast(array.i_acts).eq(self.act.data),
            array.i_switch.eq(switch_in),
            array.i_strobes.eq(strobes),
            Value.cast(array.i_weights).eq(word_in),
        ]

        if config.depthwise:
            down_line = Signal(ACT_READ, reset_less=True)
            m.d.sync += down_line.eq(Cat(down, down_line))
            m.d.comb += array.i_down.eq(down_line[-1])

        # Behind the array: the control that belongs to each vector arrives with its sums.
        depth = ACT_READ + array_latency(config) - ACC_SUMS  # the accumulator is told a cycle before
        overwrite = ~accumulate & nest.firsts[_TILE_LOOPS].all()
        access = Cat(entry, overwrite)
        line = Signal((depth - 1) * len(access), reset_less=True)
        ending = Cat(nest.last, post)
        end_line = Signal((depth + RMW) * len(ending), reset_less=True)
        valid_line = Signal(depth + RMW)
        m.d.sync += [
            line.eq(Cat(access, line)),
            end_line.eq(Cat(ending, end_line)),
            valid_line.eq(Cat(outputs, valid_line)),
        ]
        m.d.comb += [
            Cat(accumulator.i_address, accumulator.i_overwrite).eq(line[-len(access) :]),
            accumulator.i_valid.eq(valid_line[depth - 2]),
            accumulator.i_sums.eq(array.o_sums),
            self.done.eq(valid_line[-1] & end_line[-len(ending)]),
            self.post.eq(end_line[-len(ending) + 1 :]),
        ]
        wiring.connect(m, wiring.flipped(self.acc_read), accumulator.drain)

        # Status. `draining` counts down to the cycle after the last write.
        draining = Signal(range(depth + RMW + 1))
        with m.If(issue):
            m.d.sync += draining.eq(depth + RMW)
        with m.Elif(draining != 0):
            m.d.sync += draining.eq(draining - 1)
        m.d.comb += [
            self.busy.eq(issue),
            self.stall.eq(active & ~issue),
            self.sync.eq(~active & self.instr.valid & ~self.sync_ready),
            self.idle.eq(~active & (draining == 0)),
        ]
        return m
