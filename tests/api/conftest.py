"""A program that all tests of the API share."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import talos
from tests.cli_runner import DIGITS, MODELS


@pytest.fixture(scope="session")
def data() -> dict[str, NDArray[Any]]:
    with np.load(MODELS / "digits.npz") as loaded:
        return {name: loaded[name] for name in loaded.files}


@pytest.fixture(scope="session")
def program(data: dict[str, NDArray[Any]]) -> talos.Program:
    return talos.compile(DIGITS, "4x4", calibration=data["calibrate"])
