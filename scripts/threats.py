"""What somebody might try against a server of rdit, as data: one attempt per row.

The numbers are what tests name: `@pytest.mark.threat(12)`, or `[threat 12]` at the end of a title in JavaScript.
`python -m scripts.security_page` collects them into `docs/security.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Threat:
    """One attempt, and what comes of it."""

    number: int
    chapter: str
    tries: str
    """Who tries what."""
    answer: str
    """What rdit does about it."""


CHAPTERS: Final = {
    "in": "Getting in",
    "session": "Somebody else's session",
    "write": "Writing what is not one's own to write",
    "frame": "Frames that are none",
    "load": "Too much, too slowly, for ever",
    "page": "The page",
    "told": "Code and words",
}
"""A chapter's key and its heading, in order."""


THREATS: Final = (
    Threat(
        1,
        "in",
        "A page of another site opens the WebSocket from the visitor's browser, which has the cookie.",
        "The `Origin` must be ours or one that was allowed. If not, the answer is 403 before the WebSocket is "
        "open; there is no connection and no session.",
    ),
    Threat(
        2,
        "in",
        "An origin that looks like ours: ours as a part of the name, another port or scheme, other letters, two "
        "headers.",
        "Scheme, host and port are compared as wholes with what a browser would write. `null`, a list, two "
        "headers and every other spelling are foreign.",
    ),
    Threat(
        3,
        "in",
        "A request without `Origin` that relies on the cookie.",
        "Where something changes, and on the WebSocket, it is refused. It may be missing beside a token that no "
        "browser sends by itself: `Authorization`, or the offered subprotocol.",
    ),
    Threat(
        4,
        "in",
        "A name of the attacker's that leads to this machine, so that the browser takes us for the attacker's own "
        "server.",
        "The `Host` must be one of our names: those of loopback, the address that was asked for, the public one. "
        "It is the first thing that is looked at.",
    ),
    Threat(
        5,
        "in",
        "A made-up `Host` or `X-Forwarded-*` that turns a foreign origin into our own.",
        "Our origins follow from the server's own address, never from the request. Nothing goes by forwarding headers.",
    ),
    Threat(
        6,
        "in",
        "A route that the check forgot, or a check that knows HTTP and not WebSocket.",
        "The gate is plain ASGI around the whole application, files of the page and widgets' code included. The one "
        "exception is `/healthz`, for monitors, which have no token: it says whether the server serves and nothing "
        "else, and host and origin are checked there too. Nothing that the gate did not let through has a verdict, "
        "and the core connects nobody without one. The test asks the application for its routes.",
    ),
    Threat(
        7,
        "in",
        "Guessing the token, and learning from the answers.",
        "It has 256 random bits. Each wrong one gets the same words, and is compared whole in constant time; the "
        "browser's page and a script's answer differ in form only.",
    ),
    Threat(
        8,
        "in",
        "Finding the token in an address, a log, a `Referer` or an error.",
        "The printed address gives a cookie (`HttpOnly`, `SameSite=Strict`, the port in its name) and leads away "
        "from itself. No answer repeats the token, pages send no `Referer`, and log lines of the web server are "
        "scrubbed of both its forms. The ready line is the one place that shows it.",
    ),
    Threat(
        9,
        "in",
        "Staying when the token is not valid any more.",
        "`create_app` takes a function in place of the rules. Each request is judged by the present ones; a "
        "WebSocket is asked about again every `recheck_s` (60 s) and closed with 4500, the stream of results at "
        "its next event.",
    ),
    Threat(
        29,
        "in",
        "Having the visitor use a session or a token of the attacker's choosing.",
        "Sessions are made by the server, when a peer was let in, with an id and a secret of its own making; what "
        "a page proposes is never taken. A cookie is only ever set to the server's own token.",
    ),
    Threat(
        31,
        "in",
        "Showing our page in a frame of another site and having the visitor click there.",
        "`frame-ancestors 'self'`. `--allow-frame` (`AccessRules.framed_by`) names who else may.",
    ),
    Threat(
        34,
        "in",
        "A server that was opened to the network without its owner having thought of it.",
        "It listens at loopback with a random token. `--host` alone keeps the token, `--no-token` alone keeps "
        "loopback; both, or `--no-token` behind a `--public-url`, say on the terminal what that means. An empty "
        "`--host` is refused.",
    ),
    Threat(
        10,
        "session",
        "Going on with a session that was guessed or stolen.",
        "Its secret has 128 random bits, is compared in constant time, and belongs to one user. Whatever does not "
        "fit is answered alike: a new session, with what its own user may see.",
    ),
    Threat(
        11,
        "session",
        "Writing to, or asking after, a widget of somebody else's.",
        "What `may_see` hides is not sent, not written and not told apart from what there is not: `unknown_widget`.",
    ),
    Threat(
        27,
        "session",
        "Playing recorded frames again.",
        "On their own session they count once, by number. The numbers of another session are others, from the first "
        "batch on, for the server draws where they begin: a recorded batch ends the connection there (4006) and does "
        "nothing. Who may open a session may write in it, of course, and needs no recording for that.",
    ),
    Threat(
        28,
        "session",
        "A page that slept for hours brings back old edits.",
        "An edit that was sent and never acknowledged comes back as a comparison with what the page had seen: if "
        "the value moved since, it is a `conflict` and the page shows what stands. One that was never sent counts "
        "as made now; with the policy `drop` it is given up. Of properties that the host names in "
        "`WritePolicy(if_unchanged=...)`, no page overwrites what it has not seen, an edit that waited while it slept "
        "included: `conflict`.",
    ),
    Threat(
        12,
        "write",
        "Replacing a widget's code, style or identity: `_esm`, `_css`, `_model_*`, `_view_*`, `layout`, dunder names.",
        "`protected_property`, whatever the widget declares. The code that is served stays what it was.",
    ),
    Threat(
        13,
        "write",
        "Writing a trait that is not synced, is read-only, or is no trait.",
        "`not_synced`, `read_only`, `unknown_property`. For objects with a descriptor, declared fields only.",
    ),
    Threat(
        14,
        "write",
        "A value of another type, or a number that is none.",
        "`invalid_value`: JSON's types are held apart also where Python would let one pass for another. Numbers "
        "out of range are `bad_number`.",
    ),
    Threat(
        35,
        "write",
        "A value that names a widget, so that the server puts in one of another page or another part of the process.",
        "A reference means a widget of this manager that the writing page may see. Any other is `invalid_value`, "
        "and the library's own look-up, which knows the whole process, is not asked.",
    ),
    Threat(
        36,
        "write",
        "A custom message that is malformed, huge, or makes a handler fail.",
        "Its form is checked before a handler hears of it. What a handler raises is its sender's "
        "`handler_failed`, and nobody else's.",
    ),
    Threat(
        15,
        "frame",
        "Brackets a hundred thousand deep, in a frame or in a value of Python's.",
        "`too_deep` before any parser sees it; a value of Python's that is too deep is skipped and said to be.",
    ),
    Threat(
        16,
        "frame",
        "Numbers of thousands of digits, a million keys, a byte order mark, UTF-16, half a surrogate pair.",
        "Each has a name, in time that grows with the frame and no faster. Half a pair never gets into a trait, "
        "where it would break what is sent to others.",
    ),
    Threat(
        17,
        "frame",
        "A frame that is too large, or lies about its lengths and counts.",
        "Lengths are added up and compared with what there is before anything is made of them. The transport ends "
        "a message at twice the limit.",
    ),
    Threat(
        18,
        "frame",
        "A small compressed frame that becomes a large one.",
        "Compression is not offered, and a frame that is marked as compressed ends its connection.",
    ),
    Threat(
        19,
        "load",
        "A flood: of messages, batches, connections, pings, subscriptions.",
        "Who sends faster than Python takes is not read from until it has caught up; who goes on all the same is "
        "closed with 4005. Connections are counted per user (4504). One socket's frames have the server's loop "
        "for 10 ms at a time. A ping gets no pong while the peer does not read.",
    ),
    Threat(
        20,
        "load",
        "A peer that connects and says nothing, drips bytes, or never reads.",
        "The head of a request and the `hello` must come within `first_frame_s`, however they drip. Who neither "
        "reads nor acknowledges is closed with 4002. Who takes nothing of what is written for it, over HTTP or in base "
        "mode, is cut off; who takes it slowly is not.",
    ),
    Threat(
        30,
        "load",
        "Two tabs, or two linked widgets, that answer each other without end.",
        "Each tab has two batches on their way at most, so a third gets its turn, and equal values end a circle. "
        "Beyond 2,000 writes of one property in a second, by all pages together, further ones are `too_often` and run "
        "no user code; the host hears of the `storm`. Observers, links and validators that chase each other end in "
        "Python's own `RecursionError`, which is shown and told to the host with the slots that it left behind; the "
        "write is `observer_failed` or `invalid_value`, and pages get what Python has.",
    ),
    Threat(
        21,
        "page",
        "Names such as `__proto__` for widgets, properties, keys and paths.",
        "To the browser side they are names like any other, or refused where a path leads through them. "
        "`Object.prototype` stays as it was.",
    ),
    Threat(
        22,
        "page",
        "Markup in values, errors, output, formulas or names.",
        "All of it is shown as text, and of a formula elements of MathML that the page knows. The one exception is "
        "`text/html` that the script displays itself, which is its point; the policy keeps scripts in it from running.",
    ),
    Threat(
        23,
        "page",
        "A style sheet that spies or covers the page.",
        "Styles come from Python only (`_css` cannot be written), go in as text, and ids are letters, digits and "
        "`_ . : -`.",
    ),
    Threat(
        24,
        "page",
        "Code from elsewhere, or made out of text.",
        "The policy allows scripts of our own origin and nothing else: no inline ones, no other hosts; `eval` "
        "with `--allow-eval` only. Nothing is sent to other hosts either, by a form for one. Every story in the "
        "browser ends with the question whether the policy had to step in.",
    ),
    Threat(
        25,
        "page",
        "Fetching code that is not meant for one: by a path, by a guess, or as a script of another page.",
        "Code is looked up by its hash in a dict, the page's files by their name in another; no name becomes a "
        "path. It takes the token, is not sniffed, and may be included by our origin (and one that was allowed) "
        "alone.",
    ),
    Threat(
        26,
        "told",
        "Data that becomes code in Python.",
        "The packages neither unpickle nor evaluate nor import by name; a test reads their sources. What runs the "
        "visitor's own script is the exception that it names.",
    ),
    Threat(
        32,
        "told",
        "Learning from an error what traits hold, where files are, or what the environment says.",
        "Refusals of writes and frames are in our own words, with the names that the sender used and the type "
        "that the trait declares; of an exception they tell its type. Failures of the server say that it failed.",
    ),
    Threat(
        33,
        "told",
        "Text with line ends and terminal codes, for whoever reads the log.",
        "What a page reports is escaped before it is logged or printed; ids cannot hold any of it.",
    ),
    Threat(
        37,
        "told",
        "A module that a language model wrote: it loads code, sends what it sees, leaves its element, or never ends.",
        "It is tried first in a browser that reaches no network and is ended when it hangs. What it is not to do is "
        "refused, and it is never shown.",
    ),
    Threat(
        38,
        "told",
        "A module that a language model wrote, and that behaves while it is tried.",
        "No trial finds it. It runs with the rights of the page, like every widget's code; the page's content security "
        "policy holds, and `approve` lets a person read it before it is shown.",
    ),
)
"""All of them, by chapter."""
