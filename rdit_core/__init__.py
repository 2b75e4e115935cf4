"""rdit_core: anywidgets outside Jupyter, over any transport. Re-exports the public surface and nothing else.

What makes widgets (`create`) and what it is made with is loaded when it is asked for: it brings anywidget, which takes
long to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .access import TRUSTED, Verdict, check_host, check_origin, check_token, origin_of
from .atomic import atomic
from .base_client import BaseClientConnection
from .base_server import BaseServerConnection
from .client import ClientConnection
from .errors import (
    AccessRefused,
    CreateError,
    DataTooLarge,
    InvalidWidgetId,
    LimitReached,
    LocalProtocolError,
    ProtocolError,
    RditError,
    RemoteProtocolError,
    UnknownWidget,
    UnserializableValue,
    UnsupportedData,
    WidgetNotHostable,
    WriteRefused,
)
from .limits import Limits
from .links import Link, Links, LinkWarning, link_traits, links
from .manager import WidgetData, WidgetManager
from .model import WidgetModel
from .policy import WritePolicy
from .server import ServerConnection

if TYPE_CHECKING:
    from .created import CreatedWidget
    from .creation import create
    from .data import DATA_READER, encode_data
    from .data_summary import DataSummary, summarize_data
    from .descriptions import GenerationFailed, use_generator
    from .exports import Export
    from .imports import constant, one_way, two_way

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import created, creation, data, data_summary, descriptions, exports, imports

    modules = (created, creation, data, data_summary, descriptions, exports, imports)
    value = globals()[name] = next(vars(module)[name] for module in modules if name in vars(module))
    return value


__all__ = [
    "DATA_READER",
    "TRUSTED",
    "AccessRefused",
    "BaseClientConnection",
    "DataSummary",
    "DataTooLarge",
    "InvalidWidgetId",
    "LimitReached",
    "Limits",
    "Link",
    "LinkWarning",
    "Links",
    "LocalProtocolError",
    "ProtocolError",
    "RditError",
    "RemoteProtocolError",
    "ServerConnection",
    "BaseServerConnection",
    "ClientConnection",
    "CreateError",
    "CreatedWidget",
    "Export",
    "GenerationFailed",
    "UnknownWidget",
    "UnserializableValue",
    "UnsupportedData",
    "Verdict",
    "WidgetData",
    "WidgetManager",
    "WidgetModel",
    "WidgetNotHostable",
    "WritePolicy",
    "WriteRefused",
    "__version__",
    "atomic",
    "check_host",
    "check_origin",
    "check_token",
    "constant",
    "create",
    "encode_data",
    "link_traits",
    "links",
    "one_way",
    "origin_of",
    "summarize_data",
    "two_way",
    "use_generator",
]
