"""The configuration: what depends on what, and what names it."""

import pytest

from talos.config import PRESETS, AcceleratorConfig
from talos.errors import TalosError

CONFIG = PRESETS["4x4"]


def test_multiply_needs_the_second_operand() -> None:
    with pytest.raises(TalosError, match=r"multiply=True needs residual=True .*; set multiply=False as well"):
        CONFIG.replace(residual=False)
    assert not CONFIG.replace(residual=False, multiply=False).multiply


def test_every_option_changes_hash_and_name() -> None:
    variants = [CONFIG.replace(**{option: False}) for option in ("multiply", "lookup", "pool", "depthwise")]
    assert len({config.hash for config in [CONFIG, *variants]}) == 5
    assert CONFIG.name == "4x4" and all(config.name == f"4x4-{config.hash}" for config in variants)


def test_json_keeps_options_and_fills_in_defaults() -> None:
    config = CONFIG.replace(multiply=False)
    values = config.to_json()
    assert AcceleratorConfig.from_json(values) == config
    del values["multiply"]
    assert AcceleratorConfig.from_json(values) == CONFIG
