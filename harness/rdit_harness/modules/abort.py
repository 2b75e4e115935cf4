"""AbortSignal and AbortController: the one lifetime of whatever a widget's code sets up.

As in a browser, with Python's names; the browser's spelling (`throwIfAborted`, `addEventListener`) is understood. A
callback that is added to a signal which is aborted already is never called: ask `aborted` first. Callbacks run in the
order in which they came, once, and get no argument; one that raises stops none of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from .spelling import JsSpelling

Listener = Callable[[], object]


class AbortError(Exception):
    """The reason of an abort for which none was given."""

    def __init__(self, message: str = "This operation was aborted") -> None:
        super().__init__(message)


class AbortSignal(JsSpelling):
    """Whether something is over, and who wants to know. Made by `AbortController`, `AbortSignal.any` and `.abort`."""

    def __init__(self, on_error: Callable[[Exception], object] | None = None) -> None:
        self.aborted = False
        self.reason: Any = None
        self._callbacks: dict[object, Listener] = {}
        self._named: dict[Listener, Callable[[], None]] = {}
        self._on_error = on_error

    @classmethod
    def any(cls, signals: Iterable[AbortSignal]) -> AbortSignal:
        """A signal that aborts with the first of these."""
        sources = list(signals)
        either = cls(next((one._on_error for one in sources if one._on_error is not None), None))

        def follow(source: AbortSignal) -> None:
            if source.aborted:
                either._abort(source.reason)
            elif not either.aborted:
                # It lets go of the others: a signal that lives long keeps nothing of what ended before it.
                either.on_abort(source.on_abort(lambda: either._abort(source.reason)))

        for source in sources:
            follow(source)
        return either

    @classmethod
    def abort(cls, reason: Any = None) -> AbortSignal:
        """A signal that is aborted."""
        signal = cls()
        signal._abort(reason)
        return signal

    def on_abort(self, callback: Listener) -> Callable[[], None]:
        """Have `callback` called when it aborts.

        Returns:
            What takes the callback back.
        """
        key = object()
        if not self.aborted:
            self._callbacks[key] = callback

        def remove() -> None:
            self._callbacks.pop(key, None)

        return remove

    def add_event_listener(self, type: str, callback: Listener, options: Any = None, *, once: bool = True) -> None:
        """The browser's way to say `on_abort`. It happens once, whatever `once` says."""
        _only_abort(type)
        self._named[callback] = self.on_abort(callback)

    def remove_event_listener(self, type: str, callback: Listener) -> None:
        """Take back what `add_event_listener` was given."""
        _only_abort(type)
        remove = self._named.pop(callback, None)
        if remove is not None:
            remove()

    @property
    def error(self) -> BaseException:
        """The reason as an exception."""
        return self.reason if isinstance(self.reason, BaseException) else AbortError(str(self.reason))

    def throw_if_aborted(self) -> None:
        """Raise the reason if it is aborted; an `AbortError` where the reason is no exception."""
        if self.aborted:
            raise self.error

    def _abort(self, reason: Any) -> None:
        if self.aborted:
            return
        self.aborted = True
        self.reason = AbortError() if reason is None else reason
        callbacks, self._callbacks = self._callbacks, {}
        first: Exception | None = None
        for callback in callbacks.values():
            try:
                callback()
            except Exception as error:
                if self._on_error is not None:
                    self._on_error(error)
                else:
                    first = first or error
        if first is not None:
            raise first


def _only_abort(type: str) -> None:
    if type != "abort":
        raise ValueError(f"Expected the event 'abort', the only one of a signal, got {type!r}")


class AbortController(JsSpelling):
    """Ends what has its `signal`.

    Args:
        on_error: told what callbacks of the signal raise. Without it `abort` raises the first, when all have run.
    """

    def __init__(self, on_error: Callable[[Exception], object] | None = None) -> None:
        self.signal = AbortSignal(on_error)

    def abort(self, reason: Any = None) -> None:
        """Abort the signal, for this reason; an `AbortError` by default. Only the first time counts."""
        self.signal._abort(reason)
