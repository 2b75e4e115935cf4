"""Views of a module: what a page shows of a model, and what a view can ask of the page around it (`host`).

Three lifetimes, each inside the one before: the model, its binding (`binding.py`), its views. Each has a signal; when
one ends, cleanups run and listeners leave.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

from rdit_core import WidgetModel
from rdit_harness.page import View

from .abort import AbortController, AbortSignal
from .binding import Binding, Cleanup, PageCode, StageError, WidgetFailure
from .element import Element
from .loader import Definition, call
from .scope import ScopedModel
from .spelling import JsSpelling

_log = logging.getLogger("rdit.module")


class ReferenceFailed(LookupError):
    """A reference gave no widget: it is malformed, its widget is not there, failed, or would contain itself."""


def widget_id_of(ref: Any) -> str:
    """The id in `anywidget:<id>` or `IPY_MODEL_<id>`."""
    found = re.fullmatch(r"(?:anywidget:|IPY_MODEL_)(.+)", ref, re.DOTALL) if isinstance(ref, str) else None
    if found is None:
        raise ReferenceFailed(f'Invalid widget reference: {ref!r}; expected "anywidget:<widget id>"')
    return found[1]


class Host(JsSpelling):
    """`host` of the AFM contract: how a view finds other widgets.

    Args:
        code: of the page.
        signal: of the view that asks.
        chain: ids of the views around it, outermost first, its own last.
    """

    def __init__(self, code: PageCode, signal: AbortSignal, chain: Sequence[str]) -> None:
        self._code = code
        self._signal = signal
        self._chain = chain

    async def get_model(self, ref: Any) -> ScopedModel:
        """The model that a reference names. What is listened to through it goes with the view that asked."""
        return ScopedModel(self._code, await self._find(ref), self._signal)

    async def get_widget(self, ref: Any) -> ChildWidget:
        """The widget that a reference names, when its `initialize` is done.

        Raises:
            ReferenceFailed: there is no such widget, or it failed; the text has the reference.
        """
        widget_id = widget_id_of(ref)
        if widget_id in self._chain:
            raise ReferenceFailed(f"Widget {widget_id} would contain itself: {' -> '.join([*self._chain, widget_id])}")
        model = await self._find(ref)
        try:
            started = await self._code.started(model)
        except (StageError, LookupError) as error:
            raise ReferenceFailed(f"Widget {ref!r} failed: {error}") from error
        return ChildWidget(self._code, model, started.exports, self._signal, [*self._chain, widget_id])

    async def _find(self, ref: Any) -> WidgetModel:
        widget_id = widget_id_of(ref)
        try:
            return await self._code.when_open(widget_id, self._signal)
        except LookupError as error:
            raise ReferenceFailed(f"No widget for {ref!r}: {error}") from error


class ChildWidget:
    """What `host.get_widget` gives.

    Args:
        code: of the page.
        model: the child's.
        exports: what its `initialize` returned.
        signal: of the view that asked.
        chain: as in `Host`, the child's id last.
    """

    def __init__(
        self, code: PageCode, model: WidgetModel, exports: Any, signal: AbortSignal, chain: Sequence[str]
    ) -> None:
        self.exports = exports
        self._code = code
        self._model = model
        self._signal = signal
        self._chain = chain

    async def render(self, el: Element, signal: AbortSignal | None = None) -> None:
        """Render the child into an element. It ends with the view that asked, or with `signal`.

        Raises:
            StageError: its `render` failed.
        """
        parents = [self._signal] if signal is None else [self._signal, signal]
        view = _ChildView(self._code, self._model, el, AbortSignal.any(parents), self._chain)
        await view.rendered()


class Rendering:
    """One call of `render`, from its start until its cleanups are done.

    Args:
        binding: of its model.
        el: for the module.
        parent: ends it.
        chain: as in `Host`.
        on_replace: called after it ended because its module is replaced.
    """

    def __init__(
        self,
        binding: Binding,
        el: Element,
        parent: AbortSignal,
        chain: Sequence[str],
        on_replace: Callable[[], object],
    ) -> None:
        code = binding.code
        self._binding = binding
        self._el = el
        self._parent = parent
        self._on_replace = on_replace
        self._controller = AbortController(code.errors.append)
        self.signal = AbortSignal.any([binding.signal, self._controller.signal, parent])
        self._model = ScopedModel(code, binding.model, self.signal)
        self._host = Host(code, self.signal, chain)
        self.rendered: asyncio.Future[None] = code.loop.create_future()
        """Done when `render` is, or when the view ended before."""
        if self.signal.aborted:
            self.rendered.set_result(None)
            return
        binding.add_view(self, self.signal)
        self.signal.on_abort(self._ended)
        code.loop.create_task(self._run()).add_done_callback(self._done)

    def end(self) -> None:
        """It is over. Cleanups run, those of a `render` that is still pending when that is done."""
        self._controller.abort()

    def replace(self) -> None:
        """Its module was replaced."""
        if not self._parent.aborted:
            self._on_replace()

    async def _run(self) -> None:
        binding = self._binding
        definition = (await binding.ready).definition
        if self.rendered.done() or definition.render is None:
            return  # It ended before.
        props = {
            "model": self._model,
            "el": self._el,
            "signal": self.signal,
            "host": self._host,
            "experimental": binding.experimental,
        }
        try:
            cleanup = call(definition.render, props)
            if inspect.isawaitable(cleanup):
                cleanup = await cleanup
        except Exception as error:
            raise StageError("render", error) from error
        cleanups = self._cleanups(definition, cleanup)
        if self.signal.aborted:
            await binding.clean_up(*cleanups)
        else:
            # Added after those of the module's own, so that they run before the cleanup, as they do elsewhere.
            self.signal.on_abort(lambda: binding.clean_up(*cleanups))

    def _cleanups(self, definition: Definition, cleanup: Any) -> list[Cleanup]:
        cleanups: list[Cleanup] = [cleanup] if callable(cleanup) else []
        destroy = definition.destroy
        if destroy is not None:
            cleanups.append(lambda: call(destroy, {"model": self._model, "el": self._el}))
        return cleanups

    def _ended(self) -> None:
        if not self.rendered.done():
            self.rendered.set_result(None)

    def _done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, StageError):
            self._binding.code.interrupted(error)
        if self.rendered.done():
            if error is not None:
                _log.debug("widget %s: a render failed after its view had ended", self._binding.model.widget_id)
        elif error is None:
            self.rendered.set_result(None)
        else:
            self.rendered.set_exception(error)
            self.rendered.exception()  # Whoever needs it awaits it and gets it; nobody else misses it.


class _ChildView:
    """A child in an element of its parent's; rendered again when its module is replaced."""

    def __init__(
        self, code: PageCode, model: WidgetModel, el: Element, parent: AbortSignal, chain: Sequence[str]
    ) -> None:
        self._code = code
        self._model = model
        self._el = el
        self._chain = chain
        self._signal = AbortSignal.any([parent, code.signal_of(model)])
        # What the parent has put there stays; what the old module has put there does not outlive it.
        self._before = list(el.child_nodes)
        self._rendering = self._show()

    def _show(self) -> Rendering:
        return Rendering(self._code.binding_of(self._model), self._el, self._signal, self._chain, self._replaced)

    async def rendered(self) -> None:
        """Until `render` is done: the one of the present module."""
        while True:
            rendering = self._rendering
            await asyncio.wait([rendering.rendered])
            if rendering is self._rendering:
                return rendering.rendered.result()

    def _replaced(self) -> None:
        self._el.replace_children(*self._before)
        rendering = self._rendering = self._show()
        rendering.rendered.add_done_callback(lambda done: self._shown_again(rendering))

    def _shown_again(self, rendering: Rendering) -> None:
        # Nobody awaits it any more: it is told where it is seen.
        error = rendering.rendered.exception()
        if isinstance(error, StageError) and not rendering.signal.aborted:
            failure = self._rendering_failed(error)
            self._el.append(error_panel(failure))

    def _rendering_failed(self, error: StageError) -> WidgetFailure:
        binding = self._code.binding_of(self._model)
        return binding.failure or self._code.fail(self._model.widget_id, error.stage, error.error)


class ShownView(View):
    """A view at the top of a page, with a module behind it. Made by `Page.show`.

    Args:
        code: of the page.
        model: what it shows.
    """

    def __init__(self, code: PageCode, model: WidgetModel) -> None:
        super().__init__(model)
        self._code = code
        self._lifetime = AbortController(code.errors.append)
        self.cleanup = self._lifetime.abort
        self.failure: WidgetFailure | None = None
        """Why nothing is shown."""
        self._show()

    @property
    def exports(self) -> Any:
        """What `initialize` returned, if that is an object.

        Raises:
            AssertionError: it is not done, or failed.
        """
        ready = self._code.binding_of(self.model).ready
        if not ready.done():
            raise AssertionError(
                f"Expected widget {self.model.widget_id} to have initialized; it still waits. advance(seconds) lets "
                "time pass"
            )
        error = ready.exception()
        if error is not None:
            raise AssertionError(f"Expected widget {self.model.widget_id} to have initialized: {error!r}") from error
        return ready.result().exports

    @property
    def is_rendered(self) -> bool:
        """Whether `render` is done, and did not fail."""
        return self._rendering.rendered.done() and self.failure is None

    def _show(self) -> None:
        self.failure = None
        self.el = Element.root(self._code.start, self._code.errors.append)
        """The element that `render` got."""
        rendering = self._rendering = Rendering(
            self._code.binding_of(self.model), self.el, self._lifetime.signal, [self.model.widget_id], self._show
        )
        rendering.rendered.add_done_callback(lambda done: self._shown(rendering))

    def _shown(self, rendering: Rendering) -> None:
        error = rendering.rendered.exception()
        if isinstance(error, StageError) and not rendering.signal.aborted:
            binding = self._code.binding_of(self.model)
            self.failure = binding.failure or self._code.fail(self.model.widget_id, error.stage, error.error)
            self.el.replace_children(error_panel(self.failure))


def error_panel(failure: WidgetFailure) -> Element:
    """What a page shows in place of a widget that failed."""
    panel = Element("section", class_name="rdit-error")
    panel.append(f"Widget {failure.widget_id} failed ({failure.stage}): {failure.message}")
    return panel
