"""Where we deviate from the reference on purpose: the table.

What the reference would have to be like is in `client/tests/oracle/amendments.js`, as edits of its source under the
same names. A run on the reference with all of them behaves as our client does, and says which of them it met; what
differs then is a bug. A deviation is here with its reason, the line of the contract that it belongs to, and a small
program that shows it, with what comes of it on either side: `tests/test_deviations.py` runs each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from .programs import Program, Step

Place = Literal["page", "python"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One way in which we are not like the reference."""

    name: str
    lines: str
    """Of the contract."""
    is_marked: bool
    """Whether the contract itself calls it better. Otherwise its lines, read as they stand, ask for it."""
    reason: str
    program: Program
    place: Place
    """Where the example shows it: in what the page saw, or what Python received, at its last step."""
    theirs: Any
    ours: Any
    besides: tuple[str, ...] = ()
    """Others that the example meets on its way, by which the reference is amended on both sides."""


def _callback(*steps: Step, throws: bool = False) -> dict[str, Any]:
    return {"steps": list(steps), "limit": 1, "throws": throws}


def _program(*steps: Step, state: Mapping[str, Any] | None = None, **callbacks: dict[str, Any]) -> Program:
    start = {"a": 1, "b": [1], "c": {"k": [1]}, "d": None}
    return {"profile": "compat", "state": {**start, **(state or {})}, "callbacks": callbacks, "steps": list(steps)}


def _set(key: str, data: Any) -> Step:
    return ["set", "init", key, {"lit": data}]


def _on(event: str, callback: str = "f", hook: str = "init") -> Step:
    return ["on", hook, event, callback]


_SAVE: Final[Step] = ["save", "init"]
_DELIVER: Final[Step] = ["deliver"]
_MODEL: Final = {"$model": True}
_PART: Final = {"$part": ["AQIDBA==", 1, 3]}

DEVIATIONS: Final = (
    Deviation(
        "nested_set",
        "39",
        True,
        "A `set` or `save_changes` in a listener makes the reference forget that a `set` around it is not done: the "
        "plain `change` is lost, or comes too early.",
        _program(_on("change:a"), _on("change", "g"), _set("a", 2), f=_callback(_set("b", 3)), g=_callback()),
        "page",
        [["call", "f", _MODEL, 2, {}]],
        [["call", "f", _MODEL, 2, {}], ["call", "g", _MODEL, {}]],
    ),
    Deviation(
        "same_object",
        "32",
        True,
        "An object edited in place and set again is the same object to the reference, so it never sees a change.",
        _program(["mutate", "init", "b", "here", 2], ["set", "init", "b", {"same": "b"}], _SAVE, _DELIVER),
        "python",
        [],
        [["update", {"b": [1, 2]}]],
    ),
    Deviation(
        "edited_then_copied",
        "32",
        False,
        "An object edited in place and then set as an equal copy, `rows.push(1); model.set('rows', [...rows])`: "
        "compared with the edited object itself nothing changed, and the edit never reaches Python. We compare with "
        "what it was when it was handed out.",
        _program(["mutate", "init", "b", "here", 2], ["set", "init", "b", {"copy": "b"}], _SAVE, _DELIVER),
        "python",
        [],
        [["update", {"b": [1, 2]}]],
    ),
    Deviation(
        "undefined_is_null",
        "35",
        True,
        "`undefined` has no JSON form: the reference shows it and sends an update without the key.",
        _program(["set", "init", "a", {"undefined": True}], _SAVE, _DELIVER),
        "python",
        [["update", {}]],
        [["update", {"a": None}]],
    ),
    Deviation(
        "numbers_survive",
        "37",
        True,
        "NaN and infinities become `null` in the reference's JSON.",
        _program(_set("a", {"$number": "NaN"}), _SAVE, _DELIVER),
        "python",
        [["update", {"a": None}]],
        [["update", {"a": {"$number": "NaN"}}]],
    ),
    Deviation(
        "same_bytes",
        "37",
        False,
        "What was set as a `Uint8Array` comes back as a `DataView`: an equal update, for which the reference fires. "
        "A listener that saves bytes in turn would be told of its own edit, without end.",
        _program(_set("a", _PART), _SAVE, _on("change:a"), _DELIVER, f=_callback()),
        "page",
        [["call", "f", _MODEL, {"$bytes": "AgM="}, {}]],
        [],
        ("exact_bytes",),
    ),
    Deviation(
        "equal_update_keeps_object",
        "28, 37",
        False,
        "An equal update, such as the echo of one's own, replaces the stored object in the reference; whoever holds "
        "it edits what the model does not have any more. Which object it is would depend on when the answer came, "
        "and on whether the kernel echoes at all, which is a setting of it: no module can count on that.",
        _program(
            ["set", "init", "a", {"same": "b"}],
            _SAVE,
            _DELIVER,
            ["mutate", "init", "b", "here", 2],
            ["get", "init", "a"],
        ),
        "page",
        [["get", "a", [1]]],
        [["get", "a", [1, 2]]],
    ),
    Deviation(
        "python_over_unsaved",
        "38",
        True,
        "An edit that was not saved, and over which Python's value came, is sent by the next save all the same: what "
        "Python did last is undone.",
        _program(_set("a", 2), ["remote", [["a", 3]]], _SAVE, _DELIVER, ["get", "init", "a"]),
        "page",
        [["get", "a", 2]],
        [["get", "a", 3]],
    ),
    Deviation(
        "echo_over_unsaved",
        "38",
        False,
        "The echo of a saved edit is shown over the newer one that is not saved yet: the page jumps back under the "
        "user's hand.",
        _program(_set("a", 2), _SAVE, _set("a", 3), _DELIVER, ["get", "init", "a"]),
        "page",
        [["get", "a", 2]],
        [["get", "a", 3]],
    ),
    Deviation(
        "masked_while_pending",
        "38",
        False,
        "What Python sets while an edit of the same property is on its way to it will be overwritten by that edit. "
        "The reference shows it in between: a slider jumps away under the hand that drags it, and back. We show the "
        "edit.",
        _program(_set("a", 2), _SAVE, ["remote", [["a", 3]]], ["get", "init", "a"]),
        "page",
        [["get", "a", 3]],
        [["get", "a", 2]],
    ),
    Deviation(
        "equal_set_while_pending",
        "31, 38",
        False,
        "A value that is shown and not confirmed is set again: while the first edit may still be overtaken or "
        "refused, the second is the later word, and goes too. Otherwise who chooses what the page shows already "
        "would see another's value a moment later.",
        _program(_set("a", 2), _SAVE, _set("a", 2), _DELIVER, _SAVE, _DELIVER),
        "python",
        [],
        [["update", {"a": 2}]],
    ),
    Deviation(
        "set_back_in_listener",
        "39",
        False,
        "A listener that sets a key back to what it was before Python set it has changed nothing, as the reference "
        "counts: nothing is saved, and the page and Python differ from then on.",
        _program(_on("change:a"), ["remote", [["a", 2]]], _SAVE, _DELIVER, f=_callback(_set("a", 1))),
        "python",
        [],
        [["update", {"a": 1}]],
        ("nested_set",),
    ),
    Deviation(
        "remote_value_set_anew",
        "39",
        False,
        "While a listener of Python's update runs, an edit that happens to be the value that Python sent is not "
        "saved, although another one was saved before it: the user sees the one, and Python has the other.",
        _program(
            _on("change:a"), ["remote", [["a", 2]]], _DELIVER, f=_callback(_set("a", 3), _SAVE, _set("a", 2), _SAVE)
        ),
        "python",
        [["update", {"a": 3}]],
        [["update", {"a": 2}]],
        ("nested_set",),
    ),
    Deviation(
        "equal_set_in_listener",
        "31",
        False,
        "A control that is told of Python's value commonly sets it, as an equal list. Nothing has changed, but the "
        "reference sends it back: each page that shows the widget does, and undoes what Python has set since.",
        _program(
            _on("change:b"),
            ["remote", [["b", [2]]]],
            ["remote", [["b", [3]]]],
            _DELIVER,
            ["get", "init", "b"],
            f=_callback(_set("b", [2]), _SAVE),
        ),
        "page",
        [["get", "b", [2]]],
        [["get", "b", [3]]],
    ),
    Deviation(
        "present_value_is_saved",
        "52",
        False,
        "In a listener, `save_changes` sends what the key was to be saved as before, and sets the model back to "
        "that: the newer edit, of which the listener was told, is lost.",
        _program(_set("a", 2), _on("change"), _set("a", 3), ["get", "init", "a"], f=_callback(_SAVE)),
        "page",
        [["get", "a", 2]],
        [["get", "a", 3]],
    ),
    Deviation(
        "saved_in_listener",
        "52",
        False,
        "What a listener has saved is taken for unsaved when the `set` around it ends, if it is a list or a dict: "
        "the next save sends it again, over what Python has set since.",
        _program(
            _on("change"), _set("b", [2]), _DELIVER, ["remote", [["b", [3]]]], _SAVE, _DELIVER, f=_callback(_SAVE)
        ),
        "python",
        [["update", {"b": [2]}]],
        [],
        ("nested_set",),
    ),
    Deviation(
        "listener_throws",
        "48, 49",
        True,
        "A listener that throws stops the listeners after it, and the edit that it was told of is not saved.",
        _program(_on("change:a"), _on("change:a", "g"), _set("a", 2), f=_callback(throws=True), g=_callback()),
        "page",
        [["call", "f", _MODEL, 2, {}], ["throw", "f"], ["raised", "set"]],
        [["call", "f", _MODEL, 2, {}], ["throw", "f"], ["call", "g", _MODEL, 2, {}]],
    ),
    Deviation(
        "on_after_end",
        "50",
        False,
        "A listener added through the model of a view that has ended is never removed. A `render` that waits for "
        "something while its view goes would draw into an element that is gone for as long as the model lives, once "
        "more for each view that was ever shown.",
        _program(["end", "view2"], _on("change:a", hook="view2"), ["remote", [["a", 2]]], f=_callback()),
        "page",
        [["call", "f", _MODEL, 2, {}]],
        [],
    ),
    Deviation(
        "send_overtakes",
        "54",
        True,
        "A message overtakes an update that waits for the one before it.",
        _program(_set("a", 2), _SAVE, _set("b", 3), _SAVE, ["send", "init", {"n": 1}, "none", None], _DELIVER),
        "python",
        [["update", {"a": 2}], ["message", {"n": 1}, []], ["update", {"b": 3}]],
        [["update", {"a": 2, "b": 3}], ["message", {"n": 1}, []]],
    ),
    Deviation(
        "exact_bytes",
        "61",
        True,
        "Of a view of some bytes all the bytes behind it are sent.",
        _program(["send", "init", {"n": 1}, "none", [_PART]], _DELIVER),
        "python",
        [["message", {"n": 1}, [{"$bytes": "AQIDBA=="}]]],
        [["message", {"n": 1}, [{"$bytes": "AgM="}]]],
    ),
)

NAMES: Final = tuple(one.name for one in DEVIATIONS)

BYTES_ARE_VALUES: Final = "bytes_are_values"
"""Where Python's mirror cannot be like the page: its bytes have neither a kind of view nor anything to edit in place.
The client, run with a copy wherever the very bytes are set again, then does what the mirror does."""
