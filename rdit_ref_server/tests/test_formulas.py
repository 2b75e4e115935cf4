import json
import time

import pytest

from rdit_ref_server.formulas import MAX_FORMULA_CHARACTERS, MAX_FORMULAS, formulas_of

from .conftest import PATIENCE_S


def latex(source):
    return formulas_of({"text/latex": source, "text/plain": "x"})


def text_of(tree):
    return tree if isinstance(tree, str) else "".join(map(text_of, tree[2:]))


def elements_of(tree):
    yield tree
    for child in tree[2:]:
        if isinstance(child, list):
            yield from elements_of(child)


def test_a_formula_is_found_by_its_source_and_is_a_tree_of_elements_attributes_and_text():
    assert latex("$x^2$") == {
        "$x^2$": ["math", {"display": "inline"}, ["mrow", {}, ["msup", {}, ["mi", {}, "x"], ["mn", {}, "2"]]]]
    }


@pytest.mark.parametrize(
    ("source", "display"),
    [
        ("$x$", "inline"),
        (r"\(x\)", "inline"),
        ("$$x$$", "block"),
        (r"\[x\]", "block"),
        (r"\begin{equation}x\end{equation}", "block"),
        (r"\begin{align}a &= b \\ c &= d\label{x}\nonumber\end{align}", "block"),
        (r"$$\begin{aligned}a &= b \\ c &= d\end{aligned}$$", "block"),
        (r"\begin{gather}a \\ b\end{gather}", "block"),
    ],
)
def test_each_way_to_write_one_is_known(source, display):
    (tree,) = latex(f"text {source} text").values()
    assert tree[:2] == ["math", {"display": display}]
    assert "\\" not in text_of(tree) and "&" not in text_of(tree)


def test_limits_stand_above_and_below_where_latex_has_them_so():
    (tree,) = latex(r"$\displaystyle \sum_{i=1}^{n} i$").values()
    assert tree[1] == {"display": "inline"}
    assert "munderover" in [element[0] for element in elements_of(tree)]


@pytest.mark.parametrize(
    "source",
    [
        r"$\nosuchcommand x$",
        r"$\frac{a}$",
        "${$",
        r"$a \\ b$",
        r"\begin{tabular}{ll} a & b \end{tabular}",
        r"\begin{eqnarray}a &=& b\end{eqnarray}",
        "$" + "{" * 3000 + "}" * 1900 + "$",
        "$" + r"\sqrt{" * 150 + "x" + "}" * 150 + "$",
        "$" + "x" * MAX_FORMULA_CHARACTERS + "$",
        "no formula",
        "5 $ or 6 $",
        "$5-$6",
    ],
)
def test_what_cannot_be_converted_has_no_tree(source):
    assert latex(source) == {}


@pytest.mark.threat(22)
@pytest.mark.parametrize(
    "source",
    [r"$\text{<b onclick=x()>&amp;</b>}$", r"$\href{javascript:x()}{y}$", r"$\style{color:red}{\class{a}{y}}$"],
)
def test_no_markup_and_no_address_comes_out_of_a_formula(source):
    (tree,) = latex(source).values()
    for name, attributes, *_ in elements_of(tree):
        assert name.isalpha() and set(attributes) <= {"display"}


def test_formulas_in_markdown_are_found_between_other_dollars():
    found = formulas_of({"text/markdown": "It is $5 or $6. `$HOME` $x$, $y$.\n\n$$\na\n- b\n$$\n"})
    assert {"$x$", "$y$", "$$ a - b $$"} <= set(found)
    assert formulas_of({"text/markdown": ["$a", "b$"]}).keys() == {"$ab$"}


def test_what_a_page_shows_in_another_form_is_not_converted():
    assert formulas_of({"text/html": "<i>x</i>", "text/latex": "$x$"}) == {}


def test_of_very_many_formulas_the_first_ones_are_converted():
    assert (
        len(formulas_of({"text/markdown": " ".join(f"$x_{{{n}}}$" for n in range(MAX_FORMULAS + 9))})) == MAX_FORMULAS
    )


@pytest.mark.parametrize("piece", ["$", "$a", "$a ", "$$", r"\[", r"\(", r"\begin{a}", "\\", "$x\n"])
def test_no_text_takes_long_to_look_through(piece):
    before = time.process_time()
    formulas_of({"text/latex": piece * 20_000, "text/markdown": piece * 20_000})
    assert time.process_time() - before < PATIENCE_S


def test_what_is_displayed_and_updated_carries_its_formulas(running):
    running.run(
        "from IPython.display import Latex, Markdown, display\n"
        "handle = display(Latex('$x$'), display_id='a')\n"
        "handle.update(Markdown('so $y$'))\n"
        "display(Latex('none'))\n"
    )
    events = [event.fields for event in running.kernel.log.read(0)[0] if event.kind in ("display", "update")]
    assert [list(fields.get("formulas", {})) for fields in events] == [["$x$"], ["$y$"], []]
    assert json.dumps(events[0]["formulas"])
