"""A widget's code: late, replaced while it is shown, and styled for itself alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.conftest import Serve
from e2e.page import Page

SCRIPTS = Path(__file__).parent / "scripts"
OUTLINE = "getComputedStyle(document.querySelector('.subject')).outlineStyle"


@pytest.mark.alike
@pytest.mark.afm(16)
def test_a_module_that_takes_five_seconds_is_in_sync_both_ways_when_it_is_there(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    server = serve(SCRIPTS / "slow.py")
    page = open_page(server.url)
    page.click(".poke-add")
    server.wait_for_output("count is 10")
    assert page.count(".slow") == 0, "the module is there already"
    page.wait_for_text(".slow", "slow 10", timeout_s=20)
    page.click(".poke-add")
    page.wait_for_text(".slow", "slow 20")
    page.click(".slow")
    server.wait_for_output("count is 21")
    page.wait_idle()
    assert page.errors() == []


@pytest.mark.threat(24)
@pytest.mark.violates("form")
def test_a_form_of_a_widget_leads_nowhere(serve: Serve, open_page: Callable[[str], Page]) -> None:
    page = open_page(serve(SCRIPTS / "form_away.py").url)
    # The driver's own click would wait in Chromium for the navigation that must not come.
    page.wait_for_element(".send")
    page.evaluate("document.querySelector('.send').click()")
    page.wait_for("window.stopped === 'form-action'")
    assert page.count(".send") == 1


@pytest.mark.afm(9, 25)
def test_new_code_and_style_take_over_in_place_with_the_state(serve: Serve, open_page: Callable[[str], Page]) -> None:
    server = serve(SCRIPTS / "reload.py")
    page = open_page(server.url)
    page.wait_idle()
    page.click(".subject")
    server.wait_for_output("count is 1")
    assert page.evaluate(OUTLINE) == "dotted"

    page.click(".poke-style")
    page.wait_for(f"{OUTLINE} === 'dashed'")

    page.click(".poke-code")
    page.wait_for_text(".subject", "new 1")
    assert page.count(".subject") == 1
    assert page.evaluate("window.log") == ["old render", "old initialize cleanup", "old cleaned", "new render"]
    page.click(".subject")
    server.wait_for_output("count is 2")
    page.wait_for_text(".subject", "new 2")

    page.click(".poke-typo")
    page.wait_for_text("[data-widget-id] [role=alert]", "a typo")
    page.click(".poke-code")
    page.wait_for_text(".subject", "new 2")
    assert page.count("[role=alert] .rdit-error-title") == 0


@pytest.mark.afm(8)
def test_a_scoped_style_sheet_holds_for_its_widget_and_not_for_its_child(
    serve: Serve, open_page: Callable[[str], Page]
) -> None:
    page = open_page(serve(SCRIPTS / "two_values.py").url)
    page.wait_idle()
    # A page of one's own asks for it; what it imports is what this page has.
    answers = page.evaluate(
        """(async () => {
          const { connectionOver, renderWidget } = await import(new URL("client/index.js", document.baseURI));
          const connection = connectionOver({ send() {}, addEventListener() {} });
          const css = `
            p { outline: 1px dotted }
            .slot { outline: 1px dashed }
            @media all { p { text-indent: 7px } }
          `;
          const write = ({ el }) => void (el.innerHTML = "<p></p>");
          const child = { render: write };
          const parent = { async render({ el, host }) {
            el.innerHTML = "<p></p><div class=slot></div>";
            await (await host.getWidget("anywidget:child")).render({ el: el.querySelector(".slot") });
          } };
          connection.open({ widget_id: "child", esm_url: "child", model: {} });
          const outside = document.body.appendChild(document.createElement("p"));
          const el = document.body.appendChild(document.createElement("div"));
          const view = await renderWidget({
            widgetData: { widget_id: "parent", esm_url: "parent", css, model: {} }, el, connection, scopeCss: true,
            importModule: async (url) => ({ default: url.endsWith("#child") ? child : parent }),
          });
          const style = (selector) => getComputedStyle(el.querySelector(selector));
          const mine = style("[data-rdit-scope] > p");
          const seen = {
            error: view.failure?.message ?? null,
            knows: "CSSScopeRule" in window,
            mine: [mine.outlineStyle, mine.textIndent],
            slot: style(".slot").outlineStyle,
            child: style(".slot p").outlineStyle,
            outside: getComputedStyle(outside).outlineStyle,
          };
          await view.dispose();
          seen.left = document.querySelectorAll("[data-rdit-scope]").length;
          outside.remove();
          return seen;
        })()"""
    )
    assert answers["error"] is None
    assert answers["mine"] == ["dotted", "7px"]
    assert answers["slot"] == "dashed"
    if answers["knows"]:
        assert (answers["child"], answers["outside"]) == ("none", "none")
    assert answers["left"] == 0
