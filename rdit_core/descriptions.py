"""Widgets from descriptions: rounds of a generator that writes a module and a verifier that tries it.

The core knows neither a language model nor a browser. It has the words that both sides share (`WidgetRequest`,
`GeneratedModule`, `Problem`), what it asks of them (`Generator`, `Verifier`, `ModuleCache`), and the order of things
(`write_module`): look into the cache, generate, verify, hand the problems back, at most so many rounds, ask for
approval, keep. Real ones live in `rdit_harness.llm`.

What holds whatever the parts do: `write_module` returns only what the verifier found no problem with and `approve`,
where there is one, said yes to. Anything else raises. A module out of the cache was verified when it was put there, by
a verifier of the same version and for the same request, for both are in its key; it is still put to `approve`, since
whoever asks now may be somebody else.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, Protocol

from .errors import RditError

DEFAULT_ROUNDS: Final = 3
"""How often a generator is asked, the first time included."""

VERIFIERS: Final = "rdit.verifiers"
"""The entry point group in which verifiers are found; its name `default` is taken where none is given."""

_KEY_VERSION: Final = 1
"""Of what goes into a cache key, and how."""


class Summary(Protocol):
    """What a generator is told of the data: words about it; the data itself only where somebody asked for a sample."""

    @property
    def text(self) -> str:
        """For the model to read."""

    @property
    def key(self) -> str:
        """What changes when the summary does, for the cache."""


@dataclass(frozen=True)
class TraitSpec:
    """One trait that a module shares with Python.

    Attributes:
        name: as in `model.get(name)`.
        description: what its maker says of it.
        expects: the trait's own words for what it takes; None where it takes anything.
    """

    name: str
    description: str
    expects: str | None = None


@dataclass(frozen=True)
class Problem:
    """What is wrong with a module, for the model that mends it and for the person who reads along.

    Attributes:
        code: stable snake_case name.
        message: what is wrong.
        hint: what to do.
    """

    code: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.hint}".rstrip()


@dataclass(frozen=True)
class Attempt:
    """A module that was refused, and why. `esm` is empty where no module came."""

    esm: str
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class WidgetRequest:
    """What a generator gets.

    Attributes:
        description: of the widget, in somebody's own words.
        data: about the data that the module finds in the trait `data`; None where there is none.
        exports: traits that the module sets, by name.
        imports: traits that others set and the module listens to, by name.
        previous: what was tried last, where this is not the first round.
    """

    description: str
    data: Summary | None = None
    exports: Mapping[str, TraitSpec] = field(default_factory=dict)
    imports: Mapping[str, TraitSpec] = field(default_factory=dict)
    previous: Attempt | None = None


@dataclass(frozen=True)
class GeneratedModule:
    """An ES module that a generator wrote.

    Attributes:
        esm: its text.
        css: a style sheet that belongs to it.
        tokens_in: read by the model for it, over all rounds; None where nobody counted.
        tokens_out: written by the model for it, over all rounds.
    """

    esm: str
    css: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None


class Generator(Protocol):
    """Writes modules. One that also has a `cache_key: str`, which names all that its answer depends on beside the
    request (model, prompt, settings), may be cached; another's modules are made anew each time.
    """

    def generate(self, request: WidgetRequest) -> GeneratedModule | str:
        """Write a module, or mend `request.previous`; a string is the module's text alone.

        Raises:
            UnusableAnswer: an answer came and no module is in it; the next round is told why.
            NoAnswer: none came, and asking again would not help.
        """


class Verifier(Protocol):
    """Tries modules. Its `version: str`, where it has one, is in the key of the cache: a stricter one starts afresh."""

    def verify(
        self, module: GeneratedModule, request: WidgetRequest, make_widget: Callable[[GeneratedModule], Any]
    ) -> Sequence[Problem]:
        """Say what is wrong with a module; nothing means that it may be shown.

        Args:
            module: to be tried.
            request: what it was written for.
            make_widget: makes a fresh widget of it, linked to nobody, with the real data, exports and imports.
        """


class ModuleCache(Protocol):
    """Keeps verified modules. One that cannot be read or written says so by itself, and is as good as none."""

    def get(self, key: str) -> GeneratedModule | None:
        """What was put under a key, or None."""

    def put(self, key: str, module: GeneratedModule) -> None:
        """Keep a module."""


Approve = Callable[[GeneratedModule, WidgetRequest], bool]
"""Asked once per module that is about to be returned. Whatever is not true refuses it."""

Stage = Literal["cached", "generating", "verifying", "refused", "verified"]


@dataclass(frozen=True)
class Progress:
    """What `write_module` is about to do, or has just found.

    Attributes:
        stage: `cached` (found in the cache), `generating`, `verifying`, `refused` (with its problems) or `verified`.
        round: from 1 on; 0 for `cached`.
        rounds: how many there may be.
        problems: of a module that was refused.
    """

    stage: Stage
    round: int
    rounds: int
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        if self.stage == "cached":
            return "found in the cache"
        problems = f" ({', '.join(problem.code for problem in self.problems)})" if self.problems else ""
        return f"round {self.round} of {self.rounds}: {self.stage}{problems}"


class UnusableAnswer(RditError):
    """A generator's model answered, and what it said holds no module. The next round is told.

    Attributes:
        problems: why.
        answer: what was said, or the beginning of it.
        tokens_in: read by the model.
        tokens_out: written by the model.
    """

    code = "unusable_answer"

    def __init__(
        self, *problems: Problem, answer: str = "", tokens_in: int | None = None, tokens_out: int | None = None
    ) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems
        self.answer = answer
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out


class NoAnswer(RditError):
    """A generator cannot answer, now or at all. Nothing is asked again.

    Attributes:
        problems: why.
    """

    code = "no_answer"

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


GenerationCode = Literal["generation_failed", "not_approved", "no_generator", "no_verifier"]


class GenerationFailed(RditError):
    """No module came of a description, and nothing was shown.

    Attributes:
        code: `generation_failed` (no round brought a module without problems), `not_approved`, `no_generator` or
            `no_verifier`.
        problems: of the last round.
        attempts: all that was tried, in order.
        tokens_in: read by the model over all rounds, as far as it was counted.
        tokens_out: written by the model over all rounds.
    """

    def __init__(
        self,
        code: GenerationCode,
        message: str,
        problems: Sequence[Problem] = (),
        attempts: Sequence[Attempt] = (),
        *,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
    ) -> None:
        super().__init__("\n".join([message, *(f"- {problem}" for problem in problems)]))
        self.code: GenerationCode = code
        self.problems = tuple(problems)
        self.attempts = tuple(attempts)
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out


@dataclass(frozen=True)
class GeneratorDefaults:
    """What is taken where a call names nothing else."""

    generator: Generator | None = None
    verifier: Verifier | None = None
    cache: ModuleCache | None = None
    rounds: int = DEFAULT_ROUNDS
    approve: Approve | None = None


_defaults = GeneratorDefaults()


class _InUse:
    """Goes back to what was in use before, at the end of a `with` block."""

    def __init__(self, before: GeneratorDefaults) -> None:
        self._before = before

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        global _defaults
        _defaults = self._before

    def _ipython_display_(self) -> None:
        """Show nothing: a call without `with` is a statement that hosts and notebooks would show the result of."""


def use_generator(
    generator: Generator | None,
    *,
    verifier: Verifier | None = None,
    cache: ModuleCache | None = None,
    rounds: int = DEFAULT_ROUNDS,
    approve: Approve | None = None,
) -> _InUse:
    """Say what writes widgets from descriptions in this process, from now on; None goes back to nobody.

    As a `with` block, it holds until the end of the block.
    """
    global _defaults
    before, _defaults = _defaults, GeneratorDefaults(generator, verifier, cache, rounds, approve)
    return _InUse(before)


def generator_defaults() -> GeneratorDefaults:
    """What is in use."""
    return _defaults


def module_key(request: WidgetRequest, generator: Generator, verifier: Verifier) -> str | None:
    """The cache's key: a digest of everything that a module depends on. None where a generator cannot be told apart."""
    generator_key = getattr(generator, "cache_key", None)
    if generator_key is None:
        return None
    previous = request.previous
    parts = [
        _KEY_VERSION,
        generator_key,
        [f"{type(verifier).__module__}.{type(verifier).__qualname__}", getattr(verifier, "version", None)],
        request.description,
        None if request.data is None else [request.data.key, request.data.text],
        *(
            [[spec.name, spec.description, spec.expects] for spec in specs.values()]
            for specs in (request.exports, request.imports)
        ),
        None if previous is None else [previous.esm, [str(problem) for problem in previous.problems]],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def write_module(
    request: WidgetRequest,
    *,
    generator: Generator | None = None,
    verifier: Verifier | None = None,
    make_widget: Callable[[GeneratedModule], Any],
    cache: ModuleCache | None = None,
    rounds: int | None = None,
    approve: Approve | None = None,
    progress: Callable[[Progress], object] | None = None,
) -> GeneratedModule:
    """Have a module written, verified and approved.

    What is None is taken from `use_generator`; a verifier that nobody named, from the entry point group
    `rdit.verifiers`.

    Args:
        request: what is wanted.
        generator: writes it.
        verifier: tries it.
        make_widget: for the verifier.
        cache: of modules that were verified and approved before.
        rounds: how often the generator is asked at most, 1 or more.
        approve: has the last word, on what comes out of the cache too.
        progress: told of each step.

    Raises:
        GenerationFailed: there is no module that may be shown.
        ValueError: `rounds` is less than 1. TypeError: a generator or a verifier is none.
    """
    defaults = generator_defaults()
    generator = defaults.generator if generator is None else generator
    if generator is None:
        raise GenerationFailed(
            "no_generator",
            "A widget is to be made from a description, and nothing here writes modules. Pass generator=..., or name "
            "one for the whole process: rdit_core.descriptions.use_generator(...). One is "
            "rdit_harness.llm.OpenAIGenerator; what it needs comes with pip install 'rdit[llm]'.",
        )
    verifier = defaults.verifier if verifier is None else verifier
    verifier = _default_verifier() if verifier is None else verifier
    _check("generator", generator, "generate")
    _check("verifier", verifier, "verify")
    cache = defaults.cache if cache is None else cache
    rounds = defaults.rounds if rounds is None else rounds
    approve = defaults.approve if approve is None else approve
    if rounds < 1:
        raise ValueError(f"Expected at least one round, got {rounds}")

    key = None if cache is None else module_key(request, generator, verifier)
    if cache is not None and key is not None:
        known = cache.get(key)
        if known is not None:
            if progress is not None:
                progress(Progress("cached", 0, rounds))
            _ask(approve, known, request, ())
            return known

    writing = _Writing(request, generator, verifier, make_widget, rounds, progress)
    module = writing.run()
    _ask(approve, module, request, writing.attempts)
    if cache is not None and key is not None:
        cache.put(key, module)
    return module


def _check(role: str, given: Any, method: str) -> None:
    if isinstance(given, type) or not callable(getattr(given, method, None)):
        what = f"the class {given.__name__}" if isinstance(given, type) else repr(given)
        raise TypeError(f"Expected an object with the method {method}() as {role}, got {what}")


def _ask(approve: Approve | None, module: GeneratedModule, request: WidgetRequest, attempts: Sequence[Attempt]) -> None:
    if approve is None or approve(module, request):
        return
    raise GenerationFailed(
        "not_approved",
        "The module was written and verified, and was not approved. It was not shown.",
        attempts=[*attempts, Attempt(module.esm, ())],
        tokens_in=module.tokens_in,
        tokens_out=module.tokens_out,
    )


class _Writing:
    """The rounds of one module."""

    def __init__(
        self,
        request: WidgetRequest,
        generator: Generator,
        verifier: Verifier,
        make_widget: Callable[[GeneratedModule], Any],
        rounds: int,
        progress: Callable[[Progress], object] | None,
    ) -> None:
        self.request = request
        self.generator = generator
        self.verifier = verifier
        self.make_widget = make_widget
        self.rounds = rounds
        self.progress = progress
        self.attempts: list[Attempt] = []
        self.tokens_in: int | None = None
        self.tokens_out: int | None = None

    def run(self) -> GeneratedModule:
        """Raises GenerationFailed."""
        for number in range(1, self.rounds + 1):
            module, attempt = self._round(number)
            if module is not None:
                self._tell("verified", number)
                return replace(module, tokens_in=self.tokens_in, tokens_out=self.tokens_out)
            self.attempts.append(attempt)
            self._tell("refused", number, attempt.problems)
            self.request = replace(self.request, previous=attempt)
        times = "time" if self.rounds == 1 else "times"
        raise self._failure(
            f"No usable widget after asking {self.rounds} {times}. What was wrong with the last one:",
            self.attempts[-1].problems,
        )

    def _round(self, number: int) -> tuple[GeneratedModule | None, Attempt]:
        self._tell("generating", number)
        try:
            answer = self.generator.generate(self.request)
        except UnusableAnswer as error:
            self._count(error)
            return None, Attempt(error.answer, error.problems)
        except NoAnswer as error:
            raise self._failure("The generator cannot answer:", error.problems) from error
        module: Any = GeneratedModule(answer) if isinstance(answer, str) else answer
        if not isinstance(module, GeneratedModule):
            raise TypeError(f"Expected generate() to give a GeneratedModule or a str, got {type(module).__name__}")
        self._count(module)
        self._tell("verifying", number)
        attempt = Attempt(module.esm, tuple(self.verifier.verify(module, self.request, self.make_widget)))
        return (None if attempt.problems else module), attempt

    def _count(self, answer: GeneratedModule | UnusableAnswer) -> None:
        self.tokens_in = _sum(self.tokens_in, answer.tokens_in)
        self.tokens_out = _sum(self.tokens_out, answer.tokens_out)

    def _failure(self, message: str, problems: Sequence[Problem]) -> GenerationFailed:
        return GenerationFailed(
            "generation_failed",
            message,
            problems,
            self.attempts,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
        )

    def _tell(self, stage: Stage, number: int, problems: tuple[Problem, ...] = ()) -> None:
        if self.progress is not None:
            self.progress(Progress(stage, number, self.rounds, problems))


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other


def _default_verifier() -> Verifier:
    """The installed one.

    Raises:
        GenerationFailed: there is none, or it cannot be loaded.
    """
    why: Exception | None = None
    for entry in importlib.metadata.entry_points(group=VERIFIERS, name="default"):
        try:
            verifier: Verifier = entry.load()()
        except ImportError as error:
            why = error
        else:
            return verifier
    raise GenerationFailed(
        "no_verifier",
        f"A generated module must be verified before it is shown, and there is nothing here to do it"
        f"{f' ({why})' if why is not None else ''}. Install it: pip install 'rdit[server,harness,browser]'; or pass "
        "verifier=...",
    ) from why
