import json
from dataclasses import replace

import pytest

from rdit_core.descriptions import (
    Attempt,
    GeneratedModule,
    GenerationFailed,
    NoAnswer,
    Problem,
    TraitSpec,
    UnusableAnswer,
    WidgetRequest,
    write_module,
)
from rdit_harness.llm import RecordedGenerator

REQUEST = WidgetRequest("a clock", exports={"time": TraitSpec("time", "seconds", "an int")})
BAD = Problem("bad", "It is bad.", "Mend it.")


class Scripted:
    cache_key = "scripted"

    def __init__(self, *answers):
        self.answers = list(answers)

    def generate(self, request):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Picky:
    def verify(self, module, request, make_widget):
        return [BAD] if "bad" in module.esm else []


@pytest.fixture(params=["answers.json", "answers"])
def path(request, tmp_path):
    return tmp_path / "recordings" / request.param


def test_what_was_recorded_is_given_again_without_the_generator(path):
    module = GeneratedModule("export default {};\n", "p {}", 10, 2)
    assert RecordedGenerator(path, record=Scripted(module)).generate(REQUEST) == replace(
        module, tokens_in=None, tokens_out=None
    )
    assert RecordedGenerator(path).generate(REQUEST).esm == module.esm
    assert RecordedGenerator(path, record=Scripted()).generate(REQUEST).css == "p {}"


def test_several_requests_have_recordings_of_their_own(path):
    recorder = RecordedGenerator(path, record=Scripted("one", "two"))
    other = replace(REQUEST, description="a calendar")
    assert [recorder.generate(one).esm for one in (REQUEST, other, REQUEST)] == ["one", "two", "one"]


def test_rounds_are_recorded_one_by_one_unusable_answers_too(path):
    answers = Scripted(UnusableAnswer(BAD, answer="no"), "bad", "good")

    def write(generator):
        return write_module(REQUEST, generator=generator, verifier=Picky(), make_widget=print).esm

    assert write(RecordedGenerator(path, record=answers)) == "good"
    assert write(RecordedGenerator(path)) == "good"


def test_a_missing_recording_is_told_with_how_to_make_it(path):
    with pytest.raises(GenerationFailed) as failed:
        write_module(REQUEST, generator=RecordedGenerator(path), verifier=Picky(), make_widget=print)
    (problem,) = failed.value.problems
    assert problem.code == "not_recorded"
    assert "'a clock'" in problem.message
    assert str(path) in problem.message
    assert "record=OpenAIGenerator" in problem.hint


def test_a_recording_of_something_else_is_told_with_what_differs(path):
    RecordedGenerator(path, record=Scripted("one")).generate(REQUEST)
    with pytest.raises(NoAnswer, match="what differs is: exports"):
        RecordedGenerator(path).generate(replace(REQUEST, exports={}))
    with pytest.raises(NoAnswer, match=r"for what came after a refusal.*what differs is: previous"):
        RecordedGenerator(path).generate(replace(REQUEST, previous=Attempt("x", ())))


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"version": 2, "entries": {}}', '{"version": 1}'])
def test_a_recording_that_cannot_be_read_is_named(tmp_path, content):
    path = tmp_path / "answers.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(NoAnswer, match=r"bad_recording.*answers\.json"):
        RecordedGenerator(path).generate(REQUEST)


def test_the_cache_key_goes_with_what_is_recorded_or_with_who_is(path):
    empty = RecordedGenerator(path).cache_key
    recorder = RecordedGenerator(path, record=Scripted("one"))
    recorder.generate(REQUEST)
    assert RecordedGenerator(path).cache_key != empty
    assert RecordedGenerator(path).cache_key == RecordedGenerator(path).cache_key
    assert recorder.cache_key == "scripted"
    assert RecordedGenerator(path, record=object()).cache_key is None


def test_a_recording_can_be_read_by_people(tmp_path):
    path = tmp_path / "answers.json"
    RecordedGenerator(path, record=Scripted("export default {};")).generate(REQUEST)
    (entry,) = json.loads(path.read_text(encoding="utf-8"))["entries"].values()
    assert entry["asked"]["description"] == "a clock"
    assert entry["esm"] == "export default {};"
    assert [one.name for one in tmp_path.iterdir()] == ["answers.json"]
