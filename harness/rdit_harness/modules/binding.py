"""One model bound to one version of its module: loaded and initialized once, until the model is closed or the module
replaced. The rules are those of the browser's `binding.js`.

A module is replaced in place: the model, and with it the state, stays. The views of the old module end, its cleanups
finish, and only then the new one is loaded and the views are made anew. A cleanup that takes too long is not waited for
for ever.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from rdit_core import BaseClientConnection, ClientConnection, WidgetManager, WidgetModel

from .abort import AbortController, AbortSignal
from .invoke import Experimental
from .loader import Definition, call, load
from .scope import ScopedModel

if TYPE_CHECKING:
    from rdit_harness.page import Page

    from .loop import VirtualLoop

_log = logging.getLogger("rdit.module")

Stage = Literal["import", "initialize", "render", "cleanup"]
Cleanup = Callable[[], Any]

CLEANUP_WAIT_S: Final = 5.0
"""How long a replaced module may clean up before its successor starts all the same."""

CHILD_WAIT_S: Final = 10.0
"""How long a reference to a widget that is not open yet is waited for."""


class StageError(Exception):
    """What a module raised, and in which stage. The exception itself is the cause."""

    def __init__(self, stage: Stage, error: Exception) -> None:
        super().__init__(str(error))
        self.stage: Stage = stage
        self.error = error
        self.__cause__ = error


class NoModule(LookupError):
    """Nobody said which module plays the part of a widget's."""


@dataclass(frozen=True)
class WidgetFailure:
    """What went wrong in a widget's module."""

    widget_id: str
    stage: Stage
    message: str
    error: Exception


@dataclass(frozen=True, eq=False)
class Version:
    """A module, as it was given once: given again, the same object is another version."""

    module: Any


class Modules:
    """Which module in Python plays the part of a widget's: `modules[Child] = ChildModule`.

    The key is a widget class, which stands for its subclasses too, or a widget, which comes before its class.
    """

    def __init__(self, manager: WidgetManager) -> None:
        self._manager = manager
        self._of_class: dict[type, Version] = {}
        self._of_widget: dict[str, Version] = {}

    def __setitem__(self, of: Any, module: Any) -> None:
        if isinstance(of, type):
            self._of_class[of] = Version(module)
        else:
            self._of_widget[self._manager.add(of)] = Version(module)

    def version(self, widget_id: str) -> Version | None:
        """What plays for the widget of that id, if anything does."""
        if widget_id not in self._manager:
            return None
        widget = self._manager[widget_id]
        present = self._of_widget.get(self._manager.add(widget))
        return present or next((self._of_class[kind] for kind in type(widget).__mro__ if kind in self._of_class), None)

    def has(self, widget_id: str, module: Any) -> bool:
        """Whether this very module plays for the widget of that id."""
        version = self.version(widget_id)
        return version is not None and version.module is module


@dataclass(frozen=True)
class Started:
    """A module that was loaded and initialized."""

    definition: Definition
    exports: Any


class BoundView(Protocol):
    """A view, as its binding knows it."""

    def end(self) -> object:
        """It is over."""

    def replace(self) -> object:
        """Show it anew, with the module that there is now."""


class PageCode:
    """The modules that run on one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.failures: list[WidgetFailure] = []
        """What went wrong in modules, in order."""
        self.errors: list[Exception] = []
        """What listeners of elements and signals raised, in order."""
        self._bindings: dict[WidgetModel, Binding] = {}
        self._lifetimes: dict[WidgetModel, AbortController] = {}
        self._waiting: dict[str, list[asyncio.Future[WidgetModel]]] = {}
        self._reported: set[tuple[str, str, str]] = set()
        self._invocations = itertools.count(1)

    @property
    def loop(self) -> VirtualLoop:
        """What coroutines run on."""
        return self.page.frontend.loop

    def start(self, awaitable: Awaitable[Any]) -> None:
        """Run what a listener gave."""
        self.loop.start_alone(awaitable)

    def new_id(self) -> str:
        """A name for a question, among those of this page."""
        return f"invoke-{next(self._invocations)}"

    def binding_of(self, model: WidgetModel) -> Binding:
        """The binding of a model to its present module, which is loaded and initialized on the first call.

        Raises:
            NoModule: there is none.
        """
        version = self.page.frontend.modules.version(model.widget_id)
        existing = self._bindings.get(model)
        if existing is not None and version in (existing.version, None):
            return existing  # Python may have let go of the widget, and the page not know it yet.
        if version is None:
            raise NoModule(
                f"Widget {model.widget_id} has no module in Python: mount(widget, module=...) gives it one, "
                "mount.modules[WidgetClass] = ... its class"
            )
        before = existing.end() if existing is not None else None
        binding = self._bindings[model] = Binding(self, model, version, before)
        return binding

    def interrupted(self, error: BaseException) -> None:
        """A hook raised what is no `Exception`, as `pytest.fail` does: not the widget's failure, and not lost."""
        self.page.frontend.errors.append(error)

    def is_bound(self, binding: Binding) -> bool:
        """Whether it is the present one of its model."""
        return self._bindings.get(binding.model) is binding

    def follow(self, model: WidgetModel) -> None:
        """Modules were replaced, perhaps that of this model."""
        existing = self._bindings.get(model)
        if existing is not None:
            shown = list(existing.views)
            if self.binding_of(model) is not existing:
                for view in shown:
                    view.replace()

    def signal_of(self, model: WidgetModel) -> AbortSignal:
        """Aborts when the model is closed, or the page is left."""
        if model not in self._lifetimes:
            controller = self._lifetimes[model] = AbortController(self.errors.append)
            if model.is_closed:
                controller.abort()
            # Not at once: a model closes while its connection is in the middle of a frame.
            model.on_close(lambda: self.loop.call_soon(controller.abort))
        return self._lifetimes[model].signal

    # What the page says.

    def opened(self, model: WidgetModel) -> None:
        """A model was opened."""
        if self.page.frontend.modules.version(model.widget_id) is not None:
            model.hold_messages()
        for future in self._waiting.pop(model.widget_id, []):
            _settle(future, model)

    def heard(self, model: WidgetModel) -> None:
        """Somebody listens to a model's messages. Where its module does not start, they are kept back for nobody."""
        if model not in self._bindings:
            model.release_messages()

    def close(self) -> None:
        """The page is left: every model of it ends."""
        for controller in list(self._lifetimes.values()):
            controller.abort()

    # What its modules ask.

    async def when_open(self, widget_id: str, signal: AbortSignal) -> WidgetModel:
        """The model of a widget id; one that is not open yet is waited for.

        Raises:
            LookupError: it did not open in time; while there is no connection, no time passes. Or there will be none.
        """
        present = self.page.client.models.get(widget_id)
        if present is not None:
            return present
        signal.throw_if_aborted()
        opening: asyncio.Future[WidgetModel] = self.loop.create_future()
        self._waiting.setdefault(widget_id, []).append(opening)
        remove = signal.on_abort(lambda: _fail(opening, signal.error))
        try:
            while True:
                await asyncio.wait([opening], timeout=CHILD_WAIT_S)
                if opening.done():
                    return opening.result()
                client = self.page.client
                if isinstance(client, BaseClientConnection) or self.page.is_connected:
                    raise LookupError(f"Widget {widget_id!r} is not open (waited {CHILD_WAIT_S:g} s)")
                if client.is_over:
                    raise LookupError("The connection has ended")
        finally:
            remove()

    async def started(self, model: WidgetModel) -> Started:
        """What a model's module gave when it started. One that is replaced before it did is waited for no more: its
        successor is.
        """
        while True:
            binding = self.binding_of(model)
            ended = self.loop.create_future()
            remove = binding.signal.on_abort(lambda ended=ended: _settle(ended, None))  # type: ignore[misc]
            if binding.signal.aborted:
                _settle(ended, None)
            # Not `await binding.ready`: who is cancelled here must not cancel what others wait for.
            await asyncio.wait([binding.ready, ended], return_when=asyncio.FIRST_COMPLETED)
            remove()
            is_replaced = binding.signal.aborted and not self.signal_of(model).aborted
            if is_replaced and self.binding_of(model) is not binding:
                continue
            ready = binding.ready
            if ready.done() and (not binding.signal.aborted or ready.exception() is None):
                return ready.result()
            raise LookupError("The widget was closed")

    def fail(self, widget_id: str, stage: Stage, error: Exception) -> WidgetFailure:
        """A module failed: keep it, and tell Python where the protocol has words for it."""
        message = str(error) or type(error).__name__
        failure = WidgetFailure(widget_id, stage, message, error)
        _log.error("widget %s failed (%s)", widget_id, stage, exc_info=error)
        self.failures.append(failure)
        key = (widget_id, stage, message)
        if isinstance(self.page.client, ClientConnection) and key not in self._reported:
            self._reported.add(key)  # One that fails sixty times a second says so once.
            stack = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            self.page.client.report(widget_id, stage, message, stack)
        return failure


class Binding:
    """A model and a version of its module.

    Args:
        code: of the page.
        model: of the page.
        version: the module.
        before: the end of the version before, which is waited for.
    """

    def __init__(
        self, code: PageCode, model: WidgetModel, version: Version, before: asyncio.Future[None] | None
    ) -> None:
        self.code = code
        self.model = model
        self.version = version
        self.experimental = Experimental(code, model)
        self.views: dict[BoundView, None] = {}
        self.failure: WidgetFailure | None = None
        """Why it did not start."""
        self._lifetime = AbortController(code.errors.append)
        self.signal = self._lifetime.signal
        """Aborts when the model is closed or the module replaced."""
        self._cleaning: dict[asyncio.Future[None], None] = {}
        if before is not None:
            self._track(before)
        closed = code.signal_of(model)
        self._forget = closed.on_abort(self._stop)
        if closed.aborted:
            self._stop()
        self.ready: asyncio.Task[Started] = code.loop.create_task(self._load(before))
        model.hold_messages()
        self.ready.add_done_callback(self._on_ready)

    def add_view(self, view: BoundView, signal: AbortSignal) -> None:
        """It is shown, until the signal aborts."""
        self.views[view] = None
        signal.on_abort(lambda: self.views.pop(view, None))

    def clean_up(self, *cleanups: Cleanup) -> asyncio.Future[None]:
        """Run cleanups, one after the other, whatever they do: now, until the first that waits. Their errors are
        logged and reported, never raised.
        """
        rest = list(cleanups)
        while rest:
            result = self._attempt(rest.pop(0))
            if inspect.isawaitable(result):
                return self._track(self.code.loop.start(self._clean_up_later(result, rest)))
        done = self.code.loop.create_future()
        done.set_result(None)
        return done

    def end(self) -> asyncio.Future[None]:
        """Stop it. Done when its cleanups are."""
        self._stop()
        return self.code.loop.create_task(self._cleaned())

    def _stop(self) -> None:
        self._forget()
        # Views first: what they hold may be of the model's.
        for view in list(self.views):
            view.end()
        self._lifetime.abort()

    async def _load(self, before: asyncio.Future[None] | None) -> Started:
        if before is not None:
            await before
        try:
            self.signal.throw_if_aborted()
            definition = await load(self.version.module, self.model.widget_id)
            self.signal.throw_if_aborted()
        except Exception as error:
            raise StageError("import", error) from error
        if definition.initialize is None:
            return Started(definition, None)
        model = ScopedModel(self.code, self.model, self.signal)
        props = {"model": model, "signal": self.signal, "experimental": self.experimental}
        try:
            result = call(definition.initialize, props)
            if inspect.isawaitable(result):
                result = await result
        except Exception as error:
            raise StageError("initialize", error) from error
        if not callable(result):
            # Numbers and texts are no exports, as they are no objects in a page.
            return Started(definition, None if isinstance(result, (str, int, float)) else result)
        if self.signal.aborted:
            await self.clean_up(result)
        else:
            self.signal.on_abort(lambda: self.clean_up(result))
        return Started(definition, None)

    def _on_ready(self, ready: asyncio.Task[Started]) -> None:
        error = None if ready.cancelled() else ready.exception()
        # Whoever needs it awaits it and gets the error; without a view yet nobody does.
        if isinstance(error, StageError):
            if not self.signal.aborted:
                self.failure = self.code.fail(self.model.widget_id, error.stage, error.error)
        elif error is not None:
            self.code.interrupted(error)
        # Its successor, if there is one, is who starts.
        if self.code.is_bound(self):
            self.model.release_messages()

    def _track(self, cleaned: asyncio.Future[None]) -> asyncio.Future[None]:
        self._cleaning[cleaned] = None
        cleaned.add_done_callback(lambda done: self._cleaning.pop(done, None))
        return cleaned

    def _attempt(self, cleanup: Cleanup) -> Any:
        try:
            return cleanup()
        except Exception as error:
            self.code.fail(self.model.widget_id, "cleanup", error)
            return None

    async def _clean_up_later(self, result: Awaitable[Any], rest: list[Cleanup]) -> None:
        async def attempt(pending: Awaitable[Any]) -> None:
            try:
                await pending
            except Exception as error:
                self.code.fail(self.model.widget_id, "cleanup", error)

        await attempt(result)
        for cleanup in rest:
            result = self._attempt(cleanup)
            if inspect.isawaitable(result):
                await attempt(result)

    async def _cleaned(self) -> None:
        """Wait for all that is being cleaned up, what is added meanwhile included, for a while."""
        until_s = self.code.loop.time() + CLEANUP_WAIT_S
        while self._cleaning:
            _, pending = await asyncio.wait(list(self._cleaning), timeout=max(0, until_s - self.code.loop.time()))
            if pending:
                _log.warning(
                    "widget %s: its old module cleans up for more than %g s; not waited for",
                    self.model.widget_id,
                    CLEANUP_WAIT_S,
                )
                break


def _settle(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
