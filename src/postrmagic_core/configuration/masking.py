"""Settings without their secrets: each is replaced by fingerprints under the application's keys.

What is secret: what the settings declare as such; in free-form values (a middleware's options, a rule) also what is
called like one or looks like one. Of a URL the rest stays, so that a host that changed can be seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr

from .._crypto import KeyRing
from ..errors import ConfigurationError
from ..log.policy import is_secret_name, scrub
from .interface import Masked, Print, Value

_DIGITS = 12
_PLAIN = (bool, int, float)
# Of these a path is a secret too: a webhook's address is all it takes to use it.
_PLACES = {"observability.channels", "observability.probes", "observability.sentry_dsn"}
_AUTHORITY_END = re.compile(r"[/?#]")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")

Mask = Callable[[str], Masked | str]


class Masker:
    """Masks by the keys of ``ring``; without one, nothing will be told of a secret.

    ``keys`` are ids of the keys, newest first: made from them, of no use to find them out. ``known`` has the secrets
    that were masked, by key and fingerprint: kept in memory, to put them back.
    """

    keys: tuple[str, ...]
    known: dict[tuple[str, str], str]

    def __init__(self, ring: KeyRing | None) -> None:
        self._ring = ring
        try:
            ids = [] if ring is None else ring.macs(b"id", purpose="settings-key")
        except (ConfigurationError, OSError):  # production without keys, keys that are refused, a disk without room
            self._ring, ids = None, []
        self.keys = tuple(one.hex()[:8] for one in ids)
        self.known = {}

    def field(self, name: str, value: object, *, hidden: bool = False) -> Value:
        """The value of the setting ``room.field`` as it may be stored and shown; ``hidden``: it is a secret, all of it.

        Of a URL the host stays even then.
        """
        last = name.partition(".")[2]
        if name in _PLACES:
            how: Mask = self._place
        elif last == "url" or last.endswith("_url"):
            how = self._address
        else:
            how = self._whole
        return self._value(value, how, hidden=hidden)

    def unmasked(self, value: Value) -> Any:
        """``value`` with its secrets put back from ``known``; :class:`KeyError` where one is not there."""
        if isinstance(value, Masked):
            text = "".join(part if isinstance(part, str) else self._found(part) for part in value.parts)
            return text if value.text else json.loads(text)
        if isinstance(value, Mapping):
            return {name: self.unmasked(one) for name, one in value.items()}
        return [self.unmasked(one) for one in value] if isinstance(value, list) else value

    def _found(self, part: Print) -> str:
        for pair in part.prints.items():
            if pair in self.known:
                return self.known[pair]
        raise KeyError(part)

    def _print(self, secret: str) -> Print:
        if self._ring is None:
            return Print({})
        macs = self._ring.macs(secret.encode("utf-8", "surrogatepass"), purpose="settings")
        prints = {key: mac.hex()[:_DIGITS] for key, mac in zip(self.keys, macs, strict=True)}
        self.known.update(dict.fromkeys(prints.items(), secret))
        return Print(prints)

    def _value(self, value: object, how: Mask, depth: int = 0, hidden: bool = False) -> Value:
        if not hidden and (value is None or type(value) in _PLAIN):
            return value
        if isinstance(value, SecretStr):
            return how(value.get_secret_value())
        if isinstance(value, str | Path):
            return self._whole(str(value)) if hidden else self._text(str(value))
        if value is None or isinstance(value, bool | int | float | date | time):
            return Masked((self._print(json.dumps(value, default=str)),), text=False) if hidden else value
        return self._container(value, how, depth, hidden)

    def _container(self, value: object, how: Mask, depth: int, hidden: bool) -> Value:
        if isinstance(value, BaseModel):
            value = {name: getattr(value, name) for name in type(value).model_fields}
        if isinstance(value, Mapping):
            # What stands first in a setting is a name that somebody chose: a flag may well be called `passwords`.
            return {
                str(name): self._value(one, how, depth + 1, hidden or (depth > 0 and is_secret_name(str(name))))
                for name, one in value.items()
            }
        if isinstance(value, Iterable) and not isinstance(value, bytes):
            return [self._value(one, how, depth + 1, hidden) for one in value]
        return f"<{type(value).__name__}>"  # its own words may tell a secret

    def _whole(self, secret: str) -> Masked:
        return Masked((self._print(secret),))

    def _text(self, text: str) -> Masked | str:
        """A text that is no secret as a whole."""
        if "://" in text and ("@" in text or "?" in text):
            return self._address(text)
        return text if scrub(text) == text else self._whole(text)

    def _address(self, url: str) -> Masked | str:
        """A URL with its password masked, and what its query calls a secret."""
        scheme, mark, rest = url.partition("://")
        if not mark or scrub(scheme) != scheme:
            return self._whole(url)
        login, at, place = rest.rpartition("@")  # the last one: a password may have been written as it is
        parts: list[str | Print] = [f"{scheme}://"]
        if at:
            user, colon, password = login.partition(":")
            parts += [f"{user}:", self._print(password)] if colon else [self._print(login)]
        elif not _is_host(_AUTHORITY_END.split(place)[0]):
            return Masked((f"{scheme}://", self._print(rest)))
        parts += [at, *self._query(place)]
        merged = _merged(parts)
        if any(isinstance(part, str) and scrub(part) != part for part in merged):
            return Masked((f"{scheme}://", self._print(rest)))
        return merged[0] if len(merged) == 1 and isinstance(merged[0], str) else Masked(merged)

    def _query(self, place: str) -> list[str | Print]:
        base, mark, query = place.partition("?")
        parts: list[str | Print] = [base + mark]
        for number, pair in enumerate(query.split("&") if mark else ()):
            name, equals, value = pair.partition("=")
            parts.append(("&" if number else "") + name + equals)
            parts.append(self._print(value) if equals and (is_secret_name(name) or scrub(pair) != pair) else value)
        return parts

    def _place(self, url: str) -> Masked | str:
        """A URL of which but scheme and host are secret."""
        scheme, mark, rest = url.partition("://")
        head = rest.partition("?")[0]
        login, at, _ = head.rpartition("@")
        tail = rest[len(login) + len(at) :]
        host = _AUTHORITY_END.split(tail)[0]
        doubtful = "@" in tail and "/" not in head  # is it a password that is cut by a question mark?
        if not mark or doubtful or not _HOST.fullmatch(host):
            return self._whole(url)
        before: list[str | Print] = [self._print(login), "@"] if at else []
        after: list[str | Print] = [self._print(tail[len(host) :])] if tail[len(host) :] else []
        merged = _merged([f"{scheme}://", *before, host, *after])
        return merged[0] if len(merged) == 1 and isinstance(merged[0], str) else Masked(merged)


def _is_host(text: str) -> bool:
    return not text or _HOST.fullmatch(text) is not None


def _merged(parts: Iterable[str | Print]) -> tuple[str | Print, ...]:
    """The parts with neighbouring texts as one."""
    merged: list[str | Print] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    return tuple(merged)
