"""rdit_core: anywidgets outside Jupyter, over any transport. Re-exports the public surface and nothing else.

What makes widgets (`create`) brings anywidget, which takes long to import, and is therefore loaded when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .access import TRUSTED, Verdict, check_host, check_origin, check_token, origin_of
from .base_client import BaseClientConnection
from .base_server import BaseServerConnection
from .client import ClientConnection
from .errors import (
    AccessRefused,
    CreateError,
    InvalidWidgetId,
    LimitReached,
    LocalProtocolError,
    ProtocolError,
    RditError,
    RemoteProtocolError,
    UnknownWidget,
    UnserializableValue,
    WidgetNotHostable,
    WriteRefused,
)
from .limits import Limits
from .manager import WidgetData, WidgetManager
from .model import WidgetModel
from .policy import WritePolicy
from .server import ServerConnection

if TYPE_CHECKING:
    from .created import CreatedWidget
    from .creation import create
    from .descriptions import GenerationFailed, use_generator
    from .exports import Export
    from .imports import constant, one_way, two_way

__version__ = "0.1.0"

_LAZY = {
    "CreatedWidget": "created",
    "Export": "exports",
    "GenerationFailed": "descriptions",
    "constant": "imports",
    "create": "creation",
    "one_way": "imports",
    "two_way": "imports",
    "use_generator": "descriptions",
}
"""Public name to the module that has it."""


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    return value

__all__ = [
    "TRUSTED",
    "AccessRefused",
    "BaseClientConnection",
    "InvalidWidgetId",
    "LimitReached",
    "Limits",
    "LocalProtocolError",
    "ProtocolError",
    "RditError",
    "RemoteProtocolError",
    "ServerConnection",
    "BaseServerConnection",
    "ClientConnection",
    "UnknownWidget",
    "UnserializableValue",
    "Verdict",
    "WidgetData",
    "WidgetManager",
    "WidgetModel",
    "WidgetNotHostable",
    "WritePolicy",
    "WriteRefused",
    "__version__",
    "check_host",
    "check_origin",
    "check_token",
    "constant",
    "create",
    "one_way",
    "origin_of",
    "two_way",
    "use_generator",
]
