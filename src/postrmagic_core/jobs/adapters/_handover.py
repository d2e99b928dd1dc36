"""A job that a worker of the same process is to run as soon as the unit that enqueues it has committed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .. import policy
from ..interface import Claim, Outcome, Settlement, Taker
from . import _rows

if TYPE_CHECKING:
    from ..._protocols import UnitLike


class Handover:
    """``claim``, a row of ``tx`` already: for ``taker`` if the unit commits soon, for whoever comes if it takes long.

    A lease that began long before the commit would end early, and the worker offered its thread for a moment only.
    """

    def __init__(
        self, tx: UnitLike, taker: Taker, claim: Claim, announce: Callable[[Sequence[tuple[str, str]]], None]
    ) -> None:
        self._tx = tx
        self._taker = taker
        self._claim = claim
        self._announce = announce
        self._until = time.monotonic() + policy.OFFER
        tx.before_commit(self._decide)

    def _decide(self) -> None:
        if time.monotonic() < self._until:
            self._tx.after_commit(lambda: self._taker.take(self._claim))
        else:
            _rows.settle(self._tx, [Settlement(self._claim, Outcome("queued"))])
            self._tx.after_commit(lambda: self._announce([(self._claim.queue, self._claim.id)]))
