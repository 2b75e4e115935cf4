"""The stand-in for a DOM element."""

import asyncio

import anywidget
import pytest

from rdit_harness import AbortController, Element, NeedsBrowser
from rdit_harness.modules.element import Document


@pytest.fixture
def calls():
    return []


@pytest.fixture
def tree():
    root = Element("section", id="root")
    root.append("text ", Element("button", class_name="primary big", title="Go"), Element("input", name="a"))
    root.children[0].text_content = "Go"
    return root


def test_text_and_children_are_those_that_were_put_there(tree):
    button, field = tree.children
    assert tree.text_content == "text Go"
    assert tree.child_nodes[0] == "text "
    assert repr(button) == '<button class="primary big" title="Go">Go</button>'
    assert button.parent_element is tree
    field.append_child(button)
    assert tree.children == [field] and field.children == [button]
    tree.replace_children("alone")
    assert tree.text_content == "alone" and field.parent is None
    field.remove()
    tree.text_content = None
    assert tree.child_nodes == []
    for inner in (field, button):
        with pytest.raises(ValueError, match="is not in"):
            button.append(inner)


def test_attributes_are_text_and_properties_reflect_them():
    field = Element("INPUT", type="range", min=0, disabled=True, hidden=False)
    assert field.tag == "input"
    assert field.attributes == {"type": "range", "min": "0", "disabled": ""}
    field.disabled = False
    field.set_attribute("data-id", 3)
    assert field.get_attribute("data-id") == "3" and field.has_attribute("data-id")
    field.remove_attribute("data-id")
    field.remove_attribute("data-id")
    assert field.get_attribute("data-id") is None
    assert (field.disabled, field.hidden, field.title, field.class_name) == (False, False, "", "")
    field.set_attribute("value", "5")
    assert field.value == "5"
    field.value = 7
    assert field.value == 7 and field.get_attribute("value") == "5"
    assert field.checked is False
    field.style.color = "red"
    assert field.style.color == "red"


def test_classes_are_put_on_and_taken_off():
    element = Element(class_name="a b")
    element.class_list.add("c", "a")
    element.class_list.remove("b")
    assert list(element.class_list) == ["a", "c"]
    assert element.class_list.toggle("a") is False
    assert element.class_list.toggle("d") is True
    assert element.class_list.toggle("d", force=True) is True
    assert element.class_list.contains("d") and "a" not in element.class_list
    assert element.class_name == "c d"


def test_the_spelling_of_a_page_is_understood(calls):
    el = Element()
    button = el.ownerDocument.createElement("button")
    button.textContent = "Go"
    button.className = "primary"
    button.classList.add("big")
    el.appendChild(button)
    el.onclick = lambda event: calls.append(event.currentTarget)
    button.addEventListener("click", calls.append)
    assert el.querySelector(".big") is button
    assert (button.className, button.parentElement, el.childNodes) == ("primary big", el, [button])
    button.click()
    assert (calls[0].target, calls[0].currentTarget, calls[1]) == (button, None, el)
    el.onclick = None
    button.removeEventListener("click", calls.append)
    button.click()
    assert len(calls) == 2


@pytest.mark.parametrize(
    "use",
    [
        lambda el: el.innerHTML,
        lambda el: setattr(el, "innerHTML", "<b>"),
        lambda el: el.get_bounding_client_rect(),
        lambda el: el.query_selector("section > button"),
        lambda el: el.query_selector(""),
        lambda el: el.owner_document.body,
    ],
)
def test_what_it_does_not_have_needs_a_browser(tree, use):
    with pytest.raises(NeedsBrowser):
        use(tree)


def test_protocols_of_python_find_nothing_in_it():
    for thing in (Element(), Document(), AbortController()):
        assert not hasattr(thing, "__array__") and not hasattr(thing, "_repr_html_")
    with pytest.raises(AttributeError, match="'AbortController' object has no attribute 'stop'"):
        AbortController().stop  # noqa: B018


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        ("*", 2),
        ("button", 1),
        ("button.primary.big", 1),
        ("input.primary", 0),
        ("#root", 0),
        ("[title]", 1),
        ('[name="a"]', 1),
        ("input[name=b]", 0),
    ],
)
def test_elements_are_found_by_tag_id_class_and_attribute(tree, selector, count):
    assert len(tree.query_selector_all(selector)) == count
    around = Element()
    around.append(tree)
    assert len(around.query_selector_all(selector)) == count + (selector in ("*", "#root"))


def test_find_gives_the_one_that_there_is(tree):
    assert tree.find("button").text_content == "Go"
    for selector in ("a", "*"):
        with pytest.raises(LookupError, match=r"Expected one .* got [02]"):
            tree.find(selector)
    assert tree.query_selector("a") is None


# Events.


def test_an_event_goes_from_its_element_outwards_until_it_is_stopped(tree, calls):
    button = tree.children[0]
    tree.add_event_listener("go", lambda event: calls.append(("root", event.target, event.key)))
    button.add_event_listener("go", lambda event: event.prevent_default())
    button.ongo = lambda: calls.append("handler")
    assert button.dispatch("go", key="a").default_prevented
    assert calls == ["handler", ("root", button, "a")]
    button.dispatch("go", bubbles=False)
    button.add_event_listener("go", lambda event: event.stop_propagation())
    button.dispatch("go")
    assert calls[2:] == ["handler", "handler"]
    assert button.ongo is not None
    button.ongo = None
    assert button.ongo is None
    assert tree.listener_count == 3


def test_a_listener_is_there_once_goes_after_one_call_or_with_a_signal(calls):
    button = Element("button")
    stop = AbortController()

    def hear():
        calls.append("heard")

    button.add_event_listener("click", hear)
    button.add_event_listener("click", hear)
    button.click()
    button.remove_event_listener("click", hear)
    button.remove_event_listener("click", hear)
    assert calls == ["heard"]
    button.add_event_listener("click", hear, once=True)
    button.add_event_listener("click", lambda: calls.append("signal"), {"signal": stop.signal})
    button.click()
    button.click()
    assert calls[1:] == ["heard", "signal", "signal"]
    stop.abort()
    button.add_event_listener("click", hear, signal=stop.signal)
    button.click()
    assert button.listener_count == 0 and len(calls) == 4


def test_a_disabled_button_is_not_clicked(calls):
    button = Element("button", disabled=True, onclick=lambda: calls.append("clicked"))
    button.click()
    button.disabled = False
    button.click()
    assert calls == ["clicked"]


def test_a_listener_without_a_signature_is_called_without_the_event():
    button = Element("button", onclick=dict.fromkeys([1]).clear)
    button.click()


def test_what_a_listener_raises_comes_out_where_there_is_no_view():
    button = Element("button", onclick=lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        button.click()

    async def later():
        raise AssertionError("never runs")

    button.onclick = later
    with pytest.raises(LookupError, match="Expected an element in a view"):
        button.click()

    class Later:
        def __await__(self):
            raise AssertionError("never runs")

    button.onclick = Later
    with pytest.raises(LookupError, match="Expected an element in a view"):
        button.click()


class Shown(anywidget.AnyWidget):
    _esm = "export default {}"


def test_in_a_view_a_listener_that_raises_stops_no_other_and_fails_the_test(mount, calls):
    async def later():
        calls.append("at once")
        await asyncio.sleep(1)
        calls.append("later")
        raise KeyError("mine")

    def render(el):
        button = Element("button", onclick=lambda: 1 / 0)
        button.add_event_listener("click", later)
        el.append(button)

    view = mount(Shown, module={"render": render})
    with mount.expecting(ZeroDivisionError):
        view.el.find("button").click()
    assert calls == ["at once"]
    with mount.expecting(KeyError, "mine"):
        view.advance(1)
    assert calls == ["at once", "later"]
