"""The error family and its stable codes.

Everything the core raises on purpose is an `RditError`. A code is part of the public surface: programs may branch on
it, and it never changes once released; the text beside it may. Texts that can reach a page hold no values, no paths
and no tracebacks, because what a trait holds may be secret and the page may belong to somebody else.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

UpdateCode = Literal[
    "unknown_widget",
    "stale_widget",
    "unknown_property",
    "not_synced",
    "read_only",
    "protected_property",
    "invalid_value",
    "unserializable_value",
    "conflict",
    "too_often",
    "observer_failed",
    "handler_failed",
]
"""Codes of one refused or troubled write or message (PROTOCOL.md, "Error names")."""

FrameCode = Literal[
    "bad_json",
    "bad_unicode",
    "bad_number",
    "too_deep",
    "too_large",
    "bad_frame",
    "bad_message",
    "unknown_type",
]
"""Codes of one refused frame (PROTOCOL.md, "Error names")."""

ClientCode = Literal[
    "queue_full",
    "undeliverable",
    "delivery_unknown",
    "dropped",
    "lost",
]
"""Codes of an edit or a message that a client could not keep or deliver (PROTOCOL.md, "Error names")."""

CommandCode = Literal["unknown_command", "command_failed", "bad_return", "no_event_loop"]
"""Codes of a command that was not answered with a response (PROTOCOL.md, "Error names")."""

CreateCode = Literal[
    "bad_source",
    "source_not_found",
    "bad_trait_name",
    "bad_export",
    "unknown_export",
    "ambiguous_import",
]
"""Codes of a widget that `create` did not make."""

AccessCode = Literal["forbidden_origin", "forbidden_host", "unauthorized"]
"""Codes of a connection that was refused before it was accepted."""

UPDATE_CODES: Final[tuple[UpdateCode, ...]] = get_args(UpdateCode)
COMMAND_CODES: Final[tuple[CommandCode, ...]] = get_args(CommandCode)
CLIENT_CODES: Final[tuple[ClientCode, ...]] = get_args(ClientCode)
FRAME_CODES: Final[tuple[FrameCode, ...]] = get_args(FrameCode)


class RditError(Exception):
    """Root of every error that rdit raises on purpose.

    Attributes:
        code: stable snake_case name of what went wrong.
    """

    code: str = "internal"


class ProtocolError(RditError):
    """Somebody did what the protocol does not allow."""


class LocalProtocolError(ProtocolError):
    """You asked for something illegal, such as feeding a connection that is closed. The object stays usable."""

    code = "illegal_call"


class RemoteProtocolError(ProtocolError):
    """The peer sent a frame that cannot be a message. The connection stays usable; the frame changed nothing."""

    def __init__(self, code: FrameCode, message: str) -> None:
        super().__init__(message)
        self.code: FrameCode = code


class UnknownWidget(RditError, ValueError):
    """No widget is registered under this id. Nothing changed."""

    code = "unknown_widget"

    def __init__(self, widget_id: str) -> None:
        super().__init__(f"Widget {widget_id} not found")
        self.widget_id = widget_id


class WriteRefused(RditError, ValueError):
    """A write did not happen; the trait still holds what it held.

    Attributes:
        code: why, one of `UPDATE_CODES`.
        widget_id: the widget that was addressed.
        property: the property that was to be written.
    """

    def __init__(self, code: UpdateCode, widget_id: str, property: str, reason: str) -> None:
        super().__init__(f"Property {property!r} of widget {widget_id}: {reason}")
        self.code: UpdateCode = code
        self.widget_id = widget_id
        self.property = property


class UnserializableValue(RditError, TypeError):
    """A value has no JSON form (a cycle, an object without `to_json`, a lone surrogate).

    Attributes:
        path: where in the value, as far as it is known: keys and indices from the outside in.
    """

    code = "unserializable_value"

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        where = "".join(f"[{part!r}]" for part in path)
        super().__init__(f"{message}{f' - at ${where}' if where else ''}")
        self.path = path


class UnsupportedData(RditError, TypeError):
    """Data is in a form that has no columns for a page; the text says which forms have, or what to do with the column.

    Attributes:
        column: the column's name, if it is one column that is at fault.
    """

    code = "unsupported_data"

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message if column is None else f"Column {column!r}: {message}")
        self.column = column


class DataTooLarge(RditError, ValueError):
    """Data would take more bytes in a page than it may. Nothing is left out unasked: a sample has to be asked for."""

    code = "data_too_large"


class WidgetNotHostable(RditError, TypeError):
    """This object cannot be hosted: it is no widget with a comm and an ES module."""

    code = "not_hostable"


class InvalidWidgetId(RditError, ValueError):
    """A widget id must be 1 to 128 characters of `A-Z a-z 0-9 _ . : -`, and free."""

    code = "invalid_widget_id"


class LimitReached(RditError):
    """A limit of `Limits` was reached; what existed before goes on."""

    code = "limit_reached"


class CreateError(RditError, ValueError):
    """A widget was not made: what was asked for cannot be, or cannot be told. Nothing was opened or linked.

    Attributes:
        code: why, one of `CreateCode`.
    """

    def __init__(self, code: CreateCode, message: str) -> None:
        super().__init__(message)
        self.code: CreateCode = code


class AccessRefused(RditError, PermissionError):
    """A connection came without a verdict that allows it. The core opens none (fails closed)."""

    def __init__(self, code: AccessCode) -> None:
        super().__init__(f"connection refused: {code}")
        self.code = code
