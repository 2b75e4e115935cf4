"""rdit_core: anywidgets outside Jupyter, over any transport. Re-exports the public surface and nothing else."""

from .access import TRUSTED, Verdict, check_host, check_origin, check_token, origin_of
from .atomic import atomic
from .base_client import BaseClientConnection
from .base_server import BaseServerConnection
from .client import ClientConnection
from .errors import (
    AccessRefused,
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
from .links import Link, Links, LinkWarning, link_traits, links
from .manager import WidgetData, WidgetManager
from .model import WidgetModel
from .policy import WritePolicy
from .server import ServerConnection

__version__ = "0.1.0"

__all__ = [
    "TRUSTED",
    "AccessRefused",
    "BaseClientConnection",
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
    "atomic",
    "check_host",
    "check_origin",
    "check_token",
    "link_traits",
    "links",
    "origin_of",
]
