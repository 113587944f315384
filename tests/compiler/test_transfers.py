"""Tiles: the transfers emitted for a box, executed byte by byte, give the padded box, and stores write that box and nothing else."""

import numpy as np
import numpy.typing as npt
from hypothesis import given, settings
from hypothesis import strategies as st

from talos.compiler.graph.ir import Binary, Conv, Graph, Tensor
from talos.compiler.scheduling.builder import Builder
from talos.compiler.scheduling.storage import Storage, assign_storages
from talos.compiler.scheduling.transfers import Box, input_tile, make_resident, output_tile
from talos.config import PRESETS
from talos.isa import Instruction, Opcode

CONFIG = PRESETS["4x4"]
ZERO = -7

boxes = st.tuples(st.integers(-8, 12), st.integers(1, 9), st.integers(-8, 12), st.integers(1, 9))
shapes = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 5))


class Machine:
    """Executes LOAD, FILL and STORE on an activation memory and one DRAM region, both random at first."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.memory = rng.integers(-128, 128, CONFIG.activation_bytes).astype(np.int8)
        self.dram = rng.integers(-128, 128, 1 << 12).astype(np.int8)

    def run(self, instructions: list[Instruction]) -> None:
        for i in instructions:
            for plane in range(i["planes"]):
                for row in range(i["rows"]):
                    self._row(i, row, plane)

    def _row(self, i: Instruction, row: int, plane: int) -> None:
        def place(base: str, prefix: str) -> slice:
            start = i[base] + row * i[f"{prefix}row_stride"] + plane * i[f"{prefix}plane_stride"]
            assert start >= 0
            return slice(start, start + i["row_bytes"])

        if i.opcode == Opcode.FILL:
            self.memory[place("dst", "dst_")] = i["value"]
        elif i.opcode == Opcode.LOAD:
            self.memory[place("dst", "dst_")] = self.dram[place("address", "")]
        else:
            assert i.opcode == Opcode.STORE
            self.dram[place("address", "")] = self.memory[place("src", "src_")]


def _storage(shape: tuple[int, int, int], pads: tuple[int, int, int, int] = (0, 0, 0, 0)) -> tuple[Tensor, Storage]:
    """A tensor made by an addition and read by a convolution with `pads`."""
    tensor = Tensor("t", shape, np.float32(1), ZERO)
    x, y = Tensor("x", shape, np.float32(1), 0), Tensor("y", (0, 0, 1), np.float32(1), 0)
    y.shape = (shape[0] + pads[0] + pads[2], shape[1] + pads[1] + pads[3], 1)
    conv = Conv("c", ("c",), [tensor], y, weight=np.ones((1, 1, 1, shape[2]), np.int8), pads=pads)
    graph = Graph("g", [x], [y], [Binary("a", ("a",), [x, x], tensor), conv])
    return tensor, assign_storages(graph, CONFIG)[tensor]


def _pixels(memory: npt.NDArray[np.int8], address: int, pitch: int, pixel: int, box: Box, channels: int) -> npt.NDArray[np.int8]:
    """What a unit reads at the places of `box`."""
    index = address + np.arange(box.rows)[:, None, None] * pitch + np.arange(box.columns)[:, None] * pixel + np.arange(channels)
    return np.asarray(memory[index])


def _padded(image: npt.NDArray[np.int8], box: Box) -> npt.NDArray[np.int8]:
    """`box` of the image, the zero point beyond its edges."""
    padded = np.pad(image, ((30, 30), (30, 30), (0, 0)), constant_values=ZERO)
    return padded[30 + box.top : 30 + box.bottom, 30 + box.left : 30 + box.right]


@settings(max_examples=200, deadline=None)
@given(shapes, boxes)
def test_input_tile_with_padding(shape: tuple[int, int, int], place: tuple[int, int, int, int]) -> None:
    """Boxes inside, across every edge, and wholly in the padding."""
    tensor, storage = _storage(shape)
    storage.offset = 13
    box = Box(place[0], place[0] + place[1], place[2], place[2] + place[3])
    b, machine = Builder(CONFIG), Machine()
    with input_tile(b, storage, tensor, box) as tile:
        machine.run(b.instructions)
        image = machine.dram[13 : 13 + tensor.size].reshape(shape)
        found = _pixels(machine.memory, tile.address, tile.pitch, tile.pixel, box, shape[2])
        np.testing.assert_array_equal(found, _padded(image, box))
    assert b.activation.used == 0


@settings(max_examples=150, deadline=None)
@given(shapes, st.data())
def test_tiles_of_some_channels(shape: tuple[int, int, int], data: st.DataObject) -> None:
    """Loading and storing a box of a channel range moves those bytes and no others."""
    tensor, storage = _storage(shape)
    storage.offset = 5
    top, left, first = (data.draw(st.integers(0, size - 1)) for size in shape)
    bottom, right, last = (data.draw(st.integers(low + 1, size)) for low, size in zip((top, left, first), shape, strict=True))
    box, channels = Box(top, bottom, left, right), range(first, last)
    b, machine = Builder(CONFIG), Machine()
    with input_tile(b, storage, tensor, box, channels) as tile:
        machine.run(b.instructions)
        image = machine.dram[5 : 5 + tensor.size].reshape(shape)
        found = _pixels(machine.memory, tile.address, tile.pitch, tile.pixel, box, len(channels))
        np.testing.assert_array_equal(found, image[top:bottom, left:right, first:last])
    b = Builder(CONFIG)
    with output_tile(b, storage, tensor, box, channels) as tile:
        assert not b.instructions
        written = _pixels(machine.memory, tile.address, tile.pitch, tile.pixel, box, len(channels))
    expected = machine.dram.copy()
    expected[5 : 5 + tensor.size].reshape(shape)[top:bottom, left:right, first:last] = written
    machine.run(b.instructions)
    np.testing.assert_array_equal(machine.dram, expected)


@settings(max_examples=100, deadline=None)
@given(shapes, st.tuples(*[st.integers(0, 3)] * 4))
def test_resident_tensor_has_its_padding_in_place(shape: tuple[int, int, int], pads: tuple[int, int, int, int]) -> None:
    tensor, storage = _storage(shape, pads)
    assert storage.pads == pads
    storage.resident, storage.start = True, 0
    b, machine = Builder(CONFIG), Machine()
    make_resident(b, storage)
    assert not b.instructions
    image = np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)
    with output_tile(b, storage, tensor, Box(0, shape[0], 0, shape[1]), range(shape[2])) as tile:
        index = tile.address + np.arange(shape[0])[:, None, None] * tile.pitch + np.arange(shape[1])[:, None] * tile.pixel
        machine.memory[index + np.arange(shape[2])] = image
    emitted = len(b.instructions)
    machine.run(b.instructions)
    with output_tile(b, storage, tensor, Box(0, 1, 0, shape[1]), range(shape[2])):
        pass  # later tiles find the padding in place
    whole = Box(-pads[0], shape[0] + pads[2], -pads[1], shape[1] + pads[3])
    with input_tile(b, storage, tensor, whole) as tile:
        found = _pixels(machine.memory, tile.address, tile.pitch, tile.pixel, whole, shape[2])
    np.testing.assert_array_equal(found, _padded(image, whole))
    assert len(b.instructions) == emitted  # neither tile moves a byte
    assert (emitted > 0) == any(pads)
