import anywidget
import pytest
import traitlets

from rdit_harness import Mounter, expect


@pytest.fixture(params=["v1", "base"])
def rdit_mode(request):
    return request.param


class Pair(anywidget.AnyWidget):
    _esm = "export default {}"
    value = traitlets.Int(1).tag(sync=True)
    other = traitlets.Any("a").tag(sync=True)


@pytest.fixture
def view(mount):
    return mount(Pair)


def test_a_view_has_what_its_page_shows(view):
    expect(view).to_have(value=1, other="a")
    with pytest.raises(AssertionError, match=r"^Expected the page to show value=2, got 1$"):
        expect(view).to_have(value=2)
    with pytest.raises(AssertionError, match="nothing=1, got None"):
        expect(view).to_have(nothing=1)


@pytest.mark.parametrize("value", [True, "1", 2, None])
def test_a_view_has_nothing_that_a_page_would_tell_apart(view, value):
    expect(view).not_to_have(value=value)
    with pytest.raises(AssertionError):
        expect(view).to_have(value=value)


def test_a_view_that_has_it_fails_not_to_have(view):
    with pytest.raises(AssertionError, match=r"^Expected the page not to show value=1$"):
        expect(view).not_to_have(value=1)


def test_what_is_on_the_way_arrives_before_the_claim_is_checked(view):
    view.model.set("value", 5)
    view.model.save_changes()
    view.widget.other = "b"
    expect(view).to_have(value=5, other="b")


def test_a_page_that_disagrees_with_python_fails_to_have_what_it_shows(view):
    view.model.set("value", 5)
    with pytest.raises(AssertionError, match=r"^The page shows value=5, Python has 1$"):
        expect(view).to_have(value=5)
    with pytest.raises(AssertionError, match="value=5"):
        expect(view).to_agree()
    expect(view).to_agree("other")


def test_a_page_without_a_connection_has_what_it_shows(view):
    view.net.drop()
    view.model.set("value", 5)
    expect(view).to_have(value=5)


def test_idle_means_that_no_edit_and_no_correction_is_on_the_way(view, rdit_mode):
    expect(view).to_be_idle()
    view.model.set("value", 5)
    view.model.save_changes()
    with pytest.raises(AssertionError, match="Expected an idle page"):
        expect(view).to_be_idle()
    view.page.frontend.deliver()
    if rdit_mode == "base":
        with pytest.raises(AssertionError):
            expect(view).to_be_idle()
    view.settle()
    expect(view).to_be_idle()
    view.net.drop()
    expect(view).to_be_idle()


def test_a_claim_leaves_no_page_behind(view):
    expect(view).to_agree()
    assert view.page.frontend.pages == [view.page]


def test_a_property_that_python_does_not_have_disagrees(rdit_mode):
    mounter = Mounter(rdit_mode)
    view = mounter(Pair)
    view.model.set("stranger", 1)
    with pytest.raises(AssertionError, match="stranger=1, Python has None"):
        expect(view).to_agree("stranger")
    mounter.finish()
