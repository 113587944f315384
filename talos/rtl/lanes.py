"""All requantization lanes: pixels in, bytes out; sub-steps when there are fewer lanes than columns, and the second pass."""

from amaranth import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from talos.config import AcceleratorConfig
from talos.latency import LANE, SET_RELEASE, WINDOW
from talos.rtl.fifo import Fifo
from talos.rtl.issue import arrival_layout
from talos.rtl.lane import SETS, Lane, constants_layout, record_layout, table_write_layout
from talos.rtl.pipeline import delay
from talos.rtl.window import WindowReducer

__all__ = ["LaneGroup", "modes_layout"]

# Residuals of two-pass pixels wait for the second pass. A residual arrives ACT_READ cycles after its read, which is at least one cycle
# after the source read of the pixel before; it is used at most ACT_READ + WINDOW + 1 + LANE cycles after its own pixel's source read; and
# source reads are at least two cycles apart.
_RESIDUALS = (LANE + WINDOW) // 2 + 2


def modes_layout() -> data.StructLayout:
    """What an instruction does, static while its pixels are in the pipeline: source (accumulators, window sums), its passes, and
    which operand of the addition goes through the multiplier: the source (0) or b (1)."""
    return data.StructLayout({"from_accumulator": 1, "sum": 1, "requantize": 1, "add": 1, "swap": 1})


class LaneGroup(wiring.Component):
    """`cols` operands at a time go through `lanes` lanes in `cols / lanes` sub-steps.

    A pixel that is launched in cycle t enters the lanes in cycle t + 1: sub-step i in cycle t + 1 + i, or t + 1 + 2·i if it is
    requantized and then added. In that case each result goes into the lanes again in the cycle in which it comes out. The bytes of the
    pixel are valid in the cycle after the last result of its last sub-step.

    Members
    -------
    arrival
        What `act_data` and `acc_data` are in this cycle.
    modes, constants
        Static while a pixel is in the pipeline.
    release
        The oldest parameter set has been used for the last time.
    record_write, record_index, record, table_write
        Writes into the lanes, from `ParameterFetch`.
    valid, bytes
        A finished pixel's bytes, column 0 first.
    """

    def __init__(self, *, config: AcceleratorConfig) -> None:
        self.config = config
        self.substeps = config.cols // config.lanes
        self.substep_bits = exact_log2(self.substeps)
        super().__init__(
            {
                "arrival": In(arrival_layout()),
                "act_data": In(8 * config.cols),
                "acc_data": In(32 * config.cols),
                "modes": In(modes_layout()),
                "constants": In(constants_layout()),
                "release": Out(1),
                "record_write": In(config.lanes),
                "record_index": In(range(SETS * self.substeps)),
                "record": In(record_layout()),
                "table_write": In(table_write_layout()),
                "valid": Out(1),
                "bytes": Out(8 * config.cols),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, modes = self.config, self.modes
        lanes = config.lanes
        # At least one bit: Verilog has no signals without any.
        tag_layout = data.StructLayout({"valid": 1, "final": 1, "last": 1, "release": 1, "substep": self.substep_bits or 1})

        first_pass = Signal(tag_layout)
        which = Signal(range(SETS), reset_less=True)
        operands = self._elaborate_operands(m, first_pass, which)

        # A tag travels beside the operands; the second pass of an operand begins where its first one ends. What is chosen by that for all
        # lanes is known a cycle ahead.
        again = Signal()
        swapped = Signal()  # the operand is b's
        narrow = Signal(reset_less=True)  # the operand is a code: only its low byte counts
        adding = Signal(reset_less=True)
        entering = Signal(tag_layout)
        line = [data.View(tag_layout, value) for value in delay(m, entering, LANE, "tag", reset=True)]
        finished = line[LANE]
        next_again = line[LANE - 1].valid & ~line[LANE - 1].final
        m.d.comb += entering.eq(first_pass)
        next_swapped = modes.add & modes.swap & (next_again | ~modes.requantize)
        wide = modes.from_accumulator | modes.sum
        m.d.sync += [adding.eq(~modes.requantize), narrow.eq(~wide)]
        if config.residual:
            m.d.sync += [
                again.eq(next_again),
                swapped.eq(next_swapped),
                adding.eq(~modes.requantize | next_again),
                narrow.eq(~wide | next_again | next_swapped),
            ]
            with m.If(again):
                m.d.comb += [entering.eq(finished), entering.final.eq(1), entering.release.eq(0)]
        m.d.comb += self.release.eq(line[SET_RELEASE].valid & line[SET_RELEASE].release)

        residuals = self._elaborate_residuals(m, entering)
        results = []
        for i in range(lanes):
            lane = Lane(config=config)
            m.submodules[f"lane_{i}"] = lane
            value = Signal(8, name=f"value_{i}")
            code = Signal(8, name=f"code_{i}")
            m.d.comb += [
                value.eq(Mux(again, lane.result, operands[i][:8])),
                code.eq(Mux(swapped, residuals[i], value)),
                lane.operand.eq(Cat(code, Mux(narrow, code[7].replicate(24), operands[i][8:]))),
                lane.addend.eq(Mux(modes.swap, value, residuals[i])),
                lane.add.eq(adding),
                lane.set_index.eq(Cat(first_pass.substep[: self.substep_bits], which)),
                lane.constants.eq(self.constants),
                lane.record_write.eq(self.record_write[i]),
                lane.record_index.eq(self.record_index),
                lane.record.eq(self.record),
                lane.table_write.eq(self.table_write),
            ]
            results.append(lane.result)

        gathered = Signal(8 * config.cols, reset_less=True)
        valid = Signal()
        done = finished.valid & finished.final
        with m.If(done):
            m.d.sync += gathered.eq(Cat(gathered, *results)[8 * lanes :])
        m.d.sync += valid.eq(done & finished.last)
        m.d.comb += [self.valid.eq(valid), self.bytes.eq(gathered)]
        return m

    def _elaborate_operands(self, m: Module, tag: data.View, which: Signal) -> list[Signal]:
        """Hold a pixel's operands and offer them to the lanes sub-step by sub-step."""
        config, modes, arrival = self.config, self.modes, self.arrival
        cols, lanes = config.cols, config.lanes
        m.submodules.window = window = WindowReducer(columns=cols, present=config.pool)
        m.d.comb += [
            window.data.eq(self.act_data),
            window.valid.eq(arrival.window),
            window.first.eq(arrival.first),
            window.sum.eq(modes.sum),
        ]

        held = [Signal(signed(32), name=f"held_{c}", reset_less=True) for c in range(cols)]
        active = Signal()
        gap = Signal(reset_less=True)  # the slot in between belongs to second passes
        substep = Signal(self.substep_bits or 1, reset_less=True)
        block_end = Signal(reset_less=True)
        two_pass = Signal()
        m.d.comb += [
            two_pass.eq(modes.requantize & modes.add & config.residual),
            tag.valid.eq(active & ~gap),
            tag.final.eq(~two_pass),
            tag.last.eq(substep == self.substeps - 1),
            tag.release.eq(block_end & tag.last),
            tag.substep.eq(substep),
        ]
        with m.If(active):
            m.d.sync += gap.eq(~gap & two_pass)
        with m.If(tag.valid):
            m.d.sync += [substep.eq(Mux(tag.last, 0, substep + 1)), active.eq(~tag.last)]
            m.d.sync += [held[c].eq(held[c + lanes]) for c in range(cols - lanes)]
        with m.If(arrival.launch):
            m.d.sync += [active.eq(1), gap.eq(0), substep.eq(0), block_end.eq(arrival.block_end), which.eq(arrival.set)]
            acc = data.View(data.ArrayLayout(signed(32), cols), self.acc_data)
            m.d.sync += [held[c].eq(Mux(modes.from_accumulator, acc[c], window.values[c])) for c in range(cols)]
        return held[:lanes]

    def _elaborate_residuals(self, m: Module, tag: data.View) -> list[Signal]:
        """The bytes of b for the operands whose tag is `tag`, one for each lane."""
        config = self.config
        lanes = config.lanes
        if not config.residual:
            return [Signal(8, name=f"no_residual_{i}") for i in range(lanes)]
        m.submodules.residuals = residuals = Fifo(shape=unsigned(8 * config.cols), depth=_RESIDUALS)
        m.d.comb += [
            residuals.i.valid.eq(self.arrival.residual),
            residuals.i.payload.eq(self.act_data),
            residuals.o.ready.eq(tag.valid & tag.final & tag.last & self.modes.add),
        ]
        part = residuals.o.payload.word_select(tag.substep[: self.substep_bits], 8 * lanes)
        return [part.word_select(i, 8) for i in range(lanes)]
