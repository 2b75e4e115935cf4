"""The state machines of `rdit/1`, as tables.

`TABLE[state][event]` is the next state; a pair that is not there is an illegal step, which is a mistake of ours or of
whoever drives the object, never of the peer. PROTOCOL.md draws its diagrams from these tables, and a test compares.

What a peer may get wrong (a second hello, a frame after a close) is decided where the frame is read; the tables say
only where a connection, a session or a widget is in its life.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from .errors import LocalProtocolError

ServerState = Literal["hello", "syncing", "live", "closing", "closed"]
ServerStep = Literal["welcomed", "synced", "close", "eof"]

SERVER: Final[Mapping[ServerState, Mapping[ServerStep, ServerState]]] = {
    "hello": {"welcomed": "syncing", "close": "closing", "eof": "closed"},
    "syncing": {"synced": "live", "close": "closing", "eof": "closed"},
    "live": {"close": "closing", "eof": "closed"},
    "closing": {"eof": "closed"},
    "closed": {},
}
"""The server's end of one connection. `syncing` until the first `sync` is cut, `closing` until the transport ended."""

ClientState = Literal["idle", "connecting", "hello_sent", "syncing", "live", "suspect", "backoff", "closed", "failed"]
ClientStep = Literal["start", "opened", "welcomed", "synced", "silence", "lost", "suspend", "retry", "refused", "leave"]

CLIENT: Final[Mapping[ClientState, Mapping[ClientStep, ClientState]]] = {
    "idle": {"start": "connecting", "leave": "closed"},
    "connecting": {
        "opened": "hello_sent",
        "lost": "backoff",
        "suspend": "backoff",
        "refused": "failed",
        "leave": "closed",
    },
    "hello_sent": {
        "welcomed": "syncing",
        "silence": "suspect",
        "lost": "backoff",
        "suspend": "backoff",
        "refused": "failed",
        "leave": "closed",
    },
    "syncing": {
        "synced": "live",
        "silence": "suspect",
        "lost": "backoff",
        "suspend": "backoff",
        "refused": "failed",
        "leave": "closed",
    },
    "live": {"silence": "suspect", "lost": "backoff", "suspend": "backoff", "refused": "failed", "leave": "closed"},
    "suspect": {"lost": "backoff", "suspend": "backoff", "refused": "failed", "leave": "closed"},
    "backoff": {"retry": "connecting", "refused": "failed", "leave": "closed"},
    "closed": {},
    "failed": {},
}
"""The client's end. `suspect`: the transport is silent or out of step, and is being ended. `backoff`: it waits."""

SessionState = Literal["attached", "detached", "gone"]
SessionStep = Literal["resumed", "lost", "bye", "expired"]

SESSION: Final[Mapping[SessionState, Mapping[SessionStep, SessionState]]] = {
    "attached": {"lost": "detached", "bye": "gone"},
    "detached": {"resumed": "attached", "expired": "gone"},
    "gone": {},
}
"""One page load, as the server remembers it."""

WidgetState = Literal["open", "closed"]
WidgetStep = Literal["close"]

WIDGET: Final[Mapping[WidgetState, Mapping[WidgetStep, WidgetState]]] = {
    "open": {"close": "closed"},
    "closed": {},
}
"""One incarnation of a widget id. The same id opened again is another incarnation, with another `inst`."""

PAGE_STATES: Final[Mapping[ClientState, str]] = {
    "idle": "connecting",
    "connecting": "connecting",
    "hello_sent": "connecting",
    "syncing": "connecting",
    "live": "live",
    "suspect": "offline",
    "backoff": "offline",
    "closed": "closed",
    "failed": "failed",
}
"""What a page shows for each state of its client."""


def server_step(state: ServerState, step: ServerStep) -> ServerState:
    """The state that follows. Raises `LocalProtocolError` for an illegal step."""
    try:
        return SERVER[state][step]
    except KeyError:
        raise LocalProtocolError(f"A server connection that is {state} cannot take {step!r}") from None


def client_step(state: ClientState, step: ClientStep) -> ClientState:
    """The state that follows. Raises `LocalProtocolError` for an illegal step."""
    try:
        return CLIENT[state][step]
    except KeyError:
        raise LocalProtocolError(f"A client that is {state} cannot take {step!r}") from None


def session_step(state: SessionState, step: SessionStep) -> SessionState:
    """The state that follows. Raises `LocalProtocolError` for an illegal step."""
    try:
        return SESSION[state][step]
    except KeyError:
        raise LocalProtocolError(f"A session that is {state} cannot take {step!r}") from None
