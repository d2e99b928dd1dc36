"""What a database adapter is: two engines, a name, and a mapping of its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .._metrics import Metrics
    from ..errors import PostrMagicError
    from .ledger import Holder

Role: TypeAlias = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """``size`` connections are kept, ``overflow`` more opened under load; ``timeout``: seconds to wait for one.

    A connection ends after ``max_age`` seconds, below the idle limits of common proxies and firewalls, which drop
    connections without a word; one that was idle for ``idle_check`` seconds is asked whether it still works (servers
    only: a file does not go away). Who holds one for ``hold_budget`` seconds is logged, once, with its stack.
    """

    size: int = 5
    overflow: int = 10
    timeout: float = 5.0
    max_age: float = 1800.0
    idle_check: float = 60.0
    hold_budget: float = 30.0

    def __post_init__(self) -> None:
        if self.size < 1 or self.overflow < 0:
            raise ValueError(f"expected size >= 1 and overflow >= 0, got {self}")
        if min(self.timeout, self.max_age, self.idle_check, self.hold_budget) <= 0:
            raise ValueError(f"expected seconds above zero, got {self}")

    @property
    def capacity(self) -> int:
        """How many connections there can be at once."""
        return self.size + self.overflow


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, each above zero: to connect, for one statement (database servers only), and to wait for a lock."""

    connect: float = 2.0
    statement: float = 30.0
    lock: float = 5.0

    def __post_init__(self) -> None:
        if min(self.connect, self.statement, self.lock) <= 0:
            raise ValueError(f"expected seconds above zero, got {self}")


@dataclass(frozen=True, slots=True)
class PoolState:
    """A pool now: ``open`` connections of at most ``capacity``, ``in_use`` of them by ``holders``, the longest first.

    ``waiting`` callers have none yet.
    """

    role: Role
    capacity: int
    open: int
    in_use: int
    waiting: int
    holders: tuple[Holder, ...]


class Backend(Protocol):
    """One database, with an engine for reading and one for writing."""

    @classmethod
    def from_url(cls, url: str, *, pool: PoolLimits, timeouts: Timeouts, metrics: Metrics) -> Self:
        """A backend for ``url``, not connected; :class:`ConfigurationError` when the URL cannot be used.

        ``metrics`` gets the histograms of its pools.
        """
        ...

    @property
    def name(self) -> str:
        """``sqlite``, ``mysql`` or ``mariadb``; a server is asked once which of the two it is."""
        ...

    def engine(self, role: Role) -> Engine:
        """The engine for ``role``, made once.

        ``read`` is autocommit and refuses writes; on a connection with the execution option ``pm_snapshot=True`` it
        reads from one snapshot, until the connection is returned. ``write`` begins a transaction that loses no update;
        the execution option ``pm_isolation="serializable"`` makes it serializable too. One transaction a checkout.
        Both engines raise this package's errors.
        """
        ...

    def map_error(self, error: BaseException) -> PostrMagicError | None:
        """This package's error for a driver's or SQLAlchemy's, decided by number or type; ``None`` if it is neither."""
        ...

    def database_id(self) -> str:
        """The same for two URLs of one database, and free of credentials."""
        ...

    def pools(self) -> list[PoolState]:
        """Its pools now, of those roles that were used."""
        ...

    def dispose(self, timeout: float = 0.0) -> None:
        """Close the pooled connections; the engines may be used again and then reconnect.

        Connections in use by other threads are waited for, ``timeout`` seconds at most; those that come back later are
        closed then.
        """
        ...
