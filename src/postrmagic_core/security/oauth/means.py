"""What every part of the authorization server works with, and how it tells the log, the counters and the audit log."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..._clock import Clock
from ..._crypto import KeyRing
from ..._ids import Ids
from ..._metrics import Metrics
from ..._protocols import UnitLike, Units
from ...errors import OAuthRefused
from ..checks import CLIENT
from .interface import ClientInfo, Scopes, ServerTerms
from .policy import bad_client, credentials, is_secret
from .rows import client, client_info
from .texts import is_client_id, sha256

if TYPE_CHECKING:
    from ..access import Access
    from ..signed_tokens import SigningKeys

_log = logging.getLogger("postrmagic_core.security")


@dataclass(frozen=True, slots=True)
class Means:
    """What was given to the server, borrowed, and what it made of it."""

    database: Units
    access: Access
    ring: KeyRing
    signing: SigningKeys
    algorithms: frozenset[str]
    terms: ServerTerms
    scopes: Scopes
    clock: Clock
    metrics: Metrics
    ids: Ids

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what is refused in the block."""
        try:
            yield
        except OAuthRefused as refused:
            self.metrics.counter("oauth_refused_total", error=refused.error).add()
            raise

    def denied(self, client_id: str | None, what: str, why: str) -> None:
        """Note what was shown and was not good; never raises. ``client_id`` is one that there is, or ``None``.

        For each reason of its own: one that anybody can cause hides none that tells of a theft. Into the audit log,
        which sums, and not into the log: clients' ids are public, and anybody can send as much as they like.
        """
        self.access.audit.denied(client_id, f"oauth:{what}:{why}", why)

    def record(
        self, unit: UnitLike, what: str, *, actor: str | None, subject: str, detail: Mapping[str, object]
    ) -> None:
        """A row of the audit log, in the transaction; once that has committed, a line of the log."""
        self.access.audit.record(f"oauth.{what}", actor=actor, subject=subject, detail=detail, tx=unit)
        told = {"event": f"security.oauth.{what}", "actor": actor, "subject": subject}
        unit.after_commit(partial(_log.info, "authorization server: %s", what.replace("_", " "), extra=told))

    def client(self, form: Mapping[str, str], authorization: str | None) -> ClientInfo:
        """The client that asks, proved; :class:`OAuthRefused` alike for whoever is none, with the same work done."""
        shown = credentials(form, authorization)
        row = None
        if is_client_id(shown.client_id):
            with self.database.read() as unit:
                row = client(unit, shown.client_id)
        digest = None if shown.secret is None else sha256(shown.secret)
        stands = None if row is None or row.secret_digest is None else bytes(row.secret_digest)
        proved = is_secret(stands, digest)
        if row is None or not proved or row.disabled_us is not None:
            why = "unknown" if row is None else "disabled" if proved else "wrong"
            self.denied(None if row is None else row.id, "client", why)
            raise bad_client()
        return client_info(row)


def subject(user_id: str | None, client_id: str) -> str:
    """Who acts by a grant: the user, or the client for itself."""
    return CLIENT + client_id if user_id is None else user_id
