"""The reference server of rdit: runs a script in one kernel thread and shows its widgets live in a page."""

from .app import create_app
from .kernel import Kernel
from .lifespan import kernel_lifespan
from .log import Event, EventLog
from .script import Script
from .security import AccessRules

__all__ = ["AccessRules", "Event", "EventLog", "Kernel", "Script", "create_app", "kernel_lifespan"]
