"""ONNX's own node tests: every case passes on the accelerator or is listed with the reason, and the page says so."""

import tomllib
from typing import cast

import pytest

from benchmarks.onnx_backend import LISTED, OPERATORS, PAGE, Outcome, Status, markdown, node_cases, operator, run_case


def listed() -> dict[str, tuple[Status, str]]:
    """The cases that do not run on the accelerator: where then, and why."""
    sections = tomllib.loads(LISTED.read_text())
    return {name: (cast(Status, status), reason) for status, cases in sections.items() for name, reason in cases.items()}


@pytest.mark.parametrize("op", OPERATORS)
def test_cases_of(op: str) -> None:
    """A case that passes on the accelerator though it is listed fails, too."""
    cases = [case for case in node_cases() if operator(case) == op]
    assert cases, f"ONNX has no case of {op}"
    known = listed()
    for case in cases:
        outcome = run_case(case)
        status, reason = known.get(case.name, ("accelerator", ""))
        assert outcome.status == status, f"{case.name}: {outcome.status} ({outcome.reason}), listed as {status} ({reason})"


def test_every_listed_case_exists_and_has_a_reason() -> None:
    names = {case.name for case in node_cases()}
    for name, (status, reason) in listed().items():
        assert name in names and status in ("host", "refused") and len(reason) > 10


def test_page_is_up_to_date() -> None:
    known = listed()
    outcomes = [Outcome(case.name, operator(case), *known.get(case.name, ("accelerator", ""))) for case in node_cases()]
    assert PAGE.read_text() == markdown(outcomes), "run python -m benchmarks.onnx_backend --write"
