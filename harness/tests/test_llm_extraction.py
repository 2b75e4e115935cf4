import pytest

from rdit_core.descriptions import UnusableAnswer
from rdit_harness.llm import extract_module

MODULE = "const a = 1;\nexport default { render() {} };\n"
FENCED = f"```js\n{MODULE}```"


@pytest.mark.parametrize(
    "answer",
    [
        FENCED,
        MODULE,
        f"Sure! Here it is:\n\n{FENCED}\n\nIt shows `nothing`.",
        f"```javascript\n{MODULE}```",
        f"```\n{MODULE}```",
        f"~~~js\n{MODULE}~~~",
        f"````js\n{MODULE}````",
        f"  ```js title=widget.js\n{MODULE}  ```",
        f"First a draft:\n```js\nfunction draft() {{}}\n```\nThen all of it:\n{FENCED}",
        f"{FENCED}\nUse it so:\n```js\nconst widget = make();\n```",
        f"```js\nexport default {{ render: old }};\n```\nBetter:\n{FENCED}",
        f"```python\nexport default\n```\n{FENCED}",
        f"Here is the module.\n\n{MODULE}\nThis shows nothing",
        f"{FENCED}\n```css\n```",
        f"```js\n{MODULE}",
        f"```js\n{MODULE.strip()}```",
        f"<think>It wants ```js\nexport default {{}}\n``` or so.</think>\n\n{FENCED}",
        f"A draft:\n```js\nexport default {{\n</thinking>\n{FENCED}",
        f"<think>\nWhat would\nexport default be?\n</think>\n{MODULE}",
    ],
    ids=[
        "fenced",
        "bare",
        "prose around",
        "javascript",
        "no language",
        "tildes",
        "four ticks",
        "indented, with a title",
        "a draft before",
        "usage behind",
        "the last of two",
        "another language before",
        "prose without fences",
        "an empty style sheet",
        "a fence that is not closed",
        "a fence that is closed in the last line",
        "thoughts with a draft",
        "thoughts whose beginning is not said",
        "thoughts without fences",
    ],
)
def test_the_module_is_found(answer):
    assert extract_module(answer) == (MODULE, None)


def test_a_comment_behind_the_last_line_of_a_module_without_fences_stays_with_it():
    for comment in ("// the end", "/* the end */"):
        module = f"{MODULE.strip()} {comment}\n"
        assert extract_module(f"Here:\n\n{module}\nHave fun") == (module, None)


def test_a_style_sheet_is_found_beside_it():
    assert extract_module(f"{FENCED}\n```css\np {{ color: red }}\n```") == (MODULE, "p { color: red }\n")


def test_code_without_a_default_export_is_left_to_whoever_looks_at_modules():
    assert extract_module("```js\nconst a = 1;\n```") == ("const a = 1;\n", None)


def test_a_default_export_by_name_counts():
    assert extract_module("```js\nexport { widget as default };\n```\n```js\nuse();\n```")[0].startswith("export {")


@pytest.mark.parametrize("answer", ["I cannot do that.", "", "```python\nprint()\n```", "```js\n\n```"])
def test_an_answer_without_code_is_no_module(answer):
    with pytest.raises(UnusableAnswer) as refused:
        extract_module(answer)
    assert [problem.code for problem in refused.value.problems] == ["no_code"]
    assert refused.value.answer == answer


def test_prose_that_mentions_a_default_export_and_has_none_gives_what_the_verifier_refuses():
    esm, _ = extract_module("You need an\nexport default that renders;")
    assert "renders" in esm
