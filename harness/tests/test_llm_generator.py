"""The real client against a scripted endpoint on loopback."""

import importlib.util
from dataclasses import dataclass

import pytest

from rdit_core.data import DATA_READER
from rdit_core.descriptions import (
    Attempt,
    GeneratedModule,
    GenerationFailed,
    NoAnswer,
    Problem,
    TraitSpec,
    UnusableAnswer,
    WidgetRequest,
    module_key,
    write_module,
)
from rdit_harness.llm import Answer, OpenAIGenerator, ScriptedEndpoint

KEY = "sk-very-secret-0123456789"
MODULE = "function render({ model, el }) {\n  el.textContent = model.get('n');\n}\nexport default { render };\n"
GOOD = f"```js\n{MODULE}```"
SPEC = TraitSpec("selected", "indices of the brushed points", "a list")
REQUEST = WidgetRequest("a scatter plot", exports={"selected": SPEC})


@dataclass(frozen=True)
class Summary:
    text: str = "rows: 3; columns: price (number, 1 to 9)"
    key: str = "s"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "RDIT_MODEL"):
        monkeypatch.delenv(name, raising=False)


def generator(endpoint, **options):
    options = {"api_key": KEY, "retries": 0, "chunk_timeout_s": 10, **options}
    return OpenAIGenerator("some-model", base_url=endpoint.url, **options)


def ask(*answers, request=REQUEST, **options):
    with ScriptedEndpoint(*answers) as endpoint:
        return generator(endpoint, **options).generate(request)


def test_an_answer_is_streamed_into_a_module_with_its_tokens():
    heard = []
    module = ask(Answer(GOOD, tokens=(321, 45)), on_text=heard.append)
    assert module == GeneratedModule(MODULE, None, 321, 45)
    assert "".join(heard) == GOOD
    assert len(heard) > 1


def test_what_is_sent_is_the_prompt_and_the_settings_and_nothing_else():
    with ScriptedEndpoint(GOOD) as endpoint:
        generator(endpoint, temperature=0.5, max_tokens=99, options={"seed": 4}).generate(REQUEST)
    (sent,) = endpoint.requests
    assert {name: sent[name] for name in sent if name != "messages"} == {
        "model": "some-model",
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "max_tokens": 99,
        "seed": 4,
    }
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert endpoint.headers[0]["authorization"] == f"Bearer {KEY}"


def test_an_endpoint_that_does_not_count_is_not_asked_to():
    with ScriptedEndpoint(Answer(GOOD, tokens=None)) as endpoint:
        module = generator(endpoint, count_tokens=False).generate(REQUEST)
    assert "stream_options" not in endpoint.requests[0]
    assert (module.tokens_in, module.tokens_out) == (None, None)


def test_an_answer_that_comes_in_parts_is_its_text():
    assert ask(Answer(GOOD, is_in_parts=True)).esm == MODULE


def test_a_style_sheet_beside_the_module_comes_along():
    assert ask(f"{GOOD}\n```css\np {{}}\n```").css == "p {}\n"


def test_a_module_for_data_gets_the_functions_that_read_it_behind_its_own_lines():
    request = WidgetRequest("a table", data=Summary())
    module = ask(GOOD, request=request)
    assert module.esm.startswith(MODULE)
    assert module.esm.endswith(DATA_READER)
    repeated = GOOD.replace("function render", "function readData(data) {}\nfunction render")
    assert DATA_READER not in ask(repeated, request=request).esm


@pytest.mark.parametrize(
    ("answer", "options", "code", "hint"),
    [
        (Answer("I cannot do that."), {}, "no_code", "one ```js code block"),
        (Answer(""), {}, "empty_answer", "one ```js code block"),
        (Answer(GOOD[:60], finish="length"), {}, "cut_off", "shorter"),
        (Answer(GOOD[:60], finish=None), {}, "cut_off", "shorter"),
        (Answer(GOOD, ending="endless"), {"max_characters": 5_000}, "too_long", "shorter"),
        (Answer(GOOD, ending="pings"), {"total_timeout_s": 0.5}, "too_slow", "shorter"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_an_answer_without_a_whole_module_is_refused_and_says_what_to_do(answer, options, code, hint):
    with pytest.raises(UnusableAnswer) as refused:
        ask(answer, **options)
    (problem,) = refused.value.problems
    assert problem.code == code
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("answer", "options", "code", "hint"),
    [
        (Answer(f"Incorrect API key provided: {KEY}", status=401), {}, "unauthorized", "OPENAI_API_KEY"),
        (Answer(f"Not for {KEY}", status=403), {}, "unauthorized", "OPENAI_API_KEY"),
        (Answer(f"No model for {KEY}", status=404), {}, "unknown_model", "model's name"),
        (Answer(f"Slow down, {KEY}", status=429), {}, "rate_limited", "Wait"),
        (Answer(f"Oops, {KEY}", status=500), {}, "server_error", "Try again later"),
        (Answer(f"Unknown field, {KEY}", status=400), {}, "bad_request", "count_tokens=False"),
        (Answer(GOOD, ending="drop", finish=None), {}, None, None),
        (Answer(GOOD[:50], ending="error"), {}, "connection_lost", "Try again later"),
        (Answer(GOOD[:50], ending="stall"), {"chunk_timeout_s": 0.3}, "stalled", "chunk_timeout_s"),
        (Answer("", finish="content_filter"), {}, "content_filter", "other words"),
        (Answer("<html>Please log in</html>", ending="page"), {}, "no_stream", "/v1"),
        (Answer("{}", ending="page"), {}, "no_stream", "/v1"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_where_the_endpoint_fails_nothing_is_asked_again_and_no_text_holds_the_key(answer, options, code, hint):
    if code is None:
        # Nothing but the end of the connection says that it is over: the module is whole, and it is tried like any.
        assert ask(answer, **options).esm == MODULE
        return
    with ScriptedEndpoint(answer, GOOD) as endpoint, pytest.raises(GenerationFailed) as failed:
        write_module(REQUEST, generator=generator(endpoint, **options), verifier=Nothing(), make_widget=print)
    (problem,) = failed.value.problems
    assert problem.code == code
    assert hint in problem.hint
    assert len(endpoint.requests) == 1
    assert KEY not in str(failed.value)


class Nothing:
    """A verifier that has something against modules that do not say `good`."""

    def verify(self, module, request, make_widget):
        return [] if "good" in module.esm else [Problem("not_good", "It does not say good.", "Say good.")]


def test_silence_is_told_alike_whoever_notices_it_first(monkeypatch):
    # Comments are no silence to the client, and a long patience of ours leaves it to the client.
    with pytest.raises(NoAnswer, match="stalled"):
        ask(Answer(GOOD[:50], ending="pings"), chunk_timeout_s=0.3)
    monkeypatch.setattr(OpenAIGenerator, "_patience_s", lambda self, said: 30.0)
    with pytest.raises(NoAnswer, match="stalled"):
        ask(Answer(GOOD[:50], ending="stall"), chunk_timeout_s=0.3)


def test_nobody_at_the_address_is_said_with_the_address():
    endpoint = ScriptedEndpoint()
    endpoint.close()
    with pytest.raises(NoAnswer, match="no_connection") as failed:
        generator(endpoint).generate(REQUEST)
    assert endpoint.url in str(failed.value)


def test_what_is_refused_for_now_is_tried_again_by_the_client_and_not_for_ever():
    busy = Answer("busy", status=429)
    with ScriptedEndpoint(busy, busy, GOOD) as endpoint:
        assert generator(endpoint, retries=2).generate(REQUEST).esm == MODULE
    assert len(endpoint.requests) == 3
    with ScriptedEndpoint(busy, busy, GOOD) as endpoint, pytest.raises(NoAnswer, match="rate_limited"):
        generator(endpoint, retries=1).generate(REQUEST)
    assert len(endpoint.requests) == 2


def test_each_refused_module_goes_back_with_its_problems():
    second = GOOD.replace("el.textContent", "el.innerText")
    third = GOOD.replace("render", "good")
    with ScriptedEndpoint("Sorry?", second, third) as endpoint:
        module = write_module(REQUEST, generator=generator(endpoint), verifier=Nothing(), make_widget=print)
    assert "good" in module.esm
    assert (module.tokens_in, module.tokens_out) == (300, 30)
    first_told, second_told = (request["messages"] for request in endpoint.requests[1:])
    assert [message["role"] for message in second_told] == ["system", "user", "assistant", "user"]
    assert "Sorry?" in first_told[2]["content"]
    assert "no_code" in first_told[3]["content"]
    assert second.strip("`js\n") in second_told[2]["content"]
    assert "not_good: It does not say good. Say good." in second_told[3]["content"]
    assert endpoint.requests[0]["messages"] == first_told[:2] == second_told[:2]


def test_everything_of_the_settings_that_an_answer_depends_on_is_in_the_key():
    variants = [
        OpenAIGenerator("a"),
        OpenAIGenerator("b"),
        OpenAIGenerator("a", base_url="http://localhost:1/v1"),
        OpenAIGenerator("a", temperature=1.0),
        OpenAIGenerator("a", max_tokens=5),
        OpenAIGenerator("a", options={"seed": 1}),
        OpenAIGenerator("a", data_reader="// another"),
    ]
    keys = {module_key(REQUEST, one, Nothing()) for one in variants}
    assert len(keys) == len(variants)
    secret = OpenAIGenerator("a", api_key=KEY)
    assert secret.cache_key == variants[0].cache_key
    assert KEY not in f"{secret!r} {secret.cache_key}"
    assert "localhost" in repr(variants[2])


def test_without_a_model_and_without_a_key_it_is_said_what_to_set(monkeypatch):
    with pytest.raises(ValueError, match="RDIT_MODEL"):
        OpenAIGenerator()
    monkeypatch.setenv("RDIT_MODEL", "from-the-environment")
    assert OpenAIGenerator().model == "from-the-environment"
    with pytest.raises(NoAnswer, match="OPENAI_API_KEY"):
        OpenAIGenerator().generate(REQUEST)


def test_an_endpoint_of_ones_own_needs_no_key():
    assert ask(GOOD, api_key=None).esm == MODULE


def test_without_the_client_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'rdit\[llm\]'"):
        OpenAIGenerator("a")


def test_an_error_of_whoever_listens_comes_through():
    def fail(piece):
        raise KeyError(piece)

    with pytest.raises(KeyError):
        ask(GOOD, on_text=fail)


def test_a_script_that_is_at_its_end_says_so():
    with pytest.raises(NoAnswer, match="No answer is left"):
        ask()


def test_a_previous_attempt_without_a_module_is_told_as_none():
    request = WidgetRequest("x", previous=Attempt("", (Problem("a", "b.", "c."),)))
    with ScriptedEndpoint(GOOD) as endpoint:
        generator(endpoint).generate(request)
    assert endpoint.requests[0]["messages"][2]["content"] == "(no module)"
