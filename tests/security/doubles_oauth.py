"""OAuth without each of its guards: ``make guards`` puts these in their places (tests/faults.toml)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import update

from postrmagic_core._protocols import UnitLike
from postrmagic_core.errors import BackendError
from postrmagic_core.security.oauth import policy, rows
from postrmagic_core.security.oauth.granting import _PURPOSE, Granting
from postrmagic_core.security.oauth.judging import Judging
from postrmagic_core.security.oauth.policy import Refused
from postrmagic_core.security.oauth.rows import Kept, codes, tokens
from postrmagic_core.security.tables import oauth_codes, oauth_refresh_tokens
from postrmagic_core.security.units import in_unit

_judged = Judging._judged


def redeemed_by_all(tx: UnitLike, digest: bytes, grant_id: str | None, now_us: int) -> bool:
    """It was good when it was read, so it is redeemed; nobody asks whether it still was."""
    time.sleep(0.01)
    tx.execute(update(oauth_codes).where(codes.digest == digest).values(redeemed_us=now_us, grant_id=grant_id))
    return True


def used_by_all(tx: UnitLike, digest: bytes, now_us: int, kept: Kept | None) -> bool:
    """As often as it is shown."""
    time.sleep(0.01)
    values = {"used_us": now_us} | ({} if kept is None else kept._asdict())
    tx.execute(update(oauth_refresh_tokens).where(tokens.digest == digest).values(**values))
    return True


def until_used(tx: UnitLike, digest: bytes, now_us: int, kept: Kept | None) -> bool:
    """However long it was not used."""
    good = update(oauth_refresh_tokens).where(tokens.digest == digest, tokens.used_us.is_(None))
    return tx.execute(good.values(used_us=now_us, **({} if kept is None else kept._asdict()))).rowcount == 1


def nothing_ends(grants: object, unit: UnitLike, row: Any, reason: str, actor: str) -> bool:
    """Who comes second is refused, and that is all."""
    return False


def refused_in_the_unit(
    granting: Granting, client: Any, what: str, work: Callable[[UnitLike], dict[str, object] | Refused]
) -> dict[str, object]:
    """What a refusal has written is undone by it."""

    def answered(unit: UnitLike) -> dict[str, object]:
        found = work(unit)
        return granting._refuse(client, what, found) if isinstance(found, Refused) else found

    return in_unit(granting._means.database, None, answered)


def good_for_its_time(row: Any, now_us: int) -> bool:
    """A signature and an end are enough."""
    return True


def any_verifier(verifier: str, challenge: str) -> bool:
    """The code alone is enough."""
    return True


def begins_alike(asked: str, registered: Iterable[str]) -> bool:
    """Whatever begins with an address that was registered."""
    return any(asked.startswith(uri) for uri in registered)


def plain_will_do(fields: Any, client: Any, uri: str, known: Any, resource: str) -> Any:
    """A challenge may be left out."""
    rest = {name: values for name, values in fields.items() if not name.startswith("code_challenge")}
    filled = rest | {"code_challenge": ["c" * 43], "code_challenge_method": ["S256"]}
    return _request(filled, client, uri, known, resource)


_request = policy.request


def again_for_anybody(granting: Granting, shown: Any, row: Any, now_us: int) -> dict[str, object] | None:
    """The answer of before, for whoever has the token."""
    if row.reply is None:
        return None
    opened = granting._means.ring.open(bytes(row.reply), purpose=_PURPOSE, context=shown.digest)
    answer: dict[str, object] = json.loads(opened)
    return answer


def nobody_while_away(judging: Judging, token: object) -> Any:
    """What cannot be asked about is not good."""
    try:
        return _judged(judging, token)
    except BackendError:
        return Refused("unknown")


def any_secret(client_digest: bytes | None, secret_digest: bytes | None) -> bool:
    """Its name is enough."""
    return True


def time_for_each_piece(ends: float) -> float:
    """Seconds anew for every piece of an answer, as a client has that knows no end of the whole."""
    return 2.5


def good_until_used(row: Any, now_us: int) -> bool:
    """Neither the look before nor the statement that decides asks when it ends."""
    rows.use_refresh = until_used
    return row.used_us is None and row.revoked_us is None
