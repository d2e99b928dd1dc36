"""Every operation as commands, or as a procedure over a port that exchanges them: written once for both faces."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from postrmagic_core._steps import Steps
from postrmagic_core.stores.adapters._redis_place import Command
from postrmagic_core.stores.checks import check_keys, check_prefix, check_ttl, check_values, script_args
from postrmagic_core.stores.interface import Script, Usage
from postrmagic_core.stores.scripts import PRELUDE

R = TypeVar("R")

# Keys looked at by one SCAN: small enough that the server answers others meanwhile.
_BATCH = 1000
_GLOB = re.compile(rb"[\\*?\[\]^-]")


def exchange(*commands: Command, writes: bool) -> Callable[[Any], Any]:
    """The step that sends ``commands`` and answers with their replies."""
    return lambda port: port.exchange(commands, writes=writes)


def reading(keys: Sequence[bytes]) -> Command | None:
    """One MGET, if there is anything to read; without a procedure about it, since nothing is done more often."""
    check_keys(keys)
    return ("MGET", *keys) if keys else None


def put(items: Mapping[bytes, bytes], ttl_ms: int | None) -> Steps[None]:
    """A SET for each item, sent together."""
    check_keys(items)
    check_values(items.values())
    check_ttl(ttl_ms)
    ends: Command = () if ttl_ms is None else ("PX", ttl_ms)
    if items:
        yield exchange(*(("SET", key, value, *ends) for key, value in items.items()), writes=True)


def delete(keys: Sequence[bytes]) -> Steps[int]:
    """One UNLINK: the memory is freed outside the server's main thread."""
    check_keys(keys)
    if not keys:
        return 0
    replies: list[int] = yield exchange(("UNLINK", *keys), writes=True)
    return replies[0]


def touch(keys: Sequence[bytes], ttl_ms: int | None) -> Steps[int]:
    """A PEXPIRE for each key, sent together; PERSIST answers 0 for a key that had no end, so EXISTS counts."""
    check_keys(keys)
    check_ttl(ttl_ms)
    if not keys:
        return 0
    distinct = list(dict.fromkeys(keys))
    commands: list[Command]
    if ttl_ms is None:
        commands = [("EXISTS", *distinct), *(("PERSIST", key) for key in distinct)]
        replies: list[int] = yield exchange(*commands, writes=True)
        return replies[0]
    commands = [("PEXPIRE", key, ttl_ms) for key in distinct]
    replies = yield exchange(*commands, writes=True)
    return sum(replies)


class Call(NamedTuple):
    """A Script's call: by digest first; where the server does not know it, it has done nothing, and EVAL teaches it."""

    by_digest: Command
    by_source: Command
    writes: bool


def calling(script: Script[R], keys: Sequence[bytes], args: Sequence[bytes | int], now_us: int | None) -> Call:
    """EVALSHA and EVAL, or where the Script writes nothing their read-only kin, which a replica runs too."""
    check_keys(keys)
    source, digest = _compiled(script.lua)
    tail: Command = (len(keys), *keys, b"" if now_us is None else now_us, *script_args(args))
    if script.read_only:
        return Call(("EVALSHA_RO", digest, *tail), ("EVAL_RO", source, *tail), False)
    return Call(("EVALSHA", digest, *tail), ("EVAL", source, *tail), True)


def clear(prefix: bytes) -> Steps[int]:
    """SCAN in batches and UNLINK what it finds; each batch ends within the time-out, the whole may take many."""
    pattern = _beginning(prefix)
    cursor, cleared = b"0", 0
    while True:
        replies: list[Any] = yield exchange(("SCAN", cursor, "MATCH", pattern, "COUNT", _BATCH), writes=False)
        cursor, found = replies[0]
        if found:
            unlinked: list[int] = yield exchange(("UNLINK", *found), writes=True)
            cleared += unlinked[0]
        if cursor == b"0":
            return cleared


def usage(prefix: bytes) -> Steps[Usage]:
    """SCAN in batches and ask for the length of what it finds; a key that moves meanwhile may be counted twice."""
    pattern = _beginning(prefix)
    cursor, entries, size = b"0", 0, 0
    while True:
        replies: list[Any] = yield exchange(("SCAN", cursor, "MATCH", pattern, "COUNT", _BATCH), writes=False)
        cursor, found = replies[0]
        if found:
            lengths: list[int] = yield exchange(*(("STRLEN", key) for key in found), writes=False)
            entries += len(found)
            size += sum(map(len, found)) + sum(lengths)
        if cursor == b"0":
            break
    told: list[bytes] = yield exchange(("INFO", "stats"), writes=False)
    evicted = re.search(rb"^evicted_keys:(\d+)", told[0], re.MULTILINE)
    return Usage(entries, size, int(evicted[1]) if evicted else 0)


def _beginning(prefix: bytes) -> bytes:
    """The pattern of keys that begin with ``prefix``."""
    check_prefix(prefix)
    return _GLOB.sub(lambda match: b"\\" + match[0], prefix) + b"*"


@lru_cache(maxsize=256)
def _compiled(lua: str) -> tuple[str, str]:
    source = PRELUDE + lua
    return source, digest_of(source)


def digest_of(source: str) -> str:
    """What a server calls a script: its SHA-1; nothing is secured by it."""
    return hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
