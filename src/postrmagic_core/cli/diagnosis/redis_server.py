"""Each Redis or Valkey that the settings name: whether it answers, may be used, and keeps what its rooms need kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ...errors import BackendError, BackendRejected, BackendTimeout, ConfigurationError, PostrMagicError
from ...registry import scheme_of
from .interface import Finding, Patient, advice, graver, ok, problem, unknown
from .places import local, shown
from .sql_server import skew

if TYPE_CHECKING:
    from ...stores.redis_client import RedisClient

_PAGE = "how-to/run-on-redis.md"
_DURABLE = "how-to/run-on-redis.md#is-it-durable"
# Seconds for one answer, and for the first of each server together.
_TIMEOUT, _ALL = 1.5, 4.0
_OLDEST = 7
_STORES = ("cache", "sessions", "limits", "observability")
# What must not be evicted, nor end with the server; what is counted or computed again may.
KEPT = ("sessions", "jobs")
_FULL = 0.9
# What our stores need beside plain reading and writing; there is no script of that digest.
_NEEDED = (("ROLE",), ("TIME",), ("EVALSHA", "0" * 40, 0))

Fields = Mapping[str, str]


def look(patient: Patient) -> Iterator[Finding]:
    """Each server once, with the rooms that are on it."""
    servers = named(patient)
    if not servers:
        yield ok("no Redis is used")
    for url, rooms in servers.items():
        yield from server(url, rooms, patient, min(_TIMEOUT, _ALL / len(servers)))


def named(patient: Patient) -> dict[str, list[str]]:
    """The URLs of servers as clients take them, and which rooms are there."""
    settings = patient.settings
    urls = {room: settings.store_url(getattr(settings, room)) for room in _STORES}
    urls |= {"jobs": settings.broker_url(), "events": settings.channel_url()}
    found: dict[str, list[str]] = {}
    for room, url in urls.items():
        if _is_redis(url):
            found.setdefault(_plain(url), []).append(room)
    return found


def _is_redis(url: str) -> bool:
    try:
        scheme = scheme_of(url)
    except (PostrMagicError, ValueError):  # told by packages
        return False
    return scheme in ("redis", "rediss") or (scheme == "tiered" and url.startswith("tiered+redis"))


def _plain(url: str) -> str:
    """The URL without what is the room's: a near side, or that jobs may be lost."""
    if url.startswith("tiered+"):
        from ...stores.adapters.tiered import split

        try:
            return split(url)[0]
        except ConfigurationError:
            return url.removeprefix("tiered+")
    head, mark, query = url.partition("?")
    rest = "&".join(one for one in query.split("&") if one != "durability=none")
    return f"{head}{mark}{rest}".rstrip("?")


def server(url: str, rooms: Sequence[str], patient: Patient, timeout: float = _TIMEOUT) -> Iterator[Finding]:
    """One server."""
    from ...stores.redis_client import RedisClient

    name = f"{shown(url)} ({', '.join(rooms)})"
    variable = f"POSTRMAGIC_{rooms[0].upper()}__URL"
    try:
        with closing(RedisClient(url, timeout)) as client:
            began = time.monotonic()
            info = fields(client.commands(("INFO",), writes=False))
            yield ok(
                f"{name} answers in {(time.monotonic() - began) * 1000:.0f} ms: "
                f"{info.get('server_name', 'redis')} {info.get('valkey_version', info.get('redis_version', '?'))}"
            )
            yield from judged(info, rooms, patient.production)
            yield from _access(client, url, patient.production)
            yield from _clock(client, patient)
        yield from _durable(url, rooms, patient)
    except ConfigurationError as error:
        yield problem(f"{', '.join(rooms)}.url: {error}", f"correct {variable}", _PAGE)
    except BackendRejected as error:
        yield problem(
            f"{name} refuses us: {error}",
            f"look at user and password of {variable}; the user needs +@all -@dangerous +info +role on its keys",
            _PAGE,
        )
    except BackendError as error:
        what = "is silent" if isinstance(error, BackendTimeout) else "does not answer"
        yield problem(
            f"{name} {what}: {error}",
            "from here, `redis-cli -u URL ping`; is it up, is the port open to us, and is it a Redis?",
            _PAGE,
        )


def fields(replies: Sequence[Any]) -> dict[str, str]:
    """What ``INFO`` says, by name."""
    lines = b"\n".join(one for one in replies if isinstance(one, bytes)).decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _host(url: str) -> str:
    """The first host of a URL."""
    place = url.partition("://")[2].partition("?")[0].rpartition("@")[2].partition("/")[0].partition(",")[0]
    head, _, port = place.rpartition(":")
    return (head if port.isdigit() else place).strip("[]")


def judged(info: Fields, rooms: Sequence[str], production: bool) -> Iterator[Finding]:
    """Version, role, memory and the last writes to the disk."""
    version = info.get("redis_version", "")
    if version.partition(".")[0].isdigit() and int(version.partition(".")[0]) < _OLDEST:
        yield problem(
            f"Redis {version} is too old: scripts say there what they do", "Redis 7.0 or later, or Valkey", _PAGE
        )
    if info.get("role", "master") != "master":
        yield problem(
            f"it is a replica of {info.get('master_host', 'another')}: it takes no writes",
            "name the primary, or its Sentinels: redis+sentinel://…",
            "how-to/run-on-redis.md#with-sentinels",
        )
    yield from memory(info, rooms, production)
    failed = [
        name
        for name in ("rdb_last_bgsave_status", "aof_last_write_status", "aof_last_bgrewrite_status")
        if info.get(name, "ok") != "ok"
    ]
    if failed:
        yield problem(
            f"it could not write to its disk: {', '.join(failed)}",
            "look at its log, and at the room on its disk",
            _DURABLE,
        )
    if info.get("loading") == "1":
        yield advice("it is reading its data, and refuses commands until that is done", "wait, and look again", _PAGE)


def memory(info: Fields, rooms: Sequence[str], production: bool) -> Iterator[Finding]:
    """Whether there is a bound, what happens at it, and how near it is."""
    most, used = int(info.get("maxmemory", "0") or 0), int(info.get("used_memory", "0") or 0)
    policy = info.get("maxmemory_policy", "noeviction")
    kept = [room for room in rooms if room in KEPT]
    if not most:
        if "cache" in rooms and production:
            yield advice(
                "maxmemory is not set: a cache grows until the system ends the server",
                "maxmemory with a share of the machine's memory"
                + ("" if kept else ", and maxmemory-policy allkeys-lru"),
                _DURABLE,
            )
        return
    if not kept and "cache" in rooms and policy == "noeviction":
        yield advice(
            "maxmemory-policy is noeviction: a full cache refuses what is new, and keeps what is old",
            "maxmemory-policy allkeys-lru, where nothing but a cache is on the server",
            _DURABLE,
        )
    if "cache" in rooms and kept:
        yield advice(
            f"cache and {', '.join(kept)} share one server: the cache fills it, and then the others are refused",
            "a server for the cache (allkeys-lru), and one for the rest (noeviction, appendonly yes)",
            _DURABLE,
        )
    if used > most * _FULL:
        yield graver(
            policy == "noeviction" and bool(kept),
            f"{used / most:.0%} of its memory are used ({used // 1024**2} of {most // 1024**2} MiB)",
            "raise maxmemory, or look for who fills it: `redis-cli --bigkeys`",
            _DURABLE,
        )


def _durable(url: str, rooms: Sequence[str], patient: Patient) -> Iterator[Finding]:
    """What the rooms would be refused for, or lose."""
    from ...stores.durability import durability_check

    kept = [room for room in rooms if room in KEPT]
    if not kept:
        return
    accepted = "durability=none" in patient.settings.broker_url()
    try:
        doubts = durability_check(url, timeout=_TIMEOUT)
    except BackendRejected as error:
        yield unknown(f"whether it keeps what {', '.join(kept)} need: {error}", "let its user call INFO", _DURABLE)
        return
    refused = "jobs" in kept and not accepted
    for doubt in doubts:
        found, _, do = doubt.partition("; ")
        finding = problem if refused or (patient.production and kept != ["jobs"]) else advice
        yield finding(f"{', '.join(kept)} may be lost: {found}", do or found, _DURABLE)
    if not doubts:
        yield ok(f"it keeps what it acknowledged, as {', '.join(kept)} need")


def _access(client: RedisClient, url: str, production: bool) -> Iterator[Finding]:
    """Who else can come in, and what the user may."""
    host = _host(url)
    here = local(host)
    if not here and not url.startswith("rediss"):
        yield graver(
            production,
            f"what passes between here and {host} is not encrypted",
            "rediss://…?ssl_ca=/path/to/ca.pem",
            _PAGE,
        )
    if "@" not in url.partition("://")[2].partition("?")[0] and not here:
        yield graver(
            production,
            "whoever reaches the server may do everything: it asks for no password",
            "requirepass, or users by ACL, and redis://user:password@…",
            _PAGE,
        )
    refused = []
    for command in _NEEDED:
        try:
            client.commands(command, writes=False)
        except BackendError as error:
            if isinstance(error, BackendRejected) and "NOSCRIPT" not in str(error):
                refused.append(command[0])
    if refused:
        yield problem(f"its user may not call {', '.join(refused)}", f"ACL SETUSER … {_granted(refused)}", _PAGE)


def _granted(commands: Sequence[str]) -> str:
    return " ".join(f"+{command.lower()}" for command in commands)


def _clock(client: RedisClient, patient: Patient) -> Iterator[Finding]:
    before = patient.clock.now_us()
    try:
        ((seconds, micros),) = client.commands(("TIME",), writes=False)
    except BackendRejected:
        return
    after = patient.clock.now_us()
    ahead = int(seconds) + int(micros) / 1e6 - (before + after) / 2e6
    yield from skew("the Redis", ahead, (after - before) / 2e6)
