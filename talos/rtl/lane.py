"""A requantization lane: one int8 result per cycle, bit for bit what `talos.numerics` specifies."""

from amaranth import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.latency import LANE, SET_RELEASE
from talos.rtl.normalizer import NORMALIZE, Normalizer
from talos.rtl.pipeline import delay
from talos.rtl.rounder import ROUND, SUM_WIDTH, Rounder, add_carry
from talos.rtl.tables import ADD_TABLE, ENTRY_WIDTH, LOOKUP, AddTable, LookupTable
from talos.rtl.wide_multiplier import WIDE_MULTIPLY, WideMultiplier

__all__ = ["SETS", "Lane", "constants_layout", "record_layout", "table_write_layout"]

SETS = 2
"""Parameter sets: one is used while the next block's is written."""

_SUM = NORMALIZE + WIDE_MULTIPLY + 1  # cycle of the sum
assert _SUM + ROUND + LOOKUP == LANE
_SHIFT = NORMALIZE  # cycle in which the shift is read
assert _SHIFT == SET_RELEASE

_TABLE = _SUM - 1 - ADD_TABLE  # cycle in which the ADD table takes its code


def record_layout() -> data.StructLayout:
    """A channel's record in parameter memory (`talos.parameters`)."""
    return data.StructLayout({"bias": signed(32), "mantissa": unsigned(24), "shift": unsigned(8)})


def constants_layout() -> data.StructLayout:
    """What is the same for all lanes and all operands of an instruction.

    `mantissa`, `align`, `unsigned`, `multiply`, `operand_zero`, `addend_zero`, `shift` are those of `numerics.combine`; `table` adds
    the ADD table's entry. Entry 0 of the arrays belongs to requantized operands, entry 1 to combined ones.
    """
    return data.StructLayout(
        {
            "mantissa": unsigned(24),
            "align": unsigned(5),
            "unsigned": 1,
            "multiply": 1,
            "operand_zero": signed(8),
            "addend_zero": signed(8),
            "shift": signed(9),
            "table": 1,
            "lookup": data.ArrayLayout(1, 2),
            "zero_point": data.ArrayLayout(signed(8), 2),
            "low": data.ArrayLayout(signed(8), 2),
            "high": data.ArrayLayout(signed(8), 2),
        }
    )


def table_write_layout() -> data.StructLayout:
    """A write to all lanes' LOOKUP or ADD tables."""
    return data.StructLayout({"lookup": 1, "add": 1, "index": 8, "entry": ENTRY_WIDTH})


class Lane(wiring.Component):
    """Operand in cycle t, result in cycle t + LANE; a new operand every cycle.

        operand ─ Normalizer ─ × mantissa ─ ± ─ + T[addend] ─ Rounder ─ LookupTable ─ result
                  bias,                         AddTable      shift, zero point, clamp
                  × addend

    Without the addition's table and with mantissa 2^23, align 0, shift 23 the `add` path passes codes through unchanged: this is how
    a plain maximum or copy uses the lane.

    Parameters
    ----------
    config : its `residual` and `lookup` decide whether the tables exist, its `multiply` whether `constants.multiply` has an effect.

    Members
    -------
    operand, add
        The operand, and whether it is combined with the addend (1) or requantized (0).
    set_index
        Which record requantizes it: set · (cols / lanes) + sub-step.
    addend
        Code that goes through the ADD table (and, in multiplications, to the operand's multiplier), with its operand.
    constants
        Static while operands are in the pipeline.
    record_write, record_index, record
        Write a parameter record at the end of this cycle.
    table_write
        Write a table entry at the end of this cycle.
    result
        The int8 code.
    """

    def __init__(self, *, config: AcceleratorConfig) -> None:
        self.config = config
        self.records = SETS * (config.cols // config.lanes)
        super().__init__(
            {
                "operand": In(signed(32)),
                "add": In(1),
                "set_index": In(range(self.records)),
                "addend": In(8),
                "constants": In(constants_layout()),
                "record_write": In(1),
                "record_index": In(range(self.records)),
                "record": In(record_layout()),
                "table_write": In(table_write_layout()),
                "result": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        add = delay(m, self.add, LANE - LOOKUP, "add")
        index = delay(m, self.set_index, _SHIFT, "set_index")
        constants = self.constants

        m.submodules.normalizer = normalizer = Normalizer(pairs=self.config.multiply)
        m.d.comb += [
            normalizer.operand.eq(self.operand),
            normalizer.bias.eq(self._records(m, "bias", index[0])),
            normalizer.addend.eq(self.addend),
            normalizer.add.eq(add[0]),
            normalizer.align.eq(constants.align),
            normalizer.unsigned.eq(constants.unsigned),
            normalizer.multiply.eq(constants.multiply),
            normalizer.operand_zero.eq(constants.operand_zero),
            normalizer.addend_zero.eq(constants.addend_zero),
        ]

        mantissa = Signal(24, reset_less=True)
        stage = NORMALIZE - 1
        m.d.sync += mantissa.eq(Mux(add[stage], constants.mantissa, self._records(m, "mantissa", index[stage])))
        m.submodules.multiplier = multiplier = WideMultiplier()
        m.d.comb += [
            multiplier.a.eq(normalizer.significand),
            multiplier.b.eq(mantissa),
            multiplier.invert.eq(normalizer.negative),
        ]

        negative = delay(m, normalizer.negative, WIDE_MULTIPLY, "negative")[-1]
        product = Cat(multiplier.o, negative.replicate(SUM_WIDTH - len(multiplier.o))).as_signed()
        total = Signal(signed(SUM_WIDTH), reset_less=True)
        m.d.sync += total.eq(add_carry(product, self._addend(m, add[_TABLE]), negative))

        # The exponent is that of the sum, whatever the table adds: shift + 9 + adjust − 8 − carry.
        shift = Signal(signed(9), reset_less=True)
        exponent = Signal(signed(11), reset_less=True)
        m.d.sync += [
            shift.eq(Mux(add[_SHIFT], constants.shift, self._records(m, "shift", index[_SHIFT]))),
            exponent.eq(add_carry(shift, Cat(normalizer.adjust, Const(0, 1)), ~normalizer.carry)),
        ]
        m.submodules.rounder = rounder = Rounder()
        late = add[_SUM + 5]
        m.d.comb += [
            rounder.sum.eq(total),
            rounder.exponent.eq(delay(m, exponent, _SUM - _SHIFT - 2, "exponent")[-1]),
            rounder.zero_point.eq(constants.zero_point[late]),
            rounder.low.eq(constants.low[late]),
            rounder.high.eq(constants.high[late]),
        ]

        m.submodules.lookup_table = lookup = LookupTable(present=self.config.lookup)
        m.d.comb += [
            lookup.write.eq(self.table_write.lookup),
            lookup.index.eq(self.table_write.index),
            lookup.entry.eq(self.table_write.entry),
            lookup.code.eq(rounder.code),
            lookup.enable.eq(constants.lookup[add[_SUM + ROUND]]),
            self.result.eq(lookup.result),
        ]
        return m

    def _records(self, m: Module, field: str, index: Signal) -> Signal:
        """The parameter sets' memory of one field, read at `index`: each field is used at another stage of the pipeline."""
        shape = record_layout()[field].shape
        m.submodules[field] = memory = Memory(shape=shape, depth=self.records, init=[])
        write = memory.write_port()
        read = memory.read_port(domain="comb")
        m.d.comb += [
            write.en.eq(self.record_write),
            write.addr.eq(self.record_index),
            write.data.eq(self.record[field]),
            read.addr.eq(index),
        ]
        return read.data

    def _addend(self, m: Module, enable: Signal) -> Signal:
        """The ADD table's contribution in the cycle of the product."""
        if not self.config.residual:
            return Signal(signed(SUM_WIDTH), name="no_addend")
        m.submodules.add_table = table = AddTable(width=SUM_WIDTH)
        m.d.comb += [
            table.write.eq(self.table_write.add),
            table.index.eq(self.table_write.index),
            table.entry.eq(self.table_write.entry),
            table.code.eq(delay(m, self.addend, _TABLE, "addend")[-1]),
            table.enable.eq(enable & self.constants.table),
        ]
        return table.addend
