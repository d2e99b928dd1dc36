"""What a database adapter is: two engines, a name, and a mapping of its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, Self, TypeAlias

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from ..errors import PostrMagicError

Role: TypeAlias = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """``size`` connections are kept, ``overflow`` more opened under load; ``timeout``: seconds to wait for one."""

    size: int = 5
    overflow: int = 10
    timeout: float = 5.0

    def __post_init__(self) -> None:
        if self.size < 1 or self.overflow < 0 or self.timeout <= 0:
            raise ValueError(f"expected size >= 1, overflow >= 0 and timeout > 0 (seconds), got {self}")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds, each above zero: to connect, for one statement (database servers only), and to wait for a lock."""

    connect: float = 2.0
    statement: float = 30.0
    lock: float = 5.0

    def __post_init__(self) -> None:
        if min(self.connect, self.statement, self.lock) <= 0:
            raise ValueError(f"expected seconds above zero, got {self}")


class Backend(Protocol):
    """One database, with an engine for reading and one for writing."""

    @classmethod
    def from_url(cls, url: str, *, pool: PoolLimits, timeouts: Timeouts) -> Self:
        """A backend for ``url``, not connected; :class:`ConfigurationError` when the URL cannot be used."""
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

    def dispose(self) -> None:
        """Close the pooled connections; the engines may be used again and then reconnect."""
        ...
