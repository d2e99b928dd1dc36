"""The index of a backup: the manifest and where the chunks are, as JSON and back.

Entries are told by name, size and SHA-256 alone: one begins where the one before it ends.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import Any, cast

from ..interface import DatabaseFacts, DatabaseKind, Entry, Manifest
from .form import HEAD, HEADER, PIECE, SEAL, Broken, refusal

_KINDS = ("sqlite", "mysql", "mariadb")
# Characters of what is wrong that a message repeats: a name may be as long as the index.
_TOLD = 200


def written(manifest: Manifest, ends: Sequence[int]) -> bytes:
    """The index of ``manifest``; ``ends`` is where each data chunk ends, in bytes of the file."""
    facts = manifest.database
    return json.dumps(
        {
            "id": manifest.id,
            "taken_at": manifest.taken_at.isoformat(),
            "service": manifest.service,
            "release": manifest.release,
            "database": {
                "kind": facts.kind,
                "server": facts.server,
                "tables": dict(facts.tables),
                "revisions": {table: list(heads) for table, heads in facts.revisions.items()},
                "how": facts.how,
            },
            "directories": list(manifest.directories),
            "notes": list(manifest.notes),
            "entries": [[entry.name, entry.size, entry.sha256] for entry in manifest.entries],
            "chunks": [end - begin for begin, end in pairwise([HEADER, *ends])],
        },
        separators=(",", ":"),
    ).encode("ascii")


def read(data: bytes) -> tuple[Manifest, array[int]]:
    """What :func:`written` wrote: the manifest, and where each data chunk begins and the last one ends.

    :class:`Broken` where it is not that, and where an entry or a directory has a name that may lead elsewhere.
    """
    try:
        said = json.loads(data)
        database = said["database"]
        entries = _entries(said["entries"])
        bounds = array("Q", accumulate(said["chunks"], initial=HEADER))
        manifest = Manifest(
            id=_text(said["id"]),
            taken_at=_moment(said["taken_at"]),
            service=_text(said["service"]),
            release=_text(said["release"]),
            database=DatabaseFacts(
                kind=cast("DatabaseKind", _one_of(database["kind"], _KINDS)),
                server=_text(database["server"]),
                tables={_text(name): _count(rows) for name, rows in database["tables"].items()},
                revisions={_text(name): _texts(heads) for name, heads in database["revisions"].items()},
                how=_text(database["how"]),
            ),
            directories=_directories(said["directories"]),
            entries=entries,
            notes=_texts(said["notes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise Broken(f"the index is not what this release writes: {str(error)[:_TOLD]}") from None
    if len(bounds) - 1 != -(-manifest.size // PIECE):
        raise Broken("the index has another number of chunks than its entries need")
    if not all(HEAD + SEAL <= end - begin <= HEAD + SEAL + PIECE for begin, end in pairwise(bounds)):
        raise Broken("the index has a chunk that is shorter or longer than one can be")
    return manifest, bounds


def _entries(told: Iterable[Any]) -> tuple[Entry, ...]:
    entries: list[Entry] = []
    names: set[str] = set()
    begin = 0
    for name, size, sha256 in told:
        refused = refusal(_text(name)) or ("it is there twice" if name in names else None)
        if refused:
            raise ValueError(f"the name {name!r} of an entry: {refused}")
        names.add(name)
        entries.append(Entry(name, _count(size), _text(sha256), *divmod(begin, PIECE)))
        begin += size
    return tuple(entries)


def _directories(told: object) -> tuple[str, ...]:
    names = _texts(told)
    for name in names:
        refused = refusal(name) or ("there is a / in it" if "/" in name else None)
        if refused:
            raise ValueError(f"the name {name!r} of a directory: {refused}")
    return names


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is missing")
    return value


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError("a list is missing")
    return tuple(_text(value) for value in values)


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError("a number is missing")
    return value


def _one_of(value: object, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(known)}")
    return _text(value)


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("a moment has no time zone")
    return moment.astimezone(UTC)
