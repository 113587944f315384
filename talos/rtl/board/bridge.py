"""The bridge from the UART to the core's registers and the memory: takes requests, checks them, carries them out and answers."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from talos.rtl.axil import ADDRESS_WIDTH, BUS_MEMBERS
from talos.rtl.board.crc import crc_next
from talos.rtl.memories import NO_COLLISION
from talos.uart_frames import (
    CRC_INIT,
    IDENTITY,
    MAGIC,
    MAX_PAYLOAD,
    PROTOCOL_VERSION,
    REQUEST_HEADER,
    REQUEST_SYNC,
    RESPONSE_HEADER,
    RESPONSE_SYNC,
    Command,
    Status,
)

__all__ = ["HostBridge"]

_HEADER = data.StructLayout({"command": 8, "number": 8, "address": 32, "length": 16})
_CHECK_BYTES = 2


class HostBridge(wiring.Component):
    """Frames of `talos.uart_frames`, one at a time; what comes in while a request is carried out or answered is dropped.

    A request is carried out only after its check was right. One that is not, or cannot be, is answered with the reason. Bytes that are not
    a frame are skipped up to the next first byte of one; a frame that stops is given up after `timeout` cycles, so garbage, however it
    looks, costs no more than that.

    Parameters
    ----------
    size, clock_hz
        Bytes of the memory and clock, for IDENTIFY.
    timeout
        Cycles without a byte after which a frame is given up.

    Members
    -------
    rx_data, rx_valid : In
        From the receiver.
    tx : Out(stream of a byte)
        To the transmitter.
    s_axil_*
        Master of the core's registers.
    host_*
        A byte of the memory, see `BoardMemory`.
    """

    def __init__(self, *, size: int, clock_hz: int, timeout: int) -> None:
        self.size = size
        self.clock_hz = clock_hz
        self.timeout = timeout
        super().__init__(
            {
                **{name: member.flip() for name, member in BUS_MEMBERS.items()},
                "rx_data": In(8),
                "rx_valid": In(1),
                "tx": Out(stream.Signature(8)),
                "host_valid": Out(1),
                "host_write": Out(1),
                "host_address": Out(range(size)),
                "host_data": Out(8),
                "host_ready": In(1),
                "host_read_valid": In(1),
                "host_read_data": In(8),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.payload = payload = Memory(shape=8, depth=MAX_PAYLOAD, init=[], attrs=NO_COLLISION)
        write, read = payload.write_port(), payload.read_port()
        header = Signal(_HEADER)
        word = Signal(32)  # the payload's last four bytes, or a register's value
        index = Signal(range(MAX_PAYLOAD + 1))  # of a byte in its part of the frame
        crc = Signal(16, init=CRC_INIT)
        status = Signal(Status, init=Status.OK)
        idle = Signal(range(self.timeout + 1))
        length = Signal(range(MAX_PAYLOAD + 1))  # of the response's payload
        identity = IDENTITY.pack(MAGIC, PROTOCOL_VERSION, self.size, self.clock_hz)
        self._header, self._word, self._index, self._crc, self._status, self._length = header, word, index, crc, status, length

        receiving, late = Signal(), Signal()
        m.d.comb += [
            late.eq(idle == self.timeout),
            write.addr.eq(index),
            write.data.eq(self.rx_data),
            read.addr.eq(index),
            read.en.eq(1),
            self.s_axil_awaddr.eq(header.address),
            self.s_axil_araddr.eq(header.address),
            self.s_axil_wdata.eq(word),
            self.s_axil_wstrb.eq(0b1111),
            self.s_axil_bready.eq(1),
            self.s_axil_rready.eq(1),
            self.host_address.eq(header.address + index),
            self.host_data.eq(read.data),
        ]
        m.d.sync += idle.eq(Mux(receiving & ~self.rx_valid, idle + 1, 0))
        with m.If(receiving & self.rx_valid):
            m.d.sync += [crc.eq(crc_next(crc, self.rx_data)), index.eq(index + 1)]
        sent = self.tx.valid & self.tx.ready
        with m.If(sent):
            m.d.sync += [crc.eq(crc_next(crc, self.tx.payload)), index.eq(index + 1)]
        with m.FSM(name="bridge") as fsm:
            m.d.comb += receiving.eq(fsm.ongoing("HEADER") | fsm.ongoing("PAYLOAD") | fsm.ongoing("CHECK"))
            with m.State("IDLE"):
                m.d.sync += [crc.eq(CRC_INIT), index.eq(0), status.eq(Status.OK), length.eq(0)]
                with m.If(self.rx_valid & (self.rx_data == REQUEST_SYNC)):
                    m.next = "HEADER"
            with m.State("HEADER"):
                with m.If(self.rx_valid):
                    complete = Cat(header.as_value()[8:], self.rx_data)
                    m.d.sync += header.as_value().eq(complete)
                    with m.If(index == REQUEST_HEADER.size - 1):
                        m.d.sync += index.eq(0)
                        arrived = data.View(_HEADER, complete)
                        with m.If(arrived.length > MAX_PAYLOAD):
                            self._answer(m, Status.BAD_LENGTH)
                        with m.Elif(arrived.command[7] & (arrived.length != 0)):
                            m.next = "PAYLOAD"
                        with m.Else():
                            m.next = "CHECK"
                with m.If(late):
                    self._answer(m, Status.TIMEOUT)
            with m.State("PAYLOAD"):
                m.d.comb += write.en.eq(self.rx_valid)
                with m.If(self.rx_valid):
                    m.d.sync += word.eq(Cat(word[8:], self.rx_data))
                    with m.If(index + 1 == header.length):
                        m.d.sync += index.eq(0)
                        m.next = "CHECK"
                with m.If(late):
                    self._answer(m, Status.TIMEOUT)
            with m.State("CHECK"):
                with m.If(self.rx_valid & (index == _CHECK_BYTES - 1)):
                    m.d.sync += index.eq(0)
                    m.next = "CHECKED"
                with m.If(late):
                    self._answer(m, Status.TIMEOUT)
            with m.State("CHECKED"):
                with m.If(crc != 0):
                    self._answer(m, Status.BAD_CHECK)
                with m.Else():
                    self._dispatch(m, len(identity))
            self._registers(m)
            with m.State("FETCH"):  # the buffer's byte, a cycle after its index
                m.next = "STORE"
            with m.State("STORE"):
                m.d.comb += [self.host_valid.eq(1), self.host_write.eq(1)]
                with m.If(self.host_ready):
                    m.d.sync += index.eq(index + 1)
                    m.next = "FETCH"
                    with m.If(index + 1 == header.length):
                        m.d.sync += index.eq(0)
                        self._answer(m, Status.OK)
            self._respond(m, identity, sent)
        return m

    def _answer(self, m: Module, status: Status) -> None:
        """Go on with the response."""
        m.d.sync += [self._status.eq(status), self._index.eq(0), self._crc.eq(CRC_INIT)]
        m.next = "RESPOND"

    def _dispatch(self, m: Module, identity_bytes: int) -> None:
        """A request whose check was right."""
        header = self._header
        m.d.sync += self._crc.eq(CRC_INIT)
        with m.Switch(header.command):
            with m.Case(Command.IDENTIFY):
                m.d.sync += self._length.eq(identity_bytes)
                self._answer(m, Status.OK)
            with m.Case(Command.READ_REGISTER, Command.WRITE_REGISTER):
                with m.If(header.length != 4):
                    self._answer(m, Status.BAD_LENGTH)
                with m.Elif((header.address[:2] != 0) | (header.address[ADDRESS_WIDTH:] != 0)):
                    self._answer(m, Status.BAD_ADDRESS)
                with m.Elif(header.command[7]):
                    m.d.sync += [self.s_axil_awvalid.eq(1), self.s_axil_wvalid.eq(1)]
                    m.next = "WRITE"
                with m.Else():
                    m.d.sync += self.s_axil_arvalid.eq(1)
                    m.next = "READ"
            with m.Case(Command.READ_MEMORY, Command.WRITE_MEMORY):
                with m.If(header.length == 0):
                    self._answer(m, Status.BAD_LENGTH)
                with m.Elif(header.address + header.length > self.size):
                    self._answer(m, Status.BAD_ADDRESS)
                with m.Elif(header.command[7]):
                    m.next = "FETCH"
                with m.Else():
                    m.d.sync += self._length.eq(header.length)
                    self._answer(m, Status.OK)
            with m.Default():
                self._answer(m, Status.BAD_COMMAND)

    def _registers(self, m: Module) -> None:
        """One access to the core's registers, which always answer."""
        with m.State("WRITE"):
            with m.If(self.s_axil_awready):
                m.d.sync += self.s_axil_awvalid.eq(0)
            with m.If(self.s_axil_wready):
                m.d.sync += self.s_axil_wvalid.eq(0)
            with m.If(self.s_axil_bvalid):
                self._answer(m, Status.OK)
        with m.State("READ"):
            with m.If(self.s_axil_arready):
                m.d.sync += self.s_axil_arvalid.eq(0)
            with m.If(self.s_axil_rvalid):
                m.d.sync += [self._word.eq(self.s_axil_rdata), self._length.eq(4)]
                self._answer(m, Status.OK)

    def _respond(self, m: Module, identity: bytes, sent: Value) -> None:
        """First byte and header, payload, check. A byte of the memory is asked for when it is its turn."""
        header, index, crc = self._header, self._index, self._crc
        start = Cat(Const(RESPONSE_SYNC, 8), self._status | Const(0, 8), header.number, self._length | Const(0, 16))
        byte = self.tx.payload
        fetched = Signal(8)
        with m.State("RESPOND"):
            m.d.comb += [self.tx.valid.eq(1), byte.eq(start.word_select(index[:3], 8))]
            with m.If(sent & (index == 0)):
                m.d.sync += crc.eq(CRC_INIT)
            with m.If(sent & (index == RESPONSE_HEADER.size)):
                m.d.sync += index.eq(0)
                m.next = "BODY"
        with m.State("BODY"):
            with m.If(index == self._length):
                m.d.sync += index.eq(0)
                m.next = "END"
            with m.Elif(header.command == Command.READ_MEMORY):
                m.d.comb += self.host_valid.eq(1)
                with m.If(self.host_ready):
                    m.next = "MEMORY"
            with m.Else():
                values = Array(Const(value, 8) for value in identity)
                m.d.comb += [
                    self.tx.valid.eq(1),
                    byte.eq(Mux(header.command == Command.IDENTIFY, values[index], self._word.word_select(index[:2], 8))),
                ]
        with m.State("MEMORY"), m.If(self.host_read_valid):
            m.d.sync += fetched.eq(self.host_read_data)
            m.next = "SEND"
        with m.State("SEND"):
            m.d.comb += [self.tx.valid.eq(1), byte.eq(fetched)]
            with m.If(sent):
                m.next = "BODY"
        with m.State("END"):
            m.d.comb += [self.tx.valid.eq(1), byte.eq(crc[8:])]
            with m.If(sent):  # the check goes through the CRC's own register, its high byte first
                m.d.sync += crc.eq(crc << 8)
                with m.If(index == _CHECK_BYTES - 1):
                    m.next = "IDLE"
