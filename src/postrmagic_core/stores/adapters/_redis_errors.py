"""Redis' error codes and redis-py's exception types as this package's errors.

A code is the first word of an error reply, part of the protocol (https://redis.io/docs/latest/develop/reference/
protocol-spec/#simple-errors); the English text after it is never looked at.
"""

from __future__ import annotations

import redis.exceptions as driver

from postrmagic_core.errors import (
    BackendReadOnly,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    OutcomeUnknown,
    OutOfSpace,
    PostrMagicError,
)

_BY_CODE: dict[str, tuple[type[PostrMagicError], str]] = {
    "OOM": (OutOfSpace, "the server's memory is full"),
    "MISCONF": (OutOfSpace, "the server cannot write to its disk, and takes no writes until it can"),
    "READONLY": (BackendReadOnly, "the server is a replica and takes no writes"),
    "NOREPLICAS": (BackendUnavailable, "the server has too few replicas to take writes"),
    "LOADING": (BackendUnavailable, "the server is loading its data"),
    "BUSY": (BackendUnavailable, "the server is busy with a script"),
    "MASTERDOWN": (BackendUnavailable, "the replica has lost its primary"),
    "CLUSTERDOWN": (BackendUnavailable, "the cluster is down"),
    "TRYAGAIN": (BackendUnavailable, "the cluster is moving the keys"),
    "NOAUTH": (BackendRejected, "the server wants a password: put it into the URL"),
    "WRONGPASS": (BackendRejected, "the server refused user or password"),
    "NOPERM": (BackendRejected, "the user may not run this command or touch this key"),
    "WRONGTYPE": (BackendRejected, "the key holds another type: is this database shared with another application?"),
    "CROSSSLOT": (BackendRejected, "the keys lie in different cluster slots: build them with one Keys(namespace)"),
    "MOVED": (BackendRejected, "the server is a cluster node: redis:// speaks to single servers"),
}
_UNDECLARED = "PMKEY"


def refusal(error: Exception) -> Exception:
    """The error of ours for an error *reply*: the server has surely not done it."""
    code = _code(error)
    if code == _UNDECLARED:
        return KeyError("the script touched a key it was not given: every key is declared in keys=")
    if code not in _BY_CODE and isinstance(error, driver.ConnectionError):
        if isinstance(error, driver.AuthenticationError):
            return BackendRejected("the server refused user or password")
        return BackendUnavailable("the server takes no further connection")
    kind, text = _BY_CODE.get(code, (BackendRejected, "the server refused the command"))
    return kind(f"{text} (Redis {code})")


def failure(error: Exception, *, in_doubt: bool) -> Exception | None:
    """The error of ours for a connection that failed; ``in_doubt``: a write was sent in full before it did."""
    if isinstance(error, driver.ResponseError | driver.ConnectionError) and _from_server(error):
        return refusal(error)
    silent = isinstance(error, driver.TimeoutError | TimeoutError)
    if not silent and not isinstance(error, driver.RedisError | OSError):
        return None
    if in_doubt:
        return OutcomeUnknown("the server's answer to a write was lost; it was not sent again")
    if silent:
        return BackendTimeout("the server gave no answer within the time-out")
    return BackendUnavailable("the server cannot be reached")


def lost_script(error: Exception) -> bool:
    """Whether the server does not know the script's digest (it was restarted, or its scripts were flushed)."""
    return isinstance(error, driver.NoScriptError)


def replica(error: Exception) -> bool:
    """Whether only a new connection may find the primary."""
    return isinstance(error, driver.ReadOnlyError)


def _from_server(error: Exception) -> bool:
    return isinstance(error, driver.ResponseError) or getattr(error, "status_code", None) is not None


def _code(error: Exception) -> str:
    return str(getattr(error, "status_code", None) or str(error).partition(" ")[0])
