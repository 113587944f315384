"""Budgets."""

import pytest

from talos.errors import TalosError
from talos.explore.budget import Budget
from talos.synth.devices import DEVICES
from talos.synth.resources import Resources

ECP5, XC7 = DEVICES["ecp5-85k"], DEVICES["xc7"]


def test_lowers_what_the_device_has():
    budget = Budget.of(ECP5, "lut=40000, dsp=50")
    assert budget.limits == {"lut": 40000, "ff": 83640, "dsp": 50, "bram": 208}
    assert Budget.of(ECP5, str(budget)) == budget
    assert budget.exceeded(Resources(40000, 0, 50, 208)) == []
    assert budget.exceeded(Resources(40001, 0, 50, 209)) == ["lut", "bram"]
    assert budget.share(Resources(20000, 0, 25, 104)) == pytest.approx(1.5 / 4)


def test_family_without_sizes_needs_one():
    assert Budget.of(XC7, "lut=100").limits == {"lut": 100}
    with pytest.raises(TalosError, match="say how much there is with --budget"):
        Budget.of(XC7, None)


@pytest.mark.parametrize("text", ["lut", "luts=3", "lut=x", "lut=0", "dsp=-1", "lut=inf", "lut=nan", "dsp=157"])
def test_errors(text):
    with pytest.raises(TalosError, match=f"--budget {text}"):
        Budget.of(ECP5, text)
