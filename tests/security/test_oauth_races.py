"""Codes and refresh tokens that are used twice: at once, or because an answer was lost (A4, A5)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import OAuthRefused
from postrmagic_core.security.access import Access
from postrmagic_core.security.oauth import AuthorizationServer, OAuthPolicy, ServerTerms
from postrmagic_core.testing import FakeClock
from tests.security.oauth_rig import ISSUER, ROLES, SCOPES, Rig, refusal

OTHER_KEY = "another-master-value-0123456789-klmnopqrst"


@pytest.fixture
def clock() -> FakeClock:
    """Time, as the test says."""
    return FakeClock()


@pytest.fixture
def make(database: DatabaseManager, ring: KeyRing, clock: FakeClock) -> Iterator[Callable[..., Rig]]:
    """A factory: ``make()`` opens a server on the database, as another process does."""
    with ExitStack() as opened:
        access = opened.enter_context(Access(ROLES, database, clock=clock))

        def rig(keys: KeyRing = ring, policy: OAuthPolicy | None = None) -> Rig:
            terms = ServerTerms(ISSUER, policy=policy or OAuthPolicy())
            made = AuthorizationServer(database, access, keys, terms=terms, scopes=SCOPES, clock=clock)
            return Rig(opened.enter_context(made))

        yield rig


def at_once(count: int, call: Callable[[], dict[str, Any]]) -> list[dict[str, Any] | str]:
    """What each of so many threads is answered, or the error's word; begun together."""
    barrier, got = threading.Barrier(count), list[dict[str, Any] | str]()

    def run() -> None:
        barrier.wait(30)
        try:
            got.append(call())
        except OAuthRefused as refused:
            got.append(refused.error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(got) == count
    return got


def won(got: list[dict[str, Any] | str]) -> dict[str, Any]:
    """The answer of the only one that got one; all others were refused alike."""
    (winner,) = [each for each in got if isinstance(each, dict)]
    assert [each for each in got if isinstance(each, str)] == ["invalid_grant"] * (len(got) - 1)
    return winner


@pytest.mark.fault
def test_of_two_who_redeem_one_code_one_does_and_then_nobody_has_anything(make: Callable[..., Rig]) -> None:
    """Twenty times, by threads of two processes: the one who wins may be the thief."""
    here, there = make(), make()
    client = here.add()
    turns = iter(range(1_000_000))
    for number in range(20):
        user = f"u{number}"
        code = here.code(client, user)
        winner = won(at_once(3, lambda code=code: (here, there)[next(turns) % 2].redeem(client, code)))  # type: ignore[misc]  # its default is its argument
        assert here.verify(winner["access_token"]) is None
        assert refusal(there.refresh, client, winner["refresh_token"]).error == "invalid_grant"
        assert here.grants(user) == []
    assert [entry[0] for entry in here.audited()].count("oauth.grant_revoked") == 20


@pytest.mark.fault
def test_of_two_who_refresh_with_one_token_one_does_and_then_nobody_has_anything(make: Callable[..., Rig]) -> None:
    """As for codes."""
    here, there = make(), make()
    client = here.add()
    turns = iter(range(1_000_000))
    for number in range(20):
        token = here.tokens(client, f"u{number}")["refresh_token"]
        winner = won(at_once(3, lambda token=token: (here, there)[next(turns) % 2].refresh(client, token)))  # type: ignore[misc]  # as above
        assert here.verify(winner["access_token"]) is None
        assert refusal(there.refresh, client, winner["refresh_token"]).error == "invalid_grant"
    assert [entry[0] for entry in here.audited()].count("oauth.grant_revoked") == 20


@pytest.mark.fault
def test_of_two_who_send_one_request_both_get_the_same(make: Callable[..., Rig]) -> None:
    """A client that asks again before it is answered names its request, and loses nothing."""
    rig = make()
    client = rig.add()
    got = rig.tokens(client)
    for number in range(10):
        token = got["refresh_token"]
        first, *others = at_once(3, lambda token=token, name=f"r{number}": rig.refresh(client, token, name))  # type: ignore[misc]  # as above
        assert isinstance(first, dict)
        assert others == [first, first]
        got = first
    assert rig.verify(got["access_token"]) is not None


@pytest.mark.fault
def test_revoked_while_it_is_refreshed(make: Callable[..., Rig]) -> None:
    """Whoever is first: afterwards nothing is good."""
    rig = make()
    client = rig.add()
    for number in range(10):
        user = f"u{number}"
        got = rig.tokens(client, user)
        ended = threading.Thread(target=rig.server.revoke_all, args=(user,))
        ended.start()
        with suppress(OAuthRefused):
            got = rig.refresh(client, got["refresh_token"])
        ended.join(60)
        assert rig.verify(got["access_token"]) is None
        assert refusal(rig.refresh, client, got["refresh_token"]).error == "invalid_grant"


# A4: the answer to a refresh token was lost.


def test_the_same_request_gets_the_same_answer(make: Callable[..., Rig], clock: FakeClock) -> None:
    """Unchanged, for ten seconds, from each process; the family lives."""
    here, there = make(), make()
    client = here.add()
    token = here.tokens(client)["refresh_token"]
    lost = here.refresh(client, token, "request 1")
    clock.advance(9.999999)
    assert there.refresh(client, token, "request 1") == lost
    assert here.verify(lost["access_token"]) is not None
    assert here.refresh(client, lost["refresh_token"], "request 2")["refresh_token"] != lost["refresh_token"]
    assert ("oauth.grant_revoked", client.info.id, "7") not in here.audited()


@pytest.mark.parametrize("case", ["later", "other id", "no id", "no id at first", "other client", "not an id"])
def test_any_other_request_ends_the_family(make: Callable[..., Rig], clock: FakeClock, case: str) -> None:
    """Too late, under another name or none, or by another client: somebody else has the token too."""
    rig = make()
    client, thief = rig.add(), rig.add(name="Thief")
    token = rig.tokens(client)["refresh_token"]
    lost = rig.refresh(client, token, {"no id at first": None, "not an id": "x" * 256}.get(case, "request 1"))
    if case == "later":
        clock.advance(10.0)
    name = {"other id": "request 2", "no id": None, "not an id": "x" * 256}.get(case, "request 1")
    assert refusal(rig.refresh, thief if case == "other client" else client, token, name).error == "invalid_grant"
    assert rig.verify(lost["access_token"]) is None
    assert refusal(rig.refresh, client, lost["refresh_token"]).error == "invalid_grant"
    assert [entry[0] for entry in rig.audited()].count("oauth.grant_revoked") == 1


def test_what_was_revoked_is_not_answered_again(make: Callable[..., Rig]) -> None:
    """The kept answer is none of a grant that has ended."""
    rig = make()
    client = rig.add()
    token = rig.tokens(client)["refresh_token"]
    rig.refresh(client, token, "request 1")
    rig.server.revoke_all("7")
    assert refusal(rig.refresh, client, token, "request 1").error == "invalid_grant"


def test_a_kept_answer_opens_under_an_older_key(make: Callable[..., Rig], ring: KeyRing) -> None:
    """Keys may be rotated within the ten seconds; with the old one gone nobody can tell, and the family ends."""
    old, key = make(), "an-old-master-value-0123456789-abcdefghij"
    client = old.add()
    token = old.tokens(client)["refresh_token"]
    lost = old.refresh(client, token, "request 1")
    assert make(KeyRing([OTHER_KEY, key])).refresh(client, token, "request 1") == lost
    other = make(KeyRing([OTHER_KEY]))
    assert refusal(other.refresh, client, token, "request 1").error == "invalid_grant"
    assert old.verify(lost["access_token"]) is None


def test_without_a_window_nothing_is_kept(make: Callable[..., Rig]) -> None:
    """Then each second use ends the family."""
    rig = make(policy=OAuthPolicy(retry_window=0.0))
    client = rig.add()
    token = rig.tokens(client)["refresh_token"]
    rig.refresh(client, token, "request 1")
    assert refusal(rig.refresh, client, token, "request 1").error == "invalid_grant"
