"""What a script shows is the same for everybody, whenever and however they come: after a reload, over a connection that
broke off, in a second tab. With a kernel per tab it is each tab's own.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page
from rdit_harness.proxy import Proxy

SCRIPTS = Path(__file__).parent / "scripts"

RESULTS = "document.getElementById('rdit-outputs').innerHTML"
"""All results as markup; shadow roots are not used here."""


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
        return port


def results(page: Page) -> str:
    page.wait_idle()
    page.wait_for("document.querySelectorAll('.subject').length === 10")
    found = page.evaluate(RESULTS)
    assert isinstance(found, str)
    return found


def test_everything_looks_the_same_after_a_reload_and_in_a_second_tab(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server = serve(SCRIPTS / "same_again.py")
    page = open_page(server.url)
    results(page)
    shown = " ".join(page.texts(".rdit-outputs"))
    for number in (*range(1, 9), 11, 14, 15, 16, 17, 18, 20, 22):
        assert f"{number} " in shown, number
    assert page.count("img") == 2
    assert page.text("h1 em") == "markdown"
    for gone in ("16 gone", "14 a first text", "turn 18", "21 before"):
        assert gone not in shown, gone
    page.click(".w1")
    page.wait_for_text(".w1", "w1: 1")
    page.wait_for_text("#rdit-outputs", "19 observed 1")
    now = results(page)

    other = page.new_tab(page.url())
    assert results(other) == now
    page.reload()
    assert results(page) == now
    assert page.errors() == other.errors() == []


@pytest.mark.alike
def test_everything_looks_the_same_after_each_connection_broke_off_in_the_middle_of_the_run(
    serve: Serve, open_page: Callable[[str], Page], tmp_path: Path, free_port: int
) -> None:
    gates = tmp_path / "gates"
    gates.mkdir()
    with contextlib.closing(Proxy("127.0.0.1", free_port)) as proxy:
        public = f"http://127.0.0.1:{proxy.port}"
        arguments = ("--port", str(free_port), "--public-url", public, "--", str(gates))
        server = serve(SCRIPTS / "same_again.py", *arguments)
        page = open_page(server.url)
        for number in (1, 2, 3):
            page.wait_for_text("#rdit-outputs", f"at gate {number}")
            proxy.drop()
            page.wait_for("document.documentElement.dataset.rditState !== 'live'")
            (gates / str(number)).touch()
            proxy.heal()
            page.wait_for("document.documentElement.dataset.rditState === 'live'")
        expected = results(page)
        assert page.errors() == []
        assert results(page.new_tab(page.url())) == expected
        page.reload()
        assert results(page) == expected


@pytest.mark.alike
def test_a_restart_starts_afresh_on_every_page(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(SCRIPTS / "same_again.py")
    page = open_page(server.url)
    expected = results(page)
    other = page.new_tab(page.url())
    results(other)
    page.click(".w1")
    for tab in (page, other):
        tab.wait_for_text(".w1", "w1: 1")
        tab.wait_for_text("#rdit-outputs", "19 observed 1")
    other.click("#rdit-restart")
    for tab in (page, other):
        tab.wait_for_text(".w1", "w1: 0")
        assert results(tab) == expected
        assert tab.errors() == []


@pytest.mark.alike
def test_with_a_kernel_per_tab_each_load_is_a_run_of_its_own(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(SCRIPTS / "same_again.py", "--kernel-per-tab")
    page = open_page(server.url)
    expected = results(page)
    page.click(".w1")
    page.wait_for_text("#rdit-outputs", "19 observed 1")
    mine = results(page)
    other = page.new_tab(page.url())
    assert results(other) == expected
    other.click("#rdit-restart")
    other.wait_idle()
    assert results(other) == expected
    assert results(page) == mine
    page.reload()
    assert results(page) == expected
    assert page.errors() == other.errors() == []
