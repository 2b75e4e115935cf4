"""Widgets that come and go leave nothing behind, neither in the page nor in Python.

Each cycle makes a widget in Python, shows it twice in the page (in a parent widget over the page's own connection, and
by `renderWidget` over a second one), and closes it in Python. What is counted afterwards is compared with what was
counted after a few cycles; with one thing left behind per cycle it would have grown by the number of cycles. A browser
keeps each instance of a module for as long as the page lives, and nobody can count those: a page pays that for each
new widget.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"
WARM_UP = 40
KEPT_ON_PURPOSE = {"Graves._closed": 10_000, "Graves._count": 10_000}
"""What remembers closed widgets, and how many at most: so that a page that was away hears that they are closed."""

TRACE = """(() => {
  const targets = new Set();
  const known = new WeakMap();
  const blobs = new Set();
  const { addEventListener: add, removeEventListener: remove } = EventTarget.prototype;
  const captures = (options) => Boolean(typeof options === "object" ? options?.capture : options);

  function listenersOf(target) {
    if (!known.has(target)) {
      known.set(target, new Map());
      targets.add(new WeakRef(target));
    }
    return known.get(target);
  }
  EventTarget.prototype.addEventListener = function (type, listener, options) {
    const target = this ?? window;
    const result = add.call(target, type, listener, options);
    const signal = options?.signal;
    if (!listener || signal?.aborted) return result;
    const listeners = listenersOf(target);
    const key = `${type} ${captures(options)}`;
    const same = listeners.get(key) ?? new Map();
    listeners.set(key, same);
    if (same.has(listener)) return result;
    const removed = new AbortController();
    same.set(listener, removed);
    const forget = () => {
      same.delete(listener);
      removed.abort();
    };
    if (options?.once) add.call(target, type, forget, { signal: removed.signal });
    if (signal) add.call(signal, "abort", forget, { signal: removed.signal });
    return result;
  };
  EventTarget.prototype.removeEventListener = function (type, listener, options) {
    const target = this ?? window;
    const same = known.get(target)?.get(`${type} ${captures(options)}`);
    same?.get(listener)?.abort();
    same?.delete(listener);
    return remove.call(target, type, listener, options);
  };
  const { createObjectURL, revokeObjectURL } = URL;
  URL.createObjectURL = (object) => {
    const url = createObjectURL.call(URL, object);
    blobs.add(url);
    return url;
  };
  URL.revokeObjectURL = (url) => {
    blobs.delete(url);
    revokeObjectURL.call(URL, url);
  };

  window.traces = {
    refs: [],
    rest_ms: 150,
    alive: () => (traces.refs = traces.refs.filter((ref) => ref.deref() !== undefined)).length,
    count() {
      let listeners = 0;
      for (const ref of targets) {
        const target = ref.deref();
        if (target === undefined) targets.delete(ref);
        else for (const same of known.get(target).values()) listeners += same.size;
      }
      return {
        elements: document.querySelectorAll("*").length,
        sheets: document.styleSheets.length + document.adoptedStyleSheets.length,
        "blob URLs": blobs.size,
        listeners,
      };
    },
  };
})()"""

SHOW_BY_ITSELF = """(async () => {
  const { connect, renderWidget } = await import(new URL("client/index.js", document.baseURI));
  const connection = connect("ws/widgets");
  connection.on("open", (model) => {
    if (model.get("number") === undefined) return;
    const el = document.body.appendChild(document.createElement("div"));
    // Without the signal it would wait for another widget with this id, as after a restart.
    renderWidget({ widgetData: { widget_id: model.widgetId }, el, connection, signal: model.signal });
    model.signal.addEventListener("abort", () => el.remove(), { once: true });
  });
  await connection.ready;
})()"""

ALIVE = """(async () => {
  Array.from({ length: 200 }, () => new Array(10_000).fill(0).map((zero) => ({ zero })));
  await new Promise((resolve) => setTimeout(resolve, traces.rest_ms = Math.min(2 * traces.rest_ms, 4000)));
  return traces.alive();
})()"""
"""How many views and models there still are. Engines collect when much memory is asked for and the page then rests;
asked more often, Firefox never does, for to look at a WeakRef is to keep what it leads to. On a busy machine a page has
little rest, so it gets more of it each time."""


def run_cycles(page: Page, cycles: int) -> None:
    made = page.evaluate("stage.get('made')") + cycles
    page.evaluate(f"void stage.send({{ cycles: {cycles} }})")
    page.wait_for(f"stage.get('made') === {made}", timeout_s=30 + cycles * 0.2)
    page.wait_idle()


def count_in_python(page: Page, name: str) -> dict[str, int]:
    page.evaluate(f"void stage.send({{ count: {json.dumps(name)} }})")
    page.wait_for(f"stage.get('counted').asked === {json.dumps(name)}")
    counted: dict[str, Any] = page.evaluate("stage.get('counted')")
    return {name: size for name, size in counted.items() if name != "asked"}


def growth(before: dict[str, int], after: dict[str, int], limit: int) -> dict[str, tuple[int, int]]:
    sizes = {name: (before.get(name, 0), size) for name, size in after.items()}
    return {name: (old, new) for name, (old, new) in sizes.items() if new - old > limit}


@pytest.mark.unrecorded
@pytest.mark.takes(240)
def test_widgets_that_came_and_went_leave_nothing_behind(
    serve: Serve, open_page: Callable[[str], Page], request: pytest.FixtureRequest
) -> None:
    cycles = request.config.getoption("--cycles")
    page = open_page(serve(SCRIPTS / "cycles.py").url)
    page.wait_idle()
    page.evaluate(TRACE)
    page.evaluate(SHOW_BY_ITSELF)
    run_cycles(page, WARM_UP)
    page_before, python_before = page.evaluate("traces.count()"), count_in_python(page, "before")
    run_cycles(page, cycles)
    limit = cycles // 10

    # Collecting takes its time, and an engine may take for a reference what only looks like one.
    page.wait_for(f"{ALIVE}.then((alive) => alive < {limit})", timeout_s=90)
    page_after, alive = page.evaluate("traces.count()"), page.evaluate("traces.alive()")
    print(f"{cycles} cycles; page: {page_before} -> {page_after}, views and models alive: {alive} of {4 * cycles}")
    assert growth(page_before, {"listeners": page_after.pop("listeners")}, limit) == {}
    assert page_after == {name: page_before[name] for name in page_after}

    grown = growth(python_before, count_in_python(page, "after"), limit)
    print(f"Python: {grown}")
    for name, most in KEPT_ON_PURPOSE.items():
        assert grown.pop(name, (0, 0))[1] <= most
    assert grown == {}
    assert page.errors() == []
