"""`PageVerifier`: shows a generated module in a real page, tries it, and says what is wrong in words to mend it by.

In this order, and no further than makes sense: the text (`static_check`); the module loads and shows something; each
import that Python changes is noticed; each export changes when a hand tries the widget (`hands`); it can be shown
twice and taken away. Errors, warnings of the host, requests and leftovers are gathered all the while.

What it decides where a trial cannot know:

- **An import is listened to** when the module has a listener for it, or reads it again after Python changed it. That
  the reaction is the right one, nobody checks.
- **An export changes** when Python got another value after a hand did something. Where no gesture of ours led to one,
  the module passes only when its text sets the export at more places than ran while it was shown: then there is a
  handler that we did not find, a game that has to be won, say. A module that sets an export once at the start and
  never again does not.
- **It is no sandbox.** A module that wants to deceive can behave during a trial. What it cannot do is reach the
  network from here; what runs later runs with the rights of the page, and `approve` is there for somebody to read it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rdit_core.descriptions import GeneratedModule, GenerationFailed, Problem, TraitSpec, WidgetRequest

from .browser_thread import BrowserName, BrowserThread, NoBrowser, check_installed
from .changes import change
from .hands import try_everything
from .static_check import DEFAULT_EXPORT_HINT, SELF_CONTAINED_HINT, check_text, count_sets
from .trial import NoClient, NoTrial, PageHung, Trial, open_trial

HANG_S: Final = 10.0
TRIAL_S: Final = 90.0
MAX_PROBLEMS: Final = 12
_MIN_AREA: Final = 16
"""Square pixels below which nobody sees anything."""

_LATE_S: Final = 3.0
"""How long after its render a module may still show nothing."""

_OUTSIDE_HINT: Final = "Append to el and nowhere else; what floats can be position: absolute inside el."
_HINTS: Final[Mapping[str, str]] = {
    "page_error": "Mend what throws; guard against values that are null, empty or not there yet.",
    "unhandled_rejection": "Await what can fail, and catch its errors.",
    "console_error": "Write nothing to console.error; mend what it is about.",
    "csp_violation": f"{SELF_CONTAINED_HINT} No eval, no <script> elements, no pictures or fonts from addresses.",
    "listener_failed": "A listener must bear every value that the trait may have, null included.",
    "cleanup_failed": "The function that render returns must run without errors, also when the view was just made.",
    "not_portable": "Keep to model.get(name), model.set(name, value), model.save_changes(), model.on('change:name', f)",
    "refused_value": "Set a value of the kind that the export's description names, and no other.",
    "syntax_error": "Answer with the whole module, in one code block, in JavaScript that a browser can read.",
    "leaves_page": 'Set no location, and close no window. A button in a <form> needs type="button", or the form a '
    "listener for submit that calls event.preventDefault().",
    "dialog": "No alert, confirm or prompt: show it in el.",
}


class PageVerifier:
    """Tries modules in a browser: each in a page of its own and, outside of a `with` block, in a browser of its own.

    Starting a browser takes most of the time. In a `with PageVerifier() as verifier:` one serves all trials, until
    a module makes it hang.

    Args:
        browser: `chromium`, `firefox` or `webkit`.
        hang_s: how long a page may be busy with one thing before it counts as hung, in seconds.
        trial_s: how long a whole trial may take.
        launch: further options for Playwright's `launch`, such as `executable_path`.

    Raises:
        ImportError: the browser's driver is not installed.
    """

    version = "2"
    """Goes up when modules that passed might not pass any more."""

    def __init__(
        self,
        browser: BrowserName = "chromium",
        *,
        hang_s: float = HANG_S,
        trial_s: float = TRIAL_S,
        launch: Mapping[str, Any] | None = None,
    ) -> None:
        check_installed()
        self.browser: BrowserName = browser
        self.hang_s = hang_s
        self.trial_s = trial_s
        self.launch = dict(launch or {})
        self._held: BrowserThread | None = None

    def __enter__(self) -> PageVerifier:
        self._held = BrowserThread(self.browser, self.launch)
        return self

    def __exit__(self, *_: object) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def verify(
        self, module: GeneratedModule, request: WidgetRequest, make_widget: Callable[[GeneratedModule], Any]
    ) -> Sequence[Problem]:
        """What is wrong with a module; nothing where it may be shown. Blocks until it was tried, for seconds.

        Raises:
            GenerationFailed: there is no browser to try it in, or no page (`no_verifier`).
        """
        problems = check_text(module.esm)
        if problems:
            return problems
        thread = self._held or BrowserThread(self.browser, self.launch)
        try:
            return thread.run(lambda: self._try(thread, module, request, make_widget))
        except (NoBrowser, NoClient, NoTrial) as error:
            raise GenerationFailed("no_verifier", f"The module cannot be verified. {error}") from error
        finally:
            if thread is not self._held:
                thread.close()

    async def _try(
        self,
        thread: BrowserThread,
        module: GeneratedModule,
        request: WidgetRequest,
        make_widget: Callable[[GeneratedModule], Any],
    ) -> list[Problem]:
        browser = await thread.browser()
        async with open_trial(browser, module.esm, lambda: make_widget(module), hang_s=self.hang_s) as trial:
            verdict = _Verdict(trial, module, request)
            try:
                await asyncio.wait_for(verdict.run(), self.trial_s)
            except (PageHung, TimeoutError, asyncio.TimeoutError) as error:
                busy_s = self.hang_s if isinstance(error, PageHung) else self.trial_s
                verdict.add(
                    "timeout",
                    f"The page did not answer for {busy_s:g} s {verdict.doing}.",
                    "No endless loops, no heavy work in one go: use requestAnimationFrame, and stop in the cleanup.",
                )
                await thread.discard()
            except _Settled:
                pass
            except Exception:
                if not await verdict.is_lost():
                    raise
            return verdict.problems[:MAX_PROBLEMS]


class _Settled(Exception):
    """Nothing more is to be found out."""


class _Verdict:
    """One trial's questions, and what came of them."""

    def __init__(self, trial: Trial, module: GeneratedModule, request: WidgetRequest) -> None:
        self.trial = trial
        self.module = module
        self.request = request
        self.problems: list[Problem] = []
        self.doing = "while it was loaded"

    def add(self, code: str, message: str, hint: str | None = None) -> None:
        problem = Problem(code, message, hint if hint is not None else _HINTS[code])
        if problem not in self.problems:
            self.problems.append(problem)

    async def run(self) -> None:
        try:
            await self._show()
            await self._imports()
            await self._exports()
            await self._twice()
        finally:
            self._gather_outside()
        await self._gather()

    async def is_lost(self) -> bool:
        """Whether the module has taken the page away from under its trial; and if so, say it."""
        is_ours, has_places = await self.trial.is_whole()
        if not is_ours:
            self.add("leaves_page", f"The page was left, reloaded or closed {self.doing}.")
        elif not has_places:
            self.add("outside_el", f"The module removes what is outside of el, {self.doing}.", _OUTSIDE_HINT)
        return not (is_ours and has_places)

    # Stage by stage.

    async def _enter(self, phase: str, doing: str) -> None:
        self.doing = doing
        await self.trial.ask("(trial, phase) => trial.enter(phase)", phase)

    async def _show(self) -> None:
        await self._enter("mount", "while it was loaded and rendered")
        await self._mount("first")
        status = await self.trial.ask("(trial) => trial.status('first')")
        if status["failure"] is not None:
            await self._failed_to_show(status)
            await self._gather(is_whole=False)
            raise _Settled
        await self.trial.settle()
        shown = await self.trial.wait(
            f"(trial) => trial.shown('first').area > {_MIN_AREA}", patience_s=min(_LATE_S, self.trial.hang_s)
        )
        if not shown:
            self.add(
                "renders_nothing",
                "After render there is nothing to see in el.",
                "Append elements to el, and give what has no size of its own, such as a canvas, a width and a height.",
            )

    async def _mount(self, place: str) -> None:
        await self.trial.ask("(trial, [id, place]) => trial.mount(id, place)", [self.trial.widget_id, place])
        if not await self.trial.wait(f"(trial) => trial.status('{place}').isDone"):
            self.add(
                "timeout",
                f"render did not come to its end within {self.trial.hang_s:g} s.",
                "Let render return at once; do not await what may never come.",
            )
            await self._gather(is_whole=False)
            raise _Settled

    async def _failed_to_show(self, status: dict[str, Any]) -> None:
        failure, exported = status["failure"], status["exported"]
        stage, message = failure["stage"], failure["message"]
        if failure["isSyntax"]:
            place = await self.trial.ask("(trial) => trial.findSyntaxError()")
            await self._forget()
            self.add("syntax_error", f"The module cannot be read: {place or message}.")
        elif exported == "no render":
            self.add("no_render", "The default export has no render function.", DEFAULT_EXPORT_HINT)
        elif exported.startswith(("nothing", "only")):
            self.add("no_default_export", f"The module exports {exported}; no default.", DEFAULT_EXPORT_HINT)
        elif stage == "import":
            self.add("import_failed", f"The module cannot be loaded: {message}.", _HINTS["page_error"])
        else:
            self.add(f"{stage}_failed", f"{stage} throws: {message}.", _HINTS["page_error"])

    async def _forget(self) -> None:
        """What was gathered so far is about something that is told already."""
        await self.trial.ask("(trial) => trial.forget()")
        self.trial.console_errors.clear()

    async def _imports(self) -> None:
        for spec in self.request.imports.values():
            await self._enter(f"import {spec.name}", f"after Python changed {spec.name!r}")
            before = await self._report()
            has_changed = change(self.trial.widget, spec)
            await self.trial.settle()
            after = await self._report()
            listens = {f"change:{spec.name}", "change", "all"} & set(after["listens"])
            reads = _count(after["gets"], spec.name) - _count(before["gets"], spec.name)
            if not listens or (has_changed and f"change:{spec.name}" not in listens and not reads):
                self.add(
                    "import_ignored",
                    f"The module does not notice when {spec.name!r} changes.",
                    f'In render: model.on("change:{spec.name}", update); with update reading model.get("{spec.name}"). '
                    "Call update once at the start, too.",
                )

    async def _exports(self) -> None:
        exports = self.request.exports
        if not exports:
            return
        widget, changed = self.trial.widget, set()

        def heard(change: Any) -> None:
            changed.add(change["name"])

        await self._enter("input", "while it was clicked, dragged and typed into")
        widget.observe(heard, names=list(exports))
        try:
            async for _ in try_everything(self.trial, "first"):
                if changed >= exports.keys():
                    break
            await self.trial.settle()
        finally:
            widget.unobserve(heard, names=list(exports))
        report = await self._report()
        for name, spec in exports.items():
            sets = _sets(report, name)
            # What Python got may have been set before, and only saved now.
            if name not in changed or not sets.get("input"):
                self._unchanged(spec, sets, has_saved=report["saves"] > 0)

    def _unchanged(self, spec: TraitSpec, sets: Mapping[str, int], *, has_saved: bool) -> None:
        name = spec.name
        if sets.get("input") and not has_saved:
            self.add(
                "export_not_saved",
                f"The module sets {name!r} and never saves it: Python does not hear of it.",
                f'After model.set("{name}", value) call model.save_changes().',
            )
        elif not sets.get("input") and count_sets(self.module.esm, name) <= (1 if sets else 0):
            self.add(
                "export_never_set",
                f"Nothing that a hand can do to the widget changes {name!r}"
                f"{' after its first value' if sets else ''}. It was clicked, dragged over, scrolled and typed into.",
                f'In the handler of the gesture that changes it: model.set("{name}", value); model.save_changes();',
            )

    async def _twice(self) -> None:
        await self._enter("again", "when it was shown a second time")
        await self._mount("second")
        await self._check_remount("second", "a second time beside the first")
        await self._enter("end", "when it was taken away")
        for place in ("second", "first"):
            await self.trial.ask(f"(trial) => trial.unmount('{place}')")
            await self.trial.wait(f"(trial) => trial.status('end {place}').isDone")
        await self.trial.settle()
        await self._enter("back", "when it was shown again after it had been taken away")
        await self._mount("third")
        await self._check_remount("third", "again after it had been taken away")
        await self._enter("end", "when it was taken away")
        await self.trial.ask("(trial) => trial.unmount('third')")
        await self.trial.wait("(trial) => trial.status('end third').isDone")
        await self._enter("gone", "after it had been taken away")
        await self.trial.settle()
        left = dict.fromkeys(await self.trial.ask("(trial) => trial.leftovers()"))
        if left:
            self.add(
                "not_cleaned_up",
                f"Where the widget was taken away, there is left: {', '.join(left)}.",
                "Return a function from render that removes what was added to window or document, clears its intervals "
                "and cancels its animation frames.",
            )

    async def _check_remount(self, place: str, when: str) -> None:
        status = await self.trial.ask(f"(trial) => trial.status('{place}')")
        if status["failure"] is not None:
            self.add(
                "second_view_failed",
                f"Shown {when}, the module throws: {status['failure']['message']}.",
                "Keep what belongs to a view inside render, not at the module's top; elements by reference, no ids.",
            )
        await self.trial.settle()

    # What was gathered.

    async def _report(self) -> dict[str, Any]:
        report: dict[str, Any] = await self.trial.ask("(trial) => trial.report()")
        return report

    def _gather_outside(self) -> None:
        """What the browser saw, whether or not the page still answers."""
        for url in dict.fromkeys(self.trial.requests):
            self.add("network_request", f"The module asks the network for {url[:200]}.", SELF_CONTAINED_HINT)
        for url in dict.fromkeys(self.trial.departures):
            self.add("leaves_page", f"The module takes the page to another address: {url[:200]}.")
        for dialog in dict.fromkeys(self.trial.dialogs):
            self.add("dialog", f"The module opens a window that waits for an answer: {dialog[:200]}.")

    async def _gather(self, *, is_whole: bool = True) -> None:
        """What went wrong all the while; of a trial that was not `is_whole`, not what the module failed to do."""
        self._gather_outside()
        report = await self._report()
        # A thing that goes wrong each time is told of once, for when it went wrong first.
        first = {(fault["kind"], fault["message"]): fault for fault in reversed(report["faults"])}
        for fault in sorted(first.values(), key=report["faults"].index):
            self._fault(fault["kind"], fault["message"], fault["phase"])
        told = " ".join(fault["message"] for fault in report["faults"])
        for text in self.trial.console_errors:
            # What our own ears in the page heard, and what the browser says of what it was kept from, is told already.
            if not text.startswith("[rdit]") and text[:80] not in told and not _is_of_requests(text):
                self.add("console_error", f"The browser's console has an error: {text[:400]}.")
        self._names(report, is_whole=is_whole)
        strays = await self.trial.ask("(trial) => trial.strays()")
        if strays["bodies"]:
            self.add(
                "outside_el",
                f"The module leaves elements outside el: {'; '.join(strays['bodies'][:3])}.",
                _OUTSIDE_HINT,
            )
        if strays["globals"]:
            self.add(
                "leaks_globals",
                f"The module makes global variables: {', '.join(strays['globals'][:5])}.",
                "Declare with const or let, inside render where it belongs to a view; set nothing on window.",
            )

    def _fault(self, kind: str, message: str, phase: str) -> None:
        when = _WHEN.get(phase.partition(" ")[0], "")
        if kind == "console_warn":
            self.add("not_portable", f"{message.removeprefix('[rdit] ')}{when}.")
        elif kind == "console_error" and message.startswith("[rdit]"):
            if "cleanup failed" in message:
                self.add("cleanup_failed", f"The cleanup throws: {message.removeprefix('[rdit] ')}.")
        elif kind == "fault listener_failed":
            self.add("listener_failed", f"A listener throws{when}: {message}.")
        elif kind == "fault unknown_property":
            pass  # By its name, with those that were set.
        elif kind.startswith("fault "):
            self.add("refused_value", f"Python refuses what the module sets: {message}.")
        elif kind == "console_error":
            self.add("console_error", f"The module writes an error to the console{when}: {message}.")
        elif kind == "network" or (kind == "csp_violation" and "://" in message):
            self.add("network_request", f"The module asks the network{when}: {message}.", SELF_CONTAINED_HINT)
        else:
            said = {"page_error": "An error", "unhandled_rejection": "A promise fails and nobody hears of it"}
            self.add(kind, f"{said.get(kind, 'The page is kept from something')}{when}: {message}.")

    def _names(self, report: dict[str, Any], *, is_whole: bool) -> None:
        known = {*self.request.exports, *self.request.imports}
        names = dict.fromkeys(key.rpartition(" ")[2] for key, _ in report["sets"])
        for name in names:
            if name not in known:
                allowed = ", ".join(sorted(known)) or "nothing"
                self.add(
                    "undeclared_export",
                    f"The module sets {name!r}, which is not among its exports.",
                    f"Set only what is declared ({allowed}); keep the rest in variables inside render.",
                )
        if is_whole and self.request.data is not None and not _count(report["gets"], "data"):
            self.add(
                "data_ignored",
                "The module never reads its data.",
                'Read the rows with model.get("data"), as shown; make nothing up.',
            )


_WHEN: Final[Mapping[str, str]] = {
    "import": " after Python changed an import",
    "input": " when somebody used the widget",
    "again": " when it was shown a second time",
    "end": " when it was taken away",
    "back": " when it was shown again",
    "gone": " after it had been taken away",
}


def _count(gets: Sequence[tuple[str, int]], name: str) -> int:
    return sum(count for key, count in gets if key.rpartition(" ")[2] == name)


def _sets(report: dict[str, Any], name: str) -> dict[str, int]:
    """How often a trait was set in each phase."""
    return {phase: count for key, count in report["sets"] for phase, _, one in [key.rpartition(" ")] if one == name}


def _is_of_requests(text: str) -> bool:
    return any(words in text for words in ("Content Security Policy", "Failed to load resource", "net::ERR"))
