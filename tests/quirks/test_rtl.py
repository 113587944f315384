"""A few quirks on the Verilog too, others in each run: bytes and cycles equal.

TALOS_SEED decides which, the date if it is not set.
"""

import datetime
import os
import random
from pathlib import Path

import pytest

from talos.config import PRESETS
from tests.quirks.catalogue import QUIRKS
from tests.quirks.run import check

COUNT = 12


def test_rotating_subset_on_the_verilog(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed = os.environ.get("TALOS_SEED") or datetime.datetime.now(datetime.UTC).date().isoformat()
    names = random.Random(seed).sample(sorted(QUIRKS), COUNT)
    with capsys.disabled():
        print(f"\nquirks on the Verilog, TALOS_SEED={seed}: {', '.join(names)}")
    for name in names:
        folder = tmp_path / name
        folder.mkdir()
        outcome = check(QUIRKS[name], PRESETS["4x4"], folder, rtl=True)
        assert outcome.rtl_cycles, name
