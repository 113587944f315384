"""The digits network on 8x8 as the page shows it, computed once."""

import pytest

from talos.compiler.pipeline import Compiled, compile_model
from talos.config import PRESETS
from talos.report.html.data import ReportData, collect
from talos.report.html.page import render_page
from talos.runtime.samples import load_arrays, load_samples
from tests.cli_runner import DIGITS

IMAGES = 5


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    return compile_model(DIGITS, PRESETS["8x8"], load_arrays(DIGITS.with_suffix(".npz")))


@pytest.fixture(scope="session")
def data(compiled: Compiled) -> ReportData:
    samples = load_samples(compiled.program, load_arrays(DIGITS.with_suffix(".npz")), "digits.npz", IMAGES)
    return collect(compiled, "models/digits.onnx", samples=samples, float_model=DIGITS.read_bytes())


@pytest.fixture(scope="session")
def page(data: ReportData) -> str:
    pytest.importorskip("plotly", reason="the report needs plotly: pip install 'talos-accelerator[report]'")
    return render_page(data, 100.0)
