"""What a value of `imports={...}` means."""

import ast
import contextlib
import dataclasses
import itertools
import linecache
import types
from functools import partial

import ipywidgets
import pytest
import traitlets
from anywidget._descriptor import MimeBundleDescriptor
from ipywidgets.widgets import widget as widget_module

import rdit_core
from rdit_core import CreateError, Export, call_source, constant, create, link_traits, one_way, two_way
from rdit_core.call_source import HAS_POSITIONS, CallSource

MODULE = "export default { render() {} };"


class Knob(traitlets.HasTraits):
    level = traitlets.Int(3)
    other = traitlets.Int(3)
    loud = True

    @property
    def tripled(self):
        return self.level * 3


class Desk:
    def __init__(self):
        self.knob = Knob()

    @property
    def fresh(self):
        return Knob()


def is_linked(widget, source, name="it", trait="level"):
    """Whether an import follows a trait of an object, and the other way round."""
    setattr(source, trait, 41)
    there = getattr(widget, name) == 41
    setattr(widget, name, 42)
    return there and getattr(source, trait) == 42


def refused(call):
    with pytest.raises(CreateError) as error:
        call()
    assert error.value.code == "ambiguous_import"
    assert "`widget.exports." in str(error.value)
    assert "constant(value)" in str(error.value)
    return str(error.value)


def refused_as_no_trait(call):
    with pytest.raises(CreateError, match="Observe it, and set the trait") as error:
        call()
    assert error.value.code == "ambiguous_import"
    return str(error.value)


# What says by itself what it means.


def test_a_handle_and_a_pair_are_linked_wherever_they_come_from():
    knob = Knob()

    def wrapped(imports):
        return create(MODULE, imports=imports)

    for given in (Export(knob, "level"), (knob, "level")):
        assert is_linked(wrapped({"it": given}), knob)


def test_a_constant_is_a_value_and_nothing_else():
    knob = Knob()
    widget = create(MODULE, imports={"it": constant(knob.level), "list": constant([1, 2])})
    assert (widget.it, widget.list, dict(widget.imports)) == (3, [1, 2], {"it": None, "list": None})
    knob.level = 9
    assert widget.it == 3


def test_a_pair_that_is_no_trait_is_refused_before_anything_is_made():
    with pytest.raises(CreateError, match="no trait 'levle'"):
        create(MODULE, imports={"it": (Knob(), "levle")})


# What the text of the call says.


def test_an_expression_that_names_a_trait_is_linked():
    knob, desk, shelf, rack, index = Knob(), Desk(), [Knob(), Knob()], {"a": Knob()}, 1
    holder = types.SimpleNamespace(knob=Knob())
    assert is_linked(create(MODULE, imports={"it": knob.level}), knob)
    assert is_linked(create(MODULE, imports=dict(it=knob.level)), knob)  # noqa: C408
    assert is_linked(create(MODULE, None, None, {"it": knob.level}), knob)
    assert is_linked(create(MODULE, imports={"it": desk.knob.level}), desk.knob)
    assert is_linked(create(MODULE, imports={"it": shelf[1].level}), shelf[1])
    assert is_linked(create(MODULE, imports={"it": shelf[index].level}), shelf[index])
    assert is_linked(create(MODULE, imports={"it": shelf[-1].level}), shelf[1])
    assert is_linked(create(MODULE, imports={"it": rack["a"].level}), rack["a"])
    assert is_linked(create(MODULE, imports={"it": holder.knob.level}), holder.knob)
    assert is_linked(rdit_core.create(MODULE, imports={"it": knob.level}), knob)
    of_module = partial(create, MODULE)
    widget = of_module(imports={"it": knob.level})
    assert is_linked(widget, knob)
    slider = ipywidgets.IntSlider(value=3)
    assert is_linked(create(MODULE, imports={"it": slider.value}), slider, trait="value")


def test_a_trait_that_holds_traits_is_walked_through():
    class Panel(traitlets.HasTraits):
        knob = traitlets.Instance(Knob, ())

    panel = Panel()
    assert is_linked(create(MODULE, imports={"it": panel.knob.level}), panel.knob)


def test_of_two_traits_with_one_value_the_one_that_is_written_is_linked():
    knob = Knob()
    widget = create(MODULE, imports={"it": knob.other})
    knob.level = 8
    assert widget.it == 3
    knob.other = 9
    assert widget.it == 9


def test_the_handle_of_a_spread_dict_does_not_need_the_text():
    knob, more = Knob(), {"also": constant(5)}
    assert is_linked(create(MODULE, imports={**more, "it": knob.level}), knob)


def test_what_is_written_after_a_spread_is_known_and_what_stands_before_is_not():
    knob, more = Knob(), {}
    assert is_linked(create(MODULE, imports={**more, "it": knob.level}), knob)
    refused(lambda: create(MODULE, imports={"it": knob.level, **more}))


LIMIT = 5
EITHER = 5
EITHER = Knob().level
KNOB = Knob()
COPY = KNOB.level
IMPORTS = {"it": KNOB.level}
ANNOTATED: int = 7
for LOOPED in (1, 2):
    assert LOOPED
for FROM_TRAIT in [KNOB.level]:
    assert FROM_TRAIT
with contextlib.nullcontext(5) as ENTERED:
    pass
FIRST, (SECOND, *REST) = 1, (2, 3, KNOB.level)
ONE, TWO = [KNOB.level, 2]
BOTH = ALSO = five_of = 5
ALL, NONE = FEW = (1, KNOB.level)


SET_ELSEWHERE = 5


def set_elsewhere():
    global SET_ELSEWHERE
    SET_ELSEWHERE = KNOB.level


class Frame:
    def __getitem__(self, name):
        return self

    def mean(self, axis):
        return 2.5


FRAME = Frame()


def five():
    return 5


def test_what_no_trait_is_written_in_stays_a_constant():
    knob, names, limit, again = Knob(), ["a"], 5, 6
    later: list = [limit]
    given = [
        create(MODULE, imports={"it": 5}),
        create(MODULE, imports={"it": "text"}),
        create(MODULE, imports={"it": None}),
        create(MODULE, imports={"it": [1, {"a": (2, limit)}]}),
        create(MODULE, imports={"it": limit + LIMIT * 2}),
        create(MODULE, imports={"it": names}),
        create(MODULE, imports={"it": later}),
        create(MODULE, imports={"it": knob.loud}),
        create(MODULE, imports={"it": itertools.__name__}),
        create(MODULE, imports={"it": five()}),
        create(MODULE, imports={"it": [number * again for number in range(LIMIT)]}),
        create(MODULE, imports={"it": ANNOTATED}),
        create(MODULE, imports={"it": LOOPED}),
        create(MODULE, imports={"it": FIRST}),
        create(MODULE, imports={"it": TWO}),
        create(MODULE, imports={"it": ALSO}),
        create(MODULE, imports={"it": ALL}),
        create(MODULE, imports={"it": names.copy()}),
        create(MODULE, imports={"it": FRAME["a"].mean(axis=0)}),
        create(MODULE, imports={"it": lambda: knob.level}),
        create(MODULE, imports={"it": Desk}),
        create(MODULE, imports={"it": max}),
        create(MODULE, imports={"it": [name for name in names if name]}),
        create(MODULE, imports={"it": dict.fromkeys(names, 1)["a"]}),
        create(MODULE, imports={"it": not -limit}),
        create(MODULE, imports={"it": limit > 1 and f"{limit}"}),
    ]
    assert [dict(one.imports) for one in given] == [{"it": None}] * len(given)


def test_a_name_inside_of_a_function_means_what_it_means_there():
    LIMIT = KNOB.level
    refused(lambda: create(MODULE, imports={"it": LIMIT}))


@pytest.mark.parametrize(
    "call",
    [
        lambda: create(MODULE, imports={"it": KNOB.level + 1}),
        lambda: create(MODULE, imports={"it": KNOB.level or []}),
        lambda: create(MODULE, imports={"it": Desk().fresh.level}),
        lambda: create(MODULE, imports={"it": (lambda: KNOB)().level}),
        lambda: create(MODULE, imports={"it": COPY}),
        lambda: create(MODULE, imports={"it": EITHER}),
        lambda: create(MODULE, imports={"it": FROM_TRAIT}),
        lambda: create(MODULE, imports={"it": ENTERED}),
        lambda: create(MODULE, imports={"it": FRAME["a"].mean}),
        lambda: create(MODULE, imports={"it": SECOND}),
        lambda: create(MODULE, imports={"it": ONE}),
        lambda: create(MODULE, imports={"it": FEW}),
        lambda: create(MODULE, imports={"it": KNOB.level.bit_length()}),
        lambda: create(MODULE, imports={"it": [KNOB.level]}),
        lambda: create(MODULE, imports={"it": max(1, KNOB.level)}),
        lambda: create(MODULE, imports={"it": (copy := 5)}).it == copy,
        lambda: create(MODULE, imports={"it": SET_ELSEWHERE}),
        lambda: create(MODULE, imports={"it": -KNOB.level}),
    ],
)
def test_what_might_be_a_trait_and_might_not_is_refused(call):
    assert "cannot be told whether" in refused(call)


@pytest.mark.parametrize(
    ("call", "trait", "is_computed"),
    [
        (lambda: create(MODULE, imports={"it": Desk().fresh.level}), "level", False),
        (lambda: create(MODULE, imports={"it": KNOB.other + 1}), "other", True),
        (lambda: create(MODULE, imports={"it": one_way(max(1, KNOB.level))}), "level", True),
        (lambda: create(MODULE, imports={"it": COPY}), "it", False),
        (lambda: create(MODULE, imports=IMPORTS), "it", False),
    ],
)
def test_a_refusal_names_the_trait_that_was_meant(call, trait, is_computed):
    message = refused(call)
    assert f"`widget.exports.{trait}`" in message
    assert f"`(widget, {trait!r})`" in message
    assert (f"`one_way(widget.exports.{trait}, function)`" in message) == is_computed


def test_a_parameter_is_refused_since_it_may_have_been_a_trait():
    def wrapped(value, *rest, **options):
        return create(MODULE, imports={"it": value})

    def rest(*values):
        return create(MODULE, imports={"it": values})

    refused(lambda: wrapped(KNOB.level))
    refused(lambda: rest(KNOB.level))
    assert "`value" in refused(lambda: (lambda value: create(MODULE, imports={"it": value}))(5))


def test_a_dict_that_is_not_written_in_the_call_is_refused():
    imports = {"it": KNOB.level}
    assert "the dict is not written out in the call" in refused(lambda: create(MODULE, imports=imports))
    options = {"imports": imports}
    assert "the dict is not written out" in refused(lambda: create(MODULE, **options))
    arguments = (MODULE, None, None, imports)
    assert "the dict is not written out" in refused(lambda: create(*arguments))


def test_code_without_a_text_is_refused_and_told_what_works():
    names = {"create": create, "KNOB": KNOB, "MODULE": MODULE, "constant": constant}
    code = compile("create(MODULE, imports={'it': KNOB.level})", "<nowhere to be read>", "eval")
    assert "it is not at hand" in refused(lambda: eval(code, names))
    said = eval("create(MODULE, imports={'it': (KNOB, 'level'), 'other': constant(5)})", names)
    assert is_linked(said, KNOB)


def test_a_trait_that_changed_meanwhile_is_refused():
    knob = Knob()

    def change():
        knob.level += 1

    assert "changed during the call" in refused(lambda: create(MODULE, imports={"it": knob.level, "then": change()}))


# One way, and in another form.


def test_one_way_follows_and_never_writes_back():
    knob = Knob()
    plain, made = create(MODULE, imports={"it": one_way(knob.level), "made": one_way(knob.level, str)}), None
    made = plain
    knob.level = 8
    assert (plain.it, made.made) == (8, "8")
    plain.it = 1
    made.made = "none"
    assert knob.level == 8


def test_two_way_goes_through_a_function_on_each_way():
    knob = Knob()
    widget = create(MODULE, imports={"it": two_way(knob.level, str, int)})
    assert widget.it == "3"
    widget.it = "12"
    assert knob.level == 12


def test_a_way_through_what_is_no_function_is_refused():
    with pytest.raises(TypeError, match="one_way: expected a function that makes the other form, got int"):
        one_way((Knob(), "level"), 5)
    with pytest.raises(TypeError, match="two_way: expected a function"):
        two_way((Knob(), "level"), abs, "abs")


def test_a_way_takes_all_that_a_plain_import_takes():
    knob = Knob()
    widget = create(
        MODULE,
        imports={
            "a": one_way((knob, "level")),
            "b": one_way(Export(knob, "level")),
            "c": one_way(source=knob.level),
            "d": rdit_core.one_way(knob.level),
        },
    )
    knob.level = 7
    assert (widget.a, widget.b, widget.c, widget.d) == (7, 7, 7, 7)


def test_a_way_of_something_else_is_refused():
    knob = Knob()

    def wrapped(level):
        return one_way(level)

    assert "and this is a constant" in refused(lambda: create(MODULE, imports={"it": one_way(5)}))
    refused(lambda: create(MODULE, imports={"it": one_way(knob.level + 1)}))
    refused(lambda: create(MODULE, imports={"it": wrapped(knob.level)}))
    assert "constant" in refused(lambda: create(MODULE, imports={"it": one_way(constant(5))}))
    way = one_way(knob.level)
    refused(lambda: create(MODULE, imports={"it": way}))
    options = {"source": knob.level}
    refused(lambda: create(MODULE, imports={"it": one_way(**options)}))


def test_a_long_expression_is_named_in_short():
    message = refused(
        lambda: create(MODULE, imports={"it": [KNOB.level + 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000]})
    )
    assert "`[KNOB.level + 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8...`" in message


# As a runner of scripts compiles them: one statement at a time.


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("made = create(MODULE, imports={'it': KNOB.level})", [True]),
        ("made = [create(MODULE, imports={'it': KNOB.level}), create(MODULE, imports={'it': 1000})]", [True, False]),
        (
            "made = [\n  create(\n    MODULE,\n    imports={\n      'it':\n        KNOB.level,\n    },\n  )\n]",
            [True],
        ),
    ],
)
def test_statements_that_were_compiled_by_themselves_are_understood(text, linked, tmp_path):
    path = str(tmp_path / "script.py")
    source = f"first = 1; second = 2\n{text}\n"
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    names = {"create": create, "KNOB": Knob(), "MODULE": MODULE}
    for node in ast.parse(source, path).body:
        exec(compile(ast.Module([node], []), path, "exec"), names)
    made = names["made"] if isinstance(names["made"], list) else [names["made"]]
    assert [one.imports["it"] is not None for one in made] == linked


def test_a_file_that_was_edited_since_is_not_believed(tmp_path):
    path = tmp_path / "script.py"
    text = "def make(knob, desk):\n    return create(MODULE, imports={'it': knob.level})\n"
    path.write_text(text)
    names = {"create": create, "MODULE": MODULE}
    exec(compile(text, str(path), "exec"), names)
    path.write_text(text.replace("knob.level", "desk.level"))
    refused(lambda: names["make"](Knob(), Knob()))


@pytest.mark.skipif(not HAS_POSITIONS, reason="byte code has positions from Python 3.11 on")
def test_of_several_calls_on_one_line_of_a_cell_each_is_understood():
    path = "<ipython-input-1-of-a-cell>"  # As `executing` knows a notebook's.
    source = "first = create(MODULE, imports={'it': KNOB.level}); second = create(MODULE, imports={'it': KNOB.level})\n"
    linecache.cache[path] = (len(source), None, [source], path)
    names = {"create": create, "KNOB": Knob(), "MODULE": MODULE}
    for node in ast.parse(source, path).body:
        exec(compile(ast.Interactive([node]), path, "single"), names)
    names["KNOB"].level = 3
    assert (names["first"].it, names["second"].it) == (3, 3)


def test_a_trait_that_is_read_by_name_is_linked():
    knob = Knob()
    assert create(MODULE, imports={"it": getattr(knob, "level")}).imports["it"] is not None  # noqa: B009
    for name in ["level"]:
        assert create(MODULE, imports={"it": getattr(knob, name, 0)}).imports["it"] is not None
    assert create(MODULE, imports={"it": getattr(ast, "__name__")}).imports["it"] is None  # noqa: B009
    with pytest.raises(CreateError, match="cannot be told"):
        create(MODULE, imports={"it": getattr([knob].pop(), "level")})  # noqa: B009


def test_a_list_that_looks_like_a_pair_is_refused():
    with pytest.raises(CreateError, match="a pair is a tuple"):
        create(MODULE, imports={"it": [Knob(), "level"]})


def test_what_was_meant_for_a_trait_and_is_none_is_refused():
    @dataclasses.dataclass
    class Plain:
        level: int = 3

    class Shown(Plain):
        _repr_mimebundle_ = MimeBundleDescriptor(_esm=MODULE, follow_changes=False)

    plain, shown, widget = Plain(), Shown(), create(MODULE, exports={"it": "it"})
    assert "a Plain is none" in refused_as_no_trait(lambda: create(MODULE, imports={"it": (plain, "level")}))
    assert "the class Knob is none" in refused_as_no_trait(lambda: create(MODULE, imports={"it": (Knob, "level")}))
    assert "shown.level is none" in refused_as_no_trait(lambda: create(MODULE, imports={"it": shown.level}))
    assert "a whole widget" in refused(lambda: create(MODULE, imports={"it": widget}))
    assert "all exports of a widget" in refused(lambda: create(MODULE, imports={"it": widget.exports}))
    pairs = {"a": (3, "level"), "b": ("Rome", "title"), "c": (plain, "name")}
    made = create(MODULE, imports={"a": pairs["a"], "b": pairs["b"], "c": pairs["c"], "d": plain.level})
    said = create(MODULE, imports={"a": constant(widget), "b": constant((plain, "level"))})
    assert {*made.imports.values(), *said.imports.values()} == {None}


def test_widgets_in_a_ring_that_were_made_one_by_one_agree():
    first = create(MODULE, exports={"it": "it"})
    second = create(MODULE, exports={"more": "it"}, imports={"it": first.it})
    third = create(MODULE, imports={"it": second.it, "again": second.it})
    link_traits((third, "it"), (first, "it"))
    third.again = 3
    assert (first.it, second.it, third.it) == (3, 3, 3)


def test_a_widget_that_was_closed_is_an_object_with_traits_as_any():
    first = create(MODULE, exports={"it": "it"})
    first.close()
    second = create(MODULE, imports={"it": first.it})
    first.it = 4
    assert second.it == 4


def test_without_positions_byte_code_is_compared_last(monkeypatch):
    monkeypatch.setattr(call_source, "HAS_POSITIONS", False)
    knob = Knob()
    assert is_linked(create(MODULE, imports={"it": knob.level}), knob)
    monkeypatch.setattr(CallSource, "_could_be", lambda *_: False)
    widget = create(MODULE, imports={"it": knob.level})
    assert is_linked(widget, knob)


@pytest.mark.parametrize(
    ("line", "linked"),
    [
        ("create(MODULE, imports={'it': KNOB.level})", True),
        ("create(MODULE, imports={'it': 1000}), create(MODULE, imports={'it': KNOB.level}), create(MODULE)", False),
        ("create(MODULE, imports={'it': 1000}), create(MODULE, imports={'it': 1000})", None),
        ("create(MODULE, imports={'it': 1000}), create(MODULE, imports={'that': 1000}), make(imports={})", False),
        ("create(MODULE, imports={'it': KNOB.level}), KNOB.nothing.create", True),
    ],
)
def test_without_positions_it_is_the_only_call_on_the_line_that_could_be_meant(line, linked, monkeypatch, tmp_path):
    import executing

    monkeypatch.setattr(call_source, "HAS_POSITIONS", False)
    monkeypatch.setattr(executing.Source, "executing", lambda frame: types.SimpleNamespace(node=None))
    path = tmp_path / "script.py"
    path.write_text(f"import itertools\nmade = {line}\n")
    names = {"create": create, "KNOB": Knob(), "MODULE": MODULE, "make": dict}
    run = lambda: exec(compile(path.read_text(), str(path), "exec"), names)  # noqa: E731
    if linked is None:
        assert "not at hand" in refused(run)
        return
    with contextlib.suppress(AttributeError):
        run()
    first = next(one for one in widget_module._instances.values() if isinstance(one, rdit_core.CreatedWidget))
    assert (first.imports["it"] is not None) == linked


def test_a_file_that_is_no_python_any_more_tells_nothing(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("create(MODULE, imports={'it': KNOB.level})\n")
    code = compile(path.read_text(), str(path), "exec")
    path.write_text("create(MODULE, imports={'it': \n")
    assert "not at hand" in refused(lambda: exec(code, {"create": create, "KNOB": Knob(), "MODULE": MODULE}))


def test_names_are_found_where_python_finds_them(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(
        "import json as loads\n"
        "from os import sep\n"
        "empty: int\n"
        "rows = [[1]]\n"
        "class Plain: pass\n"
        "def made(a, *, imports):\n"
        "    return create(MODULE, imports=imports)\n"
        "one = create(MODULE, imports={'a': sep, 'b': loads, 'c': Plain, 'd': rows[0][0], 'e': rows[0:1]})\n"
        "empty = 5\n"
        "two = create(MODULE, imports={'a': empty})\n"
    )
    names = {"create": create, "KNOB": Knob(), "MODULE": MODULE}
    exec(compile(path.read_text(), str(path), "exec"), names)
    assert {*names["one"].imports.values(), *names["two"].imports.values()} == {None}


def test_what_went_away_during_the_call_is_refused():
    knob, shelf, names = Knob(), [Knob()], {"create": create, "MODULE": MODULE, "gone": Knob()}
    refused(lambda: create(MODULE, imports={"it": shelf[0].level, "then": shelf.clear()}))
    assert knob.level == 3
    linecache.cache["gone.py"] = (1, None, ["create(MODULE, imports={'it': gone.level, 'then': drop()})"], "gone.py")
    names["drop"] = lambda: names.pop("gone") and None
    code = compile("create(MODULE, imports={'it': gone.level, 'then': drop()})", "gone.py", "exec")
    refused(lambda: exec(code, names))
