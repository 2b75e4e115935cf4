"""What can go wrong, by name: the faults that a plan may hold and a run counts.

The numbers are those of the list in docs/simulator.md. A run that was asked for a fault and never saw it *happen*
fails. A fault counts when it hit something (a transport that was up, an edit that an observer refused), not when it was
drawn.
"""

from __future__ import annotations

from typing import Final

FAULTS: Final[dict[str, str]] = {
    "F1": "delay and jitter, per direction",
    "F2": "a connection drops at a frame boundary",
    "F3": "a connection is cut after k bytes of a frame",
    "F4": "half-open: one direction, or both, swallow everything",
    "F5": "a second socket comes before the server saw the first one go",
    "F6": "frames of an old socket arrive after another one took its place",
    "F7": "a direction stalls, then everything comes at once",
    "F8": "a slow reader: frames come one by one, credit runs out",
    "F9": "flapping: accepted, then closed",
    "F10": "frames of different connections overtake each other",
    "F11": "the server is killed and comes back without its state",
    "F12": "the server is killed and comes back with its state",
    "F13": "a session expires while its page is away",
    "F14": "a session is evicted, there being too many",
    "F15": "the welcome is lost",
    "F16": "a sync is lost with its connection",
    "F17": "a clock jumps",
    "F18": "the server shuts down in order",
    "F19": "an observer raises",
    "F20": "an observer sets traits, opens and closes widgets, sends messages",
    "F21": "a validator clamps, refuses, or looks at another trait",
    "F22": "Python sets several traits under one hold",
    "F23": "traits are linked, also where their validators disagree",
    "F24": "a value is edited in place, with `touch` and without",
    "F25": "odd values: NaN, 1 and True and 1.0, huge integers, bytes, a list that contains itself",
    "F26": "the kernel is busy while edits arrive",
    "F27": "a widget is closed with edits on their way; its id is opened again",
    "F28": "edits while the page is not live",
    "F29": "a tab is duplicated: its credentials are used twice",
    "F30": "a tab is frozen and comes back",
    "F31": "a listener of the page throws, or sets values itself",
    "F32": "two tabs drag the same slider",
    "F33": "many edits while offline",
    "F34": "tabs of both modes side by side",
    "F35": "version skew: unknown types and fields, in both directions",
    "F36": "a hostile client repeats, skips and misnumbers batches",
    "F37": "a hostile client resumes with foreign credentials, or from the future",
    "F38": "frames at the size limit, one more, one less",
    "F39": "a flood",
    "F40": "flipped bytes and random bytes",
    "F41": "a batch that never arrives readable",
}
"""Code to sentence."""


def parse(text: str) -> tuple[str, ...]:
    """The codes in a comma-separated list, or all of them for `all`.

    Raises:
        ValueError: for a code that is not in `FAULTS`.
    """
    if text == "all":
        return tuple(FAULTS)
    codes = tuple(code.strip().upper() for code in text.split(",") if code.strip())
    for code in codes:
        if code not in FAULTS:
            raise ValueError(f"Expected codes of {next(iter(FAULTS))}..{list(FAULTS)[-1]} or 'all', got {code!r}")
    return codes
