"""The contract of a host of anywidgets, as data: one observable behaviour per line.

AFM (anywidget's front-end modules) says what a widget's module may export, and leaves much of what it can expect to its
reference implementation, the npm package `anywidget` 0.11 on `@jupyter-widgets/base` 6. A line here says what this
project's hosts do; `better` says where that is on purpose not what the reference does, and why. The path is a line's
stable name, for suites that ask a host line by line.

The numbers are what tests name: `[afm 46]` in the title of a test in JavaScript, `@pytest.mark.afm(46)` in Python.
`python -m scripts.host_contract` collects them into `docs/host-contract.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MODULE: Final = "is about a module in JavaScript, and the mirror runs modules in Python"
"""Why the mirror cannot show a line."""

DOCUMENT: Final = "needs a document"
"""Why the mirror cannot show a line: styles and elements."""

PYTHON: Final = "is the Python end's alone"
"""Why a page cannot show a line."""


@dataclass(frozen=True, slots=True)
class Line:
    """One observable behaviour of a host."""

    number: int | str
    """What tests name. Those with a J are about the Python side of the widget protocol."""
    path: str
    """Stable: `afm/<chapter>/<behaviour>`."""
    says: str
    better: str | None = None
    """Why it is not what the reference implementation does. None: it is, or the reference says nothing."""
    not_in_client: str | None = None
    """Why no test of the browser side shows it."""
    not_in_mirror: str | None = None
    """Why no test of the Python mirror shows it."""
    missing: str | None = None
    """What of it this project does not do yet."""


CHAPTERS: Final = {
    "load": "Loading",
    "initialize": "`initialize`",
    "render": "`render`",
    "model": "`get` and `set`",
    "events": "Events",
    "send": "`save_changes` and `send`",
    "binary": "Binary",
    "invoke": "`experimental.invoke`",
    "host": "`host` and composition",
    "python": "The Python side",
}
"""The second part of a path, and its heading, in order."""


LINES: Final = (
    Line(
        1,
        "afm/load/url-or-text",
        "`_esm` that starts with http:// or https:// is an address; all else is a module's text.",
    ),
    Line(
        2,
        "afm/load/default-export-forms",
        "The default export is an object, or a function, possibly async, that gives one; it is called once per model.",
    ),
    Line(
        3,
        "afm/load/instance-per-model",
        "Each model has a module instance to itself: a variable at the top of the module belongs to one widget.",
    ),
    Line(
        4,
        "afm/load/named-render",
        "A module with a named `render` and no default is shown, with a warning; a named `initialize` is passed over.",
        not_in_mirror=MODULE,
    ),
    Line(
        5,
        "afm/load/nothing-exported",
        "A module that exports no widget fails to load, and the error states what it should export.",
    ),
    Line(
        6,
        "afm/load/either-hook-is-enough",
        "One of `initialize` and `render` will do; without `render` a view is empty.",
    ),
    Line(
        7,
        "afm/load/failure-is-shown-and-told",
        "A module that does not load is an error panel in its view and a report to Python; other widgets live on.",
        better="A blank place and a line in the console help nobody who looks at the page.",
    ),
    Line(
        8,
        "afm/load/css-once",
        "A style sheet, text or address, is in the page once, follows `_css`, and goes with its last view. It holds "
        "for the page; `scopeCss` confines it to the widget's element.",
        better="Sheets that stay pile up, and one widget's rules change another's looks.",
        not_in_mirror=DOCUMENT,
    ),
    Line(
        9,
        "afm/load/reload-in-place",
        "When `_esm` or `_css` changes, or the file that it is, the new code or style takes over in the same place; "
        "the state stays.",
    ),
    Line(
        10,
        "afm/initialize/once-before-views",
        "`initialize` runs once per model and version of its code, and no view starts before it is done.",
    ),
    Line(
        11,
        "afm/initialize/props",
        "It is given `model`, `signal` and `experimental`: no element, no `host`.",
    ),
    Line(
        12,
        "afm/initialize/cleanup-or-exports",
        "A function that it returns is its cleanup; an object is what the widget exports; anything else is nothing.",
    ),
    Line(
        13,
        "afm/initialize/signal-and-late-cleanup",
        "Its signal aborts with the model or the version of the code, and the cleanup runs, however late it comes.",
    ),
    Line(
        14,
        "afm/initialize/listeners-go",
        "What its `model` listens to is dropped with it.",
    ),
    Line(
        15,
        "afm/initialize/messages-are-held",
        "Custom messages that come too early wait until it is done, and keep their order.",
    ),
    Line(
        16,
        "afm/initialize/no-time-limit",
        "However long loading takes, the model is in sync afterwards, in both directions.",
        better="The reference gives a model up after 2 s, for good: a slow network makes a dead widget.",
    ),
    Line(
        17,
        "afm/initialize/failure",
        "If it throws, each view shows why, `host.getWidget` rejects without delay, and Python hears of it.",
        better="The reference has whoever waits wait until a time limit.",
    ),
    Line(18, "afm/render/once-per-view", "`render` runs once for each view. Views have one model and an element each."),
    Line(
        19,
        "afm/render/props",
        "It is given `model`, `el`, `signal`, `host` and `experimental`.",
    ),
    Line(
        20,
        "afm/render/element",
        "A view at the top of the page starts with an empty element. A child's starts with what its parent put there.",
    ),
    Line(
        21,
        "afm/render/async-and-cleanup",
        "It may be async, and may return a cleanup, which may be async too.",
    ),
    Line(
        22,
        "afm/render/signal",
        "Its signal aborts when the view ends, the model is closed, or the code is replaced.",
    ),
    Line(
        23,
        "afm/render/ended-while-pending",
        "A view that ends before its async `render` is done is cleaned up when it is.",
    ),
    Line(
        24,
        "afm/render/cleanup-errors-and-destroy",
        "An error in a cleanup goes to the log and to Python and stops nothing. `destroy` beside `render` is called.",
    ),
    Line(
        25,
        "afm/render/old-before-new",
        "Replaced code is cleaned up before its successor starts; one that hangs is waited for 5 s.",
        better="Two versions that hold one resource at a time disturb each other.",
    ),
    Line(
        26,
        "afm/render/present-state",
        "What there is when it runs is read with `get`; listeners are for what comes after.",
    ),
    Line(27, "afm/model/get-unknown", "An unknown key is `undefined`; in the mirror, `None`."),
    Line(28, "afm/model/get-is-no-copy", "`get` hands out the very object that the model holds."),
    Line(29, "afm/model/set-is-seen-at-once", "`get` after `set` gives the new value, saved or not."),
    Line(30, "afm/model/set-fires", "`set` fires `change:<key>` and then one plain `change` before it returns."),
    Line(
        31,
        "afm/model/equal-is-no-change",
        "A value of equal content, in another object or a primitive, fires and saves nothing.",
    ),
    Line(
        32,
        "afm/model/same-object-is-a-change",
        "An array or object that is set again counts as changed.",
        better="Widgets edit what `get` gave them and set it back; compared with itself, it never changes.",
    ),
    Line(
        33,
        "afm/model/undeclared",
        "A key that Python does not have is shown, kept and sent. Python refuses it by name (`unknown_property`), and "
        "the page warns once.",
        better="Nobody is told otherwise that the value went nowhere.",
    ),
    Line(34, "afm/model/set-object", "`set({...})` sets several keys, with one warning: it is not in AFM's types."),
    Line(
        35,
        "afm/model/undefined-is-null",
        "`undefined` is stored as `null`, with one warning; `null` is Python's `None`, both ways.",
        better="JSON has no `undefined`: it would vanish on the way.",
    ),
    Line(
        36,
        "afm/model/remote-updates-are-atomic",
        "What Python changes together is all stored before the first listener runs; those of it that are bytes are "
        "told of last.",
    ),
    Line(
        37,
        "afm/model/equal-updates-and-odd-numbers",
        "An update that changes nothing fires nothing. NaN and the infinities cross both ways.",
        better="Strict JSON has no such numbers: elsewhere they become null, or an error.",
    ),
    Line(
        38,
        "afm/model/unsaved-loses",
        "An edit that is not saved gives way to a later value of Python's, and is not sent.",
        better="It was made on top of a value that is gone; sent later, it would undo what came between.",
    ),
    Line(
        39,
        "afm/model/nested-set",
        "A listener may `set` and save; a plain `change` follows what it did.",
        better="The reference forgets it when the inner `set` comes at the wrong moment.",
    ),
    Line(
        40,
        "afm/model/own-names",
        "`_css` and `_model_*` are state like any other; `_esm` gives the module's address where there is one.",
        better="A module's text would travel once per model.",
        missing="The mirror has no `_esm`.",
    ),
    Line(41, "afm/events/names", "There are `change:<key>`, `change` and `msg:custom`."),
    Line(
        42,
        "afm/events/arguments",
        "Callbacks of changes get nothing in the profile `strict`, and `(model, value, options)` in `compat`.",
    ),
    Line(
        43,
        "afm/events/message",
        "`msg:custom` gives the content and a list of buffers: DataViews, in the mirror memoryviews.",
    ),
    Line(44, "afm/events/registered-twice", "A callback runs as often as it was registered."),
    Line(
        45,
        "afm/events/several-names-and-all",
        "Several names in one text, and `all`, work; the profile `strict` warns of them.",
    ),
    Line(
        46,
        "afm/events/off-is-ones-own",
        "`off`, with or without arguments, drops listeners of the hook that calls it, and no other's.",
    ),
    Line(
        47,
        "afm/events/off-during-emit",
        "A callback that is removed in the middle of a round still has its turn in it.",
    ),
    Line(
        48,
        "afm/events/throwing-listener-remote",
        "When a change comes from Python, a listener that throws keeps it from no other; the error is told to Python.",
        better="In the reference the listeners behind it miss the change.",
    ),
    Line(
        49,
        "afm/events/throwing-listener-local",
        "When `set` fires, a listener that throws stops neither the others nor the save after it.",
        better="In the reference the edit is never saved.",
    ),
    Line(50, "afm/events/listeners-go", "Listeners go with the view, model or version of the code that added them."),
    Line(
        51,
        "afm/events/listeners-of-get-model",
        "So do listeners on a model from `host.getModel`.",
    ),
    Line(
        52,
        "afm/send/save-is-one-update",
        "`save_changes` sends what changed as one update, and nothing if nothing did.",
    ),
    Line(53, "afm/send/pace", "The first update leaves at once; while two are unanswered, later ones become one."),
    Line(
        54,
        "afm/send/ordered-with-state",
        "A message arrives behind the updates that were saved before it.",
        better="In the reference it overtakes them, and its handler reads old state.",
    ),
    Line(
        55, "afm/send/arguments", "`send(content, callbacks, buffers)` takes anything for `callbacks`, and no buffers."
    ),
    Line(
        56,
        "afm/send/offline",
        "Without a connection edits and messages wait, within stated bounds; what is given up is said.",
        better="Others drop it silently.",
    ),
    Line(
        57,
        "afm/send/snapshot",
        "What is sent is what was saved, whatever becomes of the object. Functions are refused, `toJSON` is used.",
    ),
    Line(
        58,
        "afm/send/autosave",
        "With `autosave`, and in the class `WidgetModel`, `set` sends by itself, before the listeners run.",
    ),
    Line(59, "afm/binary/from-python", "Bytes of Python's, at any depth, are DataViews in the same place."),
    Line(
        60,
        "afm/binary/from-page",
        "Any view or buffer, at any depth, is bytes-like in Python, and can be written to a `traitlets.Bytes`.",
        better="Elsewhere that trait is given a memoryview, and refuses it without a word.",
    ),
    Line(
        61,
        "afm/binary/own-bytes",
        "A view of a part of a buffer sends that part.",
        better="The reference sends all of the buffer.",
    ),
    Line(62, "afm/binary/empty", "An empty buffer stays one."),
    Line(
        63,
        "afm/binary/message-buffers",
        "The buffers of a message are beside its content and have nothing to do with the state.",
    ),
    Line(
        64,
        "afm/invoke/form",
        'A question is a message `{id, kind: "anywidget-command", name, msg}`; it resolves to `[response, buffers]`.',
    ),
    Line(
        65,
        "afm/invoke/limits",
        "It ends with the caller's signal, or after `timeoutMs` (3 s; `invokeTimeoutMs` for a page). A signal that is "
        "aborted already sends nothing.",
        better="The reference asks Python all the same.",
    ),
    Line(
        66,
        "afm/invoke/errors",
        "What fails in Python rejects with what it was and a stable `code`; async commands are awaited; the message "
        "may be left out.",
        better="The reference lets the caller wait until the time limit.",
    ),
    Line(
        67,
        "afm/invoke/overrides",
        "A command that a subclass overrides is the subclass's.",
        better="In the reference the base class wins.",
        not_in_client=PYTHON,
    ),
    Line(
        68,
        "afm/invoke/descriptors",
        "Commands work for objects with a descriptor as well.",
        better="The reference has none there.",
        not_in_client=PYTHON,
    ),
    Line(
        69,
        "afm/host/reference",
        "A child is the text `anywidget:<widget id>`; `IPY_MODEL_<id>` means the same.",
    ),
    Line(
        70,
        "afm/host/get-widget",
        "`host.getWidget` waits until the child has started and gives its `exports` and a `render({el, signal})`.",
    ),
    Line(
        71,
        "afm/host/bad-references",
        "What is no reference, names no widget or names one that failed rejects with the reference in the text; a "
        "widget that is not open yet is waited for.",
    ),
    Line(
        72,
        "afm/host/child-lifetime",
        "A child's view ends with its parent's at the latest. Its `host` is its own.",
        better="With its parent's `host`, what it looked up would outlive it.",
    ),
    Line(
        73,
        "afm/host/get-model",
        "`host.getModel` gives a model for the asking view alone; `model.widget_manager.get_model` takes an id.",
    ),
    Line(
        74, "afm/host/reassigned-slot", "Another widget in a trait is a change of that trait, with the new reference."
    ),
    Line(
        75,
        "afm/host/circle",
        "A widget that would contain itself is an error that shows the way round.",
        better="In the reference it hangs.",
    ),
    Line(
        76,
        "afm/host/always-there",
        "Where a page cannot find other widgets, `host` is there and its methods say so.",
        not_in_mirror="has pages that can always find other widgets",
    ),
    Line(
        77,
        "afm/host/nested-widgets",
        "A widget anywhere in a value, in lists and dicts too, is sent as a reference.",
        better="In the reference it takes a serializer per trait.",
        not_in_client=PYTHON,
    ),
    Line("J1", "afm/python/layout", "The keys of `layout` style the view's element, `_dom_classes` and `tooltip` too."),
    Line(
        "J2",
        "afm/python/hold-sync",
        "`hold_sync` makes one update at its outermost end, whatever ended it. Messages are not held.",
        not_in_client=PYTHON,
    ),
    Line(
        "J3",
        "afm/python/equal-assignment",
        "An equal assignment says nothing. What an observer sets comes in the same update or the next.",
        not_in_client=PYTHON,
    ),
    Line(
        "J4",
        "afm/python/widget-methods",
        "Serializers of a trait, `add_traits` on an open widget, `send_state`, `on_msg` and `close` work; a closed "
        "widget stays usable.",
        not_in_client=PYTHON,
    ),
    Line(
        "J5",
        "afm/python/ownership",
        "A manager that lets a widget go leaves no reference to it.",
        better="ipywidgets keeps each widget until the process ends.",
        not_in_client=PYTHON,
    ),
    Line(
        "J6",
        "afm/python/descriptor-writes",
        "An object with a descriptor is written in its declared fields alone, and by its own library's rules.",
        better="anywidget's descriptor sets any attribute.",
        not_in_client=PYTHON,
    ),
)
"""All lines, in order."""
