"""The worked examples of PROTOCOL.md: both ends of the core talk, and what crosses the wire is written down.

So an example cannot say what the code does not do. Nothing here is random: ids, epochs and secrets are counted.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import traitlets

from rdit_core import TRUSTED, ClientConnection, Limits, ServerConnection, WidgetManager
from rdit_core.encoding import EncodedValue, encode
from rdit_core.frames import encode_frame
from rdit_core.messages import Batch, MsgOp

_MAX = 100
_WIDTH = 120
_BYTES_A_LINE = 16


class Slider(traitlets.HasTraits):
    """What the examples are about: a value that is clamped to 100."""

    _esm = traitlets.Unicode("export default {}").tag(sync=True)
    value = traitlets.Int(40).tag(sync=True)
    label = traitlets.Unicode("Speed").tag(sync=True)

    @traitlets.validate("value")
    def _clamp(self, proposal: Any) -> int:
        return min(int(proposal["value"]), _MAX)

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        pass


Slider.__module__ = "demo"


class Stage:
    """A server, its tabs, and the record of what they say."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._tokens = itertools.count(1)
        self._epochs = itertools.count(1)
        self.start_server()

    def start_server(self) -> None:
        """A new process: a new manager with a new epoch, and the same widget under the same id."""
        self.slider = Slider()
        self.manager = WidgetManager(
            epoch=f"epoch-{next(self._epochs)}",
            tokens=lambda: f"token-{next(self._tokens)}",
            esm_url=lambda text: "/esm/ab12.js",
        )
        self.manager.register("3.0", self.slider)

    def note(self, text: str) -> None:
        """A line that is no frame."""
        self.lines.append(f"# {text}")

    def block(self) -> str:
        """The record, as Markdown."""
        return "\n".join(["```text", *self.lines, "```"])


class Tab:
    """A client, and the server's end of its connection."""

    def __init__(self, stage: Stage, name: str = "") -> None:
        self._stage = stage
        self._name = f"{name} " if name else ""
        self.client = ClientConnection(limits=Limits(), random=lambda: 0.0)
        self.client.start(0.0)
        self._server: ServerConnection | None = None

    def dial(self) -> None:
        """Connect, now or again."""
        if self.client.state == "backoff":
            self.client.hint_online(0.0)
        self._server = self._stage.manager.connect(TRUSTED, mode="v1")
        self.client.opened(0.0)

    def cut(self) -> None:
        """The connection is lost; both ends notice."""
        assert self._server is not None
        self._server.receive_eof(0.0)
        self._server = None
        self.client.receive_eof(0.0, 1006)

    def set(self, name: str, value: Any) -> None:
        """What a widget's own code does on a user's behalf."""
        model = self.client.get_model("3.0")
        model.set(name, value)
        model.save_changes()

    def shown(self, name: str = "value") -> Any:
        """What the page shows."""
        return self.client.get_model("3.0").peek(name)

    def say(self, *, is_lost: bool = False) -> bool:
        """Send what the client has to say. Returns whether that was anything."""
        assert self._server is not None
        frames = self.client.frames_to_send(0.0)
        for frame in frames:
            self._write("C", frame, is_lost)
            if not is_lost:
                self._server.receive_frame(frame, 0.0)
        return bool(frames)

    def hear(self, *, is_lost: bool = False) -> bool:
        """The same for the server, which runs what came in first."""
        assert self._server is not None
        self._stage.manager.apply_pending()
        frames = self._server.frames_to_send(0.0)
        for frame in frames:
            self._write("S", frame, is_lost)
            if not is_lost:
                self.client.receive_frame(frame, 0.0)
        return bool(frames)

    def talk(self) -> None:
        """Until nobody has anything to say."""
        while self.say() or self.hear():
            pass

    def _write(self, who: str, frame: str | bytes, is_lost: bool) -> None:
        assert isinstance(frame, str), "the examples hold no buffers"
        note = ["# that frame never arrives"] if is_lost else []
        self._stage.lines += [*_folded(f"{self._name}{who} {frame}"), *note]


def _folded(line: str) -> Iterator[str]:
    """A long line in several, the later ones indented. No text in the examples holds a comma followed by a quote."""
    while len(line) > _WIDTH:
        at = max(line.rfind(mark, 8, _WIDTH) for mark in (',"', ",{", ",["))
        if at < 0:
            break
        yield line[: at + 1]
        line = f"    {line[at + 1 :]}"
    yield line


def _connected(stage: Stage, name: str = "") -> Tab:
    tab = Tab(stage, name)
    tab.dial()
    tab.talk()
    return tab


def _quietly_connected(stage: Stage, name: str = "") -> Tab:
    """With the talk of the beginning left out of the record."""
    tab = _connected(stage, name)
    stage.lines.clear()
    return tab


def connect(stage: Stage) -> None:
    """A page comes for the first time."""
    _connected(stage)


def edit(stage: Stage) -> None:
    """One edit, and one of Python's."""
    tab = _quietly_connected(stage)
    tab.set("value", 70)
    tab.talk()
    stage.note("Python: slider.label = 'Pace'")
    stage.slider.label = "Pace"
    tab.talk()


def clamp(stage: Stage) -> None:
    """A clamp to the value that stands notifies nobody; the ack alone heals the page."""
    stage.slider.value = _MAX
    tab = _quietly_connected(stage)
    tab.set("value", 120)
    stage.note(f"the page shows {tab.shown()}")
    tab.talk()
    stage.note(f"the page shows {tab.shown()}")


def refusal(stage: Stage) -> None:
    """An edit that the trait does not take."""
    tab = _quietly_connected(stage)
    tab.set("value", "seventy")
    tab.talk()
    event = tab.client.events_received()[-1]
    stage.note(f"the page shows {tab.shown()}, and is told: {event.code}")  # type: ignore[union-attr]  # EditRefused


def two_tabs(stage: Stage) -> None:
    """Two pages edit one slot at a time."""
    first, second = _connected(stage, "A"), _connected(stage, "B")
    stage.lines.clear()
    first.set("value", 10)
    second.set("value", 20)
    first.say()
    second.say()
    stage.note(f"A shows {first.shown()}, B shows {second.shown()}; both batches are applied, A's first")
    first.hear()
    second.hear()
    first.talk()
    second.talk()
    stage.note(f"A shows {first.shown()}, B shows {second.shown()}; nobody was shown anything between")


def resume(stage: Stage) -> None:
    """The ack is lost with the connection, then an edit is."""
    stage.slider.value = _MAX
    tab = _quietly_connected(stage)
    tab.set("value", 120)
    tab.say()
    tab.hear(is_lost=True)
    stage.note("the connection is lost, the page dials again")
    tab.cut()
    tab.dial()
    tab.talk()
    stage.note(f"batch 1 is done and is not sent again; the page shows {tab.shown()}")
    tab.set("value", 50)
    tab.say(is_lost=True)
    stage.note("the connection is lost, the page dials again")
    tab.cut()
    tab.dial()
    tab.talk()


def expiry(stage: Stage) -> None:
    """The session is forgotten while an edit is under way, and somebody else writes meanwhile."""
    tab = _quietly_connected(stage)
    tab.set("value", 70)
    tab.say(is_lost=True)
    tab.cut()
    stage.note("three minutes pass: the session is gone. Python: slider.value = 5")
    stage.manager.handle_timeout(180.0)
    stage.slider.value = 5
    tab.dial()
    tab.talk()
    stage.note(f"the page shows {tab.shown()}, and is told: conflict")


def restart(stage: Stage) -> None:
    """Another process answers, with the same widget under the same id."""
    tab = _quietly_connected(stage)
    tab.cut()
    tab.set("value", 70)
    stage.note("the page is offline and has an edit, the server is started anew")
    stage.start_server()
    tab.dial()
    tab.talk()


EXAMPLES: dict[str, Callable[[Stage], None]] = {
    "connect": connect,
    "edit": edit,
    "clamp": clamp,
    "refusal": refusal,
    "two-tabs": two_tabs,
    "resume": resume,
    "expiry": expiry,
    "restart": restart,
}


def played(name: str) -> str:
    """One example, as Markdown."""
    stage = Stage()
    EXAMPLES[name](stage)
    return stage.block()


def binary_frame() -> bytes:
    """The frame of the byte-level example: a custom message with one buffer beside it."""
    content, buffer = encode({"at": float("nan")}), EncodedValue(b"null", buffers=(((), b"\x01\x02\x03"),))
    message = Batch(1, [MsgOp("w", 7, {"at": None}, [None])])
    frame = encode_frame(message, [(("ops", 0, "content"), content), (("ops", 0, "buffers", 0), buffer)])
    assert isinstance(frame, bytes)
    return frame


def dumped() -> str:
    """That frame in hexadecimal, as Markdown."""
    frame = binary_frame()
    lines = []
    for at in range(0, len(frame), _BYTES_A_LINE):
        row = frame[at : at + _BYTES_A_LINE]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:4d}  {row.hex(' '):<{3 * _BYTES_A_LINE}} {text}")
    return "\n".join(["```text", *lines, "```"])
