"""One message to the bytes that cross the wire, and back.

The pipeline of a frame that comes in: size, for a binary frame its layout, strict UTF-8, depth, JSON, the paths of
buffers and of numbers that JSON lacks, schema. Each step has its own code, and whatever the bytes are, what comes out
is a message or a `RemoteProtocolError`; nothing else escapes (PROTOCOL.md, "Frames"). Time and memory are linear in
the frame's length.

Base mode has text frames only. In `rdit/1` a message without buffers is a text frame; with buffers it is one binary
frame, little-endian, in which each part begins at a multiple of 8 so that a page can map it without a copy:

    "RDB1" | u32 number of parts | u32 length of each part | zeros | JSON | zeros | buffer | zeros | buffer | zeros ...

The JSON then has a field `buffers`, the path of each buffer from the frame's root. A field `specials` has path and name
of each NaN and Infinity. At each path stands `null`, which the decoder replaces before the schema is looked at.

Nearly all frames have neither field. Those are decoded straight into records, and a search for the fields' names in the
bytes tells them apart. Everything else, and what does not fit a record, goes the long way: a tree, placing, schema.
Both ways take the same frames and give the same messages; of a field that comes twice the last counts. (They differ in
one thing that cannot matter: how large a number in a field that nobody knows may be.)
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

import msgspec

from .encoding import SPECIAL_NUMBERS, EncodedValue, Path, json_depth, place, restore_binary
from .errors import InvalidWidgetId, RemoteProtocolError
from .limits import Limits
from .messages import (
    MAX_PROPERTY_LENGTH,
    Ack,
    BadOp,
    BaseClientMessage,
    BaseServerMessage,
    Batch,
    Bye,
    ClientMessage,
    Count,
    Error,
    Hello,
    MsgOp,
    Output,
    Ping,
    Pong,
    Report,
    ServerMessage,
    SetOp,
    Subscribe,
    Sync,
    SyncAck,
    Welcome,
    WidgetUpdate,
)

MAGIC: Final = b"RDB1"
"""A frame of bytes that begins so is binary; any other is text."""
_HEADER: Final = struct.Struct("<4sI")
_LENGTH: Final = struct.Struct("<I")
_ALIGNMENT: Final = 8
_BUFFERS: Final = b'"buffers"'
_SPECIALS: Final = b'"specials"'
_ESCAPES: Final = rb"\u00"
"""Without one of these in its bytes a text has neither header field; the last is how their letters may be escaped."""

_WIDGET_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_EXPECTED_ID: Final = "Expected 1 to 128 characters of A-Z a-z 0-9 _ . : -"
_ENCODER: Final = msgspec.json.Encoder()
_CLIENT_DECODER: Final = msgspec.json.Decoder(WidgetUpdate)
_SERVER_DECODER: Final = msgspec.json.Decoder(WidgetUpdate | Ack | Error | Output)


class _TextBatch(Batch, frozen=True, tag="batch"):
    """A `Batch` that also shows whether it has header fields, which a search of the text would tell more slowly."""

    buffers: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    specials: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_CLIENT_FRAMES: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(
    Hello | _TextBatch | SyncAck | Subscribe | Report | Ping | Pong | Bye
)
_SERVER_FRAMES: Final[msgspec.json.Decoder[ServerMessage]] = msgspec.json.Decoder(ServerMessage)
_TREES: Final = msgspec.json.Decoder()

_Message = TypeVar("_Message", bound=msgspec.Struct)


@lru_cache(maxsize=4096)  # A peer names the same few again and again.
def is_widget_id(text: str) -> bool:
    """Whether a text may name a widget: 1 to 128 characters of `A-Z a-z 0-9 _ . : -`."""
    return _WIDGET_ID.fullmatch(text) is not None


def require_widget_id(text: object) -> str:
    """Return the id, or raise `InvalidWidgetId`."""
    if not isinstance(text, str) or not is_widget_id(text):
        raise InvalidWidgetId(f"{_EXPECTED_ID} as widget id, got {text!r:.200}")
    return text


def encode_message(message: BaseServerMessage) -> str:
    """One text frame. A value may be `msgspec.Raw`, bytes that are JSON already."""
    return _ENCODER.encode(message).decode()


def decode_client_message(frame: str | bytes, limits: Limits) -> BaseClientMessage:
    """What a page sent, read by a server.

    Raises:
        RemoteProtocolError: with a code of `FRAME_CODES`; nothing else, whatever the bytes are.
    """
    return _decode(frame, limits, _CLIENT_DECODER)


def decode_server_message(frame: str | bytes, limits: Limits) -> BaseServerMessage:
    """What a server sent, read by a client. Errors as in `decode_client_message`."""
    message: BaseServerMessage = _decode(frame, limits, _SERVER_DECODER)
    return message


def _decode(frame: str | bytes, limits: Limits, decoder: msgspec.json.Decoder[_Message]) -> _Message:
    data = _utf8(frame, limits)
    _require_depth(data, limits)
    try:
        message = decoder.decode(data)
        restored = restore_binary(message.value, data) if isinstance(message, WidgetUpdate) else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        # Told apart only now, off the fast path.
        raise _why_not(data) from None
    except ValueError:
        raise RemoteProtocolError("bad_message", "Expected standard base64 - at a $b64 of $.value") from None
    except RecursionError:  # Limits.max_depth may exceed what the parser manages.
        raise RemoteProtocolError("too_deep", "Frame is nested too deeply") from None
    widget_id = getattr(message, "widget_id", None)
    if widget_id is not None and not is_widget_id(widget_id):
        raise RemoteProtocolError("bad_message", f"{_EXPECTED_ID} - at $.widget_id")
    if isinstance(message, WidgetUpdate):
        if len(message.property) > MAX_PROPERTY_LENGTH:
            raise RemoteProtocolError(
                "bad_message", f"Expected at most {MAX_PROPERTY_LENGTH} characters - at $.property"
            )
        if restored is not message.value:
            message = msgspec.structs.replace(message, value=restored)
    return message


def _utf8(frame: str | bytes, limits: Limits) -> bytes:
    # The cheap length first: a hostile frame is refused before anything of its size is allocated.
    if len(frame) <= limits.max_frame_bytes:
        try:
            if isinstance(frame, str):
                data = frame.encode()
            else:
                data = bytes(frame)
                data.decode()
        except UnicodeError:
            raise RemoteProtocolError("bad_unicode", "Frame is not UTF-8") from None
        if len(data) <= limits.max_frame_bytes:
            return data
    raise RemoteProtocolError("too_large", f"Frame is longer than {limits.max_frame_bytes} bytes")


def _require_depth(data: bytes, limits: Limits) -> None:
    if json_depth(data, stop=limits.max_depth) > limits.max_depth:
        raise RemoteProtocolError("too_deep", f"Frame is nested deeper than {limits.max_depth} levels")


class _NotFinite(Exception):
    """The stdlib parser met NaN or Infinity."""


def _refuse_constant(name: str) -> Any:
    raise _NotFinite(name)


def _tree(data: bytes) -> Any:
    """JSON of any shape, or the error that names what it is instead."""
    try:
        try:
            return _TREES.decode(data)
        except msgspec.ValidationError:
            raise RemoteProtocolError("bad_number", "A number is out of range") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # The two parsers agree on what JSON is but for two things that the stdlib lets pass.
            try:
                json.loads(data.decode(), parse_constant=_refuse_constant)
            except _NotFinite:
                raise RemoteProtocolError("bad_number", "NaN and Infinity are not JSON") from None
            except ValueError:
                raise RemoteProtocolError("bad_json", f"Frame is not JSON: {error}") from None
            raise RemoteProtocolError("bad_unicode", "A string holds a lone surrogate") from None
    except RecursionError:  # As in `_decode`.
        raise RemoteProtocolError("too_deep", "Frame is nested too deeply") from None


def _kind(tree: Any, known: frozenset[str]) -> str:
    """The type of a message that is a tree yet."""
    if not isinstance(tree, dict):
        raise RemoteProtocolError("bad_message", "Expected an object")
    kind = tree.get("type")
    if not isinstance(kind, str):
        raise RemoteProtocolError("bad_message", "Expected a string - at $.type")
    if kind not in known:
        raise RemoteProtocolError("unknown_type", "Unknown message type - at $.type")
    return kind


def _why_not(data: bytes) -> RemoteProtocolError:
    """Name the reason for which a base-mode frame of proper size and depth did not decode."""
    try:
        tree = _tree(data)
        kind = _kind(tree, _KNOWN_TYPES)
        msgspec.convert(tree, _BY_TYPE[kind])
    except RemoteProtocolError as error:
        return error
    except msgspec.ValidationError as error:
        return RemoteProtocolError("bad_message", str(error))
    return RemoteProtocolError("unknown_type", f"A {kind} does not travel in this direction")


_BY_TYPE: Final[dict[str, Any]] = {
    "widget_update": WidgetUpdate,
    "ack": Ack,
    "error": Error,
    "output": Output,
}
_KNOWN_TYPES: Final = frozenset(_BY_TYPE)


# rdit/1


def encode_frame(message: msgspec.Struct, values: Sequence[tuple[Path, EncodedValue]] = ()) -> str | bytes:
    """One frame: a text frame, or a binary one if there are buffers.

    Args:
        message: holds `msgspec.Raw(value.json)` wherever an encoded value stands.
        values: where those stand, each with its path from the frame's root. Values of plain JSON may be left out.
    """
    body = _ENCODER.encode(message)
    if not values:
        return body.decode()
    paths: list[Path] = []
    parts: list[bytes] = []
    specials: list[tuple[Path, str]] = []
    for prefix, value in values:
        for path, data in value.buffers:
            paths.append((*prefix, *path))
            parts.append(data)
        for path, name in value.specials:
            specials.append(((*prefix, *path), name))
    if parts:
        body = b'%b,"buffers":%b}' % (body[:-1], _ENCODER.encode(paths))
    if specials:
        body = b'%b,"specials":%b}' % (body[:-1], _ENCODER.encode(specials))
    return _join([body, *parts]) if parts else body.decode()


def decode_client_frame(frame: str | bytes, limits: Limits) -> ClientMessage:
    """What a page sent, read by a server.

    In a batch each op that cannot be read is a `BadOp`. In a batch of too many ops all of them are, and all are one and
    the same record; there may be as many as half the frame has bytes.

    Raises:
        RemoteProtocolError: with a code of `FRAME_CODES`; nothing else, whatever the bytes are.
    """
    data, parts = _open(frame, limits)
    if not parts:
        try:
            message = _CLIENT_FRAMES.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # The long way finds out why, and which op it was.
        else:
            if not isinstance(message, _TextBatch):
                if not _has_header(data):
                    known: ClientMessage = message
                    return known
            elif message.buffers is msgspec.UNSET and message.specials is msgspec.UNSET and _is_bare(message.ops):
                ops = message.ops
                ops = ops if len(ops) <= limits.max_ops else _too_many(len(ops), limits)
                return Batch(message.seq, ops, message.sync_ack)
    tree = _tree(data)
    _place_all(tree, parts)
    kind = _kind(tree, _V1_TYPES)
    if kind == "batch":
        return _batch(tree, limits)
    return cast("ClientMessage", _convert(tree, _FROM_CLIENT.get(kind), kind))


def decode_server_frame(frame: str | bytes, limits: Limits) -> ServerMessage:
    """What a server sent, read by a client. Errors as in `decode_client_frame`."""
    data, parts = _open(frame, limits)
    if not parts and not _has_header(data):
        try:
            return _SERVER_FRAMES.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    tree = _tree(data)
    _place_all(tree, parts)
    kind = _kind(tree, _V1_TYPES)
    message = cast("ServerMessage", _convert(tree, _FROM_SERVER.get(kind), kind))
    if isinstance(message, Sync):
        for index, posted in enumerate(message.msgs):
            if not all(isinstance(buffer, bytes) for buffer in posted.buffers):
                raise RemoteProtocolError("bad_message", f"Expected bytes - at $.msgs[{index}].buffers")
    return message


def _is_bare(ops: Sequence[SetOp | MsgOp]) -> bool:
    """Whether no op names a buffer, which a text does not have."""
    for op in ops:  # noqa: SIM110  a generator would cost as much as the decoding
        if type(op) is MsgOp and op.buffers:
            return False
    return True


def _has_header(data: bytes) -> bool:
    """Whether a text may have one of the header fields."""
    find = data.find  # `in` takes the name for a number first, and makes an error of that.
    return find(_BUFFERS) >= 0 or find(_SPECIALS) >= 0 or find(_ESCAPES) >= 0


def _join(parts: Sequence[bytes]) -> bytes:
    pieces = [_HEADER.pack(MAGIC, len(parts)), *(_LENGTH.pack(len(part)) for part in parts)]
    pieces.append(_padding(4 * len(parts)))  # The first 8 bytes are aligned.
    for part in parts:
        pieces += part, _padding(len(part))
    return b"".join(pieces)


def _padding(length: int) -> bytes:
    return bytes(-length % _ALIGNMENT)


def _open(frame: str | bytes, limits: Limits) -> tuple[bytes, list[bytes]]:
    """A frame's JSON, within size and depth and UTF-8, and its buffers."""
    parts: list[bytes] = []
    if isinstance(frame, str) or frame[:4] != MAGIC:
        data = _utf8(frame, limits)
    elif len(frame) > limits.max_frame_bytes:
        raise RemoteProtocolError("too_large", f"Frame is longer than {limits.max_frame_bytes} bytes")
    else:
        data, *parts = _split(frame)
        try:
            data.decode()
        except UnicodeError:
            raise RemoteProtocolError("bad_unicode", "JSON of the frame is not UTF-8") from None
    if len(data) > limits.max_depth:
        _require_depth(data, limits)
    return data, parts


def _split(frame: bytes) -> list[bytes]:
    """The parts of a binary frame, copied; first the JSON."""
    if len(frame) < _HEADER.size:
        raise RemoteProtocolError("bad_frame", "Binary frame ends in its header")
    count = _HEADER.unpack_from(frame)[1]
    end = _HEADER.size + count * _LENGTH.size
    at = end + -end % _ALIGNMENT
    if not count or at > len(frame):
        raise RemoteProtocolError("bad_frame", "Expected one to as many parts as the frame has lengths for")
    with memoryview(frame) as view, view[_HEADER.size : end] as lengths:
        # The shortest path is `[0],`: where there are too few bytes for paths the parts need not be counted.
        if (count - 1) * 4 > _LENGTH.unpack_from(lengths)[0]:
            raise RemoteProtocolError("bad_frame", "Expected a path for each buffer, which the JSON is too short for")
        # Nothing is allocated by a length before all of them are known to be true.
        if at + sum(length + -length % _ALIGNMENT for (length,) in _LENGTH.iter_unpack(lengths)) != len(frame):
            raise RemoteProtocolError("bad_frame", "Lengths of the parts do not add up to that of the frame")
        filled = any(view[end:at])
        parts = []
        for (length,) in _LENGTH.iter_unpack(lengths):
            end = at + length
            parts.append(bytes(view[at:end]))
            at = end + -end % _ALIGNMENT
            filled = filled or (at > end and any(view[end:at]))
    if filled:
        raise RemoteProtocolError("bad_frame", "Expected zeros between the parts")
    return parts


def _place_all(tree: Any, buffers: list[bytes]) -> None:
    """Put buffers, and the numbers that JSON lacks, where the header fields say."""
    header = tree if isinstance(tree, dict) else {}
    paths: Any = header.get("buffers", [])
    specials: Any = header.get("specials", [])
    if not isinstance(paths, list) or len(paths) != len(buffers):
        raise RemoteProtocolError("bad_frame", "Expected one path for each buffer - at $.buffers")
    if not isinstance(specials, list):
        raise RemoteProtocolError("bad_frame", "Expected a list - at $.specials")
    if not all(isinstance(path, list) for path in paths):
        raise RemoteProtocolError("bad_frame", "Expected lists - at $.buffers")
    for special in specials:
        match special:
            case [list(), str(name)] if name in SPECIAL_NUMBERS:
                pass
            case _:
                raise RemoteProtocolError("bad_frame", "Expected pairs of a path and a name - at $.specials")
    try:
        for path, data in zip(paths, buffers, strict=True):
            place(tree, path, data)
        for path, name in specials:
            place(tree, path, SPECIAL_NUMBERS[name])
    except ValueError:
        raise RemoteProtocolError("bad_frame", "A path of $.buffers or $.specials does not lead to a null") from None


def _batch(tree: dict[str, Any], limits: Limits) -> Batch:
    seq = _convert(tree.get("seq"), Count, at="$.seq")
    ops = tree.get("ops")
    if not isinstance(ops, list):
        raise RemoteProtocolError("bad_message", "Expected a list - at $.ops")
    ack = _convert(tree.get("sync_ack"), Count | None, at="$.sync_ack")
    if len(ops) > limits.max_ops:
        return Batch(seq, _too_many(len(ops), limits), ack)
    return Batch(seq, [_op(op, f"$.ops[{index}]") for index, op in enumerate(ops)], ack)


def _too_many(count: int, limits: Limits) -> list[Any]:
    return [BadOp("too_large", f"Expected at most {limits.max_ops} ops in a batch")] * count


def _op(tree: Any, at: str) -> Any:
    """One op, or the `BadOp` that says why it is none."""
    kind = tree.get("op") if isinstance(tree, dict) else None
    if kind not in ("set", "msg"):
        return BadOp("bad_message", f"Expected an object whose op is set or msg - at {at}")
    try:
        op = _convert(tree, SetOp if kind == "set" else MsgOp, at=at)
    except RemoteProtocolError as error:
        return BadOp(error.code, str(error))
    if isinstance(op, MsgOp) and not all(isinstance(buffer, bytes) for buffer in op.buffers):
        return BadOp("bad_message", f"Expected bytes - at {at}.buffers")
    return op


def _convert(tree: Any, schema: Any, kind: str = "", *, at: str = "$") -> Any:
    """A tree that fits the schema as a record. The error's text repeats nothing of the tree."""
    if schema is None:
        raise RemoteProtocolError("unknown_type", f"A {kind} does not travel in this direction")
    try:
        return msgspec.convert(tree, schema)
    except msgspec.ValidationError as error:
        text, separator, path = str(error).rpartition(" - at ")
        if not separator:
            text, path = path, "$"
        if text.startswith("Invalid"):  # It quotes the value.
            text = "Expected one of the values that the schema names"
        elif "regex" in text:
            text = _EXPECTED_ID
        raise RemoteProtocolError("bad_message", f"{text} - at {path.strip('`').replace('$', at, 1)}") from None


_FROM_CLIENT: Final[dict[str, Any]] = {
    "hello": Hello,
    "batch": Batch,
    "sync_ack": SyncAck,
    "subscribe": Subscribe,
    "report": Report,
    "ping": Ping,
    "pong": Pong,
    "bye": Bye,
}
_FROM_SERVER: Final[dict[str, Any]] = {
    "welcome": Welcome,
    "sync": Sync,
    "output": Output,
    "error": Error,
    "ping": Ping,
    "pong": Pong,
}
_V1_TYPES: Final = frozenset(_FROM_CLIENT) | frozenset(_FROM_SERVER)
