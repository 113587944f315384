"""The parameters of the DRAM: what `--memory` accepts and refuses."""

from typing import Any

import pytest

from talos.errors import TalosError
from talos.memory import MemoryTiming


def test_parse_keeps_defaults_and_reads_its_own_text() -> None:
    timing = MemoryTiming.parse("latency=5, bytes_per_cycle=0x8")
    assert timing == MemoryTiming(latency=5, bytes_per_cycle=8, outstanding=16, stall=0, seed=1)
    assert MemoryTiming.parse(str(timing)) == timing
    assert MemoryTiming.parse("") == MemoryTiming()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("latency", "latency"),
        ("speed=4", "speed=4"),
        ("latency=fast", "fast"),
        ("latency=1,latency=2", "twice"),
        ("latency=-1", "latency=-1"),
        ("outstanding=0", "outstanding=0"),
        ("outstanding=257", "outstanding=257"),
        ("stall=249", "stall=249"),
        ("stall=12", "try 8"),
        ("seed=0", "seed=0"),
        ("bytes_per_cycle=65", "bytes_per_cycle=65"),
    ],
)
def test_bad_timing_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(TalosError, match="memory timing") as error:
        MemoryTiming.parse(text)
    assert named in str(error.value)
    assert "\n" not in str(error.value)


def test_values_must_be_integers() -> None:
    latency: Any = 1.5
    with pytest.raises(TalosError, match=r"latency=1\.5"):
        MemoryTiming(latency=latency)


@pytest.mark.parametrize(("rate", "beat", "credit"), [(0, 16, 16), (3, 16, 3), (16, 16, 16), (64, 8, 8)])
def test_credit_is_at_most_one_beat_per_cycle(rate: int, beat: int, credit: int) -> None:
    assert MemoryTiming(bytes_per_cycle=rate).beat_credit(beat) == credit
