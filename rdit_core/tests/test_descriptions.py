import importlib.metadata
from dataclasses import dataclass, replace

import pytest
from IPython.core.formatters import DisplayFormatter

from rdit_core import descriptions
from rdit_core.descriptions import (
    Attempt,
    GeneratedModule,
    GenerationFailed,
    NoAnswer,
    Problem,
    Progress,
    TraitSpec,
    UnusableAnswer,
    WidgetRequest,
    generator_defaults,
    module_key,
    use_generator,
    write_module,
)

BAD = Problem("bad", "It is bad.", "Make it good.")
WORSE = Problem("worse", "It is worse.", "Start again.")
REQUEST = WidgetRequest("a red button", exports={"clicks": TraitSpec("clicks", "how often", "an int")})


@dataclass(frozen=True)
class Summary:
    text: str = "3 rows"
    key: str = "s1"


class Scripted:
    """A generator with its answers given, which keeps what it was asked."""

    cache_key = "scripted"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def generate(self, request):
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Anonymous(Scripted):
    cache_key = None


class Picky:
    """A verifier that has something against modules with these texts."""

    version = "1"

    def __init__(self, problems=None):
        self.problems = problems or {}
        self.seen = []

    def verify(self, module, request, make_widget):
        self.seen.append((module, request, make_widget(module)))
        return self.problems.get(module.esm, [])


class Stricter(Picky):
    version = "2"


class Memory(dict):
    def put(self, key, module):
        self[key] = module


def write(generator, verifier=None, **options):
    options.setdefault("make_widget", lambda module: f"widget of {module.esm}")
    return write_module(REQUEST, generator=generator, verifier=verifier or Picky(), **options)


@pytest.fixture(autouse=True)
def nobody_is_in_use():
    assert generator_defaults() == descriptions.GeneratorDefaults()
    yield
    assert generator_defaults() == descriptions.GeneratorDefaults()


def test_a_module_without_problems_is_returned_after_one_round():
    generator, verifier = Scripted(GeneratedModule("good", css="b {}")), Picky()
    assert write(generator, verifier) == GeneratedModule("good", css="b {}")
    assert generator.requests == [REQUEST]
    assert verifier.seen == [(GeneratedModule("good", css="b {}"), REQUEST, "widget of good")]


def test_a_string_is_the_text_of_a_module():
    assert write(Scripted("good")) == GeneratedModule("good")


def test_problems_go_back_with_the_module_that_has_them_until_it_has_none():
    generator = Scripted("one", "two", "good")
    verifier = Picky({"one": [BAD], "two": [BAD, WORSE]})
    assert write(generator, verifier).esm == "good"
    assert generator.requests == [
        REQUEST,
        replace(REQUEST, previous=Attempt("one", (BAD,))),
        replace(REQUEST, previous=Attempt("two", (BAD, WORSE))),
    ]


def test_after_the_last_round_the_problems_are_raised_and_nothing_is_returned():
    generator = Scripted("one", "two", "three")
    with pytest.raises(GenerationFailed, match="after asking 2 times") as failed:
        write(generator, Picky({"one": [BAD], "two": [WORSE]}), rounds=2)
    assert failed.value.code == "generation_failed"
    assert failed.value.problems == (WORSE,)
    assert failed.value.attempts == (Attempt("one", (BAD,)), Attempt("two", (WORSE,)))
    assert "worse: It is worse. Start again." in str(failed.value)
    assert generator.answers == ["three"]


def test_one_round_is_called_a_time():
    with pytest.raises(GenerationFailed, match="after asking 1 time\\."):
        write(Scripted("one"), Picky({"one": [BAD]}), rounds=1)


def test_less_than_one_round_is_refused():
    with pytest.raises(ValueError, match="at least one round, got 0"):
        write(Scripted("good"), rounds=0)


def test_an_answer_without_a_module_costs_a_round_and_goes_back():
    generator = Scripted(UnusableAnswer(BAD, answer="I would rather not"), "good")
    verifier = Picky()
    assert write(generator, verifier).esm == "good"
    assert generator.requests[1].previous == Attempt("I would rather not", (BAD,))
    assert len(verifier.seen) == 1


def test_where_nobody_answers_nothing_is_asked_again():
    generator = Scripted("one", NoAnswer(WORSE), "good")
    with pytest.raises(GenerationFailed, match="cannot answer") as failed:
        write(generator, Picky({"one": [BAD]}))
    assert failed.value.problems == (WORSE,)
    assert failed.value.attempts == (Attempt("one", (BAD,)),)
    assert str(failed.value.__cause__) == "worse: It is worse. Start again."
    assert generator.answers == ["good"]


def test_a_generator_that_gives_something_else_is_named():
    with pytest.raises(TypeError, match="a GeneratedModule or a str, got int"):
        write(Scripted(5))


def test_what_a_generator_or_a_verifier_raises_of_its_own_comes_through():
    with pytest.raises(KeyError):
        write(Scripted(KeyError("mine")))


def test_tokens_of_all_rounds_are_counted_together():
    generator = Scripted(
        GeneratedModule("one", tokens_in=10, tokens_out=1),
        UnusableAnswer(BAD, tokens_in=20, tokens_out=2),
        "uncounted",
        GeneratedModule("good", tokens_in=30, tokens_out=3),
    )
    module = write(generator, Picky({"one": [BAD], "uncounted": [BAD]}), rounds=4)
    assert module == GeneratedModule("good", tokens_in=60, tokens_out=6)


def test_tokens_of_rounds_that_led_to_nothing_are_told():
    with pytest.raises(GenerationFailed) as failed:
        write(Scripted(GeneratedModule("one", tokens_in=10, tokens_out=1)), Picky({"one": [BAD]}), rounds=1)
    assert (failed.value.tokens_in, failed.value.tokens_out) == (10, 1)


def test_progress_is_told_of_each_step():
    told = []
    write(Scripted("one", "good"), Picky({"one": [BAD]}), progress=told.append)
    assert told == [
        Progress("generating", 1, 3),
        Progress("verifying", 1, 3),
        Progress("refused", 1, 3, (BAD,)),
        Progress("generating", 2, 3),
        Progress("verifying", 2, 3),
        Progress("verified", 2, 3),
    ]
    assert [str(step) for step in told[2:4]] == ["round 1 of 3: refused (bad)", "round 2 of 3: generating"]
    assert str(Progress("cached", 0, 3)) == "found in the cache"


def test_the_approver_sees_what_was_verified_and_its_yes_lets_it_through():
    seen = []

    def approve(module, request):
        seen.append((module, request))
        return True

    assert write(Scripted("one", "good"), Picky({"one": [BAD]}), approve=approve).esm == "good"
    assert seen == [(GeneratedModule("good"), REQUEST)]


@pytest.mark.threat(38)
@pytest.mark.parametrize("answer", [False, None])
def test_whatever_is_no_yes_keeps_the_module_back_and_out_of_the_cache(answer):
    cache = Memory()
    with pytest.raises(GenerationFailed) as failed:
        write(Scripted("good"), cache=cache, approve=lambda module, request: answer)
    assert failed.value.code == "not_approved"
    assert failed.value.attempts == (Attempt("good", ()),)
    assert not cache


def test_a_verified_module_is_kept_and_found_again_without_asking_anybody():
    cache, told = Memory(), []
    first = write(Scripted(GeneratedModule("good", tokens_in=1)), cache=cache)
    verifier = Picky()
    assert write(Scripted(), verifier, cache=cache, progress=told.append) == first
    assert not verifier.seen
    assert told == [Progress("cached", 0, 3)]


def test_what_was_not_verified_is_never_kept():
    cache = Memory()
    with pytest.raises(GenerationFailed):
        write(Scripted("one"), Picky({"one": [BAD]}), rounds=1, cache=cache)
    assert not cache


def test_what_comes_out_of_the_cache_is_put_to_the_approver_too():
    cache = Memory()
    write(Scripted("good"), cache=cache)
    assert write(Scripted(), cache=cache, approve=lambda module, request: True).esm == "good"
    with pytest.raises(GenerationFailed) as failed:
        write(Scripted(), cache=cache, approve=lambda module, request: False)
    assert failed.value.code == "not_approved"


def test_a_generator_that_cannot_be_told_from_others_is_asked_anew():
    cache = Memory()
    generator = Anonymous("good", "better")
    assert [write(generator, cache=cache).esm for _ in range(2)] == ["good", "better"]
    assert not cache


class OtherGenerator(Scripted):
    cache_key = "other"


def test_everything_that_matters_is_in_the_key():
    spec = REQUEST.exports["clicks"]
    requests = [
        REQUEST,
        replace(REQUEST, description="a blue button"),
        replace(REQUEST, data=Summary()),
        replace(REQUEST, data=Summary(key="s2")),
        replace(REQUEST, data=Summary(text="4 rows")),
        replace(REQUEST, exports={}),
        replace(REQUEST, exports={}, imports=REQUEST.exports),
        replace(REQUEST, exports={"clicks": replace(spec, description="how rarely")}),
        replace(REQUEST, exports={"clicks": replace(spec, expects="a float")}),
        replace(REQUEST, previous=Attempt("one", ())),
        replace(REQUEST, previous=Attempt("one", (BAD,))),
    ]
    keys = [module_key(request, Scripted(), Picky()) for request in requests]
    keys += [
        module_key(REQUEST, OtherGenerator(), Picky()),
        module_key(REQUEST, Scripted(), Stricter()),
        module_key(REQUEST, Scripted(), object()),
    ]
    assert len(set(keys)) == len(keys)
    assert module_key(REQUEST, Scripted("unlike"), Picky()) == keys[0]


def test_what_is_in_use_is_taken_where_a_call_names_nothing():
    cache = Memory()
    asked = []
    with use_generator(
        Scripted("one", "good"),
        verifier=Picky({"one": [BAD]}),
        cache=cache,
        rounds=2,
        approve=lambda module, request: asked.append(module) or True,
    ):
        assert write_module(REQUEST, make_widget=lambda module: None).esm == "good"
    assert asked == [GeneratedModule("good")]
    assert list(cache.values()) == asked


def test_a_generator_stays_in_use_until_another_or_nobody_is():
    use_generator(Scripted("good"), verifier=Picky())
    assert write_module(REQUEST, make_widget=lambda module: None).esm == "good"
    use_generator(None)
    with pytest.raises(GenerationFailed, match="use_generator") as failed:
        write_module(REQUEST, make_widget=lambda module: None)
    assert failed.value.code == "no_generator"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"generator": "gpt-5"}, r"generate\(\) as generator, got 'gpt-5'"),
        ({"generator": Scripted}, "as generator, got the class Scripted"),
        ({"generator": Scripted("good"), "verifier": Picky}, "as verifier, got the class Picky"),
    ],
)
def test_what_cannot_generate_or_verify_is_named_before_anything_is_asked(given, said):
    with pytest.raises(TypeError, match=said):
        write_module(REQUEST, **{"verifier": Picky(), **given}, make_widget=lambda module: None)


def test_a_call_that_says_what_is_in_use_shows_nothing():
    shown = DisplayFormatter().format
    with use_generator(Scripted("good")):
        assert shown(use_generator(None)) == ({}, {})


def installed(monkeypatch, *loads):
    class Entry:
        def __init__(self, load):
            self.load = load

    asked = []

    def entry_points(**parameters):
        asked.append(parameters)
        return [Entry(load) for load in loads]

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return asked


def test_the_installed_verifier_is_taken_where_nobody_named_one(monkeypatch):
    asked = installed(monkeypatch, lambda: Picky)
    assert write_module(REQUEST, generator=Scripted("good"), make_widget=lambda module: None).esm == "good"
    assert asked == [{"group": "rdit.verifiers", "name": "default"}]


def test_without_a_verifier_nothing_is_even_generated(monkeypatch):
    installed(monkeypatch)
    generator = Scripted("good")
    with pytest.raises(GenerationFailed, match=r"pip install 'rdit\[server,harness,browser\]'") as failed:
        write_module(REQUEST, generator=generator, make_widget=lambda module: None)
    assert failed.value.code == "no_verifier"
    assert not generator.requests


def test_a_verifier_that_cannot_be_loaded_says_what_is_missing(monkeypatch):
    def load():
        raise ImportError("No module named 'playwright'")

    installed(monkeypatch, load)
    with pytest.raises(GenerationFailed, match="No module named 'playwright'") as failed:
        write_module(REQUEST, generator=Scripted("good"), make_widget=lambda module: None)
    assert failed.value.code == "no_verifier"
