"""Libraries of any size, for measuring: rows without files, the same for the same seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import islice

from sqlalchemy import Table, insert

from postrmagic_core.database import DatabaseManager

from . import search, statistics
from .tables import blobs, details, media, renditions, tags, users

# Of every two media one belongs to the first user, one of the other half to the second, and so on.
USERS = 12
# Named by how often they are used: tag-0 on a sixth of all media, the last ones on a few.
TAGS = 400
_WORDS = [
    "spring", "summer", "autumn", "winter", "jazz", "rock", "folk", "night", "day", "market", "fair", "film",
    "food", "wine", "dance", "city", "river", "garden", "harbour", "castle", "museum", "school", "theatre",
    "opera", "poetry", "science", "history", "travel", "family", "charity", "open", "late", "early", "grand",
    "little", "blue",
]  # fmt: skip
# 2024-01-01, in microseconds; a medium a minute from then on.
_FIRST_US = 1_704_067_200_000_000
_MINUTE_US = 60_000_000
_BATCH = 5000

Told = Callable[[int], None]


def generate(database: DatabaseManager, count: int, *, seed: int = 0, told: Told = lambda done: None) -> None:
    """Fill the library's empty tables with ``count`` media of 12 users, tagged and indexed for search.

    ``told`` hears how many are there already.
    """
    rng = random.Random(seed)  # noqa: S311 - made-up data guard nothing
    _insert(database, users, (_user(number) for number in range(1, USERS + 1)))
    numbers = iter(range(1, count + 1))
    while batch := list(islice(numbers, _BATCH)):
        _media(database, batch, rng)
        told(batch[-1])
    _statistics(database, _FIRST_US + count * _MINUTE_US)


def _user(number: int) -> dict[str, object]:
    return {
        "id": number,
        "name": f"user-{number}",
        "password_hash": "none",
        "quota_bytes": 10**15,
        "used_bytes": 0,
        "created_us": _FIRST_US,
    }


def _media(database: DatabaseManager, numbers: list[int], rng: random.Random) -> None:
    digests = {number: hashlib.sha256(b"poster %d" % number).hexdigest() for number in numbers}
    titles = {number: " ".join(rng.sample(_WORDS, 4)) for number in numbers}
    sized = {"mime": "image/png", "width": 800, "height": 1200}
    _insert(database, blobs, ({"digest": digest, "size": 200_000, **sized} for digest in digests.values()))
    _insert(database, renditions, ({"digest": one, "format": "webp", "size": 9_000} for one in digests.values()))
    _insert(database, details, ({"digest": one, **_look(one)} for one in digests.values()))
    _insert(
        database,
        media,
        (
            {
                "id": number,
                "user_id": min(USERS, 1 + _halvings(rng)),
                "digest": digests[number],
                "title": titles[number],
                "filename": f"poster-{number}.png",
                "created_us": _FIRST_US + number * _MINUTE_US,
            }
            for number in numbers
        ),
    )
    _insert(database, tags, ({"media_id": number, "name": name} for number in numbers for name in sorted(_tags(rng))))
    with database.write() as tx:
        search.fill(tx, ((number, _terms(titles[number], number)) for number in numbers))


@cache
def _term(word: str) -> str:
    return search.terms_of(word)


def _terms(title: str, number: int) -> str:
    """What the library would index for the title and ``poster-<number>.png``."""
    words = {*title.split(), "poster", str(number), "png"}
    return " ".join(sorted(search.terms_of(word) if word.isdigit() else _term(word) for word in words))


def _statistics(database: DatabaseManager, now_us: int) -> None:
    """The figures of every user, as of the last upload."""
    with database.write() as tx:
        for user_id in range(1, USERS + 1):
            statistics.refresh(tx, user_id, now_us)


def _look(digest: str) -> dict[str, str]:
    """Four colours, and upright as 800 by 1200 pixels are."""
    colours = " ".join(f"#{digest[at : at + 6]}" for at in (0, 6, 12, 18))
    return {"colours": colours, "orientation": "portrait"}


def _halvings(rng: random.Random) -> int:
    """0 with a probability of a half, 1 of a quarter, and so on."""
    return USERS - rng.getrandbits(USERS).bit_length()


def _tags(rng: random.Random) -> Iterator[str]:
    """Up to three tags; the n-th is used about 1/n times as often as the first."""
    found = {int(TAGS ** rng.random()) - 1 for _ in range(rng.randrange(4))}
    return (f"tag-{number}" for number in found)


def _insert(database: DatabaseManager, table: Table, rows: Iterable[dict[str, object]]) -> None:
    listed = list(rows)
    if listed:
        with database.write() as tx:
            tx.execute(insert(table), listed)
