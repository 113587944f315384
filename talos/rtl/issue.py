"""The reading side of the vector unit: which accumulators and which bytes to ask for, in which cycle."""

from amaranth import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.isa import ADDRESS, Opcode, Source
from talos.latency import ACC_READ, ACT_READ, WINDOW
from talos.rtl.lane import SETS
from talos.rtl.layouts import instruction_layout
from talos.rtl.pipeline import delay
from talos.rtl.pixelnest import PIXEL_FLAGS, pixel_nest
from talos.rtl.unit import ReadPort

__all__ = ["PixelIssue", "arrival_layout"]


def arrival_layout() -> data.StructLayout:
    """What the data on the read ports are in this cycle.

    `residual`: bytes of b. `window`: bytes of a window; `first` of it. `launch`: the entry that is on the accumulators' port, or the
    window whose last bytes were on the other port WINDOW cycles ago, is a pixel's source, which will be requantized with the records of
    `set`; `block_end`: the last pixel that uses them.
    """
    return data.StructLayout({"residual": 1, "window": 1, "first": 1, "launch": 1, "set": range(SETS), "block_end": 1})


def _request_layout() -> data.StructLayout:
    """A read to be asked for. `source`, `residual`: of the source or of b; `first`, `last`: of a pixel's source; `block_end`: the last
    one that uses the block's parameters; `end`: the instruction's last one."""
    return data.StructLayout({"address": ADDRESS, "source": 1, "residual": 1, "first": 1, "last": 1, "block_end": 1, "end": 1})


class PixelIssue(wiring.Component):
    """Issues the reads of one VECTOR instruction: for each pixel first b (if it is added), then the source.

    The last read of a pixel's source waits until the pixel before it has had its slots in the lanes: `cols / lanes` cycles, twice as
    many with a requantization before the addition. Then it also waits for an even cycle (counted from `load`), so that second passes,
    an odd number of cycles later, never meet first ones. And it waits for the block's parameters.

    ::

        nests ─► second ─► head ─► act_read, acc_read
                 (made ahead)      valid: a register

    A grant comes late in its cycle. So the requests are made two ahead of it, and whether the head may be asked for in the next cycle is
    known for both answers before the grant chooses. An empty head advances as a granted one does, and its flags are 0: so that nothing
    has to look at whether there is one after the grant.

    Members
    -------
    prepare, instruction, flags
        Take an instruction and its `pixel_flags`, which must stay there until `end`; not while one is being issued. In the cycle after, at the earliest, comes
    load
        from where on its reads are asked for: the first one in the next cycle at the earliest.
    act_read, acc_read
        Read ports of the activation memory and the accumulators.
    ready, ready_after, take
        The parameters of the next pixel's block can be used from the next cycle on: if no block is taken in this cycle, and if one is.
        Those of a block are used for the last time.
    stall
        A read is refused in this cycle.
    end
        The instruction's last read is granted in this cycle.
    arrival
        What arrives from the memories; a register.
    """

    def __init__(self, *, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "prepare": In(1),
                "load": In(1),
                "instruction": In(instruction_layout(Opcode.VECTOR)),
                "flags": In(PIXEL_FLAGS),
                "act_read": Out(ReadPort(config.cols)),
                "acc_read": Out(ReadPort(4 * config.cols, 16)),
                "ready": In(1),
                "ready_after": In(1),
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

        # Static while the instruction is issued.
        from_accumulator = Signal(reset_less=True)
        requantize = Signal(reset_less=True)
        two_pass = Signal(reset_less=True)
        with m.If(self.prepare):
            m.d.sync += [
                from_accumulator.eq(fields.source == Source.ACCUMULATOR),
                requantize.eq(fields.requantize),
                two_pass.eq(fields.requantize & fields.add & config.residual),
            ]

        # Requests, two ahead.
        made = Signal(_request_layout())
        push = Signal()
        head = Signal(_request_layout())
        second = Signal(_request_layout(), reset_less=True)
        empty = Signal(init=1)  # there is no head
        second_valid = Signal()
        room = Signal(init=1)  # ~second_valid, in a register of its own: both have many readers
        next_second_valid = Signal()
        self._elaborate_requests(m, made, push, room, requantize)

        asks_act = Signal()
        asks_acc = Signal()
        advance = Signal()  # the head is granted, or there is none
        launch = Signal()
        m.d.comb += [
            self.act_read.valid.eq(asks_act),
            self.act_read.address.eq(head.address),
            self.acc_read.valid.eq(asks_acc),
            advance.eq((asks_act & self.act_read.grant) | (asks_acc & self.acc_read.grant) | empty),
            launch.eq(advance & head.last),
            self.take.eq(advance & head.block_end),
            self.end.eq(advance & head.end),
            self.stall.eq((asks_act & ~self.act_read.grant) | (asks_acc & ~self.acc_read.grant)),
        ]
        there = second_valid | push
        m.d.comb += next_second_valid.eq(~advance & there)
        following = data.View(_request_layout(), Mux(second_valid, Value.cast(second), Value.cast(made)))
        with m.If(~second_valid):
            m.d.sync += second.eq(made)
        with m.If(advance):
            m.d.sync += [head.address.eq(following.address), head.first.eq(following.first)]
            m.d.sync += [head[flag].eq(following[flag] & there) for flag in ("source", "residual", "last", "block_end", "end")]
        m.d.sync += [
            empty.eq(advance & ~there),
            second_valid.eq(next_second_valid),
            room.eq(~next_second_valid),
        ]

        # May the head of the next cycle be asked for? The answer if it is another one, and if it is this cycle's.
        issuing = Signal()
        odd = Signal(reset_less=True)
        slots = Signal(range(2 * substeps), reset_less=True)  # cycles until the lanes are free again
        nearly_free = slots[1:] == 0 if len(slots) > 1 else Const(1)  # at most one cycle is left
        idle_lanes = Signal()  # in the next cycle, without a launch in this one
        free = Signal()
        free_after_launch = Signal()
        m.d.comb += [
            idle_lanes.eq(self.load | (nearly_free & ~(two_pass & ~odd))),
            free.eq(idle_lanes & (self.ready | ~requantize)),
            free_after_launch.eq(
                (~two_pass if substeps == 1 else 0) & (Mux(head.block_end, self.ready_after, self.ready) | ~requantize)
            ),
        ]
        started = self.load | issuing
        asks_if = {}
        for advances, request, may_ask, may_launch in (
            (0, head, started, free),
            (1, following, started & ~head.end & there, Mux(head.last, free_after_launch, free)),
        ):
            asks = Signal(name=f"asks_if_{advances}")
            acc = Signal(name=f"acc_if_{advances}")
            m.d.comb += [asks.eq(may_ask & (~request.last | may_launch)), acc.eq(from_accumulator & ~request.residual)]
            asks_if[advances] = (asks & ~acc, asks & acc)
        m.d.sync += [
            asks_act.eq(Mux(advance, asks_if[1][0], asks_if[0][0])),
            asks_acc.eq(Mux(advance, asks_if[1][1], asks_if[0][1])),
        ]

        which = Signal(range(SETS))
        acc = Signal(16, reset_less=True)
        m.d.comb += self.acc_read.address.eq(acc)
        m.d.sync += odd.eq(~odd)
        with m.If(slots != 0):
            m.d.sync += slots.eq(slots - 1)
        with m.If(launch):
            m.d.sync += [acc.eq(acc + 1), slots.eq(Mux(two_pass, 2 * substeps - 1, substeps - 1))]
        with m.If(self.take):
            m.d.sync += which.eq(which + 1)
        with m.If(self.end):
            m.d.sync += issuing.eq(0)
        with m.If(self.prepare):
            m.d.sync += acc.eq(fields.acc)
        with m.If(self.load):
            m.d.sync += [issuing.eq(1), odd.eq(0), slots.eq(0)]

        self._elaborate_arrival(m, advance, head, which, from_accumulator)
        return m

    def _elaborate_requests(self, m: Module, made: data.View, push: Signal, room: Value, requantize: Signal) -> None:
        """The requests in their order, one in each cycle with `room`."""
        config, fields = self.config, self.instruction
        nest = pixel_nest(m, "source_nest", config, fields, self.flags, "a", windows=config.pool)
        window_levels = nest.levels - 3
        making = Signal()
        residual = Signal()  # b of the pixel is still to be read
        m.d.comb += [
            push.eq(making & room),
            nest.load.eq(self.prepare),
            nest.step.eq(push & ~residual),
            made.address.eq(nest.address),
            made.source.eq(~residual),
            made.residual.eq(residual),
            made.first.eq(nest.firsts[:window_levels].all()),
            made.last.eq(~residual & nest.lasts[:window_levels].all()),
            made.block_end.eq(~residual & nest.lasts[: nest.levels - 1].all() & requantize),
            made.end.eq(~residual & nest.last),
        ]
        with m.If(push & made.end):
            m.d.sync += making.eq(0)
        with m.If(self.prepare):
            m.d.sync += making.eq(1)
        if not config.residual:
            return
        nest = pixel_nest(m, "residual_nest", config, fields, self.flags, "b")
        m.d.comb += [nest.load.eq(self.prepare), nest.step.eq(push & residual)]
        with m.If(residual):
            m.d.comb += made.address.eq(nest.address)
        with m.If(push):
            m.d.sync += residual.eq(made.last & fields.add)
        with m.If(self.prepare):
            m.d.sync += residual.eq(fields.add)

    def _elaborate_arrival(self, m: Module, advance: Signal, head: data.View, which: Signal, from_accumulator: Signal) -> None:
        """What was granted travels beside the memories."""
        tag = Signal(arrival_layout())
        m.d.comb += [
            tag.residual.eq(advance & head.residual),
            tag.window.eq(advance & head.source),
            tag.first.eq(head.first),
            tag.launch.eq(advance & head.last),
            tag.set.eq(which),
            tag.block_end.eq(head.block_end),
        ]
        line = delay(m, tag, max(ACT_READ - 1 + WINDOW, ACC_READ - 1), "tag", reset=True)
        source = Signal(reset_less=True)  # of the instruction whose reads are under way
        with m.If(self.load):
            m.d.sync += source.eq(from_accumulator)
        from_act = data.View(arrival_layout(), line[ACT_READ - 1])
        arrival = Signal(arrival_layout())
        m.d.sync += [
            arrival.eq(Mux(source, line[ACC_READ - 1], line[ACT_READ - 1 + WINDOW])),
            *(arrival[name].eq(from_act[name]) for name in ("residual", "window", "first")),
        ]
        m.d.comb += self.arrival.eq(arrival)
