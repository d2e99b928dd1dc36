"""What the frameworks' routes of an Api share; imported only by who makes some, as an Api brings the database along."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from ..api import Api
from ..api.endpoint import Endpoint
from ..errors import ConfigurationError, UsageError
from ..validation.uploads import Readable


def check_plain(api: Api, framework: str) -> None:
    """Raise :class:`ConfigurationError` for a handler that awaits, where requests are answered on threads."""
    if waiting := [one.operation.name for one in api.endpoints if one.is_async]:
        raise ConfigurationError(
            f"{framework} answers on threads: expected plain functions, but {', '.join(waiting)} is async def"
        )


def not_ours(endpoint: Endpoint, error: Exception) -> UsageError:
    """What an exception is that the framework would answer by a page of its own: an operation answers by one shape."""
    return UsageError(
        f"{endpoint.operation.name} raised the framework's own {type(error).__name__}: return a Refusal, or raise an "
        "error that Problems(errors={…}) knows"
    )


@dataclass(frozen=True, slots=True)
class Waited:
    """The body of a request that a thread reads."""

    stream: Readable

    def chunks(self) -> AsyncIterator[bytes]:
        """There are none: nothing is awaited here."""
        raise UsageError("the body of this request is read as a file")

    def file(self) -> Readable:
        """The body as a file whose ``read`` waits."""
        return self.stream
