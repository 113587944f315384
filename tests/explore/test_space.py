"""Spaces from files, and their configurations."""

import json

import pytest

from talos.config import PRESETS
from talos.errors import TalosError
from talos.explore.space import load_space


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("space.toml", 'base = "4x4"\nlanes = {min = 1, max = 4}\nqueue_depth = [8, 4]\nmultiply = false\n'),
        ("space.yaml", "base: 4x4\nlanes: {min: 1, max: 4}\nqueue_depth: [8, 4]\nmultiply: false\n"),
        ("space.json", '{"base": "4x4", "lanes": {"min": 1, "max": 4}, "queue_depth": [8, 4], "multiply": false}'),
    ],
)
def test_three_formats_say_the_same(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    space = load_space(tmp_path / name)
    assert space.base == PRESETS["4x4"]
    assert space.choices == {"lanes": (1, 2, 4), "queue_depth": (4, 8), "multiply": (False,)}
    configs = list(space.configs())
    assert len(configs) == space.size == 6 and len(set(configs)) == 6
    assert configs[0] == PRESETS["4x4"].replace(lanes=1, queue_depth=4, multiply=False)
    assert all(map(space.holds, configs)) and not space.holds(PRESETS["4x4"])


def test_what_cannot_be_built_is_left_out(tmp_path):
    (tmp_path / "s.json").write_text(json.dumps({"cols": [4, 8], "lanes": [4, 8]}))
    assert [(c.cols, c.lanes) for c in load_space(tmp_path / "s.json").configs()] == [(4, 4), (8, 4), (8, 8)]


def test_default_space_holds_the_small_presets():
    space = load_space(None)
    assert space.holds(PRESETS["8x8"]) and not space.holds(PRESETS["32x32"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "expected fields"),
        ("{", "cannot be read as JSON"),
        ('{"row": 4}', "unknown field 'row'"),
        ('{"base": "5x5"}', "base='5x5' must be a preset"),
        ('{"base": {"rows": 4}}', "base: missing"),
        ('{"rows": []}', "rows has no value"),
        ('{"rows": [true]}', "rows=True must be int"),
        ('{"pool": 1}', "pool=1 must be bool"),
        ('{"rows": {"min": 4}}', "a range is {min, max}"),
        ('{"rows": {"min": 4, "max": 12}}', "4 … 12 is no range of powers of two"),
        ('{"rows": {"min": 8, "max": 4}}', "8 … 4 is no range"),
        ('{"rows": [128]}', "no combination of these values can be built"),
    ],
)
def test_errors_name_file_and_field(tmp_path, text, message):
    path = tmp_path / "space.json"
    path.write_text(text)
    with pytest.raises(TalosError) as raised:
        load_space(path)
    assert str(raised.value).startswith(str(path)) and message in str(raised.value)


@pytest.mark.parametrize(("name", "text"), [("s.toml", "rows ="), ("s.yaml", "rows: ["), ("s.txt", "rows")])
def test_unreadable_files(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(TalosError, match=name):
        load_space(tmp_path / name)
    with pytest.raises(TalosError, match="cannot be read"):
        load_space(tmp_path / "missing.toml")
