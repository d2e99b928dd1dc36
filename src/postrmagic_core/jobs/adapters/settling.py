"""What the consumers of every broker do alike: settle what has ended, refuse what nobody here can run."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dramatiq import Message
from dramatiq.errors import BrokerConnectionError, ConnectionClosed

from ...errors import BackendError
from ..interface import Outcome

if TYPE_CHECKING:
    from ..held import HeldClaims
    from ..interface import Claim
    from ..ledger import Ledger

logger = logging.getLogger("postrmagic_core.jobs")


def message_of(claim: Claim, **options: object) -> Message[None]:
    """What dramatiq sees of a claim: its id, and none of its arguments, which dramatiq would log."""
    return Message(claim.queue, claim.task, (claim.id,), {}, dict(options), message_id=claim.id)


def closed(error: Exception) -> BrokerConnectionError:
    """What dramatiq takes for a broker it cannot reach: it tries again."""
    return ConnectionClosed(error)  # type: ignore[no-untyped-call]  # dramatiq's is untyped


def settle(ledger: Ledger, held: HeldClaims, job_id: str) -> None:
    """Record how the delivery ended. A dead database raises dramatiq's own error, upon which it tries again.

    A delivery without an outcome was torn from its thread: its lease runs out and it is delivered again.
    """
    claim, outcome = held.get(job_id), held.outcome(job_id)
    if claim is not None and outcome is not None:
        _record(ledger, claim, outcome)
    held.drop(job_id)


def refuse(ledger: Ledger, claim: Claim) -> None:
    """Bury a job whose task was not included in this process."""
    logger.error("job %s names task %s, which is not included here: it is a dead letter now", claim.id, claim.task)
    _record(ledger, claim, Outcome("dead", reason="unknown_task", error="job.unknown_task"))


def _record(ledger: Ledger, claim: Claim, outcome: Outcome) -> None:
    try:
        owned = ledger.settle(claim, outcome)
    except BackendError as error:
        raise closed(error) from error
    if not owned:
        logger.warning("the lease on job %s was lost: its end here is not recorded (job.lease_lost)", claim.id)
