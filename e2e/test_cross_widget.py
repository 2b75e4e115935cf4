"""The examples of widgets that talk to each other, used with a real mouse: the other follows, and Python knows."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from e2e.conftest import Serve
from e2e.faults import Python
from e2e.page import Page
from e2e.server import ServeProcess

EXAMPLES = Path(__file__).parent.parent / "examples" / "cross_widget"
SCRIPTS = Path(__file__).parent / "scripts"
ORANGE = """(() => {
  const canvas = document.querySelector(".plot");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i] > 200 && data[i + 1] < 130 && data[i + 2] < 60) count += 1;
  return count;
})()"""
"""Pixels of selected points."""

BINS = "Array.from(document.querySelectorAll('.bin'), (bin) => Number(bin.dataset.count))"
"""How many flights each bar of the histogram stands for."""

Opened = tuple[Page, Python]


@pytest.fixture
def opened(serve: Serve, open_page: Callable[[str], Page]) -> Iterator[Callable[[str], Opened]]:
    """Shows an example, and gives its page and its Python."""
    pythons: list[Python] = []

    def start(example: str) -> Opened:
        server = serve(SCRIPTS / "linked.py", "--", example)
        server.wait_for_output("control at ", timeout_s=30)
        found = re.search(r"^control at (\d+)$", server.output("stdout"), re.MULTILINE)
        assert found is not None
        page = open_page(server.url)
        page.wait_idle(timeout_s=30)
        page.wait_for_element(".linked.asks button")
        pythons.append(Python(int(found[1])))
        return page, pythons[-1]

    yield start
    for python in pythons:
        python.close()


def settle(page: Page) -> None:
    """Wait until what was to be done with the next frame is done, and Python has it."""
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(true))))")
    page.wait_idle()


def read(python: Python, widget: str, name: str) -> Any:
    return python.call("read", widget=widget, name=name)


def press(page: Page, label: str) -> None:
    """Press one of Python's buttons."""
    buttons = page.texts(".linked.asks button")
    page.click(f".linked.asks button:nth-of-type({buttons.index(label) + 1})")


def make_flights() -> dict[str, Any]:
    """The data of the examples, as JavaScript computes with it."""
    flights = runpy.run_path(str(EXAMPLES / "flight_data.py"))["make_flights"]()
    return {**flights, **{name: flights[name].astype("f8") for name in ("distance", "delay")}}


def rows_in(page: Page, flights: dict[str, Any], box: tuple[float, float, float, float], more: float) -> set[int]:
    """The flights between two corners on the plot, and so many pixels around."""
    plot = "document.querySelector('.plot')"
    width, height = page.evaluate(f"[{plot}.clientWidth, {plot}.clientHeight]")
    distance, delay = flights["distance"], flights["delay"]
    low_x, high_x = min(0, distance.min()), distance.max() * 1.03
    low_y, high_y = min(0, delay.min()), delay.max() * 1.03
    x = 46 + (distance - low_x) / (high_x - low_x) * (width - 12 - 46)
    y = height - 34 - (delay - low_y) / (high_y - low_y) * (height - 34 - 10)
    left, top, right, bottom = box
    inside = (x >= left - more) & (x <= right + more) & (y >= top - more) & (y <= bottom + more)
    return set(inside.nonzero()[0].tolist())


def brush(page: Page, box: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = box
    page.drag(".plot", (left, top), (right, bottom), steps=8)


@pytest.mark.parametrize(("example", "widgets"), [("flights", 4), ("terrain", 4), ("planets", 4), ("filters", 5)])
@pytest.mark.alike
def test_an_example_shows_all_of_its_widgets(
    serve: Serve, open_page: Callable[[str], Page], example: str, widgets: int
) -> None:
    page = open_page(serve(EXAMPLES / f"{example}.py").url)
    page.wait_idle(timeout_s=30)
    page.wait_for(f"document.querySelectorAll('[data-widget-id] .linked').length === {widgets}")
    assert page.errors() == []


def test_a_brush_over_a_scatter_plot_filters_a_histogram_and_a_bar_of_it_selects_points(
    opened: Callable[[str], Opened],
) -> None:
    page, python = opened("flights")
    flights = make_flights()
    delay = flights["delay"]
    step = 5
    low = numpy.floor(delay.min() / step) * step
    bin_of = numpy.floor((delay - low) / step).astype(int)

    def shown(rows: list[int]) -> list[int]:
        return list(numpy.bincount(bin_of[rows], minlength=bin_of.max() + 1).tolist())

    assert page.evaluate(BINS) == shown(list(range(2000)))
    assert page.evaluate(ORANGE) == 0

    box = (200.0, 30.0, 480.0, 170.0)
    brush(page, box)
    page.wait_for("document.querySelector('.bars').classList.contains('is-brushed')")
    settle(page)
    selected = read(python, "scatter", "selected_indices")
    assert rows_in(page, flights, box, -1.5) <= set(selected) <= rows_in(page, flights, box, 1.5)
    assert len(selected) > 100
    assert read(python, "histogram", "selected_indices") == selected
    page.wait_for(f"document.querySelector('.says output').textContent.startsWith('{len(selected)} flights')")
    assert page.evaluate(BINS) == shown(selected)
    assert page.evaluate(ORANGE) > len(selected)

    # The other way.
    fullest = int(numpy.argmax(shown(list(range(2000)))))
    # By its place: WebKit's driver clicks at no group of an SVG.
    page.click_at(f".bin:nth-of-type({fullest + 1})", (8, 60))
    page.wait_for_text(".linked output", f"{(bin_of == fullest).sum()} of 2,000 selected")
    settle(page)
    assert read(python, "scatter", "selected_indices") == (bin_of == fullest).nonzero()[0].tolist()

    # And from Python.
    python.call("write", widget="scatter", name="selected_indices", value=[0, 1, 2, 5, 10])
    page.wait_for_text(".linked output", "5 of 2,000 selected")
    page.wait_for(f"{BINS}.join() === {','.join(map(str, shown([0, 1, 2, 5, 10])))!r}")
    press(page, "Select none")
    page.wait_for("!document.querySelector('.bars').classList.contains('is-brushed')")
    assert page.evaluate(BINS) == shown(list(range(2000)))
    assert page.errors() == []


def test_a_brush_is_made_moved_and_taken_away_with_the_keyboard(opened: Callable[[str], Opened]) -> None:
    page, python = opened("flights")
    page.evaluate("void document.querySelector('.plot').focus()")
    counts = []
    for key in ("ArrowRight", "ArrowUp", "Shift+ArrowRight"):
        page.press(key)
        settle(page)
        counts.append(len(read(python, "histogram", "selected_indices")))
        page.wait_for_text(".linked output", f"{counts[-1]} of 2,000 selected")
    assert counts[2] > counts[1] > 0 and counts[0] > 0
    page.press("Escape")
    page.wait_for("!document.querySelector('.bars').classList.contains('is-brushed')")
    settle(page)
    assert read(python, "scatter", "selected_indices") == []

    page.evaluate("void document.querySelector('.bin').focus()")
    page.press("ArrowRight")
    page.press("Enter")
    settle(page)
    first, second, *others = page.evaluate(BINS)
    assert first == 0 and second > 0 and not any(others)
    assert len(read(python, "scatter", "selected_indices")) == second
    assert page.errors() == []


def picture(selector: str) -> str:
    """A small copy of a canvas, as numbers."""
    return f"""(() => {{
      const small = Object.assign(document.createElement("canvas"), {{ width: 24, height: 16 }});
      small.getContext("2d").drawImage(document.querySelector({selector!r}), 0, 0, 24, 16);
      return Array.from(small.getContext("2d").getImageData(0, 0, 24, 16).data);
    }})()"""


def differ(selector: str, before: list[int]) -> str:
    """Whether at least one of its places has clearly another colour than before."""
    return f"{picture(selector)}.some((value, place) => Math.abs(value - {json.dumps(before)}[place]) > 12)"


def test_what_is_painted_is_an_array_in_python_and_what_python_sets_is_painted(opened: Callable[[str], Opened]) -> None:
    page, python = opened("terrain")
    before = numpy.array(read(python, "painter", "heightmap")["values"])
    painted = page.evaluate(picture(".ground"))
    # The lower left corner is sea.
    page.drag(".ground", (30, 250), (60, 250), (60, 270), steps=6)
    settle(page)
    now = read(python, "landscape", "heightmap")
    assert (now["shape"], now["dtype"]) == ([64, 64], "float32")
    assert now == read(python, "painter", "heightmap")
    heights = numpy.array(now["values"])
    assert (heights >= before).all()
    rows, columns = (heights > before).nonzero()
    assert rows.min() > 40 and columns.max() < 30
    page.wait_for_text(".says output", f"{heights.mean():.3f} on average")
    assert page.evaluate(differ(".ground", painted))

    painted = page.evaluate(picture(".ground"))
    press(page, "Another island")
    page.wait_for(differ(".ground", painted))
    settle(page)
    assert read(python, "landscape", "heightmap") == read(python, "painter", "heightmap") != now
    if page.count(".scene") == 0:
        assert "no WebGL" in page.text(".sorry")
    assert page.errors() == []


@pytest.mark.webgl
def test_what_is_painted_stands_in_a_landscape_that_can_be_turned(opened: Callable[[str], Opened]) -> None:
    page, python = opened("terrain")
    if not page.evaluate("document.createElement('canvas').getContext('webgl') !== null"):
        pytest.skip("this browser has no WebGL here")
    # A canvas that was drawn on may be empty to a copy until the engine has shown it.
    page.wait_for(f"new Set({picture('.scene')}).size > 50")
    drawn = page.evaluate(picture(".scene"))
    page.drag(".ground", (30, 30), (250, 30), (250, 250), steps=6)
    page.wait_for(differ(".scene", drawn))
    settle(page)

    drawn = page.evaluate(picture(".scene"))
    page.drag(".scene", (300, 160), (420, 160))
    page.wait_for(differ(".scene", drawn))
    settle(page)

    drawn = page.evaluate(picture(".scene"))
    python.call("write", widget="painter", name="heightmap", value=[[0.9] * 64] * 64)
    page.wait_for(differ(".scene", drawn))
    assert page.errors() == []


def aim(page: Page, planet: str) -> tuple[float, float]:
    """Where a planet is on the picture, once it rests."""
    page.hover(".space", (5, 5))
    page.wait_for_element(".space[data-still]")
    ring = f".space [data-planet={planet}] .ring"
    x, y = page.evaluate(f"""(() => {{
      const sky = document.querySelector(".space").getBoundingClientRect();
      const {{ left, top, width, height }} = document.querySelector({ring!r}).getBoundingClientRect();
      return [left + width / 2 - sky.left, top + height / 2 - sky.top];
    }})()""")
    return x, y


PICKED = "Array.from(document.querySelectorAll('[data-planet][aria-pressed=true]'), (one) => one.dataset.planet)"
"""What is marked as picked: in the sky, then in the chart."""


def wait_for_picked(page: Page, *planets: str) -> None:
    page.wait_for(f"{PICKED}.join() === {','.join(planets)!r}")


def color_of_bar(page: Page, planet: str) -> str:
    bar = f".chart [data-planet={planet}] i"
    return str(page.evaluate(f"getComputedStyle(document.querySelector({bar!r})).backgroundColor"))


def test_a_planet_that_is_clicked_at_stands_out_in_the_chart_and_a_bar_picks_its_planet(
    opened: Callable[[str], Opened],
) -> None:
    page, python = opened("planets")
    assert page.evaluate(PICKED) == []
    page.click_at(".space", aim(page, "Jupiter"))
    wait_for_picked(page, "Jupiter", "Jupiter")
    settle(page)
    assert read(python, "solar_system", "selected_planet") == read(python, "chart", "selected_planet") == "Jupiter"
    page.wait_for_text(".says output", "on Jupiter.")
    assert color_of_bar(page, "Jupiter") != color_of_bar(page, "Earth")

    page.click(".chart [data-planet=Mars]")
    wait_for_picked(page, "Mars", "Mars")
    settle(page)
    assert read(python, "solar_system", "selected_planet") == "Mars"

    page.evaluate("void document.querySelector('.space [data-planet=Venus]').focus()")
    page.press("Enter")
    wait_for_picked(page, "Venus", "Venus")

    python.call("write", widget="chart", name="selected_planet", value="Neptune")
    wait_for_picked(page, "Neptune", "Neptune")
    press(page, "Pick none")
    wait_for_picked(page)
    assert page.errors() == []


@pytest.mark.alike
def test_a_table_is_filtered_by_a_brush_and_by_a_drop_down(opened: Callable[[str], Opened]) -> None:
    page, python = opened("filters")
    flights = make_flights()
    count = "Array.from(document.querySelectorAll('.linked output'), (e) => e.textContent)[1]"
    airlines = "Array.from(document.querySelectorAll('tbody td:nth-child(2)'), (e) => e.textContent)"

    page.click(".linked summary")
    page.click(".linked input[value=HN]")
    heron = int((flights["airline"] == "HN").sum())
    page.wait_for(f"{count} === '{heron} of 2,000 flights'")
    assert page.evaluate(f"{airlines}.every((code) => code === 'HN')")
    settle(page)
    assert read(python, "table", "selected_airlines") == ["HN"]

    box = (120.0, 30.0, 480.0, 170.0)
    brush(page, box)
    settle(page)
    rows = [row for row in read(python, "table", "selected_indices") if flights["airline"][row] == "HN"]
    assert 10 < len(rows) < heron
    page.wait_for(f"{count} === '{len(rows)} of 2,000 flights'")
    assert sorted(rows) == python.call("find")
    page.wait_for_text(".says output", f"{len(rows)} flights")

    page.click(".linked input[value=CR]")
    settle(page)
    both = python.call("find")
    assert len(both) > len(rows) and {flights["airline"][row] for row in both} == {"HN", "CR"}
    page.wait_for(f"{count} === '{len(both)} of 2,000 flights'")

    press(page, "Late flights of Swift and Crane")
    expected = ((flights["delay"] > 30) & numpy.isin(flights["airline"], ["SW", "CR"])).sum()
    page.wait_for(f"{count} === '{expected} of 2,000 flights'")
    assert page.evaluate("Array.from(document.querySelectorAll('.linked input:checked'), (e) => e.value)") == [
        "CR",
        "SW",
    ]
    assert set(page.evaluate(airlines)) == {"CR", "SW"}
    press(page, "Everything")
    page.wait_for(f"{count} === '2,000 of 2,000 flights'")
    assert page.errors() == []


@pytest.fixture
def described(
    serve: Serve, open_page: Callable[[str], Page], tmp_path: Path
) -> Callable[[str], tuple[ServeProcess, Page]]:
    """Shows the same widgets made from words: recorded answers, each tried in a browser before it is shown."""

    def start(example: str) -> tuple[ServeProcess, Page]:
        script = SCRIPTS / f"described_{example}.py"
        subprocess.run([sys.executable, str(script), str(tmp_path), "--record"], check=True, timeout=60)
        server = serve(script, "--", str(tmp_path))
        page = open_page(server.url)
        page.wait_idle(timeout_s=90)
        return server, page

    return start


@pytest.mark.alike
@pytest.mark.takes(120)
def test_a_histogram_made_from_words_is_filtered_by_a_plot_made_from_words(
    described: Callable[[str], tuple[ServeProcess, Page]],
) -> None:
    server, page = described("flights")
    assert server.output("stderr").count("verified") == 2
    assert "at first: None" in server.output()
    brush(page, (200.0, 30.0, 480.0, 170.0))
    page.wait_for("document.querySelector('.bars').classList.contains('is-brushed')")
    settle(page)
    count = sum(page.evaluate(BINS))
    assert count > 100
    server.wait_for_output(f"selected: {count}\n")
    assert page.errors() == []


@pytest.mark.alike
@pytest.mark.thorough
@pytest.mark.takes(120)
@pytest.mark.webgl
def test_a_landscape_made_from_words_shows_what_is_painted_on_a_map_made_from_words(
    described: Callable[[str], tuple[ServeProcess, Page]],
) -> None:
    server, page = described("terrain")
    page.wait_for("Number(document.querySelector('.scene').dataset.frames) > 0")
    drawn = page.evaluate(picture(".scene"))
    page.drag(".ground", (30, 30), (250, 30), (250, 250), steps=6)
    server.wait_for_output("painted: (64, 64)")
    page.wait_for(differ(".scene", drawn))
    assert page.errors() == []


@pytest.mark.alike
@pytest.mark.thorough
@pytest.mark.takes(120)
def test_bars_made_from_words_mark_the_planet_that_is_clicked_at(
    described: Callable[[str], tuple[ServeProcess, Page]],
) -> None:
    server, page = described("planets")
    page.click_at(".space", aim(page, "Jupiter"))
    wait_for_picked(page, "Jupiter", "Jupiter")
    server.wait_for_output("picked: Jupiter")
    page.click(".chart [data-planet=Mars]")
    wait_for_picked(page, "Mars", "Mars")
    assert page.errors() == []


@pytest.mark.alike
@pytest.mark.thorough
@pytest.mark.takes(120)
def test_a_table_made_from_words_imports_from_two_widgets(
    described: Callable[[str], tuple[ServeProcess, Page]],
) -> None:
    server, page = described("filters")
    page.click(".linked summary")
    page.click(".linked input[value=HN]")
    server.wait_for_output("selected_airlines: ['HN']")
    brush(page, (120.0, 30.0, 480.0, 170.0))
    server.wait_for_output("selected_indices: [")
    codes = "Array.from(document.querySelectorAll('tbody td:nth-child(2)'), (cell) => cell.textContent)"
    page.wait_for(f"{codes}.length > 10 && {codes}.length < 200 && {codes}.every((code) => code === 'HN')")
    assert page.errors() == []
