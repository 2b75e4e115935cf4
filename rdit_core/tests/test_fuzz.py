"""Broken frames, a great many of them, for every decoder.

Twenty thousand for each with the other tests. More, and others: `python rdit_core/tests/test_fuzz.py --frames 1000000`,
which says what came of them. The same seed gives the same frames.
"""

import argparse
import collections
import random
import re
import struct
import sys
import time

import msgspec
import pytest

from rdit_core import Limits, RemoteProtocolError, vectors
from rdit_core.errors import FRAME_CODES
from rdit_core.frames import (
    MAGIC,
    decode_client_frame,
    decode_client_message,
    decode_server_frame,
    decode_server_message,
)
from rdit_core.messages import BadOp, Batch

LIMITS = Limits(max_frame_bytes=4096, max_depth=64, max_ops=8)
SEED = 20260417
FRAMES = 20_000
LONGEST = 1500
"""Of a frame to begin with, in bytes: most of what is made of it shall stay within the limit."""

PIECES = [
    *(
        b'{ } [ ] " \\ , : - . e null true NaN -Infinity 1e999 \\ud800 \\u0000 \xff \x00 \xed\xa0\x80 \xef\xbb\xbf'
    ).split(),
    *(b'"type" "op" "buffers" "specials" "value" "widget_id" "ops" "seq" "inst" "if_rev" $b64 __proto__').split(),
    *(
        b'"set" "msg" "bad" "batch" "hello" "sync" "ping" {"$b64":" ["ops",0,"value"] [[[],"NaN"]] ["changes",0,3]'
    ).split(),
    *(
        b'"type":"pong", "id":1, "specials":[], "buffers":[], "\\u0062uffers":[[]], "ops":[], "value":null, RDB1'
    ).split(),
]
NUMBERS = b"0 1 -1 -0 1.0 0.5 1e2 1e400 01 2 7 256 9007199254740991 9007199254740992 18446744073709551616".split()
NUMBERS += [b"9" * 40, b"9" * 400, b"true", b"null", b'"1"', b"[]"]
SIZES = [0, 1, 2, 3, 7, 8, 9, 255, 256, 4096, 2**16, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1]
DIGITS = re.compile(rb"-?\d+")

DECODERS = {
    "base client": (decode_client_message, "base", "to_server", None),
    "base server": (decode_server_message, "base", "to_client", None),
    "v1 client, text": (decode_client_frame, "v1", "to_server", False),
    "v1 client, binary": (decode_client_frame, "v1", "to_server", True),
    "v1 server": (decode_server_frame, "v1", "to_client", None),
}
"""Decoder, mode and direction, and whether its frames are binary to begin with (None: both)."""


def seeds_of(target):
    """Frames to begin with: the vectors, good and bad."""
    _, mode, direction, binary = DECODERS[target]
    frames = [
        frame.encode(errors="surrogatepass") if isinstance(frame, str) else frame
        for cases in vectors.load().values()
        for case in cases
        if (case["mode"], case["direction"]) == (mode, direction)
        for frame in [vectors.frame_of(case)]
    ]
    return [frame for frame in frames if len(frame) <= LONGEST and binary in (None, frame.startswith(MAGIC))]


class Mutator:
    """One broken frame after another, endlessly."""

    def __init__(self, frames, seed):
        self.frames = frames
        self.rng = random.Random(seed)

    def __iter__(self):
        while True:
            yield self.noise() if self.rng.random() < 0.02 else self.mutant()

    def noise(self):
        return self.rng.choice([b"", MAGIC, b"{"]) + self.rng.randbytes(self.rng.randrange(64))

    def mutant(self):
        frame = self.rng.choice(self.frames)
        if not frame.startswith(MAGIC):
            return self.as_text(self.broken(frame))
        if self.rng.random() < 0.6 and (parts := self.parts(frame)):
            # Broken inside, whole outside: else hardly any would get past the check of the lengths.
            which = 0 if self.rng.random() < 0.9 else self.rng.randrange(len(parts))
            parts[which] = self.broken(parts[which])
            frame = self.joined(parts)
            return frame if self.rng.random() < 0.8 else self.with_broken_header(frame)
        return self.with_broken_header(frame) if self.rng.random() < 0.5 else self.broken(frame)

    def as_text(self, data):
        """Now and then text instead of bytes, with whatever text cannot hold as lone surrogates."""
        return data.decode(errors="surrogateescape") if self.rng.random() < 0.3 else data

    def parts(self, frame):
        """The parts of a frame whose lengths are true, else nothing."""
        if len(frame) < 12 or not 0 < (count := struct.unpack_from("<I", frame, 4)[0]) <= (len(frame) - 8) // 4:
            return []
        at = 8 + 4 * count + -(8 + 4 * count) % 8
        parts = []
        for length in struct.unpack_from(f"<{count}I", frame, 8):
            parts.append(frame[at : at + length])
            at += length + -length % 8
        return parts

    def joined(self, parts):
        if self.rng.random() < 0.1:
            parts.append(self.rng.randbytes(self.rng.randrange(10)))
        header = struct.pack(f"<4sI{len(parts)}I", MAGIC, len(parts), *map(len, parts))
        return b"".join(piece + bytes(-len(piece) % 8) for piece in (header, *parts))

    def with_broken_header(self, frame):
        if len(frame) < 12:
            return frame + self.rng.randbytes(8)
        at = self.rng.randrange(4, min(len(frame) - 3, 24), 4)
        (old,) = struct.unpack_from("<I", frame, at)
        new = self.rng.choice([old + 1, old - 1, old + 8, old - 8, old * 2, *SIZES]) % 2**32
        return frame[:at] + struct.pack("<I", new) + frame[at + 4 :]

    def broken(self, frame):
        rng = self.rng
        data = bytearray(frame)
        for _ in range(rng.choice([1, 1, 1, 2, 3, 5])):
            at = rng.randrange(len(data) + 1)
            match rng.randrange(20):
                case 0:
                    data[at:at] = rng.choice(PIECES)
                case 1:
                    del data[at : at + rng.randrange(1, 12)]
                case 2:
                    data[at : at + 1] = bytes([rng.randrange(256)])
                case 3:
                    data[at:at] = data[at : at + rng.randrange(1, 40)]
                case 4:
                    other = rng.choice(self.frames)
                    data[at:] = other[rng.randrange(len(other) + 1) :]
                case 5:
                    data[at:at] = rng.choice(PIECES) * rng.choice([2, 20, 200, 2000])
                case 6:
                    del data[at:]
                case 7 | 11 | 12 | 13 | 14:
                    if found := DIGITS.search(data, at):
                        data[slice(*found.span())] = rng.choice(NUMBERS)
                case 9 | 15 | 16:
                    if (brace := data.find(b"{", at)) >= 0:
                        data[brace + 1 : brace + 1] = rng.choice(PIECES)
                case _:
                    if (brace := data.rfind(b"}")) >= 0:
                        data[brace:brace] = b"," + rng.choice(PIECES).rstrip(b",")
        return bytes(data)


def fuzz(target, count, seed=SEED):
    """Feed `count` broken frames to a decoder; how many gave which code, or a message (None)."""
    decode = DECODERS[target][0]
    seen = collections.Counter()
    frames = iter(Mutator(seeds_of(target), seed))
    for number in range(count):
        frame = next(frames)
        try:
            seen[verdict(decode, frame)] += 1
        except Exception as error:
            raise AssertionError(f"{target}, seed {seed}, frame {number}: {frame!r}") from error
    return seen


def outcome(decode, frame, limits):
    """A message, or the error; nothing else is caught."""
    try:
        return decode(frame, limits), None
    except RemoteProtocolError as error:
        return None, error


def verdict(decode, frame):
    """A code, or None for a message that is a message."""
    message, refused = outcome(decode, frame, LIMITS)
    if refused is not None:
        assert refused.code in FRAME_CODES
        return refused.code
    assert type(message).__module__ == "rdit_core.messages"
    assert len(frame) <= LIMITS.max_frame_bytes
    if isinstance(message, Batch):
        assert all(op.code in ("bad_message", "too_large") for op in message.ops if isinstance(op, BadOp))
    if decode in (decode_client_frame, decode_server_frame):
        check_the_long_way(decode, frame, message)
    return None


def check_the_long_way(decode, frame, message):
    """What was decoded straight into a record comes out the same by way of a tree."""
    text = frame.encode() if isinstance(frame, str) else frame
    if text.startswith(MAGIC) or any(mark in text for mark in (b"buffers", b"specials", b"\\u00")):
        return
    longer = text[: text.rindex(b"}")] + b',"specials":[]}'
    again, refused = outcome(decode, longer, Limits(max_depth=LIMITS.max_depth, max_ops=LIMITS.max_ops))
    if refused is not None:
        assert refused.code == "bad_number"  # In a field that nobody knows.
    else:
        # As text, in which `1`, `True` and `1.0` differ.
        assert msgspec.json.encode(again) == msgspec.json.encode(message)


@pytest.mark.parametrize("target", DECODERS)
@pytest.mark.outer
def test_any_broken_frame_gives_a_message_or_a_named_error_and_nothing_else(target):
    seen = fuzz(target, FRAMES)
    # The frames are broken in all the ways that have a name, and not all are broken beyond recognition.
    expected = set(FRAME_CODES) if DECODERS[target][1] == "v1" else set(FRAME_CODES) - {"bad_frame"}
    assert set(seen) == expected | {None}
    assert seen[None] > FRAMES / 50


def test_the_same_seed_gives_the_same_frames():
    frames = seeds_of("v1 client, binary")
    first, second, other = (
        [frame for _, frame in zip(range(50), Mutator(frames, seed), strict=False)] for seed in (1, 1, 2)
    )
    assert first == second != other


def main():
    parser = argparse.ArgumentParser(description="Feed broken frames to the decoders.")
    parser.add_argument("--frames", type=int, default=1_000_000, help="for each decoder")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--decoder", choices=DECODERS, action="append", help="this one; default: each")
    options = parser.parse_args()
    for target in options.decoder or DECODERS:
        start = time.perf_counter()
        seen = fuzz(target, options.frames, options.seed)
        took = time.perf_counter() - start
        counts = ", ".join(f"{code or 'a message'} {count}" for code, count in seen.most_common())
        sys.stdout.write(f"{target}: {options.frames} frames in {took:.0f} s: {counts}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
