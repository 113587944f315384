"""Names and numbers."""

import pytest

from talos.report.html.labels import joined, short_names, size, time_at


def test_names() -> None:
    assert short_names(["/net/stem/conv/Conv", "/net/pool/MaxPool"]) == ["stem/conv", "pool"]
    assert short_names(["model/a/Relu;model/a/BiasAdd", "model/b_1/Conv2D"]) == ["a", "b_1"]
    assert short_names(["conv1", "conv1", "conv2"]) == ["conv1 #1", "conv1 #2", "conv2"]
    assert short_names(["node_" + "x" * 40], 10) == ["…xxxxxxxxx"]
    assert short_names([]) == []


def test_joined() -> None:
    assert joined(["a", "b"]) == "a, b"
    assert joined(["a", "b", "c"], 2) == "a, b and 1 more"
    assert joined(["a/Relu;a/BiasAdd"]) == "a/Relu …"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (65536, "64 KiB"), (3 << 20, "3 MiB"), (5 << 30, "5 GiB")],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(("cycles", "text"), [(3189, "31.9 µs"), (16_420_082, "164 ms"), (257_502_225, "2.58 s")])
def test_times(cycles: int, text: str) -> None:
    assert time_at(cycles, 100.0) == text
