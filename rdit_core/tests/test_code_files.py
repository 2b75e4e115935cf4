"""Widgets whose code is in files; whoever watches the files says so."""

import dataclasses
import json
import pathlib

import anywidget
import psygnal
import pytest
import traitlets
from anywidget.experimental import MimeBundleDescriptor

from rdit_core.code_files import CodeFile
from rdit_core.tests.pair import Page


@pytest.fixture
def esm(tmp_path):
    path = tmp_path / "widget.js"
    path.write_text("export default { render() {} } // 1", encoding="utf-8")
    return path


@pytest.fixture
def css(tmp_path):
    path = tmp_path / "widget.css"
    path.write_text("p { color: red }", encoding="utf-8")
    return path


def any_widget(esm, css):
    class Subject(anywidget.AnyWidget):
        _esm = esm
        _css = css
        n = traitlets.Int(1).tag(sync=True)

    return Subject()


def plain_traits(esm, css):
    class Subject(traitlets.HasTraits):
        _esm = esm
        _css = css
        n = traitlets.Int(1).tag(sync=True)

    return Subject()


def traits_with_a_path(esm, css):
    class Subject(traitlets.HasTraits):
        _esm = traitlets.Instance(pathlib.Path)
        _css = traitlets.Instance(pathlib.Path)
        n = traitlets.Int(1).tag(sync=True)

    return Subject(_esm=esm, _css=css)


def descriptor(esm, css):
    @psygnal.evented
    @dataclasses.dataclass
    class Subject:
        n: int = 1
        _repr_mimebundle_ = MimeBundleDescriptor(_esm=esm, _css=css)

    return Subject()


def traits_with_a_descriptor(esm, css):
    class Subject(traitlets.HasTraits):
        n = traitlets.Int(1).tag(sync=True)
        _repr_mimebundle_ = MimeBundleDescriptor(_esm=esm, _css=css)

    return Subject()


KINDS = [any_widget, plain_traits, traits_with_a_path, descriptor, traits_with_a_descriptor]


def host(manager, make, esm, css):
    """Make a widget and host it. Gives the widget and its id."""
    with manager.capture():
        widget = make(esm, css)
        if make in (descriptor, traits_with_a_descriptor):
            return widget, widget._repr_mimebundle_.model_id
    return widget, manager.add(widget)


@pytest.mark.parametrize("make", KINDS)
def test_the_files_of_a_widget_are_known_with_what_was_read_of_them(manager, esm, css, make):
    _widget, widget_id = host(manager, make, esm, css)
    files = manager.code_files()
    assert set(files) == {esm, css}
    assert files[esm].widget_ids == (widget_id,)
    assert files[esm].texts == {esm.read_text()}
    assert files[css].texts == {css.read_text()}


@pytest.mark.parametrize("make", KINDS)
def test_a_file_is_no_value_without_a_json_form(manager, esm, css, make):
    skipped = []
    manager.on("unserializable_value", skipped.append)
    host(manager, make, esm, css)
    assert skipped == []


@pytest.mark.parametrize("make", KINDS)
def test_new_text_of_a_file_reaches_its_widget_in_place_with_the_state(manager, esm, css, make):
    _widget, widget_id = host(manager, make, esm, css)
    page = Page(manager)
    inst = manager.inst(widget_id)
    assert manager.reload_code(esm, "export default {} // 2") == [widget_id]
    assert manager.reload_code(css, "p { color: blue }") == [widget_id]
    page.settle()
    assert manager.serialize(widget_id)["esm"] == "export default {} // 2"
    assert manager.serialize(widget_id)["css"] == "p { color: blue }"
    assert page.client.get_model(widget_id).get("_esm") == "export default {} // 2"
    assert page.client.get_model(widget_id).get("_css") == "p { color: blue }"
    assert page.client.get_model(widget_id).get("n") == 1
    assert manager.inst(widget_id) == inst
    assert manager.code_files()[esm].texts == {"export default {} // 2"}


def test_every_widget_of_a_file_gets_its_text_and_one_that_is_made_later_too(manager, esm):
    class First(anywidget.AnyWidget):
        _esm = esm

    class Heir(First):
        pass

    class Other(anywidget.AnyWidget):
        _esm = "export default {}"

    with manager.capture():
        ids = [manager.add(kind()) for kind in (First, First, Heir, Other)]
    assert manager.code_files() == {esm: CodeFile(esm, tuple(ids[:3]), frozenset({esm.read_text()}))}
    assert manager.reload_code(esm, "export default {} // 2") == ids[:3]
    late = manager.add(First())
    assert [manager.serialize(widget_id)["esm"] for widget_id in (*ids[:3], late)] == ["export default {} // 2"] * 4
    assert manager.serialize(ids[3])["esm"] == "export default {}"


def test_a_widget_without_a_file_of_its_own_has_none_though_its_base_has(manager, esm):
    class First(anywidget.AnyWidget):
        _esm = esm

    class Heir(First):
        _esm = "export default {}"

    manager.add(Heir())
    assert manager.code_files() == {}
    assert manager.reload_code(esm, "export default {} // 2") == []


def test_a_path_that_is_none_of_a_widget_changes_nothing(manager, esm, css):
    host(manager, any_widget, esm, None)
    assert manager.reload_code(css, "p {}") == []


def test_an_observer_of_code_that_fails_keeps_no_widget_of_another_class_from_it(manager, esm):
    class First(anywidget.AnyWidget):
        _esm = esm

        @traitlets.observe("_esm")
        def _failed(self, change):
            if change["old"]:
                raise ZeroDivisionError

    first, second = manager.add(First()), manager.add(any_widget(esm, None))
    with pytest.raises(Exception, match="ZeroDivisionError"):
        manager.reload_code(esm, "export default {} // 2")
    assert [manager.serialize(one)["esm"] for one in (first, second)] == ["export default {} // 2"] * 2


def test_files_are_found_without_running_a_widgets_code(manager, esm):
    class Subject(traitlets.HasTraits):
        @property
        def _esm(self):
            asked.append(1)
            return esm

    asked = []
    manager.register("w", Subject())
    before = len(asked)
    assert manager.code_files() == {}
    assert len(asked) == before


def test_a_page_of_base_mode_gets_the_new_code_when_it_shows_the_widget_again(manager, esm, css):
    _widget, widget_id = host(manager, any_widget, esm, css)
    manager.reload_code(esm, "export default {} // 2")
    assert json.loads(manager.encode_serialized(widget_id))["esm"] == "export default {} // 2"
