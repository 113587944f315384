"""The AXI4-Lite slave."""

from amaranth.hdl import Cat, Signal

from proofs.harness import Harness
from proofs.proof import Fault, Method, Proof, Source

__all__ = ["PROOFS"]


def _write(source: Source) -> Harness:
    h = Harness()
    dut = source("axil").AxiLiteSlave()
    h.add(dut)
    address, data = dut.s_axil_awvalid & dut.s_axil_awready, dut.s_axil_wvalid & dut.s_axil_wready
    response = dut.s_axil_bvalid & dut.s_axil_bready
    # Requests accepted and not answered, and requests handed to the registers and not answered.
    addresses = h.counter(address, response, 3, "addresses")
    words = h.counter(data, response, 3, "words")
    written = h.counter(dut.write, response, 3, "written")
    held_address, held_data = Signal(12, name="held_address"), Signal(36, name="held_data")
    with h.m.If(address):
        h.m.d.sync += held_address.eq(dut.s_axil_awaddr)
    with h.m.If(data):
        h.m.d.sync += held_data.eq(Cat(dut.s_axil_wdata, dut.s_axil_wstrb))
    h.always((addresses <= 1) & (words <= 1) & (written <= addresses) & (written <= words))
    h.always(dut.s_axil_bvalid == (written == 1))  # never before both halves, never twice
    h.always((dut.s_axil_awready == (addresses == 0)) & (dut.s_axil_wready == (words == 0)))
    h.always(dut.s_axil_bresp == 0)
    with h.m.If(addresses == 1):
        h.always(dut.write_word == held_address[2:])
    with h.m.If(words == 1):
        h.always(Cat(dut.write_data, dut.write_strobe) == held_data)
    h.stable(dut.s_axil_bvalid, dut.s_axil_bready, dut.s_axil_bresp, "b")
    # No deadlock: both halves are there, so the response comes in the next cycle.
    h.implies(h.past((addresses == 1) & (words == 1), "complete"), dut.s_axil_bvalid | h.past(response, "response"))
    h.implies(dut.write, (addresses == 1) & (words == 1))
    h.cover(response)
    return h


def _read(source: Source) -> Harness:
    h = Harness()
    dut = source("axil").AxiLiteSlave()
    opened = h.add(dut)
    address, response = dut.s_axil_arvalid & dut.s_axil_arready, dut.s_axil_rvalid & dut.s_axil_rready
    reads = h.counter(address, response, 3, "reads")
    held = Signal(12, name="held_address")
    age = Signal(range(4), name="age")  # cycles since the address was accepted, up to 3
    value = h.past(dut.read_data, "read_data")
    with h.m.If(address):
        h.m.d.sync += [held.eq(dut.s_axil_araddr), age.eq(0)]
    with h.m.Elif(age != 3):
        h.m.d.sync += age.eq(age + 1)
    h.always(reads <= 1)
    h.always(dut.s_axil_arready == (reads == 0))
    h.implies(dut.s_axil_rvalid, reads == 1)
    h.always(dut.s_axil_rresp == 0)
    with h.m.If(reads == 1):
        h.always(dut.read_word == held[2:])
        # Answered in the third cycle, with what the registers showed in the cycle before, a cycle after they saw the address.
        h.always(dut.s_axil_rvalid == (age >= 2))
        h.always(opened["settled"] == (age >= 1))
        with h.m.If(age == 2):
            h.always(dut.s_axil_rdata == value)
    h.stable(dut.s_axil_rvalid, dut.s_axil_rready, Cat(dut.s_axil_rdata, dut.s_axil_rresp), "r")
    h.cover(response)
    return h


def _structure(source: Source) -> Harness:
    h = Harness()
    dut = source("axil").AxiLiteSlave()
    h.add(dut)
    h.publish(dut, "s_axil_")
    return h


PROOFS = (
    Proof(
        "axi_lite",
        "write",
        "one register write and one B per AW and W, in whatever order they come, with their address, data, strobes; B stable, a cycle after both",
        _write,
        4,
        (
            Fault(
                "responds to the address alone",
                "axil",
                "~self.s_axil_awready & ~self.s_axil_wready & ~",
                "~self.s_axil_awready & ~",
            ),
            Fault(
                "drops a response that is not taken",
                "axil",
                "m.If(self.s_axil_bvalid & self.s_axil_bready)",
                "m.If(self.s_axil_bvalid)",
            ),
            Fault(
                "stays closed after a response",
                "axil",
                "self.s_axil_bvalid.eq(0), self.s_axil_awready.eq(1)",
                "self.s_axil_bvalid.eq(0)",
            ),
        ),
    ),
    Proof(
        "axi_lite",
        "read",
        "one R per AR, in the third cycle, stable, with the value of the addressed register",
        _read,
        4,
        (
            Fault(
                "reads before the multiplexer is settled",
                "axil",
                "self.s_axil_arready.eq(0), settled.eq(0)",
                "self.s_axil_arready.eq(0)",
            ),
            Fault(
                "forgets the answer's data",
                "axil",
                "self.s_axil_rdata.eq(self.read_data), self.s_axil_rvalid",
                "self.s_axil_rvalid",
            ),
        ),
    ),
    Proof(
        "axi_lite",
        "paths",
        "no combinational path from an input to an output of the bus",
        _structure,
        1,
        (
            Fault(
                "ready depends on valid",
                "axil",
                "m.d.comb += self.write.eq(",
                "m.d.comb += self.s_axil_bresp.eq(self.s_axil_bready)\n        m.d.comb += self.write.eq(",
            ),
        ),
        Method.STRUCTURE,
    ),
)
