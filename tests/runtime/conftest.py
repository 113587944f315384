"""A small design with the core's ports, to test the harness without the core: see copier.v."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from talos.runtime.verilated import VerilatedCore

DRAM_BYTES = 1 << 18


@pytest.fixture(scope="session")
def copier_verilog() -> Callable[[int, int], str]:
    """The copier's Verilog for a data and an address width."""
    text = (Path(__file__).parent / "copier.v").read_text()
    return lambda width, address: f"`define COPIER_WIDTH {width}\n`define COPIER_ADDR {address}\n{text}"


@pytest.fixture
def copier(copier_verilog: Callable[[int, int], str], request: pytest.FixtureRequest) -> Iterator[VerilatedCore]:
    """A copier just reset; its data width is the fixture's parameter, 64 by default."""
    width = getattr(request, "param", 64)
    with VerilatedCore.from_verilog(copier_verilog(width, 32), data_width=width, dram_bytes=DRAM_BYTES) as core:
        yield core
