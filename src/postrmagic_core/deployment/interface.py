"""What a deployment is about: releases, the replicas that run, how the services are laid out, what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Ending: TypeAlias = Literal["deployed", "unchanged"]


@dataclass(frozen=True, slots=True)
class Release:
    """A version, and the image that holds it: by the name it was given, and by ``image_id`` once that is known."""

    version: str
    image: str
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class Replica:
    """A container of a service, as the engine tells of it.

    ``health`` is empty where the service has no health check. ``previous`` is the release that its labels name as the
    one before. ``stop_timeout``: seconds that it is given between SIGTERM and SIGKILL.
    """

    id: str
    name: str
    service: str
    release: Release
    state: str
    health: str = ""
    previous: Release | None = None
    exit_code: int = 0
    restarts: int = 0
    addresses: tuple[str, ...] = ()
    stop_timeout: float = 10.0

    @property
    def serving(self) -> bool:
        """Whether it runs, and is healthy where that is looked at."""
        return self.state == "running" and self.health in {"", "healthy"}


@dataclass(frozen=True, slots=True)
class Layout:
    """What the Compose file says of the deployment: ``x-postrmagic-deploy``, and the services around it.

    ``app`` is what the database's commands get as ``--app``. ``web`` are replaced behind the proxy, whose statistics
    are read at ``proxy``; ``workers`` are replaced before them. ``replicas``: how many the file wants of each.
    ``before`` are the services that need none of those, ``after`` the ones that do.
    """

    project: str
    app: str
    web: tuple[str, ...]
    proxy: str = ""
    workers: tuple[str, ...] = ()
    replicas: Mapping[str, int] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def rolled(self) -> tuple[str, ...]:
        """The services that are replaced, in this order."""
        return (*self.workers, *self.web)


@dataclass(frozen=True, slots=True)
class Terms:
    """How careful a deployment is.

    ``at_once``: replicas replaced together. ``watch``: seconds that new replicas are watched after the first of them
    and at the end. ``max_error_rate``: the share of their answers that may be errors. ``ready_timeout``: seconds that
    a new replica may take until it is ready.
    """

    at_once: int = 1
    watch: float = 10.0
    max_error_rate: float = 0.01
    ready_timeout: float = 120.0

    def __post_init__(self) -> None:
        if self.at_once < 1:
            raise ValueError(f"expected at least one replica at once, got {self.at_once}")
        if not 0 <= self.max_error_rate <= 1:
            raise ValueError(f"expected a share between 0 and 1 as the greatest error rate, got {self.max_error_rate}")
        if not (0 <= self.watch <= 86_400 and 0 < self.ready_timeout <= 86_400):
            raise ValueError("expected seconds, a day at most, for the watch and until a replica is ready")


@dataclass(frozen=True, slots=True)
class Note:
    """What was begun and not ended: kept in the engine, so that the next run knows it, whoever runs it."""

    target: Release
    previous: Release | None
    wanted: Mapping[str, int]
    began_us: int


@dataclass(frozen=True, slots=True)
class Said:
    """A line of what happens: ``step`` is one word for programs, ``seconds`` since the deployment began."""

    step: str
    text: str
    seconds: float


Report: TypeAlias = Callable[[Said], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a deployment ended well: what runs now, in place of what, and whether anything had to be done."""

    ending: Ending
    release: Release
    previous: Release | None
    replicas: Mapping[str, int]
    seconds: float
    asked: int = 0
    failed: int = 0
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Status:
    """What runs, what the proxy says of each address, who deploys and what was begun and not ended."""

    project: str
    replicas: tuple[Replica, ...]
    proxy: Mapping[str, str]
    proxy_problem: str
    lock: Mapping[str, str] | None
    note: Note | None
