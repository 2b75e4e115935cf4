"""Widgets unchanged from PyPI: they render, what a person does reaches Python, what Python sets reaches the page."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page
from e2e.server import ServeProcess, ServerOutputError

SCRIPTS = Path(__file__).parent / "scripts"

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="these versions need Python 3.11")


def opened(serve: Serve, open_page: Callable[[str], Page], script: str, *arguments: str) -> tuple[ServeProcess, Page]:
    server = serve(SCRIPTS / script, *arguments)
    page = open_page(server.url)
    page.wait_idle(timeout_s=30)
    return server, page


def name_widgets(page: Page, *names: str) -> None:
    """Name the widgets of a page in their order, for selectors such as `[data-story=slider-1] canvas`."""
    elements = "document.querySelectorAll('[data-widget-id]')"
    page.wait_for(f"{elements}.length === {len(names)}")
    page.evaluate(f"void {json.dumps(names)}.forEach((name, n) => {{ {elements}[n].dataset.story = name; }})")


def wait_for_output(server: ServeProcess, page: Page, text: str) -> None:
    """Wait until the server has written it and the page shows it: what a page shows pushes down what is below."""
    server.wait_for_output(text)
    page.wait_for(f"document.body.innerText.includes({json.dumps(text)})")


def within(name: str, selector: str) -> str:
    return f"[data-story={name}] {selector}"


@pytest.mark.threat(24)
def test_two_of_each_small_widget_sync_both_ways_and_do_not_touch_each_other(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server, page = opened(serve, open_page, "small_widgets.py")
    kinds = ("basket", "matrix", "paint", "scatter", "mario")
    twos = [f"{kind}-{number}" for kind in kinds for number in (1, 2)]
    name_widgets(page, "slider-1", "slider-2", "slider-1-again", *twos, "poke")

    page.drag(within("slider-1", "canvas"), (80, 80), (110, 80))
    wait_for_output(server, page, "Slider2D 1 x 0.5")
    page.wait_for_text(within("slider-1-again", "#sliderValues"), page.text(within("slider-1", "#sliderValues")))
    page.drag(within("slider-2", "canvas"), (80, 80), (50, 80))
    wait_for_output(server, page, "Slider2D 2 x -0.5")
    second = page.text(within("slider-2", "#sliderValues"))

    page.click(within("basket-1", ".remove-button"))
    wait_for_output(server, page, "SortableList 1 value ['banana', 'cherry']")
    page.type(within("basket-2", ".add-input"), "date")
    page.press("Enter")
    wait_for_output(server, page, "SortableList 2 value ['apple', 'banana', 'cherry', 'date']")

    page.drag(within("matrix-2", ".matrix-element"), (10, 10), (16, 10))
    wait_for_output(server, page, "Matrix 2 matrix [[8, 5], [5, 5]]")

    page.drag(within("paint-1", ".paint-canvas-area canvas"), (40, 40), (120, 90), (150, 60))
    wait_for_output(server, page, "Paint 1 base64 True")

    page.drag(within("scatter-1", "svg[aria-label='Scatter plot drawing area']"), (80, 80), (160, 120), (240, 90))
    wait_for_output(server, page, "ScatterWidget 1 data has True")

    page.click(".poke-python")
    page.wait_for_text(within("slider-1", "#sliderValues"), "X: 0.50, Y: -0.25")
    page.wait_for_text(within("slider-1-again", "#sliderValues"), "X: 0.50, Y: -0.25")
    assert page.text(within("slider-2", "#sliderValues")) == second
    page.wait_for_text(within("basket-2", ".item-label"), "plum")
    assert page.texts(within("basket-1", ".item-label")) == ["banana", "cherry"]
    page.wait_for(f"document.querySelectorAll({within('scatter-2', 'circle.drawn')!r}).length === 1")
    page.wait_for(f"document.querySelector({within('mario-1', 'canvas')!r}).style.animationName === 'ipymario-bounce'")
    assert page.evaluate(f"document.querySelector({within('mario-2', 'canvas')!r}).style.animationName") == ""
    # Its picture is a trait of bytes.
    picture = f"document.querySelector({within('mario-2', 'canvas')!r}).getContext('2d').getImageData(0, 0, 3, 2).data"
    black, red, skin = [0, 0, 0, 255], [247, 82, 0, 255], [247, 186, 119, 255]
    assert page.evaluate(f"Array.from({picture})") == [*black, *red, *red, *red, *skin, *skin]

    page.wait_idle()
    assert "Matrix 1" not in server.output() and "Paint 2" not in server.output()
    assert page.errors() == []


@pytest.mark.threat(24)
def test_a_brush_over_an_altair_chart_reaches_python_and_its_parameters_and_chart_are_pythons(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server, page = opened(serve, open_page, "chart.py", "--allow-eval")
    page.wait_for("document.querySelectorAll('.mark-symbol path').length === 10")
    page.drag(".marks", (100, 60), (220, 150))
    server.wait_for_output("brush ['x', 'y']")

    symbol = "document.querySelector('.mark-symbol path').getAttribute('d')"
    small = page.evaluate(symbol)
    page.click(".poke-enlarge")
    page.wait_for(f"{symbol} !== {small!r}")

    page.click(".poke-replace")
    page.wait_for("document.querySelectorAll('.mark-rect path').length === 10")
    page.wait_idle()
    assert page.errors() == []


@pytest.mark.violates("https://esm.sh", "eval")
@pytest.mark.threat(24)
def test_a_chart_that_cannot_load_or_may_not_run_says_so_and_the_rest_of_the_page_lives(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server, page = opened(serve, open_page, "chart_from_network.py")
    (panel,) = page.texts("[data-widget-id] [role=alert]")
    assert "failed (import)" in panel
    page.wait_for_text("#rdit-notices", "load code from https://esm.sh, which this page does not allow")
    page.wait_for_text("#rdit-notices", "start the server with --allow-eval")
    server.wait_for_output("failed in its page (import)")
    for label, value in (("before", "10"), ("between", "20"), ("after", "30")):
        page.fill(f".field-{label}", value)
        page.press("Enter")
        page.wait_for(f"document.querySelector('.shown-{label}').textContent === '{value}'")


QUAK = "Array.from(document.querySelectorAll('[data-widget-id] *')).find((e) => e.shadowRoot).shadowRoot"


# Its templates have their handlers in attributes while they are parsed, where the policy blocks what nobody needs.
@pytest.mark.violates("script-src-attr inline")
@pytest.mark.threat(24)
def test_quak_asks_python_for_its_rows_and_what_is_chosen_in_it_is_a_query_in_python(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server, page = opened(serve, open_page, "quak_table.py")
    page.wait_for(f"{QUAK}.querySelectorAll('tbody tr').length > 20")
    page.wait_for(f"{QUAK}.querySelector('.status-bar').innerText.includes('300 rows')")
    at = f"""(() => {{
      const here = document.querySelector('[data-widget-id]').getBoundingClientRect();
      const {{ left, top, width, height }} = {QUAK}.querySelector('[title=b]').getBoundingClientRect();
      return [left + width / 2 - here.left, top + height / 2 - here.top];
    }})()"""
    x, y = page.wait_for(at)
    page.click_at("[data-widget-id]", (x, y))
    server.wait_for_output("chosen: 100")
    page.wait_for(f"{QUAK}.querySelector('.status-bar').innerText.includes('100 of 300 rows')")
    page.wait_idle()
    assert page.errors() == []


@pytest.mark.threat(24)
def test_points_selected_in_a_plotly_figure_and_its_zoom_reach_python(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server, page = opened(serve, open_page, "figure.py")
    page.wait_for_element(".scatterlayer .point")
    page.drag("[data-widget-id] .nsewdrag", (180, 80), (360, 200))
    server.wait_for_output("selected [2, 3]")
    page.click(".modebar-btn[data-title='Zoom in']")
    server.wait_for_output("range (")
    page.wait_idle()
    assert page.errors() == []


@pytest.mark.alike
def test_a_trace_that_python_adds_to_a_plotly_figure_reaches_the_page(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    _, page = opened(serve, open_page, "figure.py")
    page.wait_for_element(".scatterlayer .point")
    # Twice the same: plotly puts each into a trait, and takes it out again at once.
    for count in (3, 6):
        page.click(".poke-add")
        page.wait_for(f"document.querySelectorAll('.bars .point').length === {count}")
    page.wait_idle()
    assert page.errors() == []


SELECTED_PIXELS = """(() => {
  const canvas = document.querySelector('[data-widget-id] canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i] < 64 && data[i + 2] > 192 && data[i + 3] > 192) count += 1;
  return count;
})()"""


@pytest.mark.alike
@pytest.mark.webgl
@pytest.mark.threat(24)
def test_points_lassoed_in_a_jupyter_scatter_reach_python_and_points_selected_by_python_the_page(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server, page = opened(serve, open_page, "points.py", "--allow-eval")
    if not page.evaluate("document.createElement('canvas').getContext('webgl') !== null"):
        pytest.skip("this browser has no WebGL here")
    page.wait_for_element("[data-widget-id] canvas")
    assert page.evaluate(SELECTED_PIXELS) == 0
    page.click("[title='Activate lasso selection']")
    server.wait_for_output("mode lasso")
    page.wait_for_element("[title='Activate lasso selection'][class*='bg-brand']")
    page.wait_idle()
    for _ in range(3):
        page.drag("[data-widget-id] canvas", (60, 60), (200, 60), (200, 200), (60, 200), (60, 70))
        with contextlib.suppress(ServerOutputError):
            server.wait_for_output("selected ", timeout_s=5)
            break
        # The plot takes up its mode some time after the button shows it, and nothing tells when: it was moved instead.
        page.click("[title='Reset View']")
    # A fifth of the canvas, with an edge that is drawn a little differently each time.
    count = re.findall(r"selected (\d+)\n", server.output())[-1]
    assert 60 < int(count) < 130
    page.wait_for(f"{SELECTED_PIXELS} > 100")

    page.click(".poke-select")
    server.wait_for_output("selected 400")
    page.wait_for(f"{SELECTED_PIXELS} > 1000")
    page.wait_idle()
    assert page.errors() == []
