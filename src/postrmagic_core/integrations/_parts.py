"""What the frameworks' modules share: the request's state by attribute, the route's name, a missing framework."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .._work import current_work
from ..errors import MissingExtra
from ..middleware import Pipeline, Request


class State:
    """What the layers tell the application about this request, by attribute: ``request_id``, ``session``, …"""

    __slots__ = ("_told",)

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told

    def __getattr__(self, name: str) -> Any:
        try:
            return self._told[name]
        except KeyError:
            told = ", ".join(sorted(self._told)) or "nothing"
            raise AttributeError(
                f"no middleware of the pipeline told {name!r} about this request, only {told}"
            ) from None


@dataclass(frozen=True, slots=True)
class Route:
    """A framework's route in the words of Starlette: ``path`` is its pattern."""

    path: str


def name_route(route: object) -> None:
    """Let log records and metrics that name the current request name its route: ``route.path``."""
    work = current_work()
    if isinstance(work, Request):
        work.scope["route"] = route


def answers_errors(pipeline: Pipeline) -> bool:
    """Whether the pipeline makes responses of exceptions; if not, the framework is left to make its own."""
    return "errors" in pipeline.names


@contextmanager
def needing(framework: str, extra: str) -> Iterator[None]:
    """Turn a failed import of ``framework`` into :class:`MissingExtra`, which names what to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != extra:
            raise
        raise MissingExtra(
            f"postrmagic_core.integrations.{extra} needs {framework}, which is not installed: "
            f"pip install 'postrmagic-core[{extra}]'"
        ) from error
