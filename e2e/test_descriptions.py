"""Modules that a language model wrote, good and bad, from the endpoint to the verdict of a real page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anywidget
import pytest
import traitlets

from e2e import browsers
from rdit_core import create
from rdit_core.data import DATA_READER, encode_data
from rdit_core.data_summary import summarize_data
from rdit_core.descriptions import (
    GeneratedModule,
    GenerationFailed,
    Problem,
    TraitSpec,
    WidgetRequest,
    write_module,
)
from rdit_harness.llm import Answer, OpenAIGenerator, PageVerifier, ScriptedEndpoint, trial
from rdit_harness.llm.browser_thread import EXECUTABLE_VARIABLE

pytestmark = pytest.mark.alike

GOOD = """\
function render({ model, el }) {
  const button = document.createElement("button");
  const show = () => {
    const selected = model.get("selected") ?? [];
    button.textContent = `${model.get("clicks") ?? 0} clicks, ${selected.length} selected`;
  };
  const click = () => {
    model.set("clicks", (model.get("clicks") ?? 0) + 1);
    model.save_changes();
  };
  button.addEventListener("click", click);
  model.on("change:clicks", show);
  model.on("change:selected", show);
  show();
  el.append(button);
  return () => button.removeEventListener("click", click);
}
export default { render };
"""
CLICKS = TraitSpec("clicks", "number of clicks")
SELECTED = TraitSpec("selected", "list of selected indices")
REQUEST = WidgetRequest("a button that counts", exports={"clicks": CLICKS}, imports={"selected": SELECTED})
HANG_S = 8.0
"""What works gets so long on a slow machine."""

SOON_S = 4.0
"""For modules that hang, which are still busy then on any machine: only the page before them needs this time."""

PAGE = Path(__file__).parents[1] / "docs" / "descriptions.md"


def fenced(esm: str) -> str:
    return f"```js\n{esm}```"


def but(old: str, new: str) -> str:
    """The good module with one thing that is not."""
    assert old in GOOD
    return fenced(GOOD.replace(old, new))


def maker(**traits: Any) -> Callable[[GeneratedModule], anywidget.AnyWidget]:
    def make(module: GeneratedModule) -> anywidget.AnyWidget:
        names = {name: traitlets.Any(value, allow_none=True).tag(sync=True) for name, value in traits.items()}
        widget: anywidget.AnyWidget = type("Described", (anywidget.AnyWidget,), {"_esm": module.esm, **names})()
        made.append(widget)
        return widget

    made: list[anywidget.AnyWidget] = []
    return make


make_widget = maker(clicks=0, selected=[1, 2])


@pytest.fixture(scope="module", autouse=True)
def the_browser_of_this_run() -> Iterator[None]:
    found = browsers.find("chromium")
    assert found is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(EXECUTABLE_VARIABLE, str(found.path))
        yield


@pytest.fixture(scope="module")
def verifier(the_browser_of_this_run: None) -> Iterator[PageVerifier]:
    with PageVerifier(hang_s=HANG_S) as verifier:
        yield verifier


@pytest.fixture(scope="module")
def hasty_verifier(the_browser_of_this_run: None) -> PageVerifier:
    """Starts a browser for each trial: one that hangs leaves none for the next."""
    return PageVerifier(hang_s=SOON_S)


def verdict(
    verifier: PageVerifier, esm: str, request: WidgetRequest = REQUEST, make: Any = make_widget
) -> list[Problem]:
    return list(verifier.verify(GeneratedModule(esm), request, make))


BAD: dict[str, tuple[Answer | str, str, str]] = {
    "no code": ("I would rather talk about it.", "no_code", "one ```js code block"),
    "an empty answer": ("", "empty_answer", "one ```js code block"),
    "cut off": (Answer(fenced(GOOD)[:200], finish="length"), "cut_off", "shorter"),
    "endless": (Answer(GOOD, ending="endless"), "too_long", "shorter"),
    "pings and nothing else": (Answer("", ending="pings"), "too_slow", "shorter"),
    "a stall": (Answer("```js\n", ending="stall"), "stalled", "Try again"),
    "the wrong key": (Answer("no", status=401), "unauthorized", "OPENAI_API_KEY"),
    "too many requests": (Answer("no", status=429), "rate_limited", "Wait"),
    "a server that fails": (Answer("no", status=500), "server_error", "Try again"),
    "a syntax error": (but("el.append(button);", "el.append(button;"), "syntax_error", "whole module"),
    "no default export": (
        but("export default { render };", "export { render };"),
        "no_default_export",
        "export default",
    ),
    "a default export without render": (
        but("{ render };", "{ draw: render };"),
        "no_render",
        "export default { render }",
    ),
    "an import from the network": (fenced(f'import "https://esm.sh/d3";\n{GOOD}'), "network_import", "Import nothing"),
    "an import at run time": (
        but("  show();\n", '  import("https://esm.sh/d3");\n'),
        "network_import",
        "Import nothing",
    ),
    "a library by name": (fenced(f'import * as d3 from "d3";\n{GOOD}'), "bare_import", "Import nothing"),
    "a request": (
        but("  show();\n", '  show(); fetch("https://example.com/").catch(() => {});\n'),
        "network_request",
        "self",
    ),
    "a picture from elsewhere": (
        but("  show();\n", '  show(); new Image().src = "https://example.com/x.png";\n'),
        "network_request",
        "Import nothing",
    ),
    "a WebSocket": (but("  show();\n", '  show(); new WebSocket("wss://example.com/");\n'), "network_request", "self"),
    "a peer": (
        but("  show();\n", "  show();\n  try { new RTCPeerConnection(); } catch {}\n"),
        "network_request",
        "Import nothing",
    ),
    "a throw at the top": (fenced(f"null.x;\n{GOOD}"), "import_failed", "Mend what throws"),
    "a throw in render": (but("  show();\n", "  nothing.like.this();\n"), "render_failed", "Mend what throws"),
    "nothing to see": (but("el.append(button);", ""), "renders_nothing", "Append elements to el"),
    "an export that is not declared": (
        but('model.set("clicks"', 'model.set("count", 1); model.set("clicks"'),
        "undeclared_export",
        "clicks, selected",
    ),
    "an import that nobody listens to": (
        but('model.on("change:selected", show);', ""),
        "import_ignored",
        'model.on("change:selected"',
    ),
    "a listener that throws": (
        but('model.on("change:selected", show);', 'model.on("change:selected", () => { throw new Error("no"); });'),
        "listener_failed",
        "bear every value",
    ),
    "an export that is never set": (
        but('model.set("clicks", (model.get("clicks") ?? 0) + 1);', ""),
        "export_never_set",
        'model.set("clicks"',
    ),
    "an export that is set at the start and never again": (
        but('model.set("clicks", (model.get("clicks") ?? 0) + 1);', "").replace(
            "  show();\n", '  model.set("clicks", 5);\n  show();\n'
        ),
        "export_never_set",
        "In the handler",
    ),
    "an export that is never saved": (but("model.save_changes();", ""), "export_not_saved", "save_changes"),
    "an error in a handler": (
        but("const click = () => {", "const click = () => {\n    nothing();"),
        "page_error",
        "Mend",
    ),
    "a promise that fails": (
        but("  show();\n", '  show();\n  Promise.reject(new Error("no"));\n'),
        "unhandled_rejection",
        "catch",
    ),
    "an error on the console": (
        but("  show();\n", '  show();\n  console.error("no");\n'),
        "console_error",
        "console.error",
    ),
    "an endless loop": (but("  show();\n", "  for (;;);\n"), "timeout", "No endless loops"),
    "an endless loop in a handler": (
        but("const click = () => {", "const click = () => {\n    for (;;);"),
        "timeout",
        "No endless",
    ),
    "a render without an end": (
        but("function render", "async function render").replace("  show();\n", "  await new Promise(() => {});\n"),
        "timeout",
        "return at once",
    ),
    "an alert": (but("  show();\n", '  show();\n  alert("no");\n'), "dialog", "show it in el"),
    "a form that is sent": (
        but(
            "el.append(button);",
            'const form = document.createElement("form");\n  form.append(button);\n  el.append(form);',
        ),
        "leaves_page",
        "preventDefault",
    ),
    "another address": (
        but("  show();\n", '  show();\n  location.href = "https://example.com/";\n'),
        "leaves_page",
        "Set no location",
    ),
    "the page once more": (
        but("const click = () => {", "const click = () => {\n    location.reload();"),
        "leaves_page",
        "Set no location",
    ),
    "no page": (
        but("const click = () => {", 'const click = () => {\n    location.href = "about:blank";'),
        "leaves_page",
        "Set no location",
    ),
    "nothing beside it": (
        but("const click = () => {", 'const click = () => {\n    document.body.textContent = "";'),
        "outside_el",
        "Append to el",
    ),
    "something beside el": (
        but("el.append(button);", "el.append(button); document.body.append(button.cloneNode(true));"),
        "outside_el",
        "Append to el",
    ),
    "a global variable": (
        but("  show();\n", "  show();\n  window.button = button;\n"),
        "leaks_globals",
        "const or let",
    ),
    "a call that only some hosts have": (
        but(
            'model.set("clicks", (model.get("clicks") ?? 0) + 1);',
            'model.set({ clicks: (model.get("clicks") ?? 0) + 1 });',
        ),
        "not_portable",
        "model.set(name, value)",
    ),
    "a view that cannot be there twice": (
        fenced(
            "let isShown = false;\n"
            + GOOD.replace("  show();\n", '  if (isShown) throw new Error("twice");\n  isShown = true;\n  show();\n')
        ),
        "second_view_failed",
        "inside render",
    ),
    "a listener that stays": (
        but("  show();\n", '  show();\n  window.addEventListener("resize", show);\n'),
        "not_cleaned_up",
        "Return a function from render",
    ),
    "an interval that goes on": (
        but("  show();\n", "  show();\n  setInterval(show, 50);\n"),
        "not_cleaned_up",
        "clears",
    ),
    "an animation that goes on": (
        but("  show();\n", "  const draw = () => { show(); requestAnimationFrame(draw); };\n  draw();\n"),
        "not_cleaned_up",
        "cancels",
    ),
    "a cleanup that throws": (but("return () => button", "return () => nothing"), "cleanup_failed", "without errors"),
    "eval": (
        but("  show();\n", '  show();\n  try { new Function("return 1")(); } catch {}\n'),
        "csp_violation",
        "No eval",
    ),
}


IN_EVERY_RUN = {
    "no code",
    "endless",
    "a stall",
    "the wrong key",
    "a syntax error",
    "no default export",
    "an import from the network",
    "a request",
    "a throw in render",
    "an export that is not declared",
    "an import that nobody listens to",
    "an export that is never set",
    "an error on the console",
    "an endless loop",
    "a form that is sent",
    "no page",
}
"""The others tell the same of further ways to be wrong, and take two minutes."""


@pytest.mark.threat(37)
@pytest.mark.parametrize(
    ("answer", "code", "hint"),
    [
        pytest.param(*bad, id=name, marks=() if name in IN_EVERY_RUN else pytest.mark.thorough)
        for name, bad in BAD.items()
    ],
)
def test_a_bad_answer_is_never_accepted_and_says_what_to_do(
    verifier: PageVerifier, hasty_verifier: PageVerifier, answer: Answer | str, code: str, hint: str
) -> None:
    with ScriptedEndpoint(answer) as endpoint:
        generator = OpenAIGenerator(
            "scripted",
            base_url=endpoint.url,
            retries=0,
            chunk_timeout_s=2.0 if code in ("stalled", "too_slow") else 30.0,
            total_timeout_s=1.0 if code == "too_slow" else 60.0,
            max_characters=50_000,
        )
        trying = hasty_verifier if code == "timeout" else verifier
        with pytest.raises(GenerationFailed) as failed:
            write_module(REQUEST, generator=generator, verifier=trying, make_widget=make_widget, rounds=1)
    assert failed.value.code == "generation_failed"
    assert code in [problem.code for problem in failed.value.problems]
    told = [problem for problem in failed.value.problems if problem.code == code]
    assert any(hint in problem.hint for problem in told)
    assert all(problem.message for problem in told)
    # Few besides: a model that is told of ten things for one mistake mends nine that were none.
    assert len(failed.value.problems) <= 3, failed.value


GOOD_ANSWERS = {
    "fenced": fenced(GOOD),
    "bare": GOOD,
    "with words around it": f"Of course! Here it is.\n\n{fenced(GOOD)}\n\nIt counts clicks.",
    "with a draft before": f"First:\n```js\nconst draft = 1;\n```\nThen:\n{fenced(GOOD)}",
    "a function as its default export": fenced(
        GOOD.replace("export default { render };", "export default async () => ({ render });")
    ),
    "with an initialize": fenced(
        GOOD.replace("{ render };", "{ initialize({ model }) { model.get('clicks'); }, render };")
    ),
    "that cleans up behind itself": fenced(
        GOOD.replace(
            "  show();\n",
            """  show();
  const stop = new AbortController();
  window.addEventListener("resize", show, { signal: stop.signal });
  addEventListener("keydown", show);
  document.addEventListener("scroll", show, true);
  const timer = setInterval(show, 50);
  let frame = requestAnimationFrame(function draw() { frame = requestAnimationFrame(draw); });
""",
        )
        .replace(
            "  return () => button",
            """  return () => {
    stop.abort();
    removeEventListener("keydown", show);
    document.removeEventListener("scroll", show, true);
    clearInterval(timer);
    cancelAnimationFrame(frame);
    button""",
        )
        .replace('button.removeEventListener("click", click);', 'button.removeEventListener("click", click); };')
    ),
    "that listens to everything": fenced(
        GOOD.replace('model.on("change:selected", show);', 'model.on("change", show);')
    ),
}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(answer, id=name, marks=pytest.mark.thorough if number else ())
        for number, (name, answer) in enumerate(GOOD_ANSWERS.items())
    ],
)
def test_a_good_answer_is_accepted(verifier: PageVerifier, answer: str) -> None:
    with ScriptedEndpoint(answer) as endpoint:
        generator = OpenAIGenerator("scripted", base_url=endpoint.url, retries=0)
        module = write_module(REQUEST, generator=generator, verifier=verifier, make_widget=make_widget, rounds=1)
    assert "function render" in module.esm


def test_two_bad_answers_and_a_good_one_take_three_rounds_and_each_is_told_of_the_last(verifier: PageVerifier) -> None:
    first = but("  show();\n", "  nothing.like.this();\n")
    second = but('model.on("change:selected", show);', "")
    with ScriptedEndpoint(first, second, fenced(GOOD)) as endpoint:
        generator = OpenAIGenerator("scripted", base_url=endpoint.url, retries=0)
        module = write_module(REQUEST, generator=generator, verifier=verifier, make_widget=make_widget)
    assert module.esm == GOOD
    assert (module.tokens_in, module.tokens_out) == (300, 30)
    for request, answer, code in zip(
        endpoint.requests[1:], (first, second), ("render_failed", "import_ignored"), strict=True
    ):
        *_, said, told = request["messages"]
        assert said["content"] == answer.strip()
        assert code in told["content"]
        assert "whole module" in told["content"]


def test_one_problem_says_in_which_line_it_is_and_the_log_says_nothing(
    verifier: PageVerifier, caplog: pytest.LogCaptureFixture
) -> None:
    (problem,) = verdict(verifier, GOOD.replace("  show();\n", "  nothing();\n"))
    assert "line 14" in problem.message
    assert not [record for record in caplog.records if record.name.startswith("rdit")]
    (problem,) = verdict(verifier, GOOD.replace("el.append(button);", "el.append(button;"))
    assert "line 15" in problem.message


CONTROLS = {
    "a slider": """
      const input = add("input"); input.type = "range";
      input.oninput = () => put(input.value);""",
    "a box to tick": """
      const input = add("input"); input.type = "checkbox";
      input.onchange = () => put(input.checked);""",
    "a text": """
      const input = add("input");
      input.onchange = () => put(input.value);""",
    "a number": """
      const input = add("input"); input.type = "number"; input.value = 5;
      input.oninput = () => put(input.value);""",
    "a date": """
      const input = add("input"); input.type = "date";
      input.onchange = () => put(input.value);""",
    "a time": """
      const input = add("input"); input.type = "time"; input.min = "09:00";
      input.oninput = () => put(input.value);""",
    "a colour": """
      const input = add("input"); input.type = "color"; input.value = "#336699";
      input.oninput = () => put(input.value);""",
    "a list to choose from": """
      const select = add("select"); select.add(new Option("a")); select.add(new Option("b"));
      select.onchange = () => put(select.value);""",
    "several to choose": """
      const select = add("select"); select.multiple = true; select.add(new Option("a"));
      select.onchange = () => put([...select.selectedOptions].map((option) => option.value));""",
    "the second of two buttons": """
      add("button").textContent = "stay";
      const button = add("button"); button.textContent = "go";
      button.onclick = () => put(1);""",
    "a brush": """
      const canvas = add("canvas"); canvas.width = 400; canvas.height = 300;
      let start = null;
      canvas.onpointerdown = (event) => { start = [event.offsetX, event.offsetY]; };
      canvas.onpointerup = ({ offsetX: x, offsetY: y }) => {
        if (Math.hypot(x - start[0], y - start[1]) > 50) put([...start, x, y]);
      };""",
    "marks in a drawing": """
      el.innerHTML = '<svg width="400" height="300"><circle cx="333" cy="77" r="4"></circle></svg>';
      el.querySelector("circle").addEventListener("click", () => put("Mars"));""",
    "a place in a scene": """
      const canvas = add("canvas"); canvas.width = 400; canvas.height = 400;
      canvas.onclick = ({ offsetX: x, offsetY: y }) => { if (Math.hypot(x - 80, y - 320) < 30) put("Saturn"); };""",
    "a key": """
      el.tabIndex = 0; el.textContent = "press"; el.style.height = "99px";
      el.onkeydown = (event) => { if (event.key === "ArrowDown") put(event.key); };""",
    "the wheel": """
      el.textContent = "zoom"; el.style.height = "200px";
      el.onwheel = (event) => put(event.deltaY);""",
    "where the pointer is": """
      el.textContent = "move"; el.style.height = "200px";
      el.onpointermove = (event) => put(event.offsetX);""",
    "a clock": """
      el.textContent = "tick";
      const timer = setInterval(() => put(Date.now()), 20);
      end = () => clearInterval(timer);""",
}


@pytest.mark.thorough
@pytest.mark.parametrize("code", CONTROLS.values(), ids=CONTROLS.keys())
def test_a_hand_finds_out_how_an_export_is_changed(verifier: PageVerifier, code: str) -> None:
    esm = f"""export default {{ render({{ model, el }}) {{
      let end = () => {{}};
      const add = (tag) => el.appendChild(document.createElement(tag));
      // By a name that no look at the text finds: else the handler would do, whether or not a hand came to it.
      const put = (value) => {{ model.set(["clicks"][0], value); model.save_changes(); }};
      {code}
      return () => end();
    }} }};"""
    request = WidgetRequest("x", exports={"clicks": CLICKS})
    assert verdict(verifier, esm, request, maker(clicks=None)) == []


def test_an_export_behind_something_that_no_hand_finds_passes_by_its_handler(verifier: PageVerifier) -> None:
    esm = GOOD.replace("const click = () => {", "const click = (event) => {\n    if (event.detail < 9) return;")
    assert verdict(verifier, esm) == []


def test_a_module_that_makes_up_its_data_is_told_to_read_it(verifier: PageVerifier) -> None:
    table = {"x": [1.0, 2.0], "name": ["a", "b"]}
    request = WidgetRequest("a table", data=summarize_data(table))
    make = maker(data=encode_data(table))
    (problem,) = verdict(verifier, "export default { render({ el }) { el.textContent = '1, 2'; } };", request, make)
    assert problem.code == "data_ignored"
    reads = """export default { render({ model, el }) {
      const { columns } = readData(model.get("data"));
      if (columns.x[1] !== 2 || columns.name[0] !== "a") throw new Error("wrong data");
      el.textContent = String(columns.x);
    } };"""
    with ScriptedEndpoint(fenced(reads)) as endpoint:
        generator = OpenAIGenerator("scripted", base_url=endpoint.url, retries=0)
        module = write_module(request, generator=generator, verifier=verifier, make_widget=make, rounds=1)
    assert "function readData" in module.esm


def test_data_that_goes_to_the_page_in_pieces_arrives_whole(
    verifier: PageVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_PIECE_BYTES", 90)
    table = {"x": [float(row) for row in range(100)], "name": [f"Zürich {row}" for row in range(100)]}
    # Binary in one, text in the other: what Python changes alone is a message of its own.
    esm = f"""{DATA_READER}
    export default {{ render({{ model, el }}) {{
      const check = () => {{
        const {{ columns }} = readData(model.get("data"));
        const names = model.get("names") ?? [];
        const isRight = columns.x.every((x, row) => x === row) && names.every((name) => /^Zürich [0-9]+$/.test(name));
        if (!isRight) throw new Error("not as it was sent");
        el.textContent = `${{columns.x.length}} rows`;
      }};
      check();
      model.on("change:names", check);
    }} }};"""
    request = WidgetRequest("x", data=summarize_data(table), imports={"names": TraitSpec("names", "list of names")})
    assert verdict(verifier, esm, request, maker(data=encode_data(table), names=table["name"])) == []


def test_a_page_that_does_not_get_ready_verifies_nothing(
    verifier: PageVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "_OPENING_S", 0.0)
    with pytest.raises(GenerationFailed, match="sample=") as failed:
        verdict(verifier, GOOD)
    assert failed.value.code == "no_verifier"


def test_an_import_that_is_not_there_yet_is_tried_with_an_empty_one(verifier: PageVerifier) -> None:
    careless = GOOD.replace('model.get("selected") ?? []', 'model.get("selected")')
    assert "render_failed" in [one.code for one in verdict(verifier, careless, make=maker(clicks=0, selected=None))]
    assert verdict(verifier, GOOD, make=maker(clicks=0, selected=None)) == []


def test_a_value_that_the_trait_does_not_take_is_a_problem(verifier: PageVerifier) -> None:
    class Strict(anywidget.AnyWidget):
        _esm = GOOD.replace('(model.get("clicks") ?? 0) + 1', '"many"')
        clicks = traitlets.Int(0).tag(sync=True)
        selected = traitlets.List([1]).tag(sync=True)

    problems = verdict(verifier, Strict._esm, make=lambda module: Strict())
    assert "refused_value" in [problem.code for problem in problems]


def test_a_trial_runs_beside_an_asyncio_loop_and_leaves_no_widget(verifier: PageVerifier) -> None:
    import ipywidgets

    async def inside() -> list[Problem]:
        return verdict(verifier, GOOD)

    before = len(ipywidgets.widgets.widget._instances)
    # Where the other stories ran before, their driver has a loop in this thread.
    with ThreadPoolExecutor(1) as another_thread:
        assert another_thread.submit(asyncio.run, inside()).result() == []
    assert len(ipywidgets.widgets.widget._instances) == before


def test_a_browser_that_is_not_there_verifies_nothing() -> None:
    verifier = PageVerifier(launch={"executable_path": "/no/such/browser"})
    with pytest.raises(GenerationFailed, match="does not start") as failed:
        verdict(verifier, GOOD)
    assert failed.value.code == "no_verifier"


def test_the_installed_verifier_is_found_and_accepts() -> None:
    with ScriptedEndpoint(fenced(GOOD)) as endpoint:
        generator = OpenAIGenerator("scripted", base_url=endpoint.url, retries=0)
        assert write_module(REQUEST, generator=generator, make_widget=make_widget).esm == GOOD


def test_the_run_in_the_docs_prints_what_the_docs_say(capsys: pytest.CaptureFixture[str]) -> None:
    section = PAGE.read_text(encoding="utf-8").partition("## A run without a model")[2]
    code = re.search(r"^```python\n(.*?)^```$\n\n```text", section, re.MULTILINE | re.DOTALL)
    printed = re.search(r"^```text\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert code is not None and printed is not None
    exec(compile(code[1], str(PAGE), "exec"), {"__name__": "docs"})
    assert capsys.readouterr().out == printed[1]


def test_every_code_of_a_problem_is_in_the_docs() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert not [code for _, code, _ in BAD.values() if f"`{code}`" not in text]


def test_widgets_that_are_created_from_words_are_verified_and_follow_each_other(verifier: PageVerifier) -> None:
    scatter_module = """function render({ model, el }) {
      const canvas = document.createElement("canvas");
      const { columns } = readData(model.get("data"));
      columns.x.forEach((x, row) => canvas.getContext("2d").fillRect(x * 10, columns.y[row] * 10, 4, 4));
      canvas.onpointerup = () => { model.set("selected", [0, 1]); model.save_changes(); };
      el.append(canvas);
    }
    export default { render };
"""
    count_module = """function render({ model, el }) {
      const update = () => { el.textContent = `selected: ${(model.get("selected") ?? []).length}`; };
      update();
      model.on("change:selected", update);
    }
    export default { render };
"""
    table = {"x": [1.0, 2.0], "y": [3.0, 4.0]}
    with ScriptedEndpoint(fenced(scatter_module), fenced(count_module)) as endpoint:
        generator = OpenAIGenerator("scripted", base_url=endpoint.url, retries=0)
        scatter = create(
            "a scatter plot with a brush",
            data=table,
            exports={"selected": "list of the indices of the brushed rows"},
            generator=generator,
            verifier=verifier,
        )
        count = create(
            "how many are selected", imports={"selected": scatter.selected}, generator=generator, verifier=verifier
        )
    assert "columns" in endpoint.requests[0]["messages"][1]["content"]
    scatter.selected = [1]
    assert count.selected == [1]
    scatter.close()
    count.close()
