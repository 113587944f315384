"""The compiled digits network at 4x4, and its inputs."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from talos.compiler.pipeline import compile_model
from talos.config import PRESETS
from talos.program import Program
from talos.runtime.execute import input_tensors
from talos.runtime.samples import load_arrays
from tests.cli_runner import DIGITS, MODELS

Tensors = dict[str, NDArray[np.int8]]


@pytest.fixture(scope="session")
def program() -> Program:
    return compile_model(DIGITS, PRESETS["4x4"], load_arrays(MODELS / "digits.npz")).program


@pytest.fixture(scope="session")
def program_file(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "digits.talos"
    program.save(path)
    return path


@pytest.fixture(scope="session")
def image(program: Program) -> Tensors:
    return input_tensors(program, {"input": load_arrays(MODELS / "digits.npz")["x"][:1]})
