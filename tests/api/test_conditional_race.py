"""Two edits made from one version of a row: with If-Match one passes, the other is told; without, one is lost."""

# ruff: noqa: F811, T201 - fixtures are imported, and named again by who takes them; a child process speaks by printing
from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, delete, insert, select, update

from postrmagic_core.api.conditional import Precondition, etag_of
from postrmagic_core.database import DatabaseManager, Unit
from postrmagic_core.errors import Conflict, PreconditionFailed
from postrmagic_core.testing import spawn
from postrmagic_core.validation.responses import Data, Output, Responses
from tests.databases import database_url, open_database  # noqa: F401 - pytest looks for fixtures here

pytestmark = pytest.mark.timeout(60)

metadata = MetaData()
articles = Table(
    "conditional_articles", metadata, Column("id", Integer, primary_key=True), Column("words", String(500))
)
ROUNDS = 8


class Article(Output):
    """An article of a shop, as clients see it."""

    id: int
    words: str


ARTICLE = Responses(Data[Article])


def now(tx: Unit) -> tuple[str, str | None]:
    """The words of the article and the tag of this version, from one look; ``None``: there is no article."""
    row = tx.execute(select(articles).where(articles.c.id == 1)).one_or_none()
    return ("", None) if row is None else (row.words, etag_of(ARTICLE.render({"data": row}).body))


def read(database: DatabaseManager) -> tuple[str, str]:
    """What a GET answers: the words, and the tag of this version."""
    with database.read() as tx:
        words, etag = now(tx)
    assert etag is not None
    return words, etag


def change(tx: Unit, words: str, headers: Mapping[str, str]) -> None:
    """What a PUT does: the precondition is checked on what this transaction reads, and holds until it commits."""
    Precondition.of(headers).check(now(tx)[1])
    tx.execute(update(articles).where(articles.c.id == 1).values(words=words))


def edit(database: DatabaseManager, word: str, both_have_read: Callable[[], Any], *, conditional: bool = True) -> str:
    """One client: read, add a word, write the whole back; what it is answered."""
    words, etag = read(database)
    both_have_read()
    try:
        database.transact(change, f"{words} {word}", {"if-match": etag} if conditional else {})
    except PreconditionFailed as error:
        return error.code
    return "changed"


def together(client: Callable[[str], None], *words: str) -> None:
    """Run ``client`` with each of the words, in threads."""
    threads = [threading.Thread(target=client, args=[word]) for word in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(50)


@pytest.fixture
def database(open_database: Callable[..., DatabaseManager]) -> DatabaseManager:
    """An open database with one article."""
    manager = open_database()
    with manager.write() as tx:
        metadata.create_all(tx.connection)
        tx.execute(insert(articles).values(id=1, words="first"))
    return manager


def race(database: DatabaseManager, *words: str, conditional: bool = True) -> list[str]:
    """The answers of clients in threads, each of which has read before one writes."""
    both = threading.Barrier(len(words), timeout=30)
    answers: list[str] = []

    def client(word: str) -> None:
        answers.append(edit(database, word, both.wait, conditional=conditional))

    together(client, *words)
    return sorted(answers)


def test_of_two_threads_one_passes_and_no_edit_is_lost(database: DatabaseManager) -> None:
    """As often as they meet: the other one is told 412, so that each word that was accepted is there."""
    for number in range(ROUNDS):
        assert race(database, f"a{number}", f"b{number}") == ["changed", "precondition.failed"]
    assert len(read(database)[0].split()) == 1 + ROUNDS


def test_without_if_match_one_edit_is_lost(database: DatabaseManager) -> None:
    """The control: both are told that all went well, and one word is gone."""
    assert race(database, "a", "b", conditional=False) == ["changed", "changed"]
    assert len(read(database)[0].split()) == 2


def test_a_check_before_the_transaction_checks_nothing(database: DatabaseManager) -> None:
    """The second control: both pass it before either writes."""
    both = threading.Barrier(2, timeout=30)
    passed: list[str] = []

    def client(word: str) -> None:
        words, etag = read(database)
        Precondition.of({"if-match": etag}).check(read(database)[1])
        both.wait()
        database.transact(change, f"{words} {word}", {})
        passed.append(word)

    together(client, "a", "b")
    assert sorted(passed) == ["a", "b"]
    assert len(read(database)[0].split()) == 2


def test_whoever_tries_again_gets_through(database: DatabaseManager) -> None:
    """Four clients that read anew after each 412: all their words are there in the end."""

    def client(word: str) -> None:
        answer = ""
        while answer != "changed":
            with suppress(Conflict):  # as often as four of them meet, also after the retries
                answer = edit(database, word, lambda: None)

    together(client, *"abcd")
    assert sorted(read(database)[0].split()) == ["a", "b", "c", "d", "first"]


def edit_elsewhere(url: str, gate: str, word: str) -> None:
    """In a process of its own, some times over: read, say so, wait at the gate, write."""
    with DatabaseManager(url) as database, Path(gate).open("rb", buffering=0) as opened:

        def both_have_read() -> None:
            print("read")
            opened.read(1)

        for number in range(ROUNDS):
            print(edit(database, f"{word}{number}", both_have_read))


def test_of_two_processes_one_passes_and_no_edit_is_lost(
    database: DatabaseManager, database_url: str, tmp_path: Path
) -> None:
    """Each has read before one writes."""
    with ExitStack() as opened:
        children, gates = [], []
        for word in "ab":
            gate = tmp_path / f"gate-{word}"
            os.mkfifo(gate)
            gates.append(opened.enter_context(gate.open("r+b", buffering=0)))
            children.append(opened.enter_context(spawn(edit_elsewhere, database_url, str(gate), word)))
        for _ in range(ROUNDS):
            assert [child.line() for child in children] == ["read", "read"]
            for each in gates:
                each.write(b".")
            assert sorted(child.line() for child in children) == ["changed", "precondition.failed"]
    assert len(read(database)[0].split()) == 1 + ROUNDS


def test_of_two_tasks_one_passes(database: DatabaseManager) -> None:
    """The async face gives the same answers."""

    async def client(word: str, both: asyncio.Barrier) -> str:
        words, etag = await asyncio.to_thread(read, database)
        await both.wait()
        try:
            await database.aio.transact(change, f"{words} {word}", {"if-match": etag})
        except PreconditionFailed as error:
            return error.code
        return "changed"

    async def meet() -> list[str]:
        both = asyncio.Barrier(2)
        return sorted(await asyncio.gather(client("a", both), client("b", both)))

    assert asyncio.run(meet()) == ["changed", "precondition.failed"]


def test_a_thing_is_made_once(database: DatabaseManager) -> None:
    """``If-None-Match: *`` makes what is not there, and leaves what is."""
    asked = {"if-none-match": "*"}
    with pytest.raises(PreconditionFailed):
        database.transact(change, "made", asked)
    with database.write() as tx:
        tx.execute(delete(articles))
    with pytest.raises(PreconditionFailed):
        database.transact(change, "made", {"if-match": "*"})
    with database.write() as tx:
        Precondition.of(asked).check(now(tx)[1])
        tx.execute(insert(articles).values(id=1, words="made"))
    assert read(database)[0] == "made"
