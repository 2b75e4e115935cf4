"""What of the verifier needs no browser; the rest is in e2e/test_descriptions.py."""

import importlib.metadata
import importlib.util

import pytest

from rdit_core.descriptions import GeneratedModule, WidgetRequest
from rdit_harness.llm import PageVerifier
from rdit_harness.llm.trial import NoClient, client_sources


@pytest.fixture
def with_driver(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name == "playwright" or find_spec(name))


@pytest.mark.usefixtures("with_driver")
@pytest.mark.parametrize(
    ("esm", "code"),
    [
        ("", "no_code"),
        ('import "https://esm.sh/d3";', "network_import"),
        ("export function render() {}", "no_default_export"),
    ],
)
def test_what_the_text_shows_is_told_before_any_browser_starts_or_any_widget_is_made(esm, code):
    def make_widget(module):
        raise AssertionError("made")

    verifier = PageVerifier(launch={"executable_path": "/no/such/browser"})
    (problem,) = verifier.verify(GeneratedModule(esm), WidgetRequest("x"), make_widget)
    assert problem.code == code


def test_without_the_driver_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'rdit\[browser\]'"):
        PageVerifier()


def installed(monkeypatch, *loads):
    class Entry:
        def __init__(self, load):
            self.load = load

    monkeypatch.setattr(importlib.metadata, "entry_points", lambda **_: [Entry(load) for load in loads])


def test_the_browser_side_comes_from_whoever_offers_it(monkeypatch):
    installed(monkeypatch, lambda: lambda: {"index.js": "export {};"})
    assert client_sources() == {"index.js": "export {};"}


def test_without_a_browser_side_the_extra_is_named(monkeypatch):
    def load():
        raise ImportError("No module named 'starlette'")

    for loads in ([], [load]):
        installed(monkeypatch, *loads)
        with pytest.raises(NoClient, match=r"pip install 'rdit\[server\]'"):
            client_sources()
