import pytest

from rdit_harness.llm.static_check import MAX_MODULE_CHARACTERS, check_text, count_sets

GOOD = """
// import nothing from "nowhere"
/* import("./x.js") */
const text = 'import x from "https://example.com/x.js"';
const pattern = /import "https:\\/\\/x"/;
const message = `import "y"`;
const important = { import: 1 };
model.import("x");
function render({ model, el }) {}
export default { render };
"""


def codes(esm):
    return [problem.code for problem in check_text(esm)]


def test_a_module_that_imports_nothing_and_has_a_default_export_is_left_to_the_page():
    assert codes(GOOD) == []
    assert codes("const widget = {};\nexport { widget as default };") == []
    assert codes("export { a } ;\nexport default widget") == []


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ('import * as d3 from "https://esm.sh/d3";', "network_import", "esm.sh/d3"),
        ('import "//cdn.example/x.js";', "network_import", "cdn.example"),
        ("import { a,\n  b } from 'https://example.com/x.js'", "network_import", "example.com"),
        ('import d3, { max } from "d3";', "bare_import", "'d3'"),
        ('export * from "./other.js";', "bare_import", "./other.js"),
        ('export { a as b } from "https://example.com/x.js";', "network_import", "example.com"),
        ('const d3 = await import("https://esm.sh/d3");', "network_import", "esm.sh/d3"),
        ("const d3 = await import( `https://esm.sh/d3`);", "network_import", "esm.sh/d3"),
        ("const d3 = await import(where + name);", "bare_import", "computed"),
        ("const d3 = await import(`https://esm.sh/${name}`);", "bare_import", "computed"),
    ],
)
def test_an_import_is_named_with_what_to_do_instead(line, code, said):
    (problem,) = check_text(f"{line}\n{GOOD}")
    assert problem.code == code
    assert said in problem.message
    assert "Import nothing" in problem.hint


@pytest.mark.parametrize(
    ("esm", "code"),
    [
        ("", "no_code"),
        (" \n", "no_code"),
        ("https://example.com/widget.js", "network_import"),
        ("export function render() {}", "no_default_export"),
        ("// export default {}", "no_default_export"),
        ('"export default {}"', "no_default_export"),
        (GOOD + " " * MAX_MODULE_CHARACTERS, "too_large"),
    ],
)
def test_what_is_no_module_is_told_without_a_browser(esm, code):
    (problem,) = check_text(esm)
    assert problem.code == code
    assert problem.hint


def test_the_same_import_twice_is_one_problem():
    assert codes(f'import "d3";\nimport "d3";\n{GOOD}') == ["bare_import"]


def test_the_places_where_a_trait_is_set_are_counted():
    esm = """
    model.set("a", 1); model . set( 'a' , 2); model.set(`a`, 3); // model.set("a", 4)
    model.set("ab", 1); map.settle("a"); "model.set('a', 1)";
    """
    assert count_sets(esm, "a") == 3
    assert count_sets(esm, "b") == 0
