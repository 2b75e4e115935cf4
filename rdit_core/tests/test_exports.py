"""Handles of what a widget offers."""

import pytest
import traitlets

from rdit_core import CreateError, Export, create

MODULE = "export default { render() {} };"


class Knob(traitlets.HasTraits):
    level = traitlets.Int(3)


def test_a_handle_reads_writes_and_validates_as_the_trait_does():
    knob = Knob()
    handle = Export(knob, "level", "how loud")
    handle.value = 5
    assert (knob.level, handle.value, handle.trait) == (5, 5, Knob.level)
    with pytest.raises(traitlets.TraitError):
        handle.value = "loud"
    assert repr(handle) == "<Export Knob.level: how loud>"
    assert repr(Export(knob, "level")) == "<Export Knob.level>"


def test_a_handle_tells_of_changes_until_it_is_told_not_to():
    knob, heard = Knob(), []
    handle = Export(knob, "level")

    def hear(change):
        heard.append(change.new)

    handle.observe(hear)
    knob.level = 4
    handle.unobserve(hear)
    knob.level = 5
    assert heard == [4]


def test_handles_of_one_trait_are_equal():
    knob = Knob()
    assert Export(knob, "level") == Export(knob, "level", "in other words")
    assert Export(knob, "level") != Export(Knob(), "level")
    assert Export(knob, "level") != "level"
    assert len({Export(knob, "level"), Export(knob, "level")}) == 1


def test_a_handle_of_nothing_is_refused_and_what_was_meant_is_guessed():
    with pytest.raises(CreateError, match="did you mean 'level'") as refused:
        Export(Knob(), "levle")
    assert refused.value.code == "unknown_export"


def test_exports_are_found_by_name_and_by_attribute_whatever_they_are_called():
    widget = create(MODULE, exports={"items": "some", "get": "others", "values_": "more"})
    exports = widget.exports
    assert list(exports) == ["items", "get", "values_"]
    assert len(exports) == 3
    assert "get" in exports
    assert "level" not in exports
    assert exports.items == exports["items"] == Export(widget, "items")
    assert exports.get.description == "others"
    assert {"items", "get", "values_"} <= set(dir(exports))
    assert repr(exports) == "<Exports of Created: items: some, get: others, values_: more>"


def test_exports_of_a_widget_that_has_none_say_so():
    assert repr(create(MODULE).exports) == "<Exports of Created: none>"
    with pytest.raises(AttributeError, match="It exports nothing"):
        _ = create(MODULE).exports.selected


def test_an_export_that_is_not_there_names_those_that_are():
    widget = create(MODULE, exports={"selected": "some", "hovered": traitlets.Int()})
    with pytest.raises(AttributeError, match=r"did you mean 'selected'\? It exports selected, hovered\."):
        _ = widget.exports.selekted
    with pytest.raises(AttributeError):
        _ = widget.exports.__wrapped__
    assert repr(widget.exports) == "<Exports of Created: selected: some, hovered>"


def test_a_value_that_is_set_in_the_place_of_a_handle_is_refused():
    widget = create(MODULE, exports={"selected": "rows"})
    with pytest.raises(AttributeError, match=r"widget\.selected, or widget\.exports\.selected\.value"):
        widget.exports.selected = [1]
    assert widget.selected is None
    assert isinstance(widget.exports.selected, Export)
