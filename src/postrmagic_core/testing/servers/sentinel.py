"""A private Sentinel: it watches a primary and promotes a replica in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from .redis import RedisServer

if TYPE_CHECKING:
    from postrmagic_core.testing.certificates import Issued


class SentinelServer(RedisServer):
    """``redis-server --sentinel``, watching ``primary`` under the name ``watched``; ``url`` leads to that primary.

    ``down_after``: seconds of silence after which this Sentinel holds the primary for down; with ``quorum`` of one
    mind they promote a replica. ``encrypted``: it reaches the servers at their TLS ports.
    """

    name: ClassVar[str] = "sentinel"

    def __init__(
        self,
        primary: RedisServer,
        *,
        watched: str = "main",
        quorum: int = 1,
        down_after: float = 0.5,
        encrypted: bool = False,
        tls: Issued | None = None,
        options: Sequence[str] = (),
    ) -> None:
        super().__init__(tls=tls, options=options)
        self._watched = watched
        port = primary.tls_port if encrypted else primary.port
        self._rules = [
            f"sentinel monitor {watched} {primary.host} {port} {quorum}",
            f"sentinel down-after-milliseconds {watched} {down_after * 1000:.0f}",
            f"sentinel failover-timeout {watched} 3000",
        ]

    def _prepare(self) -> None:
        (self.directory / "sentinel.conf").write_text("\n".join([*self._rules, ""]))

    def _argv(self) -> list[str]:
        return [
            str(self.binary()),
            str(self.directory / "sentinel.conf"),
            "--sentinel",
            *self.place_options(),
            *self._options,
        ]

    def _url(self) -> str:
        return f"redis+sentinel://{self.host}:{self.port}/{self._watched}/0"
