"""The frames between a host and a board with a UART: what either side sends, declared once for the hardware and the host.

Request:  0xA5, command, number, address (4 bytes), length (2), payload (length bytes, only with commands that write), check (2)
Response: 0x5A, status, number, length (2), payload (length), check (2)

Fields are little-endian. The check is CRC-16/CCITT-FALSE of everything between the first byte and itself, high byte first, so that the
CRC of all of it with the check is 0. A response carries its request's number. One request is under way at a time.
"""

import binascii
import enum
import struct

__all__ = [
    "CRC_INIT", "IDENTITY", "MAGIC", "MAX_PAYLOAD", "PROTOCOL_VERSION", "REQUEST_HEADER", "REQUEST_SYNC", "RESPONSE_HEADER",
    "RESPONSE_SYNC", "WRITES", "Command", "Status", "check", "encode_request",
]  # fmt: skip

REQUEST_SYNC, RESPONSE_SYNC = 0xA5, 0x5A
REQUEST_HEADER = struct.Struct("<BBIH")
"""Command, number, address, length."""
RESPONSE_HEADER = struct.Struct("<BBH")
"""Status, number, length."""
IDENTITY = struct.Struct("<4sIII")
"""What IDENTIFY answers: MAGIC, PROTOCOL_VERSION, bytes of memory, clock in Hz."""
MAGIC = b"TLOS"
PROTOCOL_VERSION = 1
MAX_PAYLOAD = 1024
CRC_INIT = 0xFFFF
WRITES = 0x80
"""Bit of a command: its payload follows the header."""


class Command(enum.IntEnum):
    """What is asked for. A register is 4 bytes, at a byte offset of the core's register map; memory is any bytes in one frame's reach."""

    IDENTIFY = 0x00
    READ_REGISTER = 0x01
    READ_MEMORY = 0x02
    WRITE_REGISTER = 0x81
    WRITE_MEMORY = 0x82


class Status(enum.IntEnum):
    """How it went. Nothing was done unless OK."""

    OK = 0
    BAD_CHECK = 1
    BAD_COMMAND = 2
    BAD_LENGTH = 3
    BAD_ADDRESS = 4
    TIMEOUT = 5


def check(data: bytes) -> bytes:
    """The two bytes behind `data`, which is a frame without its first byte."""
    return binascii.crc_hqx(data, CRC_INIT).to_bytes(2, "big")


def encode_request(command: Command, number: int, address: int, length: int, payload: bytes = b"") -> bytes:
    """The whole frame. length: bytes of the payload, or to be read."""
    body = REQUEST_HEADER.pack(command, number, address, length) + payload
    return bytes([REQUEST_SYNC]) + body + check(body)
