from dataclasses import dataclass

from rdit_core.data import DATA_READER
from rdit_core.data_summary import summarize_data
from rdit_core.descriptions import Attempt, Problem, TraitSpec, WidgetRequest
from rdit_harness.llm.prompt import messages, system_prompt, user_prompt

SELECTED = TraitSpec("selected", "indices of the brushed points", "a list")
FILTER = TraitSpec("filter", "airlines to show")
MODULE = "export default { render() {} };"


@dataclass(frozen=True)
class Summary:
    text: str
    key: str = ""


def prompt(request):
    return user_prompt(request, data_reader="function readData(data) {}")


def test_the_contract_is_stated_with_an_example_of_each_call():
    text = system_prompt()
    for words in (
        "export default { render }",
        'model.set("selected_indices"',
        "model.save_changes()",
        'model.on("change:selected_indices", update)',
        'model.off("change:selected_indices", update)',
        "No imports and no requests",
        "No globals",
        "nothing outside of `el`",
        "return () =>",
    ):
        assert words in text


def test_the_widget_is_described_with_its_exports_and_imports():
    text = prompt(WidgetRequest("a scatter plot", exports={"selected": SELECTED}, imports={"filter": FILTER}))
    assert "The widget: a scatter plot" in text
    assert "Exports, which it sets:\n- `selected`: indices of the brushed points (Python takes a list)" in text
    assert "Imports, which it follows:\n- `filter`: airlines to show" in text
    assert "no trait `data`" in text


def test_a_widget_without_exports_and_imports_says_so():
    text = prompt(WidgetRequest("a clock"))
    assert "Exports, which it sets: none." in text
    assert "Imports, which it follows: none." in text


def test_of_data_there_is_the_summary_and_how_to_read_it():
    text = prompt(WidgetRequest("a plot", data=Summary("3 rows; price: number")))
    assert "3 rows; price: number" in text
    assert "function readData(data) {}" in text


def test_no_value_of_a_text_leaves_unless_rows_are_asked_for():
    data = {"name": ["Ada Lovelace", "Grace Hopper"], "born": [1815, 1906]}
    quiet = user_prompt(WidgetRequest("a table", data=summarize_data(data)), data_reader=DATA_READER)
    assert "name" in quiet
    assert "Ada" not in quiet
    asked = user_prompt(WidgetRequest("a table", data=summarize_data(data, rows=1)), data_reader=DATA_READER)
    assert "Ada Lovelace" in asked


def test_what_was_refused_stands_behind_with_its_problems():
    request = WidgetRequest("a clock", previous=Attempt(MODULE, (Problem("bad", "It is bad.", "Mend it."),)))
    *_, said, told = messages(request, data_reader="")
    assert said == {"role": "assistant", "content": f"```js\n{MODULE}\n```"}
    assert told["role"] == "user"
    assert "- bad: It is bad. Mend it." in told["content"]


def test_what_was_added_to_a_module_is_not_told_as_the_models_own():
    request = WidgetRequest("a clock", previous=Attempt(f"{MODULE}\n{DATA_READER}", ()))
    assert messages(request, data_reader=DATA_READER)[2]["content"] == f"```js\n{MODULE}\n```"


def test_an_answer_without_a_module_is_repeated_as_it_came():
    request = WidgetRequest("a clock", previous=Attempt("I would rather not", ()))
    assert messages(request, data_reader="")[2]["content"] == "I would rather not"


def test_the_first_round_has_no_past():
    assert [one["role"] for one in messages(WidgetRequest("a clock"), data_reader="")] == ["system", "user"]
