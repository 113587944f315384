"""The page in Chromium without a window: errors, requests, zooming, hovering. Skipped where there is no Chromium."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from talos.report.html.data import ReportData

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install playwright")

TIMEOUT = 300_000  # ms; only a limit
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        path = own if os.path.exists(own) else next(filter(None, map(shutil.which, BROWSERS)), None)
        if path is None:
            pytest.skip("no Chromium: install the package 'chromium', or run 'playwright install chromium'")
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def tab(browser: Any, page: str, tmp_path: Path) -> Iterator[Any]:
    """The page, loaded and drawn; at the end it must have made no error and asked for no other file."""
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    opened = browser.new_page(viewport={"width": 1366, "height": 768})
    opened.set_default_timeout(TIMEOUT)
    messages: list[str] = []
    requests: list[str] = []
    opened.on("console", lambda message: messages.append(f"{message.type}: {message.text}"))
    opened.on("pageerror", lambda error: messages.append(f"exception: {error}"))
    opened.on("request", lambda request: requests.append(request.url))
    opened.goto(path.as_uri())
    opened.wait_for_selector("#traffic-time .main-svg")
    yield opened
    assert messages == []
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]
    opened.close()


def axis(tab: Any, plot: str) -> list[float]:
    return [float(value) for value in tab.evaluate(f"document.getElementById('{plot}')._fullLayout.xaxis.range")]


def area(tab: Any, plot: str) -> dict[str, float]:
    """The plot's data area in the window."""
    tab.locator(f"#{plot}").scroll_into_view_if_needed()
    return dict(tab.locator(f"#{plot} .nsewdrag").first.bounding_box())


def test_all_plots_are_drawn(tab: Any, data: ReportData) -> None:
    for plot in ("utilization", "roofline", "timeline", "memory", "traffic", "traffic-time"):
        assert tab.locator(f"#{plot} .plot-container").count() == 1, plot
        assert tab.evaluate(f"document.getElementById('{plot}').data.length") > 0, plot
    assert tab.evaluate("document.getElementById('timeline').data.slice(1).reduce((n, t) => n + t.x.length, 0)") > 20
    assert axis(tab, "timeline") == [0, data.timing.cycles]
    assert tab.evaluate("document.body.scrollWidth <= innerWidth"), "the page is wider than the window"


def test_dragging_zooms_all_plots_over_time(tab: Any, data: ReportData) -> None:
    box = area(tab, "timeline")
    x, y, width = box["x"], box["y"] + box["height"] / 2, box["width"]
    tab.mouse.move(x + width * 0.25, y)
    tab.mouse.down()
    tab.mouse.move(x + width * 0.4, y, steps=5)
    tab.mouse.move(x + width * 0.5, y, steps=5)
    tab.mouse.up()
    tab.wait_for_function(f"document.getElementById('traffic-time')._fullLayout.xaxis.range[1] < {0.6 * data.timing.cycles}")
    first, last = axis(tab, "timeline")
    assert first == pytest.approx(0.25 * data.timing.cycles, rel=0.05) and last == pytest.approx(
        0.5 * data.timing.cycles, rel=0.05
    )
    assert axis(tab, "memory") == axis(tab, "traffic-time") == [first, last]
    tab.click('button[data-zoom="2"]')
    assert length(axis(tab, "timeline")) == pytest.approx(2 * (last - first), rel=0.01)
    tab.mouse.dblclick(x + width / 2, y)
    tab.wait_for_function(f"document.getElementById('memory')._fullLayout.xaxis.range[1] === {data.timing.cycles}")


def length(window: list[float]) -> float:
    return window[1] - window[0]


def test_hovering_names_the_onnx_node(tab: Any, data: ReportData) -> None:
    """The slice of the third layer's first MATMUL, which is in the middle of its row."""
    matmul = next(
        n for n, i in enumerate(data.program.instructions) if i.opcode.name == "MATMUL" and data.program.layer_of[n] == 3
    )
    middle = (data.timing.starts[matmul] + data.timing.ends[matmul]) / 2 / data.timing.cycles
    box = area(tab, "timeline")
    tab.mouse.move(box["x"] + middle * box["width"], box["y"] + box["height"] * 3.5 / 6)  # layer, load, weights, array
    tab.wait_for_selector("#timeline .hoverlayer .hovertext")
    text = tab.locator("#timeline .hoverlayer").text_content()
    assert "residual/block2/conv/Conv, residual/Add" in text and "MATMUL" in text and "cycles" in text


def test_memory_map_tells_what_lies_there(tab: Any, data: ReportData) -> None:
    times = data.activation
    widest = int(np.argmax((times.high - times.low) * (times.end - times.begin)))
    names = tab.evaluate("document.getElementById('memory').data[0].text.flat().filter((text) => text)")
    layer = int(times.layers[widest])
    assert any(re.match(rf"<b>{layer} · ", name) and "needed in cycles" in name for name in names)


def test_a_box_of_the_graph_leads_to_its_layer(tab: Any, data: ReportData) -> None:
    tab.hover('.node[data-layer="4"]')
    assert "ONNX nodes: reduce/conv/Conv" in tab.locator("#tip").text_content()
    tab.click('.node[data-layer="4"]')
    first, last = axis(tab, "timeline")
    assert last - first == pytest.approx(1.08 * data.layers[4].cycles, rel=0.02)
    assert tab.locator("#layer-choice").input_value() == "4"


def test_clock_and_table(tab: Any) -> None:
    tab.fill("#mhz", "200")
    assert tab.locator("#clock-time").text_content() == "15.9 µs"
    tab.click("thead th:nth-child(6)")
    names = tab.locator("tbody tr td:nth-child(2)").all_text_contents()
    assert names[0] == "stem/conv" and names[-1] == "average"


def test_narrow_window(tab: Any) -> None:
    tab.set_viewport_size({"width": 700, "height": 800})
    tab.wait_for_function("document.querySelector('#timeline .main-svg').getBoundingClientRect().right < 700")
    tab.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
