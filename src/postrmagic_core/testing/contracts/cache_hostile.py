"""The cache contract on hostile keys and values, and on bytes in the store that the cache never wrote."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._codec import encode
from postrmagic_core.cache import CacheManager
from postrmagic_core.cache.names import CacheKeys
from postrmagic_core.cache.policy import Entry, pack, unpack
from postrmagic_core.errors import DecodeError, EncodeError
from postrmagic_core.stores import Store

from .cache_rig import Face, numbers
from .store_scripts import CANARY

KEYS = [
    "\x00",
    "a\x00b",
    "a",
    "A",
    " a",
    "a ",
    "a\r\nDEL b",
    "*",
    "[a-z]?",
    "%",
    "%00",
    "a:b",
    "#",
    CacheKeys("app").entry("a").decode(),
    "../../etc/passwd",
    "'; DROP TABLE pm_kv; --",
    "ä€😀",
    "k" * 255,
    "k" * 256,
    "k" * 1_000_000,
]


# An entry begins with its format (1 byte) and the CRC-32 (4) of its body.
_BODY = 5


def _forged(**fields: Any) -> bytes:
    """An entry that would be served, but for ``fields``: its checksum is right."""
    return pack(Entry(0, 2**62, 2**62, b"", (), (), encode("forged"))._replace(**fields))


def _sealed(body: bytes) -> bytes:
    """Any bytes under a right checksum, in the place of an entry's."""
    return _forged()[:1] + zlib.crc32(body).to_bytes(4, "big") + body


FORGED: dict[str, bytes] = {
    "nothing": b"",
    "zero": b"\x00",
    "text": b'{"value": 1}',
    "format only": _forged()[:1],
    "large": b"\xff" * 1_000_000,
    "large and sealed": _sealed(b"\xff" * 1_000_000),
    "empty and sealed": _sealed(b""),
    "zeros and sealed": _sealed(bytes(64)),
    "another value": _sealed(encode([1, 2, 3])),
    "too deep": _sealed(b"\xc1" + b"\x91" * 100_000),
    "too long": _sealed(b"\xc1\xdd\xff\xff\xff\xff"),
    "no payload": _forged(payload=b""),
    "payload too deep": _forged(payload=b"\xc1" + b"\x91" * 100_000),
    "payload of maps as keys": _forged(payload=b"\xc1\x81\x80\x01"),
    "payload of an unknown extension": _forged(payload=b"\xc1\xd4\x7f\x00"),
    "tags without generations": _forged(tags=("t",)),
    "generations without tags": _forged(tags=("t",), generations=(1, 2)),
    "tags without bytes": _forged(tags=("",), generations=(1,)),
    "an error by name": _forged(schema=b"error", payload=encode(["builtins:SystemExit", "0"])),
    "an error of another shape": _forged(schema=b"error", payload=encode(["builtins:LookupError", 5])),
    "an unknown schema": _forged(schema=b"\x00" * 8),
}
UNNUMBERED = {
    "nothing": b"",
    "letters": b"?",
    "negative": b"-1",
    "fraction": b"1.5",
    "spaced": b" 7",
    "hexadecimal": b"0x7",
    "too many digits": b"9" * 400,
    "bytes": b"\xff" * 100,
}


class HostilePromises:
    """Mixed into :class:`~postrmagic_core.testing.contracts.cache.CacheContract`."""

    def test_hostile_keys_are_only_names(self, face: Face) -> None:
        """Each is another entry, up to a megabyte; none is a pattern, a path or a command."""
        values = {key: number for number, key in enumerate(KEYS)}
        for key, value in values.items():
            face.set(key, value, 60, tags=[key])
        assert face.get_many(KEYS) == values
        assert face.delete("*", "a") == 2
        face.invalidate("[a-z]?", "A")
        left = {key: value for key, value in values.items() if key not in {"*", "a", "[a-z]?", "A"}}
        assert face.get_many(KEYS) == left

    def test_what_is_no_text_is_no_key_and_no_tag(self, face: Face) -> None:
        """A lone surrogate has no bytes; an empty key names nothing."""
        calls: list[Callable[[], object]] = [
            lambda: face.get("\ud800"),
            lambda: face.set("\ud800", 1, 60),
            lambda: face.get_or_set("\ud800", lambda: 1, fresh=60),
            lambda: face.set("k", 1, 60, tags=["\ud800"]),
            lambda: face.invalidate("\ud800"),
            lambda: face.get(""),
        ]
        for call in calls:
            with pytest.raises(ValueError, match=r"surrogate|non-empty"):
                call()
        assert face.get("k") is None

    def test_values_are_kept_whole_or_refused(self, face: Face) -> None:
        """A megabyte and zero bytes come back; what nests without end, or is no text, is refused and not stored."""
        endless: list[Any] = []
        for _ in range(20_000):
            endless = [endless]
        whole: dict[str, Any] = {"bytes": bytes(range(256)) * 4096, "text": "\x00" * 1_000_000, "list": [0] * 100_000}
        for key, value in whole.items():
            face.set(key, value, 60)
            assert face.get(key) == value
        refused: list[Any] = [endless, "\ud800", ["\ud800"], {"\ud800": 1}]
        for value in refused:
            with pytest.raises(EncodeError):
                face.set("k", value, 60)
        assert face.get("k", "nothing") == "nothing"

    def test_bytes_that_nobody_wrote_are_a_miss(self, face: Face, store: Store) -> None:
        """However they came into the store: they are never served, raise nothing, and are computed over."""
        for what, forged in FORGED.items():
            store.set({face.cache.access.keys.entry(what): forged}, 60_000)
            assert face.get(what, "nothing") == "nothing", what
            assert face.get_or_set(what, lambda: "computed", fresh=60, errors=(LookupError,), negative=60) == "computed"
            assert face.get(what) == "computed", what
            store.set({face.cache.access.keys.entry(what): forged}, 60_000)
        assert face.get_many(FORGED) == {}

    def test_a_pickle_runs_nothing(self, face: Face, store: Store, tmp_path: Path) -> None:
        """What would run a command in another library is a miss here, and counted."""
        proof = tmp_path / "ran"
        for planted in (CANARY % bytes(proof), _sealed(CANARY % bytes(proof)), _forged(payload=CANARY % bytes(proof))):
            store.set({face.cache.access.keys.entry("k"): planted}, 60_000)
            assert face.get("k") is None
        assert face.get_or_set("k", numbers(), fresh=60) == 1
        assert face.stats().unreadable >= 3
        assert not proof.exists()

    def test_a_damaged_entry_is_a_miss_or_itself(self, face: Face, cache: CacheManager, store: Store) -> None:
        """Cut at every length, and with every byte changed: nothing half is served, nothing raised."""
        name = cache.access.keys.entry("k")
        face.set("k", {"a": (1, None)}, 600)
        [whole] = store.get([name])
        assert whole is not None
        damaged = [whole[:end] for end in range(len(whole))]
        damaged += [whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :] for at in range(len(whole))]
        for one in damaged:
            with pytest.raises(DecodeError):
                unpack(one)
        for one in damaged[:: max(len(damaged) // 20, 1)]:
            store.set({name: one}, 60_000)
            assert face.get("k") is None
        store.set({name: whole}, 60_000)
        assert face.get("k") == {"a": (1, None)}

    def test_a_forged_entry_raises_nothing(self, face: Face, store: Store) -> None:
        """Cut and changed at every place under a right checksum: some value or none, whatever its parts say now."""
        name = face.cache.access.keys.entry("k")
        face.set("k", (1, "text", {"a": None}), 600, tags=["a", "b"])
        [whole] = store.get([name])
        assert whole is not None
        body = whole[_BODY:]
        forged = [body[:end] for end in range(len(body))]
        forged += [
            body[:at] + bytes([body[at] ^ bits]) + body[at + 1 :] for at in range(len(body)) for bits in (1, 128)
        ]
        for one in forged:
            store.set({name: _sealed(one)}, 60_000)
            face.get("k")
        store.set({name: whole}, 60_000)
        assert face.get("k") == (1, "text", {"a": None})

    def test_what_is_no_generation_ends_the_entries_of_its_tag(self, face: Face, store: Store) -> None:
        """Bytes of a stranger in a tag's place: nothing under it is served, and the next computation makes it good."""
        for what, planted in UNNUMBERED.items():
            [tag] = face.cache.access.keys.tags([what])
            options: dict[str, Any] = {"fresh": 60, "tags": [what]}
            face.get_or_set(what, lambda: "old", **options)
            store.set({tag: planted}, 60_000)
            assert face.get(what) is None, what
            assert [face.get_or_set(what, lambda: "new", **options) for _ in range(2)] == ["new", "new"], what
            store.set({tag: planted}, 60_000)
            face.invalidate(what)
            assert face.get(what) is None, what
