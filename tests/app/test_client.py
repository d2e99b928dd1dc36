"""The generated client and the application: each operation once, as a program of version 1 uses it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from media_library.client import AsyncClient, Client, ClientError
from tests.app.house import House
from tests.app.v1_around import Site, hurry, open_site, unused
from tests.app.v1_calls import PORTRAIT, Program


@pytest.fixture
def site(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The application."""
    hurry(monkeypatch)
    with open_site(tmp_path, furnished) as opened:
        yield opened


def test_a_program_of_version_1_does_all_there_is(site: Site) -> None:
    """Every operation is called, and what programs rely on is so."""
    asked: set[tuple[str, str]] = set()
    for agent in ("page", "script", "keeper", "newcomer", "elsewhere"):
        site.http(agent).event_hooks["response"].append(
            lambda answer: asked.add((answer.request.method, answer.request.url.path))
        )
    Program(site).run()
    assert unused(asked) == []


def test_the_client_that_awaits_says_the_same(house: House) -> None:
    """One session, one list, one file."""
    one = house.application.stack.security.access_tokens.issue(str(house.user_id()), "awaited")

    async def program() -> list[str]:
        transport = httpx.ASGITransport(house.site)
        async with httpx.AsyncClient(transport=transport, base_url="https://library.test") as http:
            client = AsyncClient(http=http, token=one.token)
            made = await client.add_medium(file=("jazz.png", PORTRAIT))
            assert (await client.get_file(made.data.id)).content == PORTRAIT
            return [medium.title async for medium in client.list_media_all()]

    assert asyncio.run(program()) == ["jazz"]


def test_nothing_of_version_1_is_deprecated(site: Site) -> None:
    """A program is warned of nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ClientError, match=r"authentication\.required"):
            site.client("page").list_media()


def test_a_token_is_shown_by_no_repr(house: House) -> None:
    """Neither the client nor what it was told of a new token."""
    browser = Client(http=house.browser())
    made = browser.issue_token(name="quiet", password="posters-for-everyone")
    assert made.data.token.startswith("pm_")
    assert made.data.token not in repr(Client("https://library.test", token=made.data.token))
