"""The reading side of the vector unit: which accumulators and which bytes to ask for, in which cycle."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.isa import Opcode, Source
from talos.latency import ACC_READ, ACT_READ
from talos.rtl.lane import SETS
from talos.rtl.layouts import instruction_layout
from talos.rtl.pipeline import delay
from talos.rtl.pixelnest import pixel_nest
from talos.rtl.unit import ReadPort

__all__ = ["PixelIssue", "arrival_layout"]


def arrival_layout() -> data.StructLayout:
    """What the data on a read port are in this cycle.

    `residual`: bytes of b. `window`: bytes of a window; `first` of it. `launch`: the last data of a pixel's source, which will be
    requantized with the records of `set`; `block_end`: the last pixel that uses them.
    """
    return data.StructLayout({"residual": 1, "window": 1, "first": 1, "launch": 1, "set": range(SETS), "block_end": 1})


class PixelIssue(wiring.Component):
    """Issues the reads of one VECTOR instruction: for each pixel first b (if it is added), then the source.

    The last read of a pixel's source waits until the pixel before it has had its slots in the lanes: `cols / lanes` cycles, twice as
    many with a requantization before the addition. Then it also waits for an even cycle (counted from `load`), so that second passes,
    an odd number of cycles later, never meet first ones. And it waits for the block's parameters.

    Members
    -------
    load, instruction
        Take an instruction; its first read is in the next cycle at the earliest.
    act_read, acc_read
        Read ports of the activation memory and the accumulators.
    ready, take
        The block's parameters can be used; they are used for the last time.
    stall
        A read is refused in this cycle.
    end
        The instruction's last read is granted in this cycle.
    arrival
        What arrives from the memory of the instruction's source; `residual` always belongs to `act_read.data`.
    """

    def __init__(self, *, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "load": In(1),
                "instruction": In(instruction_layout(Opcode.VECTOR)),
                "act_read": Out(ReadPort(config.cols)),
                "acc_read": Out(ReadPort(4 * config.cols, 16)),
                "ready": In(1),
                "take": Out(1),
                "stall": Out(1),
                "end": Out(1),
                "arrival": Out(arrival_layout()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, fields = self.config, self.instruction
        substeps = config.cols // config.lanes

        active = Signal()
        from_accumulator = Signal(reset_less=True)
        requantize = Signal(reset_less=True)
        add = Signal(reset_less=True)
        residual = Signal()  # b of this pixel is still to be read
        acc = Signal(16, reset_less=True)
        odd = Signal(reset_less=True)
        slots = Signal(range(2 * substeps), reset_less=True)  # cycles until the lanes are free again
        which = Signal(range(SETS))

        # Accumulators have no windows; their instructions use the nest for its counts.
        window = (fields.source != Source.ACCUMULATOR) if config.pool else None
        nest = pixel_nest(m, "source_nest", config, fields, "a", window=window)
        m.d.comb += nest.load.eq(self.load)
        window_levels = nest.levels - 3
        window_first = nest.firsts[:window_levels].all()
        window_last = nest.lasts[:window_levels].all()

        two_pass = requantize & add
        free = Signal()
        m.d.comb += free.eq((slots == 0) & ~(two_pass & odd) & (self.ready | ~requantize))

        acc_valid = active & from_accumulator & ~residual & free
        act_valid = active & (residual | (~from_accumulator & (free | ~window_last)))
        got_source = Signal()
        launch = Signal()
        m.d.comb += [
            self.acc_read.valid.eq(acc_valid),
            self.acc_read.address.eq(acc),
            self.act_read.valid.eq(act_valid),
            self.act_read.address.eq(nest.address),
            got_source.eq(Mux(from_accumulator, acc_valid & self.acc_read.grant, act_valid & self.act_read.grant & ~residual)),
            launch.eq(got_source & window_last),
            nest.step.eq(got_source),
            self.end.eq(got_source & nest.last),
            self.stall.eq((acc_valid & ~self.acc_read.grant) | (act_valid & ~self.act_read.grant)),
        ]
        block_end = launch & nest.lasts[: nest.levels - 1].all() & requantize
        m.d.comb += self.take.eq(block_end)

        m.d.sync += odd.eq(~odd)
        with m.If(slots != 0):
            m.d.sync += slots.eq(slots - 1)
        with m.If(launch):
            m.d.sync += [acc.eq(acc + 1), slots.eq(Mux(two_pass, 2 * substeps - 1, substeps - 1))]
        with m.If(block_end):
            m.d.sync += which.eq(which + 1)
        with m.If(self.end):
            m.d.sync += active.eq(0)

        got_residual = Signal()
        if config.residual:
            self._elaborate_residual(m, residual, got_residual, launch, add)
        with m.If(self.load):
            m.d.sync += [
                active.eq(1),
                from_accumulator.eq(fields.source == Source.ACCUMULATOR),
                requantize.eq(fields.requantize),
                acc.eq(fields.acc),
                odd.eq(0),
                slots.eq(0),
            ]

        tag = Signal(arrival_layout())
        m.d.comb += [
            tag.residual.eq(got_residual),
            tag.window.eq(got_source),
            tag.first.eq(window_first),
            tag.launch.eq(launch),
            tag.set.eq(which),
            tag.block_end.eq(block_end),
        ]
        line = delay(m, tag, max(ACT_READ, ACC_READ), "tag", reset=True)
        m.d.comb += [
            self.arrival.eq(Mux(from_accumulator, line[ACC_READ], line[ACT_READ])),
            self.arrival.residual.eq(data.View(arrival_layout(), line[ACT_READ]).residual),
        ]
        return m

    def _elaborate_residual(self, m: Module, residual: Signal, got: Signal, launch: Signal, add: Signal) -> None:
        """b of a pixel is read before its source."""
        fields = self.instruction
        nest = pixel_nest(m, "residual_nest", self.config, fields, "b")
        m.d.comb += [nest.load.eq(self.load), got.eq(self.act_read.valid & residual & self.act_read.grant), nest.step.eq(got)]
        with m.If(residual):
            m.d.comb += self.act_read.address.eq(nest.address)
        with m.If(got):
            m.d.sync += residual.eq(0)
        with m.If(launch):
            m.d.sync += residual.eq(add & ~self.end)
        with m.If(self.load):
            m.d.sync += [residual.eq(fields.add), add.eq(fields.add)]
