"""postrmagic-core: the infrastructure of a web product, correct together.

Everything here is imported when it is first used: ``import postrmagic_core`` loads no driver and costs milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._retry import RetryPolicy as RetryPolicy
    from .cache import CacheManager as CacheManager
    from .database import DatabaseManager as DatabaseManager
    from .errors import PostrMagicError as PostrMagicError
    from .events import Event as Event
    from .events import EventManager as EventManager
    from .events import on as on
    from .jobs import JobContext as JobContext
    from .jobs import JobQueue as JobQueue
    from .jobs import task as task
    from .log import get_logger as get_logger
    from .middleware import Pipeline as Pipeline
    from .registry import Registry as Registry
    from .sessions import SessionStore as SessionStore
    from .settings import Settings as Settings
    from .stack import Stack as Stack
    from .stores import Store as Store
    from .validation import Validator as Validator

_HOME = {
    "Stack": "stack",
    "Settings": "settings",
    "DatabaseManager": "database",
    "CacheManager": "cache",
    "SessionStore": "sessions",
    "JobQueue": "jobs",
    "JobContext": "jobs",
    "task": "jobs",
    "EventManager": "events",
    "Event": "events",
    "on": "events",
    "Validator": "validation",
    "Pipeline": "middleware",
    "get_logger": "log",
    "Store": "stores",
    "Registry": "registry",
    "RetryPolicy": "_retry",
    "PostrMagicError": "errors",
}

__all__ = [
    "Stack",
    "Settings",
    "DatabaseManager",
    "CacheManager",
    "SessionStore",
    "JobQueue",
    "JobContext",
    "task",
    "EventManager",
    "Event",
    "on",
    "Validator",
    "Pipeline",
    "get_logger",
    "Store",
    "Registry",
    "RetryPolicy",
    "PostrMagicError",
]


if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for one

    def __getattr__(name: str) -> Any:
        home = _HOME.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f".{home}", __name__), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
