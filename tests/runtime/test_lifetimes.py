"""Life times of what lies on chip, on programs of a few instructions with given times."""

from dataclasses import replace

import numpy as np
import pytest

from talos.config import PRESETS
from talos.isa import Instruction, Opcode, Source
from talos.model.timing.core import Timing
from talos.program import LayerInfo, Program
from talos.runtime.lifetimes import LifeTimes, life_times

CONFIG = PRESETS["8x8"]

Step = tuple[Instruction, int, int, int]  # instruction, start, end, layer


def run(*steps: Step, grain: int = 8) -> LifeTimes:
    """The activation memory's use."""
    constants = b"".join(step[0].encode() for step in steps)
    layers = tuple(LayerInfo(f"layer {n}", "conv", 0, "array", ()) for n in range(1 + max(step[3] for step in steps)))
    program = Program(
        "test", CONFIG, constants, 0, len(steps), (len(constants), 0, 0, 0), (), (), layers, tuple(step[3] for step in steps)
    )
    starts, ends = (np.array([step[place] for step in steps], np.int64) for place in (1, 2))
    return life_times(program, Timing(int(ends.max()) + 1, starts, ends, np.zeros((6, 3), np.int64)), "activation", 1024, grain)


def fill(address: int, count: int) -> Instruction:
    return Instruction(Opcode.FILL, dst=address, row_bytes=count)


def load(address: int, count: int) -> Instruction:
    return Instruction(Opcode.LOAD, dst=address, row_bytes=count)


def store(address: int, count: int) -> Instruction:
    return Instruction(Opcode.STORE, src=address, row_bytes=count)


def vector(source: int, target: int) -> Instruction:
    """One vector of 8 bytes."""
    return Instruction(Opcode.VECTOR, source=Source.MAXIMUM, a=source, dst=target, tail=8)


def rectangles(times: LifeTimes) -> set[tuple[int, ...]]:
    return set(zip(*(getattr(times, key).tolist() for key in ("low", "high", "begin", "end", "writers")), strict=True))


def test_from_the_writer_to_the_last_reader() -> None:
    times = run((load(64, 16), 10, 20, 0), (vector(64, 128), 21, 30, 0), (vector(64, 136), 25, 40, 1), (store(128, 8), 31, 50, 1))
    assert rectangles(times) == {(64, 72, 10, 40, 0), (72, 80, 10, 20, 0), (128, 136, 21, 50, 1), (136, 144, 25, 40, 2)}
    assert times.layers.tolist() == [[0, 0, 1, 1][writer] for writer in times.writers]
    assert times.peak == 24


def test_what_is_read_and_written_again_is_another_value() -> None:
    times = run((load(0, 8), 0, 5, 0), (store(0, 8), 6, 9, 0), (load(0, 8), 10, 15, 0), (store(0, 8), 16, 19, 0))
    assert rectangles(times) == {(0, 8, 0, 9, 0), (0, 8, 10, 19, 2)}
    assert times.peak == 8


def test_padding_belongs_to_what_is_written_into_it() -> None:
    times = run((fill(0, 32), 0, 3, 0), (load(8, 16), 4, 9, 0), (store(0, 32), 10, 20, 0))
    assert rectangles(times) == {(0, 8, 0, 20, 0), (8, 24, 0, 20, 1), (24, 32, 0, 20, 0)}


def test_another_layer_starts_anew() -> None:
    times = run((load(0, 8), 0, 5, 0), (load(0, 8), 10, 15, 1))
    assert rectangles(times) == {(0, 8, 0, 5, 0), (0, 8, 10, 15, 1)}


def test_channels_of_one_tensor_from_two_layers() -> None:
    """Every other 8 bytes: the second layer writes the gaps of the first."""
    first = replace_strides(load(0, 8))
    second = replace_strides(load(8, 8))
    times = run((first, 0, 5, 0), (second, 6, 9, 1), (store(0, 64), 10, 12, 1), grain=8)
    assert {row[:2] for row in rectangles(times)} == {(start, start + 8) for start in range(0, 64, 8)}
    assert all(row[3] == 12 for row in rectangles(times))


def replace_strides(instruction: Instruction) -> Instruction:
    """Four rows, 16 bytes apart."""
    instruction["rows"], instruction["dst_row_stride"], instruction["row_stride"] = 4, 16, 8
    return instruction


def test_lines_are_rounded_outwards() -> None:
    assert rectangles(run((load(5, 6), 0, 5, 0), grain=8)) == {(0, 16, 0, 5, 0)}
    assert rectangles(run((load(5, 6), 0, 5, 0), grain=1)) == {(5, 11, 0, 5, 0)}


@pytest.mark.parametrize("space", ["accumulator", "parameter"])
def test_a_space_that_is_not_used(space: str) -> None:
    program = Program(
        "test", CONFIG, load(0, 8).encode(), 0, 1, (64, 0, 0, 0), (), (), (LayerInfo("a", "conv", 0, "array", ()),), (0,)
    )
    timing = Timing(9, np.array([1]), np.array([5]), np.zeros((6, 3), np.int64))
    times = life_times(replace(program), timing, space, 64)
    assert len(times.low) == 0 and times.peak == 0
