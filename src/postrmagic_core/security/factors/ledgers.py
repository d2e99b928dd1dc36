"""Where the newest used step of each user is kept: in the package's table, or on any Store."""

from __future__ import annotations

from ..._crypto import KeyRing
from ..._protocols import UnitLike, Units
from ...stores.checks import check_atomic
from ...stores.interface import Store
from ...stores.keys import Keys
from ...stores.scripts import ADVANCE
from ..checks import check_user
from ..units import in_unit
from . import rows

_PURPOSE = "totp-step"


class DatabaseLedger:
    """In ``pm_authenticators``, beside the secret: what :class:`SecondFactors` uses."""

    def __init__(self, database: Units) -> None:
        self._database = database

    def advance(
        self,
        user_id: str,
        step: int,
        *,
        seen: rows.Authenticator | None = None,
        resealed: bytes | None = None,
        tx: UnitLike | None = None,
    ) -> bool:
        """See :meth:`StepLedger.advance`; ``False`` too for a user without a confirmed factor.

        With ``seen`` only while the factor is the one that was looked at; ``resealed`` replaces its secret's seal.
        """
        return in_unit(self._database, tx, lambda unit: rows.advance(unit, user_id, step, seen, resealed))


class StoreLedger:
    """On any Store whose Scripts are atomic over several keys; a user is named there by an HMAC.

    ``keep``: seconds for which a user's newest step is remembered by the Store's clock. Choose it longer than any clock
    is ever set back: a code whose time seems to be now is refused as long as its step is remembered. The Store must not
    evict what it was told to keep.
    """

    def __init__(self, store: Store, keys: KeyRing, *, namespace: str = "app", keep: float = 86_400.0) -> None:
        check_atomic(store, "a ledger of used codes")
        if not keep >= 600.0:
            raise ValueError(
                f"expected keep of 600 seconds or more, got {keep!r}: an old code must not outlive its memory"
            )
        self.store = store
        self._ring = keys
        self._names = Keys(namespace)
        self._keep_ms = round(keep * 1000)

    def advance(self, user_id: str, step: int) -> bool:
        """See :meth:`StepLedger.advance`; one operation, never sent again."""
        check_user(user_id)
        # Under every key of the ring: after a rotation the step is still found where the older key put it.
        digests = self._ring.macs(user_id.encode(), purpose=_PURPOSE)
        names = [self._names.build("totp-step", digest) for digest in digests]
        return self.store.run(ADVANCE, names, [step, self._keep_ms])[0] == 1
