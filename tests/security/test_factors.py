"""Second factors from the first QR code to the last recovery code, on both faces and every database."""

from __future__ import annotations

import base64
import re
import secrets
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyotp import parse_uri
from pyotp.totp import TOTP
from sqlalchemy import select, update

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import MissingExtra, NotOpen, OutsideUnit, SealBroken, UsageError
from postrmagic_core.security.factors import FactorDecision, FactorStatus, SecondFactors, TotpPolicy, policy
from postrmagic_core.security.tables import authenticators, recovery_codes
from postrmagic_core.testing import FakeClock
from tests.security.conftest import KEY
from tests.security.factors_rig import ALICE, BOB, ISSUER, Rig, events, listen, rigged

ACCEPTED = FactorDecision(True, "accepted")
WRONG = FactorDecision(False, "wrong")
REPLAYED = FactorDecision(False, "replayed")
NEW_KEY = "a-newer-master-value-9876543210-zyxwvutsrq"


@pytest.fixture(params=["sync", "async"])
def rig(request: pytest.FixtureRequest, database: DatabaseManager, ring: KeyRing) -> Iterator[Rig]:
    """Both faces."""
    with rigged(database, ring, request.param) as rig:
        yield rig


@pytest.fixture
def one(database: DatabaseManager, ring: KeyRing) -> Iterator[Rig]:
    """The sync face alone, where both share all code."""
    with rigged(database, ring) as rig:
        yield rig


def rows(database: DatabaseManager, table: Any) -> list[tuple[Any, ...]]:
    """All rows of a table, as the database has them."""
    with database.read() as tx:
        return [tuple(row) for row in tx.execute(select(table))]


def test_a_login_with_a_second_factor(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Enrolled, confirmed, verified, recovered and disabled; each step is told once."""
    listen(caplog)
    assert rig.status(ALICE) == FactorStatus()
    enrolment = rig.enrol(ALICE)
    assert rig.status(ALICE) == FactorStatus(pending=True)
    codes = rig.confirm(ALICE, rig.code(enrolment))
    assert codes is not None
    assert rig.status(ALICE) == FactorStatus(True, False, rig.clock.now, 10)
    rig.clock.advance(30)
    assert rig.verify(ALICE, rig.code(enrolment), challenge="login 1") == ACCEPTED
    assert rig.recover(ALICE, codes[0])
    assert rig.call("recovery_left", ALICE) == 9
    assert rig.call("disable", ALICE)
    assert rig.status(ALICE) == FactorStatus()
    assert events(caplog) == [
        "security.factor_enabled",
        "security.factor_accepted",
        "security.recovery_code_used",
        "security.factor_disabled",
    ]


def test_what_the_app_is_given(one: Rig) -> None:
    """A secret of 160 bits, which its address holds with issuer and account; the QR code shows just that address."""
    enrolment = one.enrol(ALICE, "ålice & co@example.org")
    assert len(base64.b32decode(enrolment.secret)) * 8 == 160
    app = parse_uri(enrolment.uri)
    assert isinstance(app, TOTP)
    assert (app.secret, app.issuer, app.name, app.digits, app.interval) == (
        enrolment.secret,
        ISSUER,
        "ålice & co@example.org",
        6,
        30,
    )
    assert enrolment.alt == "QR code for Shop (ålice & co@example.org)"
    assert enrolment.grouped_secret.replace(" ", "") == enrolment.secret
    head, _, data = enrolment.data_uri.partition(",")
    assert head == "data:image/svg+xml;base64"
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", data)
    assert base64.b64decode(data).decode() == enrolment.svg
    assert one.enrol(ALICE).secret != enrolment.secret


def test_secrets_come_from_the_system(one: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """From :mod:`secrets`, the secret and each letter of a recovery code."""
    monkeypatch.setattr("secrets.token_bytes", lambda size: bytes(range(size)))
    assert base64.b32decode(one.enrol(ALICE).secret) == bytes(range(20))
    monkeypatch.undo()
    enrolment, picked, choice = one.enrol(ALICE), [], secrets.choice

    def watched(letters: str) -> str:
        picked.append(choice(letters))
        return picked[-1]

    monkeypatch.setattr("secrets.choice", watched)
    codes = one.confirm(ALICE, one.code(enrolment))
    assert codes is not None
    assert "".join(codes).replace("-", "") == "".join(picked)


def test_nothing_shows_a_secret(
    one: Rig, database: DatabaseManager, ring: KeyRing, caplog: pytest.LogCaptureFixture
) -> None:
    """No repr, no log record, no traceback, and no row of either table."""
    listen(caplog)
    enrolment, codes = one.enabled()
    code = one.code(enrolment)
    one.verify(ALICE, code)
    one.verify(ALICE, code)
    one.verify(ALICE, "000000")
    one.recover(ALICE, codes[0])
    one.recover(ALICE, codes[0])
    logged = [
        value for record in caplog.records for value in vars(record).values() if not isinstance(value, float | int)
    ]
    said = repr((logged, enrolment, one.factors))
    with pytest.raises(UsageError) as caught:
        one.enrol(ALICE)
    said += "".join(traceback.format_exception(caught.value))
    dump = b"|".join(
        value if isinstance(value, bytes) else value.encode()
        for table in (authenticators, recovery_codes)
        for row in rows(database, table)
        for value in row
        if isinstance(value, bytes | str)
    )
    raw = base64.b32decode(enrolment.secret)
    assert raw not in dump
    plain = [enrolment.secret, enrolment.uri, code, *codes, *(code.replace("-", "") for code in codes)]
    for text in plain:
        assert text not in said
        assert text.encode() not in dump


@pytest.mark.parametrize(
    "given",
    ["", " ", "\uff11" * 6, "\u00b2" * 6, "\u2460" * 6, "12 345", 123456, b"123456", None, [], {}, True, "1" * 100_000],
    ids=lambda given: ascii(given)[:20],
)
def test_a_hostile_code_is_refused_before_anything(
    one: Rig, database: DatabaseManager, given: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No secret is read for it, no code computed, nothing counted."""
    enrolment, _ = one.enabled()
    monkeypatch.setattr(policy, "matching_step", None)
    monkeypatch.setattr(database, "read", None)
    monkeypatch.setattr(database, "write", None)
    assert one.verify(ALICE, given) == WRONG
    assert not one.recover(ALICE, given)
    monkeypatch.undo()
    pending = one.enrol(BOB)
    assert one.confirm(BOB, given) is None
    assert one.status(BOB).pending
    assert one.verify(ALICE, one.code(enrolment)) == ACCEPTED
    assert one.confirm(BOB, one.code(pending)) is not None


def test_a_code_looks_like_the_right_one_and_is_not(one: Rig) -> None:
    """The right digits, written otherwise: in full width, spaced, as a number."""
    enrolment, _ = one.enabled()
    code = one.code(enrolment)
    wide = code.translate({ord(digit): ord(digit) - 0x30 + 0xFF10 for digit in "0123456789"})
    for other in (wide, f" {code}", f"{code}\n", f"{code[:3]} {code[3:]}", int(code), code.encode(), [code]):
        assert one.verify(ALICE, other) == WRONG
    assert one.verify(ALICE, code) == ACCEPTED


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.from_regex(r"[0-9]{6}", fullmatch=True) | st.text(max_size=12))
def test_no_other_text_is_ever_accepted(one: Rig, given: str) -> None:
    """Of all texts only the codes of this step and the one before, and of those only the unused."""
    if not one.status(ALICE).enabled:
        one.enabled()
    with one.factors.database.read() as tx:
        sealed = tx.scalar(select(authenticators.c.secret).where(authenticators.c.user_id == ALICE))
    secret = policy.base32(KeyRing([KEY]).open(sealed, purpose="totp-secret", context=ALICE.encode()))
    now = one.clock.now.timestamp()
    if given not in {TOTP(secret).at(now), TOTP(secret).at(now - 30)}:
        assert not one.verify(ALICE, given)
        assert not one.recover(ALICE, given)


@pytest.mark.parametrize(("seconds", "reason"), [(-60, "wrong"), (-30, "replayed"), (0, "accepted"), (30, "wrong")])
def test_a_code_lives_for_its_step_and_the_next(one: Rig, seconds: int, reason: str) -> None:
    """The present one, or the one before, which here confirmed the enrolment; by the server's clock."""
    enrolment, _ = one.enabled()
    assert one.verify(ALICE, one.code(enrolment, seconds)).reason == reason


def test_a_code_may_come_one_step_late(one: Rig) -> None:
    """Typed as it changed, until the next one changes."""
    enrolment, _ = one.enabled()
    code = one.code(enrolment)
    one.clock.advance(60)
    assert one.verify(ALICE, code) == WRONG
    one.clock.jump(-0.001)
    assert one.verify(ALICE, code) == ACCEPTED


def test_a_strict_policy_keeps_a_code_to_its_step(database: DatabaseManager, ring: KeyRing) -> None:
    """``behind=0``: thirty seconds, as ASVS 6.5.5 has it."""
    with rigged(database, ring, policy=TotpPolicy(behind=0)) as rig:
        enrolment, _ = rig.enabled()
        code = rig.code(enrolment)
        rig.clock.advance(29.999)
        assert rig.verify(ALICE, code) == ACCEPTED
        rig.clock.advance(30)
        code = rig.code(enrolment)
        rig.clock.advance(30)
        assert rig.verify(ALICE, code) == WRONG


def test_a_code_is_used_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """The second time it is refused, and so is every code of before."""
    enrolment, _ = rig.enabled()
    early = rig.code(enrolment)
    rig.clock.advance(30)
    late = rig.code(enrolment)
    assert rig.verify(ALICE, late) == ACCEPTED
    listen(caplog)
    assert rig.verify(ALICE, late) == REPLAYED
    assert rig.verify(ALICE, early) == REPLAYED
    assert events(caplog) == ["security.factor_replayed"] * 2


def test_the_code_of_the_enrolment_is_used_by_it(rig: Rig) -> None:
    """It cannot be the first login's."""
    enrolment = rig.enrol(ALICE)
    code = rig.code(enrolment)
    assert rig.confirm(ALICE, code) is not None
    assert rig.verify(ALICE, code) == REPLAYED
    assert rig.confirm(ALICE, code) is None
    rig.clock.advance(30)
    assert rig.verify(ALICE, rig.code(enrolment)) == ACCEPTED


def test_a_pending_factor_is_none(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Not confirmed, it verifies nothing; a wrong code does not confirm it; a new one takes its place."""
    listen(caplog)
    old = rig.enrol(ALICE)
    assert rig.verify(ALICE, rig.code(old)) == FactorDecision(False, "not_enrolled")
    assert rig.confirm(ALICE, rig.code(old, 120)) is None
    new = rig.enrol(ALICE)
    assert rig.confirm(ALICE, rig.code(old)) is None
    assert events(caplog) == ["security.factor_refused"] * 3
    assert rig.confirm(ALICE, rig.code(new)) is not None


def test_an_enrolment_is_not_left_lying(one: Rig) -> None:
    """After an hour nobody confirms it."""
    enrolment = one.enrol(ALICE)
    one.clock.advance(3601)
    assert one.confirm(ALICE, one.code(enrolment)) is None
    assert one.confirm(ALICE, one.code(one.enrol(ALICE))) is not None


def test_an_enabled_factor_stays(rig: Rig) -> None:
    """Whoever is at the user's screen cannot put another in its place; disabled, it can be enrolled anew."""
    enrolment, codes = rig.enabled()
    with pytest.raises(UsageError, match=r"disable\(\)"):
        rig.enrol(ALICE)
    assert rig.verify(ALICE, rig.code(enrolment)) == ACCEPTED
    assert rig.call("disable", ALICE)
    assert not rig.call("disable", ALICE)
    rig.clock.advance(30)
    assert rig.verify(ALICE, rig.code(enrolment)) == FactorDecision(False, "not_enrolled")
    assert not rig.recover(ALICE, codes[0])
    rig.enabled()
    assert rig.verify(ALICE, rig.code(enrolment)) == WRONG
    assert not rig.recover(ALICE, codes[0])


def test_a_recovery_code_is_used_once(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """However it is typed; never another user's."""
    _, codes = rig.enabled()
    _, others = rig.enabled(BOB)
    listen(caplog)
    assert not rig.recover(BOB, codes[0])
    assert rig.recover(ALICE, codes[0].lower().replace("-", " "))
    assert not rig.recover(ALICE, codes[0])
    assert events(caplog) == ["security.factor_refused", "security.recovery_code_used", "security.factor_refused"]
    assert rig.status(ALICE).recovery_left == 9
    assert len({*codes, *others}) == 20


def test_recovery_codes_are_renewed(rig: Rig) -> None:
    """The old ones are dead; without an enabled factor there are none."""
    assert rig.call("renew_recovery", ALICE) is None
    rig.enrol(ALICE)
    assert rig.call("renew_recovery", ALICE) is None
    _, old = rig.enabled()
    new = rig.call("renew_recovery", ALICE)
    assert len(new) == 10
    assert not any(rig.recover(ALICE, code) for code in old)
    assert all(rig.recover(ALICE, code) for code in new)
    assert rig.call("recovery_left", ALICE) == 0


def test_many_recovery_codes_are_all_different(one: Rig) -> None:
    """Each of them has its own name, too."""
    _, codes = one.enabled()
    for _ in range(20):
        codes += one.call("renew_recovery", ALICE)
    assert len(set(codes)) == len(codes) == 210
    group = rf"[{policy.RECOVERY_ALPHABET}]{{5}}"
    assert all(re.fullmatch("-".join([group] * 5), code) for code in codes)


# Transactions: what is written belongs to the caller's unit.


def test_what_is_undone_was_not_used(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A code, a recovery code and a removal are undone with the unit they are part of; no event tells of them."""
    enrolment, codes = rig.enabled()
    listen(caplog)
    code = rig.code(enrolment)
    assert rig.rolled_back("verify", ALICE, code) == ACCEPTED
    events(caplog)
    assert rig.rolled_back("recover", ALICE, codes[0]) is True
    assert rig.rolled_back("disable", ALICE) is True
    assert len(rig.rolled_back("renew_recovery", ALICE)) == 10
    assert events(caplog) == []
    assert rig.verify(ALICE, code) == ACCEPTED
    assert rig.recover(ALICE, codes[0])
    pending = rig.enrol(BOB)
    assert rig.rolled_back("confirm", BOB, rig.code(pending)) is not None
    assert rig.status(BOB).pending
    rig.rolled_back("enrol", BOB, "bob")
    assert rig.confirm(BOB, rig.code(pending)) is not None


def test_a_unit_must_be_passed_on(one: Rig, database: DatabaseManager) -> None:
    """Inside a unit of the same database a call without ``tx`` is a mistake, not half of a transaction."""
    enrolment, codes = one.enabled()
    with database.write() as tx:
        for call in (
            lambda: one.factors.disable(ALICE),
            lambda: one.factors.verify(ALICE, one.code(enrolment)),
            lambda: one.factors.recover(ALICE, codes[0]),
        ):
            with pytest.raises(OutsideUnit, match="pass tx="):
                call()
        assert one.factors.verify(ALICE, one.code(enrolment), tx=tx) == ACCEPTED

    async def inside() -> None:
        async with database.aio.write():
            with pytest.raises(OutsideUnit, match="pass tx="):
                await one.factors.aio.disable(ALICE)

    one._runner.run(inside())
    assert one.status(ALICE).enabled


# Keys: sealed under one's own purpose, for one's own user.


def test_a_secret_moved_to_another_user_does_not_open(
    one: Rig, database: DatabaseManager, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever can write rows cannot log in as somebody else by their own factor, and it is told."""
    enrolment, _ = one.enabled()
    one.enabled(BOB)
    sealed = {row[0]: row[1] for row in rows(database, authenticators)}
    with database.write() as tx:
        tx.execute(update(authenticators).where(authenticators.c.user_id == BOB).values(secret=sealed[ALICE]))
    listen(caplog)
    with pytest.raises(SealBroken):
        one.verify(BOB, one.code(enrolment))
    assert events(caplog) == ["security.factor_refused"]
    assert one.verify(ALICE, one.code(enrolment)) == ACCEPTED


def test_a_recovery_code_moved_to_another_user_is_none(one: Rig, database: DatabaseManager) -> None:
    """Its name holds the user's."""
    _, codes = one.enabled()
    one.enabled(BOB)
    with database.write() as tx:
        tx.execute(update(recovery_codes).where(recovery_codes.c.user_id == ALICE).values(user_id=BOB))
    assert not any(one.recover(user, code) for user in (ALICE, BOB) for code in codes)


@pytest.mark.parametrize("stage", ["pending", "enabled"])
def test_an_older_key_still_opens(one: Rig, database: DatabaseManager, stage: str) -> None:
    """After a rotation old secrets and recovery codes are good, and a secret is sealed anew when it is next used."""
    enrolment = one.enrol(ALICE)
    codes = one.confirm(ALICE, one.code(enrolment)) if stage == "enabled" else None
    with rigged(database, KeyRing([NEW_KEY, KEY]), clock=one.clock) as rotated:
        codes = codes or rotated.confirm(ALICE, rotated.code(enrolment))
        assert codes
        rotated.clock.advance(30)
        assert rotated.verify(ALICE, rotated.code(enrolment)) == ACCEPTED
        assert rotated.recover(ALICE, codes[0])
    with rigged(database, KeyRing([NEW_KEY]), clock=one.clock) as new:
        new.clock.advance(30)
        assert new.verify(ALICE, new.code(enrolment)) == ACCEPTED


def test_without_its_key_a_factor_opens_for_nobody(one: Rig, database: DatabaseManager) -> None:
    """A key that was taken out too early is an error, never an acceptance."""
    enrolment, codes = one.enabled()
    with rigged(database, KeyRing([NEW_KEY]), clock=one.clock) as other:
        with pytest.raises(SealBroken):
            other.verify(ALICE, other.code(enrolment))
        assert not other.recover(ALICE, codes[0])


# Races that are no replay.


def in_threads(calls: list[Callable[[], Any]]) -> list[Any]:
    """What the calls answer, made at once."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_one_enrolment_is_confirmed_once(one: Rig) -> None:
    """Ten at once: one gets recovery codes, and they are the ones that are good."""
    for number in range(5):
        user = f"user {number}"
        code = one.code(one.enrol(user))
        answers = in_threads([partial(one.factors.confirm, user, code)] * 10)
        (codes,) = [codes for codes in answers if codes is not None]
        assert one.status(user).recovery_left == 10
        assert all(one.recover(user, code) for code in codes)


def test_one_recovery_code_is_used_by_one(one: Rig) -> None:
    """Ten at once, for each of ten codes."""
    _, codes = one.enabled()
    for code in codes:
        assert in_threads([partial(one.factors.recover, ALICE, code)] * 10).count(True) == 1
    assert one.status(ALICE).recovery_left == 0


def test_renewed_at_once_one_set_is_good(one: Rig) -> None:
    """Never parts of two."""
    one.enabled()
    sets = in_threads([lambda: one.factors.renew_recovery(ALICE)] * 6)
    assert one.status(ALICE).recovery_left == 10
    good = [codes for codes in sets if one.recover(ALICE, codes[0])]
    assert len(good) == 1
    assert all(one.recover(ALICE, code) for code in good[0][1:])


def test_a_secret_that_was_replaced_meanwhile_is_not_accepted(one: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at a factor and the use of its code it was disabled and enrolled anew."""
    enrolment, _ = one.enabled()
    seal = one.factors._resealed

    def disabled_after_the_look(*args: Any) -> Any:
        monkeypatch.undo()
        one.factors.disable(ALICE)
        fresh = one.enrol(ALICE)
        one.clock.jump(-60)
        assert one.factors.confirm(ALICE, one.code(fresh)) is not None
        return seal(*args)

    monkeypatch.setattr(one.factors, "_resealed", disabled_after_the_look)
    assert not one.verify(ALICE, one.code(enrolment))
    assert one.status(ALICE).enabled


def test_confirming_tells_nothing_of_an_enabled_factor(one: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody guesses there, where guesses are not counted: no code of it is computed."""
    enrolment, _ = one.enabled()
    monkeypatch.setattr(policy, "matching_step", None)
    assert one.confirm(ALICE, one.code(enrolment)) is None


def test_an_enrolment_that_was_replaced_meanwhile_is_not_confirmed(one: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at it and its confirmation a new one took its place, whose code nobody has shown."""
    code, look = one.code(one.enrol(ALICE)), one.factors._find

    def replaced_after_the_look(user_id: str, tx: Any) -> Any:
        seen = look(user_id, tx)
        one.enrol(user_id)
        return seen

    monkeypatch.setattr(one.factors, "_find", replaced_after_the_look)
    assert one.confirm(ALICE, code) is None
    assert one.status(ALICE).pending


# Wrong use.


def test_it_is_used_while_open(database: DatabaseManager, ring: KeyRing) -> None:
    """Before and after, an error says so."""
    factors = SecondFactors(database, ring, issuer=ISSUER)
    with pytest.raises(NotOpen):
        factors.verify(ALICE, "123456")
    with factors, pytest.raises(ValueError, match="account"):
        factors.enrol(ALICE, "a:b")
    with pytest.raises(NotOpen):
        factors.disable(ALICE)
    with pytest.raises(ValueError, match="issuer"):
        SecondFactors(database, ring, issuer="a:b")


@pytest.mark.parametrize("package", ["pyotp.totp", "segno"])
def test_a_missing_package_is_named(one: Rig, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"postrmagic-core\[security\]"):
        one.enrol(ALICE)


def test_users_are_texts(one: Rig) -> None:
    """A number, which MySQL would compare with text by converting it, is refused by every method."""
    zero: Any = 0
    for call in (
        lambda: one.factors.enrol(zero, "a"),
        lambda: one.factors.confirm(zero, "123456"),
        lambda: one.factors.verify(zero, "123456"),
        lambda: one.factors.recover(zero, "x"),
        lambda: one.factors.recovery_left(zero),
        lambda: one.factors.renew_recovery(zero),
        lambda: one.factors.disable(zero),
        lambda: one.factors.status(zero),
    ):
        with pytest.raises(ValueError, match="expected as user_id a text"):
            call()


def test_users_are_told_apart_exactly(one: Rig) -> None:
    """Case, accents and trailing spaces make another user."""
    enrolment, codes = one.enabled("Ann")
    code = one.code(enrolment)
    for other in ("ann", "Ann ", "Änn", "Ann\0"):
        assert one.verify(other, code).reason == "not_enrolled"
        assert not one.recover(other, codes[0])
    assert one.verify("Ann", code) == ACCEPTED


def test_the_clock_is_the_servers(database: DatabaseManager, ring: KeyRing) -> None:
    """No method takes a time; what it is the clock alone says."""
    with rigged(database, ring, clock=FakeClock()) as rig:
        enrolment, _ = rig.enabled()
        ahead = rig.code(enrolment, 3600)
        assert not rig.verify(ALICE, ahead)
        rig.clock.jump(3600)
        assert rig.verify(ALICE, ahead) == ACCEPTED
