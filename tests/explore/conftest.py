"""A small network and a small space, whose whole grid takes a moment."""

import pytest

from talos.config import PRESETS
from talos.explore.area import area_model
from talos.explore.budget import Budget
from talos.explore.network import load_network
from talos.explore.space import Space
from talos.synth.devices import find_device
from tests.cli_runner import DIGITS

DEVICE = find_device("ecp5-85k")[0]


@pytest.fixture(scope="session")
def digits():
    import numpy as np

    with np.load(DIGITS.with_suffix(".npz")) as arrays:
        return load_network(DIGITS, {"calibrate": arrays["calibrate"]})


@pytest.fixture
def space():
    return Space(
        PRESETS["8x8"].replace(multiply=False),
        {"rows": (4, 8), "cols": (4, 8, 16), "lanes": (1, 2, 4, 8), "weight_fifo_bytes": (1024, 4096), "max_burst": (8, 32)},
    )


@pytest.fixture
def budget():
    return Budget.of(DEVICE, None)


@pytest.fixture
def fits(budget):
    return lambda config: not budget.exceeded(area_model(DEVICE).estimate(config))
