"""rdit_core: anywidgets outside Jupyter, over any transport. Re-exports the public surface and nothing else."""

from .access import TRUSTED, Verdict, check_host, check_origin, check_token, origin_of
from .base_client import BaseClientConnection
from .base_server import BaseServerConnection
from .client import ClientConnection
from .data import DATA_READER, encode_data
from .data_summary import DataSummary, summarize_data
from .errors import (
    AccessRefused,
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
from .manager import WidgetData, WidgetManager
from .model import WidgetModel
from .policy import WritePolicy
from .server import ServerConnection

__version__ = "0.1.0"

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
    "LocalProtocolError",
    "ProtocolError",
    "RditError",
    "RemoteProtocolError",
    "ServerConnection",
    "BaseServerConnection",
    "ClientConnection",
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
    "check_host",
    "check_origin",
    "check_token",
    "encode_data",
    "origin_of",
    "summarize_data",
]
