"""One message to the bytes that cross the wire, and back.

The pipeline of a frame that comes in: strict UTF-8, size, depth, JSON, schema. Each step has its own code, and whatever
the bytes are, what comes out is a message or a `RemoteProtocolError`; nothing else escapes (PROTOCOL.md, "Frames").
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeVar

import msgspec

from .encoding import json_depth, restore_binary
from .errors import InvalidWidgetId, RemoteProtocolError
from .limits import Limits
from .messages import Ack, BaseClientMessage, BaseServerMessage, Error, Output, WidgetUpdate

_WIDGET_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_MAX_PROPERTY_LENGTH: Final = 1024
_ENCODER: Final = msgspec.json.Encoder()
_CLIENT_DECODER: Final = msgspec.json.Decoder(WidgetUpdate)
_SERVER_DECODER: Final = msgspec.json.Decoder(WidgetUpdate | Ack | Error | Output)

_Message = TypeVar("_Message", bound=msgspec.Struct)


def is_widget_id(text: str) -> bool:
    """Whether a text may name a widget: 1 to 128 characters of `A-Z a-z 0-9 _ . : -`."""
    return _WIDGET_ID.fullmatch(text) is not None


def require_widget_id(text: object) -> str:
    """Return the id, or raise `InvalidWidgetId`."""
    if not isinstance(text, str) or not is_widget_id(text):
        raise InvalidWidgetId(f"Expected 1 to 128 characters of A-Z a-z 0-9 _ . : - as widget id, got {text!r:.200}")
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
    if json_depth(data, stop=limits.max_depth) > limits.max_depth:
        raise RemoteProtocolError("too_deep", f"Frame is nested deeper than {limits.max_depth} levels")
    try:
        message = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Told apart only now, off the fast path.
        raise _why_not(data) from None
    widget_id = getattr(message, "widget_id", None)
    if widget_id is not None and not is_widget_id(widget_id):
        raise RemoteProtocolError("bad_message", "Expected 1 to 128 characters of A-Z a-z 0-9 _ . : - - at $.widget_id")
    if isinstance(message, WidgetUpdate):
        if len(message.property) > _MAX_PROPERTY_LENGTH:
            raise RemoteProtocolError(
                "bad_message", f"Expected at most {_MAX_PROPERTY_LENGTH} characters - at $.property"
            )
        try:
            restored = restore_binary(message.value, data)
        except ValueError:
            raise RemoteProtocolError("bad_message", "Expected standard base64 - at a $b64 of $.value") from None
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


class _NotFinite(Exception):
    """The stdlib parser met NaN or Infinity."""


def _refuse_constant(name: str) -> Any:
    raise _NotFinite(name)


def _why_not(data: bytes) -> RemoteProtocolError:
    """Name the reason for which a frame of proper size and depth did not decode."""
    try:
        tree = msgspec.json.decode(data)
    except msgspec.ValidationError:
        return RemoteProtocolError("bad_number", "A number is out of range")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The two parsers agree on what JSON is but for two things that the stdlib lets pass.
        try:
            json.loads(data.decode(), parse_constant=_refuse_constant)
        except _NotFinite:
            return RemoteProtocolError("bad_number", "NaN and Infinity are not JSON")
        except ValueError:
            return RemoteProtocolError("bad_json", f"Frame is not JSON: {error}")
        return RemoteProtocolError("bad_unicode", "A string holds a lone surrogate")
    if not isinstance(tree, dict):
        return RemoteProtocolError("bad_message", "Expected an object")
    kind = tree.get("type")
    if not isinstance(kind, str):
        return RemoteProtocolError("bad_message", "Expected a string - at $.type")
    if kind not in _KNOWN_TYPES:
        return RemoteProtocolError("unknown_type", "Unknown message type - at $.type")
    try:
        msgspec.convert(tree, _BY_TYPE[kind])
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
