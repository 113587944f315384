"""Vector unit: from accumulators or activation memory through requantization, addition and table to activation memory."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.isa import Opcode, Source, Unit
from talos.rtl.issue import PixelIssue
from talos.rtl.lane import constants_layout
from talos.rtl.lanes import LaneGroup, modes_layout
from talos.rtl.layouts import header_view, instruction_layout, instruction_view
from talos.rtl.parameters import ParameterFetch
from talos.rtl.pixelnest import PIXEL_FLAGS, pixel_flags, pixel_nest
from talos.rtl.unit import ReadPort, WritePort, unit_ports

__all__ = ["VectorUnit"]


class VectorUnit(wiring.Component):
    """Executes VECTOR and TABLE.

    ::

        instr ─┬─► PixelIssue ──► act_read, acc_read ──► LaneGroup ──► act_write
               └─► ParameterFetch ──► records, tables ──────┘

    An instruction starts when the one before has issued its last read; its parameters are fetched while that one drains, and its
    reads begin when the pipeline is empty. From the grant of a pixel's last read on nothing can stop the pixel: `act_write` must always
    be granted.

    Features that the configuration leaves out are ignored in instructions: without `pool` every window has one position and its
    sum is that value, without `residual` nothing is added, without `multiply` tensors are added instead, without `lookup` no table is
    applied. Sources ACCUMULATOR and SUM need `requantize`.

    Members
    -------
    act_read : Out(ReadPort of cols bytes)
    act_write : Out(WritePort of cols bytes)
        Activation memory.
    acc_read : Out(ReadPort of 4·cols bytes, 16 address bits)
        Accumulators: an int32 for each column.
    param_valid, param_address, param_data : In
        Write a beat of the parameter memory; the address counts beats.

    The other ports are those of `unit_ports`.
    """

    def __init__(self, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                **unit_ports(Unit.VECTOR),
                "act_read": Out(ReadPort(config.cols)),
                "act_write": Out(WritePort(config.cols)),
                "acc_read": Out(ReadPort(4 * config.cols, 16)),
                "param_valid": In(1),
                "param_address": In(range(config.parameter_bytes // config.beat_bytes)),
                "param_data": In(config.axi_data_width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.issue = issue = PixelIssue(config=config)
        m.submodules.fetch = fetch = ParameterFetch(config=config)
        m.submodules.lanes = lanes = LaneGroup(config=config)

        current = Signal(instruction_layout(Opcode.VECTOR), reset_less=True)
        flags = Signal(PIXEL_FLAGS, reset_less=True)  # of its counts
        free = Signal(init=1)  # the state is IDLE: a register, for `start`
        draining = Signal()  # the instruction before has reads or writes under way
        post = Signal(4, reset_less=True)  # its mask
        finished = Signal()  # its last byte is written in this cycle
        running = Signal()
        head = header_view(self.instr.payload)
        m.d.comb += [
            self.wait.eq(Mux(self.instr.valid, head.wait, 0)),
            self.start.eq(self.instr.valid & self.sync_ready & free),
            self.instr.ready.eq(self.start),
            running.eq(~free | draining),
            self.done.eq(finished | fetch.table_done),
            self.post.eq(Mux(fetch.table_done, current.post, post)),
            self.sync.eq(~running & self.instr.valid & ~self.sync_ready),
            self.stall.eq(issue.stall),
            self.busy.eq(running & ~issue.stall),
            self.idle.eq(~running),
        ]

        load = Signal()
        vector_head = instruction_view(Opcode.VECTOR, self.instr.payload)
        with m.FSM(name="state"):
            with m.State("IDLE"):
                # The head is copied before it is known whether it starts: `start` comes late.
                m.d.comb += fetch.follow.eq(1)
                m.d.sync += [current.eq(vector_head), flags.eq(pixel_flags(config, vector_head))]
                with m.If(self.start):
                    m.d.sync += free.eq(0)
                    with m.If(head.opcode == Opcode.TABLE):
                        m.next = "TABLE"
                    with m.Else():
                        m.d.comb += fetch.records.eq(vector_head.requantize)
                        m.next = "PREPARE"
            with m.State("PREPARE"):
                m.d.comb += issue.prepare.eq(1)
                m.next = "DRAIN"
            with m.State("DRAIN"), m.If(~draining):
                m.d.comb += load.eq(1)
                m.next = "ISSUE"
            with m.State("ISSUE"), m.If(issue.end):
                m.d.sync += free.eq(1)
                m.next = "IDLE"
            with m.State("TABLE"), m.If(~draining):
                m.d.comb += fetch.table.eq(1)
                m.next = "COPY"
            with m.State("COPY"), m.If(fetch.table_done):
                m.d.sync += free.eq(1)
                m.next = "IDLE"
        with m.If(load):
            m.d.sync += [draining.eq(1), post.eq(current.post)]
        with m.Elif(finished):
            m.d.sync += draining.eq(0)

        table = data.View(instruction_layout(Opcode.TABLE), current.as_value()[: instruction_layout(Opcode.TABLE).size])
        m.d.comb += [
            fetch.param.eq(Mux(fetch.follow, vector_head.param, table.param)),
            fetch.kind.eq(table.kind),
            fetch.blocks.eq(vector_head.blocks),
            fetch.take.eq(issue.take),
            fetch.release.eq(lanes.release),
            fetch.write.eq(self.param_valid),
            fetch.write_address.eq(self.param_address),
            fetch.write_data.eq(self.param_data),
            issue.load.eq(load),
            issue.instruction.eq(current),
            issue.flags.eq(flags),
            issue.ready.eq(fetch.ready),
            issue.ready_after.eq(fetch.ready_after),
        ]
        wiring.connect(m, wiring.flipped(self.act_read), issue.act_read)
        wiring.connect(m, wiring.flipped(self.acc_read), issue.acc_read)
        self._elaborate_lanes(m, lanes, issue, fetch, load, current)
        self._elaborate_writes(m, lanes, load, current, flags, finished)
        return m

    def _elaborate_lanes(
        self, m: Module, lanes: LaneGroup, issue: PixelIssue, fetch: ParameterFetch, load: Signal, current: data.View
    ) -> None:
        modes = Signal(modes_layout(), reset_less=True)
        constants = Signal(constants_layout(), reset_less=True)
        m.d.comb += [
            lanes.arrival.eq(issue.arrival),
            lanes.act_data.eq(self.act_read.data),
            lanes.acc_data.eq(self.acc_read.data),
            lanes.record_write.eq(fetch.record_write),
            lanes.record_index.eq(fetch.record_index),
            lanes.record.eq(fetch.record),
            lanes.table_write.eq(fetch.table_write),
            lanes.modes.eq(modes),
            lanes.constants.eq(constants),
        ]
        with m.If(load):
            m.d.sync += [
                modes.from_accumulator.eq(current.source == Source.ACCUMULATOR),
                modes.sum.eq(current.source == Source.SUM),
                modes.requantize.eq(current.requantize),
                modes.add.eq(current.add & self.config.residual),
                modes.swap.eq(current.add_swap & self.config.residual),
                constants.table.eq(current.add),
                constants.lookup[0].eq(current.lookup & ~(current.add & self.config.residual)),
                constants.lookup[1].eq(current.lookup),
                constants.zero_point[0].eq(current.zero_point),
                constants.low[0].eq(current.low),
                constants.high[0].eq(current.high),
            ]
            with m.If(current.add & self.config.residual):
                m.d.sync += [
                    constants.mantissa.eq(current.add_mantissa),
                    constants.align.eq(current.add_align),
                    constants.unsigned.eq(current.add_unsigned),
                    constants.shift.eq(current.add_shift),
                    constants.multiply.eq(current.multiply),
                    constants.operand_zero.eq(current.operand_zero_point),
                    constants.addend_zero.eq(current.addend_zero_point),
                    constants.zero_point[1].eq(current.out_zero_point),
                    constants.low[1].eq(current.out_low),
                    constants.high[1].eq(current.out_high),
                ]
            with m.Else():  # code · 2^23 · 2^-23: the code itself, clamped
                m.d.sync += [
                    constants.mantissa.eq(1 << 23),
                    constants.align.eq(0),
                    constants.unsigned.eq(0),
                    constants.shift.eq(23),
                    constants.multiply.eq(0),
                    constants.zero_point[1].eq(0),
                    constants.low[1].eq(current.low),
                    constants.high[1].eq(current.high),
                ]

    def _elaborate_writes(
        self, m: Module, lanes: LaneGroup, load: Signal, current: data.View, flags: data.View, finished: Signal
    ) -> None:
        nest = pixel_nest(m, "destination_nest", self.config, current, flags, "dst")
        tail = Signal(range(self.config.cols + 1), reset_less=True)
        with m.If(load):
            m.d.sync += tail.eq(current.tail + 1)
        m.d.comb += [
            nest.load.eq(load),
            nest.step.eq(lanes.valid),
            finished.eq(lanes.valid & nest.last),
            self.act_write.valid.eq(lanes.valid),
            self.act_write.address.eq(nest.address),
            self.act_write.count.eq(Mux(nest.lasts[-1], tail, self.config.cols)),
            self.act_write.data.eq(lanes.bytes),
        ]
