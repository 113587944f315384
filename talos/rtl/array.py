"""The systolic array: skewed inputs, rows × cols PEs, deskewed column sums."""

from amaranth import Cat, Const, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from talos.config import AcceleratorConfig
from talos.rtl.pe import PE

__all__ = ["SystolicArray"]


def _delayed(m: Module, value: Value, cycles: int, name: str) -> Value:
    """`value` of `cycles` cycles ago, through registers without reset."""
    for i in range(cycles):
        stage = Signal(len(value), name=f"{name}_{i}", reset_less=True)
        m.d.sync += stage.eq(value)
        value = stage
    return value


class SystolicArray(wiring.Component):
    """Multiplies an activation vector with the active weights, or filters it with them, every cycle.

    Row r sees what is injected in a cycle r cycles later, column c after another c: activations, strobes and `i_switch` through
    the row skew and then from PE to PE to the right, weights through the column skew and then down. So everything injected in
    one cycle meets in each PE, and a weight word with strobe r ends in row r.

    With `config.depthwise` element c also enters column c from the top, two registers per row. A vector injected with `i_down`
    then takes its operands from there: in row r it meets element c of the vector injected r cycles before. The sums of column c
    are a filter of that element over time (a systolic FIR), row r its tap r. Element k is delayed by k cycles for row k and for
    column k, so one skew serves both.

    Parameters
    ----------
    config : rows, cols and depthwise.

    Members
    -------
    i_acts : In(array of config.matrix_bytes × signed(8))
    i_switch : In(1)
        The vector in `i_acts` is the first to use the shadow weights.
    i_down : In(1), only with `config.depthwise`
        The sums of this cycle are those of the filter.
    i_weights : In(array of cols × signed(8)); i_strobes : In(rows)
        The word becomes the shadow weights of the row whose strobe is 1.
    o_sums : Out(array of cols × signed(config.psum_width))
        Of t = `talos.latency.array_latency(config)` cycles ago, with `active` as the vector of t meets it: per column
        Σ_r acts(t)[r] · active[r][c], or Σ_r acts(t − r)[c] · active[r][c] where `i_down` was 1.
    """

    def __init__(self, *, config: AcceleratorConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i_acts": In(data.ArrayLayout(signed(8), config.matrix_bytes)),
                "i_switch": In(1),
                **({"i_down": In(1)} if config.depthwise else {}),
                "i_weights": In(data.ArrayLayout(signed(8), config.cols)),
                "i_strobes": In(config.rows),
                "o_sums": Out(data.ArrayLayout(signed(config.psum_width), config.cols)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, cols, depthwise = self.config.rows, self.config.cols, self.config.depthwise

        pes = [[PE(row=r, depthwise=depthwise) for _ in range(cols)] for r in range(rows)]
        for r in range(rows):
            for c in range(cols):
                m.submodules[f"pe_{r}_{c}"] = pes[r][c]

        acts = [_delayed(m, Value.cast(act), k, f"act_skew_{k}") for k, act in enumerate(self.i_acts)]
        # These travel down the rows one per cycle, so that the skew costs one register per row.
        switch: Value = self.i_switch
        down: Value = self.i_down if depthwise else Const(0)
        for r in range(rows):
            m.d.comb += [
                Value.cast(pes[r][0].i_front.act).eq(acts[r]),
                pes[r][0].i_front.strobe.eq(_delayed(m, self.i_strobes[r], r, f"strobe_skew_{r}")),
                pes[r][0].i_front.switch.eq(switch),
            ]
            switch = _delayed(m, switch, 1, f"switch_skew_{r}")
            if depthwise:
                m.d.comb += pes[r][0].i_front.down.eq(down)
                down = _delayed(m, down, 1, f"down_skew_{r}")
            for c in range(1, cols):
                m.d.comb += pes[r][c].i_front.eq(pes[r][c - 1].o_front)

        for c in range(cols):
            m.d.comb += Value.cast(pes[0][c].i_weight).eq(_delayed(m, Value.cast(self.i_weights[c]), c, f"weight_skew_{c}"))
            for r in range(1, rows):
                m.d.comb += [pes[r][c].i_weight.eq(pes[r - 1][c].o_weight), pes[r][c].i_psum.eq(pes[r - 1][c].o_psum)]
            if depthwise:
                m.d.comb += Value.cast(pes[0][c].i_down).eq(acts[c])
                for r in range(1, rows):
                    m.d.comb += pes[r][c].i_down.eq(pes[r - 1][c].o_down)

        sums = [_delayed(m, Value.cast(pes[-1][c].o_psum), cols - 1 - c, f"deskew_{c}") for c in range(cols)]
        m.d.comb += Value.cast(self.o_sums).eq(Cat(sums))
        return m
