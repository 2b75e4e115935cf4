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


@pytest.mark.parametrize(
    ("kind", "transforms", "said"),
    [(Even, None, "do not agree on a value"), (Number, (lambda one: one + 1, lambda one: one), "never settle")],
)
def test_links_that_come_to_no_rest_are_said_on_the_terminal(monkeypatch, kind, transforms, said):
    written = []
    monkeypatch.setattr(notices, "write_to_terminal", written.append)
    manager = WidgetManager()
    stop = Notices().listen(manager)
    odd, other = Odd(), kind()
    manager.register("odd", odd)
    manager.register("other", other)
    with pytest.warns(LinkWarning):
        if transforms is None:
            link_traits((odd, "value"), (other, "value"))
        else:
            link_traits((other, "value"), (odd, "value"), one_way=True, transform=transforms[0])
            link_traits((odd, "value"), (other, "value"), one_way=True, transform=transforms[1])
    [line] = written
    assert said in line and "Odd[odd].value" in line and line.endswith("\n")
    for one in stop:
        one()
    links().unlink()
    manager.clear()
