"""Redis' error codes and its transport's exceptions as this package's errors.

A code is the first word of an error reply, part of the protocol (https://redis.io/docs/latest/develop/reference/
protocol-spec/#simple-errors); the English text after it is never looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from ssl import SSLCertVerificationError, SSLError
from typing import Any

from hiredis import HiredisError, ReplyError

from postrmagic_core.errors import (
    BackendReadOnly,
    BackendRejected,
    BackendTimeout,
    BackendUnavailable,
    OutcomeUnknown,
    OutOfSpace,
    PostrMagicError,
)

LOST = (OSError, HiredisError)
"""What a connection raises that broke, was silent (``TimeoutError``) or spoke something else than Redis' protocol."""
LATE = "no answer in time"


class HungUp(ConnectionResetError):
    """The server closed the connection; ``said``: the replies it had sent before."""

    def __init__(self, said: Sequence[Any]) -> None:
        super().__init__("the connection was closed at the other end")
        self.said = said


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
    "DENIED": (BackendRejected, "the server is in protected mode: it takes connections of its own machine only"),
    "NOPERM": (BackendRejected, "the user may not run this command or touch this key"),
    "WRONGTYPE": (BackendRejected, "the key holds another type: is this database shared with another application?"),
    "CROSSSLOT": (BackendRejected, "the keys lie in different cluster slots: build them with one Keys(namespace)"),
    "MOVED": (BackendRejected, "the server is a cluster node: redis:// speaks to single servers"),
}
_UNDECLARED = "PMKEY"


def refusal(error: ReplyError) -> Exception:
    """The error of ours for an error *reply*: the server has surely not done it."""
    code = code_of(error)
    if code == _UNDECLARED:
        return KeyError("the script touched a key it was not given: every key is declared in keys=")
    kind, text = _BY_CODE.get(code, (BackendRejected, "the server refused the command"))
    return kind(f"{text} (Redis {code})")


def unwelcome(error: ReplyError) -> Exception:
    """The error of ours for a reply after which the server closed a new connection; too many of them has no code."""
    if code_of(error) == "ERR":
        return BackendUnavailable("the server takes no further connection")
    return refusal(error)


def failure(error: BaseException, *, in_doubt: bool) -> Exception | None:
    """The error of ours for a connection that failed; ``in_doubt``: a write was sent in full before it did."""
    if not isinstance(error, LOST):
        return None
    if in_doubt:
        return OutcomeUnknown("the server's answer to a write was lost; it was not sent again")
    if isinstance(error, TimeoutError):
        return BackendTimeout("the server gave no answer within the time-out")
    return BackendUnavailable(_why(error))


def lost_script(error: Exception) -> bool:
    """Whether the server does not know the script's digest (it was restarted, or its scripts were flushed)."""
    return isinstance(error.__cause__, ReplyError) and code_of(error.__cause__) == "NOSCRIPT"


def replica(error: ReplyError) -> bool:
    """Whether only a new connection may find the primary."""
    return code_of(error) == "READONLY"


def code_of(error: ReplyError) -> str:
    """The reply's code."""
    return str(error).partition(" ")[0]


def _why(error: BaseException) -> str:
    if isinstance(error, SSLCertVerificationError):
        return "the server's certificate was not accepted: check ssl_ca and the host's name"
    if isinstance(error, SSLError):
        return "no TLS could be agreed on: does the server speak it at this port?"
    if isinstance(error, HiredisError):
        return "the server speaks another protocol than Redis'"
    return "the server cannot be reached"
