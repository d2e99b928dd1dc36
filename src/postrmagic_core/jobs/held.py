"""What one worker holds: its claims, and how each ended."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from .interface import Claim, Outcome


class HeldClaims:
    """The claims of the worker named ``owner``, which has ``threads`` threads.

    ``claiming`` is held by the one consumer that claims at a time, so that all queues together never take more than
    there are threads to run: a claim that waited in memory would count as a delivery if the process died.
    """

    def __init__(self, owner: str, threads: int) -> None:
        self.owner = owner
        self.threads = threads
        self.claiming = threading.Lock()
        self._lock = threading.Lock()
        self._claims: dict[str, Claim] = {}
        self._outcomes: dict[str, Outcome] = {}

    @property
    def free(self) -> int:
        """How many more claims may be taken now."""
        with self._lock:
            alone = any(claim.alone for claim in self._claims.values())
            return 0 if alone else max(0, self.threads - len(self._claims))

    @property
    def busy(self) -> bool:
        """Whether anything is held."""
        return bool(self._claims)

    def ids(self) -> list[str]:
        """The ids of the jobs held, whose leases are to be renewed."""
        with self._lock:
            return list(self._claims)

    def add(self, claims: Iterable[Claim]) -> None:
        """Hold ``claims``."""
        with self._lock:
            self._claims.update((claim.id, claim) for claim in claims)

    def get(self, job_id: str) -> Claim | None:
        """The claim on a job, if held."""
        with self._lock:
            return self._claims.get(job_id)

    def ended(self, job_id: str, outcome: Outcome) -> None:
        """Note how the delivery ended; the consumer settles it."""
        with self._lock:
            self._outcomes[job_id] = outcome

    def outcome(self, job_id: str) -> Outcome | None:
        """How the delivery ended; ``None`` while it has not."""
        with self._lock:
            return self._outcomes.get(job_id)

    def drop(self, job_id: str) -> None:
        """Hold the job no longer."""
        with self._lock:
            self._claims.pop(job_id, None)
            self._outcomes.pop(job_id, None)
