"""A widget in one call."""

import gc
import json
import weakref
from pathlib import Path

import comm
import pytest
import traitlets
from ipywidgets.widgets import widget as widget_module

import rdit_core
from rdit_core import CreatedWidget, CreateError, GenerationFailed, constant, create, use_generator
from rdit_core.comm import Nowhere, hook
from rdit_core.created import class_name
from rdit_core.descriptions import GeneratedModule, NoAnswer, Problem

MODULE = "export default { render({ el }) { el.textContent = 'here'; } };"


class Recorded:
    """Gives these answers, one after another, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def generate(self, request):
        self.asked.append(request)
        return self.answers.pop(0)


class Trying:
    """Finds what it is told to, and keeps the widgets that it was given."""

    def __init__(self, *found):
        self.found = list(found)
        self.tried = []

    def verify(self, module, request, make_widget):
        self.tried.append(make_widget(module))
        return self.found.pop(0) if self.found else []


@pytest.fixture(autouse=True)
def nobody_generates():
    with use_generator(None):
        yield


# The module.


@pytest.mark.parametrize(
    "text",
    [
        MODULE,
        "\n\n  export default function ({ model }) { return { render() {} }; }",
        "const a = 1;\nexport default a;",
        "function render() {}\nexport { render as default };",
        "export async function render() {}",
        "/* what it does */ export default {};",
        "https://example.org/widget.js",
    ],
)
def test_text_that_exports_something_is_a_module_and_so_is_an_address(text):
    assert create(text)._esm == text


def test_a_path_is_read_and_followed(tmp_path, monkeypatch):
    module, style = tmp_path / "brush_scatter.js", tmp_path / "style.css"
    module.write_text(MODULE)
    style.write_text("p { color: red }")
    monkeypatch.chdir(tmp_path)
    for source, css in ((module, style), (str(module), str(style)), ("brush_scatter.js", "style.css")):
        widget = create(source, css=css)
        assert (widget._esm, widget._css) == (MODULE, "p { color: red }")
        assert type(widget).__name__ == "BrushScatter"
    manager = rdit_core.WidgetManager()
    manager.register("w", widget)
    assert set(manager.code_files()) == {module, style}
    manager.reload_code(module, MODULE.replace("here", "there"))
    assert "there" in widget._esm
    manager.clear()


def test_a_style_sheet_may_be_text():
    assert create(MODULE, css="p { color: red }")._css == "p { color: red }"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ({"source": 5}, "bad_source", "an ES module, the path of one, or a description, got int"),
        ({"source": "  "}, "bad_source", "got an empty text"),
        ({"source": "nowhere.js"}, "source_not_found", "'nowhere.js'; it is looked for from"),
        ({"source": Path("nowhere")}, "source_not_found", "'nowhere'"),
        ({"source": "function render({ model }) {\n}"}, "bad_source", "exports nothing"),
        ({"source": "const f = () => 1;\nf();"}, "bad_source", "exports nothing"),
        ({"source": "async function render({ model }) { await 0; }"}, "bad_source", "exports nothing"),
        ({"source": "a globe with three.js"}, "source_not_found", "If this is a description, end it with a full stop"),
        ({"source": MODULE, "css": 5}, "bad_source", "css: expected a style sheet"),
        ({"source": MODULE, "css": "nowhere.css"}, "source_not_found", "nowhere.css"),
        ({"source": MODULE, "name": "my widget"}, "bad_source", "no name that a class can have"),
        ({"source": MODULE, "name": "class"}, "bad_source", "no name that a class can have"),
        ({"source": MODULE, "exports": ["a"]}, "bad_source", "exports: expected a mapping of names, got list"),
        ({"source": MODULE, "imports": 5}, "bad_source", "imports: expected a mapping of names, got int"),
        ({"source": MODULE, "exports": {"a": 5}}, "bad_export", "expected a description, a trait"),
        ({"source": MODULE, "exports": {"a": ("b", "c")}}, "bad_export", "expected a description, a trait"),
        ({"source": MODULE, "exports": {"a": (traitlets.Int(), 5)}}, "bad_export", "expected a description, a trait"),
        ({"source": MODULE, "exports": {"a b": "c"}}, "bad_trait_name", "'a b' is no name"),
        ({"source": MODULE, "exports": {5: "c"}}, "bad_trait_name", "5 is no name"),
        ({"source": MODULE, "exports": {"class": "c"}}, "bad_trait_name", "'class' is no name"),
        ({"source": MODULE, "exports": {"\u00b5": "c"}}, "bad_trait_name", "'\u00b5' is '\u03bc' to Python"),
        ({"source": MODULE, "exports": {"_esm": "c"}}, "bad_trait_name", "means something else"),
        ({"source": MODULE, "exports": {"layout": "c"}}, "bad_trait_name", "means something else"),
        ({"source": MODULE, "exports": {"data": "c"}}, "bad_trait_name", "means something else"),
        ({"source": MODULE, "exports": {"exports": "c"}}, "bad_trait_name", "means something else"),
        (
            {"source": MODULE, "imports": {"send": constant(5)}},
            "bad_trait_name",
            "imports: 'send' means something else",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(arguments, code, said):
    with pytest.raises(CreateError) as error:
        create(**arguments)
    assert error.value.code == code
    assert said in str(error.value)
    assert isinstance(error.value, ValueError)
    assert not widget_module._instances


# Exports.


def test_an_export_is_a_synced_trait_that_takes_anything_and_reads_as_the_plain_value():
    widget = create(MODULE, exports={"selected": "what is selected"})
    assert widget.selected is None
    widget.selected = [0, 1, 5]
    assert json.dumps(widget.selected) == "[0, 1, 5]"
    assert widget.trait_metadata("selected", "sync")
    assert widget.get_state(["selected"]) == {"selected": [0, 1, 5]}
    assert widget.exports.selected.description == "what is selected"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (traitlets.Int(3), ""),
        (traitlets.Int(3, help="how many"), "how many"),
        (traitlets.Int(3).tag(description="how many"), "how many"),
        ((traitlets.Int(3), "how many"), "how many"),
        (("how many", traitlets.Int(3)), "how many"),
    ],
)
def test_a_trait_gives_type_default_and_validation(given, words):
    widget = create(MODULE, exports={"count": given})
    assert (widget.count, widget.exports.count.description) == (3, words)
    with pytest.raises(traitlets.TraitError):
        widget.count = "three"
    assert widget.get_state(["count"]) == {"count": 3}


def test_a_class_of_traits_does_as_well():
    assert create(MODULE, exports={"names": traitlets.List}).names == []
    assert create(MODULE, exports={"names": ("some", traitlets.List)}).names == []


def test_two_widgets_share_nothing():
    one, other = (create(MODULE, exports={"names": traitlets.List()}) for _ in range(2))
    one.names = ["a"]
    assert other.names == []
    assert type(one) is not type(other)


def test_one_trait_may_be_given_for_several_exports():
    shared, heard = traitlets.List(help="some rows"), []
    widget = create(MODULE, exports={"brushed": (shared, "rows in the brush"), "clicked": shared})
    create(MODULE, exports={"picked": (shared, "rows that were picked")})
    widget.observe(lambda change: heard.append(change["name"]), traitlets.All)
    widget.brushed = [1]
    widget.clicked = [2]
    assert (widget.brushed, widget.clicked, heard) == ([1], [2], ["brushed", "clicked"])
    assert [widget.exports[name].description for name in widget.exports] == ["rows in the brush", "some rows"]
    assert widget.trait_metadata("brushed", "description") == "rows in the brush"
    assert "sync" not in shared.metadata


# Imports.


def test_an_import_has_the_value_of_its_source_from_the_start_and_follows():
    source = create(MODULE, exports={"selected": "some"})
    source.selected = [1]
    widget = create(MODULE, imports={"selected": source.selected})
    assert widget.selected == [1]
    source.selected = [2]
    assert widget.selected == [2]
    widget.selected = None
    assert source.selected is None


def test_an_import_speaks_to_pages_as_its_source_does():
    shout = traitlets.Unicode("a").tag(to_json=lambda value, _: value.upper(), from_json=lambda value, _: value.lower())
    source = create(MODULE, exports={"text": shout})
    widget = create(MODULE, imports={"text": source.text})
    assert widget.get_state(["text"]) == {"text": "A"}
    widget.set_state({"text": "BC"})
    assert source.text == "bc"


def test_a_widget_may_pass_on_what_it_imports():
    source = create(MODULE, exports={"selected": traitlets.List()})
    middle = create(MODULE, exports={"selected": traitlets.List()}, imports={"selected": source.exports.selected})
    last = create(MODULE, imports={"selected": middle.selected})
    source.selected = [1]
    assert last.selected == [1]


def test_an_import_that_its_own_trait_refuses_leaves_no_widget_and_no_link():
    source = create(MODULE, exports={"count": "a number"})
    source.count = "three"
    before = set(widget_module._instances)
    with pytest.raises(traitlets.TraitError):
        create(MODULE, exports={"count": traitlets.Int()}, imports={"count": source.count})
    source.count = 5
    assert set(widget_module._instances) == before


def test_an_import_that_cannot_be_linked_unlinks_the_others(monkeypatch):
    import rdit_core.created

    source, unlinked, real = create(MODULE, exports={"a": "", "b": ""}), [], rdit_core.created.link_traits

    def link_traits(one, other, **options):
        if one[1] == "b":
            raise RuntimeError("no")
        link = real(one, other, **options)
        unlinked.append(link)
        return link

    monkeypatch.setattr(rdit_core.created, "link_traits", link_traits)
    before = set(widget_module._instances)
    with pytest.raises(RuntimeError):
        create(MODULE, imports={"c": constant(1), "a": source.a, "b": source.b})
    assert set(widget_module._instances) == before
    assert len(unlinked) == 1
    assert not source._trait_notifiers.get("a", {}).get("change")


def test_links_can_be_ended_one_by_one_or_together():
    source = create(MODULE, exports={"a": "", "b": "", "c": ""})
    widget = create(MODULE, imports={"a": source.a, "b": source.b, "c": source.c, "d": 5})
    widget.unlink("a")
    source.a = source.b = source.c = 1
    assert (widget.a, widget.b, widget.c) == (None, 1, 1)
    assert widget.imports["a"] is None
    widget.unlink("d")
    widget.unlink()
    source.b = 2
    assert widget.b == 1
    assert dict(widget.imports) == {"a": None, "b": None, "c": None, "d": None}
    with pytest.raises(KeyError):
        widget.unlink("e")


def test_a_widget_that_nobody_keeps_goes_away_with_its_class():
    widget = create(MODULE, exports={"a": ""})
    gone = weakref.ref(widget), weakref.ref(type(widget))
    widget.close()
    del widget
    gc.collect()
    assert [one() for one in gone] == [None, None]


# Data.


def test_data_is_kept_as_it_was_given_and_shown_in_columns():
    records = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    widget = create(MODULE, records)
    assert widget.data is records
    shown = widget.get_state(["data"])["data"]
    assert (shown["rows"], [column["name"] for column in shown["columns"]]) == (2, ["a", "b"])
    widget.data = records[:1]
    assert widget.get_state(["data"])["data"]["rows"] == 1
    assert create(MODULE).get_state(["data"]) == {"data": None}


def test_a_sample_is_shown_where_it_was_asked_for():
    widget = create(MODULE, {"a": list(range(100))}, sample=10)
    shown = widget.get_state(["data"])["data"]
    assert (shown["rows"], shown["total"]) == (10, 100)


def test_data_of_another_kind_is_refused_at_once_and_later():
    with pytest.raises(rdit_core.UnsupportedData):
        create(MODULE, data=5)
    widget = create(MODULE, [{"a": 1}])
    with pytest.raises(rdit_core.UnsupportedData):
        widget.data = "text"
    assert widget.data == [{"a": 1}]


def test_no_page_writes_the_data():
    manager = rdit_core.WidgetManager()
    manager.register("w", create(MODULE, [{"a": 1}], exports={"selected": ""}))
    with pytest.raises(rdit_core.WriteRefused) as refused:
        manager.update("w", "data", None)
    assert refused.value.code == "read_only"
    manager.update("w", "selected", [1])
    manager.clear()


# What it looks like.


def test_a_widget_says_what_it_shares():
    source = create(MODULE, exports={"a": "", "b": ""}, name="Source")
    assert repr(source) == "<Source; exports a, b>"
    assert repr(create(MODULE, imports={"a": source.a})) == "<Created; imports a>"
    assert repr(create(MODULE)) == "<Created>"
    assert type(source).__module__ == __name__
    assert isinstance(source, CreatedWidget)


def test_it_awaits_display_until_somebody_displays_it():
    widget = create(MODULE)
    assert widget.awaits_display
    widget._repr_mimebundle_()
    assert not widget.awaits_display
    assert not create(MODULE, display=False).awaits_display


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a scatter plot with brush selection", "AScatterPlotWith"),
        ("brush_scatter", "BrushScatter"),
        ("64 x", "X"),
        ("7", "Created"),
    ],
)
def test_a_class_is_named_after_the_first_words(text, name):
    assert class_name(text.replace("_", " ")) == name


# From a description.


@pytest.mark.parametrize(
    "words",
    [
        "a map of the world",
        "a globe with three.js.",
        "a plot of a function\nthat one types, such as function f(x) => x ** 2,\nlet x = 5 at first",
        "a table\nthat calls model.set('row', i) for the row that is clicked",
    ],
)
def test_words_without_a_generator_are_refused(words):
    with pytest.raises(GenerationFailed) as failed:
        create(words)
    assert failed.value.code == "no_generator"
    assert not widget_module._instances


def test_a_description_becomes_the_module_that_was_verified(capsys):
    bad, good = "export default { nothing };", MODULE
    generator, verifier = Recorded(bad, good), Trying([Problem("no_render", "It renders nothing.", "Render.")])
    source = create(MODULE, exports={"level": traitlets.Int(help="how loud")})
    source.exports.level.value = 3
    with use_generator(generator, verifier=verifier):
        widget = create(
            "a table of flights",
            [{"airline": "secret"}],
            exports={"picked": "rows that were picked", "count": traitlets.Int()},
            imports={"level": source.level, "unit": "dB"},
        )
    assert (widget._esm, widget.description, type(widget).__name__) == (good, "a table of flights", "ATableOfFlights")
    first, second = generator.asked
    assert first.description == "a table of flights"
    assert "airline" in first.data.text
    assert "secret" not in first.data.text
    assert [(one.name, one.description, one.expects) for one in first.exports.values()] == [
        ("picked", "rows that were picked", None),
        ("count", "", "an int"),
    ]
    assert [(one.name, one.description, one.expects) for one in first.imports.values()] == [
        ("level", "how loud", "an int"),
        ("unit", "a constant: a text", None),
    ]
    assert second.previous.esm == bad
    assert [one.code for one in second.previous.problems] == ["no_render"]
    # What was tried had data and values, and is gone.
    assert [(one._esm, one.level, one.comm) for one in verifier.tried] == [(bad, 3, None), (good, 3, None)]
    source.level = 4
    assert [one.level for one in verifier.tried] == [3, 3]
    assert widget.level == 4
    said = capsys.readouterr().err
    assert "rdit: 'a table of flights': round 1 of 3: refused (no_render)\n" in said


def test_an_import_in_another_form_is_described_by_what_is_made_of_its_source():
    source, generator = create(MODULE, exports={"level": traitlets.Int(help="how loud"), "any": ""}), Recorded(MODULE)
    with use_generator(generator, verifier=Trying()):
        create(
            "a gauge",
            imports={
                "loud": rdit_core.one_way(source.level, str),
                "none": rdit_core.one_way(source.level, lambda _: None),
                "bars": rdit_core.one_way(source.any, lambda _: []),
            },
            progress=lambda _: None,
        )
    assert [(one.description, one.expects) for one in generator.asked[0].imports.values()] == [
        ("a text, made of: how loud", None),
        ("made of: how loud", None),
        ("a list", None),
    ]


def test_a_constant_is_described_by_its_kind_and_not_by_its_value():
    generator = Recorded(MODULE)
    with use_generator(generator, verifier=Trying()):
        create(
            "a gauge",
            imports={"a": 5, "b": [1.5], "c": True, "d": {"secret": 1}, "e": None},
            progress=lambda _: None,
        )
    described = [one.description for one in generator.asked[0].imports.values()]
    kinds = ["a number", "a list", "true or false", "an object"]
    assert described == [*(f"a constant: {kind}" for kind in kinds), "a constant"]


def test_rows_reach_the_generator_when_they_may():
    generator = Recorded(MODULE)
    create(
        "a table", [{"a": "seen"}], generator=generator, verifier=Trying(), rows_to_generator=1, progress=lambda _: None
    )
    assert "seen" in generator.asked[0].data.text


def test_no_page_hears_of_a_widget_that_is_being_tried():
    manager = rdit_core.WidgetManager()
    opened = []
    manager.on("opened", opened.append)

    class Looking(Trying):
        def verify(self, module, request, make_widget):
            found = super().verify(module, request, make_widget)
            widget = self.tried[-1]
            widget.picked = [1]
            widget.send({"a": 1})
            widget.picked = [widget]
            assert not opened
            assert not manager.widgets
            return found

    with manager.capture():
        create(
            "a table", exports={"picked": ""}, generator=Recorded(MODULE), verifier=Looking(), progress=lambda _: None
        )
    assert len(opened) == 1
    manager.clear()


def test_a_generator_that_fails_leaves_nothing():
    class Silent:
        def generate(self, request):
            raise NoAnswer(Problem("offline", "There is no network.", "Connect."))

    long = "a description that goes on and on and on and on and on and on"
    with pytest.raises(GenerationFailed, match="There is no network"):
        create(long, generator=Silent(), verifier=Trying())
    assert not widget_module._instances


def test_what_is_wrong_with_the_call_costs_no_generation():
    generator = Recorded(MODULE)
    with pytest.raises(CreateError):
        create("a table", exports={"layout": "no"}, generator=generator, verifier=Trying())
    with pytest.raises(rdit_core.UnsupportedData):
        create("a table", data=5, generator=generator, verifier=Trying())
    assert not generator.asked


def test_the_callers_style_sheet_wins():
    module = GeneratedModule(MODULE, css="p { color: red }")
    options = {"verifier": Trying(), "progress": lambda _: None}
    assert create("a p", generator=Recorded(module), **options)._css == "p { color: red }"
    assert create("a p", css="p {}", generator=Recorded(module), **options)._css == "p {}"


def test_nothing_of_comm_is_left_replaced():
    assert "rdit" not in comm.create_comm.__module__


def test_the_package_has_no_other_names():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rdit_core.nothing
    assert all(hasattr(rdit_core, name) for name in rdit_core.__all__)


def test_who_shows_its_widgets_to_nobody_takes_whatever_they_say():
    nowhere = Nowhere()
    with hook.capture(nowhere):
        widget = create(MODULE, exports={"picked": ""})
        widget.picked = [1]
        widget.send({"a": 1})
        widget.close()
        widget.open()
    nowhere.comm_revived(None)
    assert nowhere.comm_refers(widget.comm, "picked", [widget]) == [widget]
