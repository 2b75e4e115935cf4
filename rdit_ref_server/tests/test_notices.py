import pytest
import traitlets

from rdit_core import LinkWarning, WidgetManager, link_traits, links
from rdit_ref_server import notices
from rdit_ref_server.notices import Notices


class Number(traitlets.HasTraits):
    _esm = "export default {}"
    value = traitlets.Int(0).tag(sync=True)


class Even(Number):
    @traitlets.validate("value")
    def _even(self, proposal):
        return proposal.value + proposal.value % 2


class Odd(Number):
    @traitlets.validate("value")
    def _odd(self, proposal):
        return proposal.value | 1


@pytest.fixture
def written(monkeypatch):
    """What the terminal was told of a manager with two widgets, `odd` and `other`."""
    lines = []
    monkeypatch.setattr(notices, "write_to_terminal", lines.append)
    yield lines
    links().unlink()


def hosted(odd, other):
    manager = WidgetManager()
    Notices().listen(manager)
    manager.register("odd", odd)
    manager.register("other", other)
    return manager


def test_linked_traits_without_a_common_value_are_said_on_the_terminal(written):
    odd, even = Odd(value=1), Even()
    manager = hosted(odd, even)
    with pytest.warns(LinkWarning):
        link_traits((odd, "value"), (even, "value"))
    [line] = written
    assert "do not agree on a value" in line and "Odd[odd].value" in line and line.endswith("\n")
    manager.clear()


def test_pages_that_answer_each_other_are_said_on_the_terminal(written):
    one, other = Number(), Number()
    manager = hosted(one, other)
    link_traits((one, "value"), (other, "value"))

    def answer():
        for turn in range(1, 1100):
            manager.update(("odd", "other")[turn % 2], "value", turn)

    with pytest.warns(LinkWarning):
        answer()
    [line] = written
    assert "pages answer each other" in line
    manager.clear()


def test_links_that_never_settle_are_said_on_the_terminal(written):
    one, other = Number(), Number()
    manager = hosted(one, other)
    link_traits((one, "value"), (other, "value"), one_way=True, transform=lambda value: value + 1)
    with pytest.warns(LinkWarning):
        link_traits((other, "value"), (one, "value"), one_way=True)
    [line] = written
    assert "never settle" in line and "Number[other].value" in line
    manager.clear()
