"""Widgets of `create` in a script that displays none of them, or some."""

import pytest

SCRIPT = """
from rdit_core import create
import json
MODULE = "export default {{ render() {{}} }};"
first = create(MODULE, exports={{"picked": "what was picked"}})
second = create(
    MODULE,
    imports={{
        "picked":
            first.picked,
    }},
)
{rest}
"""


def shown(events):
    return [(event["statement"], event["widget_id"]) for event in events if event["kind"] == "widget"]


def test_what_nobody_displays_is_shown_where_it_was_made(running):
    events = running.run(SCRIPT.format(rest="'the end'"))
    assert shown(events) == [(4, "4.0"), (5, "5.0")]
    assert [event["kind"] for event in events][-3:] == ["widget", "widget", "done"]
    running.namespace["first"].picked = [1]
    assert running.namespace["second"].picked == [1]


@pytest.mark.parametrize(
    ("rest", "where"),
    [
        ("second", [(6, "5.0"), (4, "4.0")]),
        ("display(first, second)", [(6, "4.0"), (6, "5.0")]),
        ("first.awaits_display = False", [(5, "5.0")]),
    ],
)
def test_what_somebody_displays_is_shown_there_alone(running, rest, where):
    assert shown(running.run(SCRIPT.format(rest=rest))) == where


def test_what_stands_in_another_widget_is_shown_by_that(running):
    panel = """
class Panel(anywidget.AnyWidget):
    _esm = MODULE
    one = traitlets.Any().tag(sync=True)
Panel(one=first)"""
    events = running.run("import anywidget, traitlets\n" + SCRIPT.format(rest=panel))
    assert [widget_id for _, widget_id in shown(events)] == ["8.0", "6.0"]
    assert [running.kernel.manager.is_part(widget_id) for widget_id in ("5.0", "6.0", "8.0", "none")] == [
        True,
        *3 * [False],
    ]


def test_a_script_that_fails_shows_what_it_made(running):
    events = running.run(SCRIPT.format(rest="1 / 0"))
    assert shown(events) == [(4, "4.0"), (5, "5.0")]
    assert events[-1]["status"] == "error"


def test_code_of_a_page_shows_what_it_made(running):
    running.run(SCRIPT.format(rest="None"))
    execution = running.kernel.execute("third = create(MODULE, imports={'picked': first.picked})")
    running.wait_for(lambda: execution.is_over)
    assert shown(running.events())[-1] == (7, "7.0")
    running.namespace["third"].picked = 5
    assert running.namespace["second"].picked == 5
