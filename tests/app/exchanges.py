"""Exchanges of a program with the interface: recorded as they were, and sent again later.

A value that an earlier answer gave is recorded as where it stood: ``{3.data.id}`` is the member ``id`` of ``data`` in
the fourth exchange's answer, ``{3#etag}`` its header. ``{code}``, ``{reset}`` and ``{asked}`` come another way than by
the interface.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol
from urllib.parse import quote, unquote

import httpx

_PLACE = re.compile(r"\{(\d+)([.#])([^{}]+)\}")
_SENT = ("accept", "authorization", "content-type", "idempotency-key", "if-match", "if-none-match", "sec-fetch-site")
_ANSWERED = ("content-type", "location", "etag", "content-disposition")
# What later requests may say again, and nothing else.
_SAID_AGAIN = {"id", "token", "next", "changed_at", "recovery_codes"}
# These differ each time, or are words for people.
_VARIES = {"id", "token", "secret", "qr", "uri", "next", "cache_hit_rate", "agent", "network", "month", "request_id"}
_VARIES |= {"message", "sentence", "explanation", "about", "alt", "recovery_codes[]", "location"}
_OF_A_PROBLEM = {"title", "detail"}
_PATTERNS = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)"), "<instant>"),
    (re.compile(r"#[0-9a-f]{6}"), "<colour>"),
    (re.compile(r"/api/v\d+/"), "/api/<version>/"),
    (re.compile(r"(?<=/media/)\d+"), "<id>"),
)


class Around(Protocol):
    """What stands around a program."""

    def http(self, agent: str) -> httpx.Client:
        """The client of ``agent``, who keeps the cookies of a session."""
        ...

    def settle(self) -> None:
        """Let the worker do everything there is to do."""
        ...

    def code(self, secret: str) -> str:
        """The next code of an authenticator app."""
        ...

    def reset(self, name: str) -> str:
        """The token of a link that sets a new password."""
        ...

    def asked(self) -> str:
        """What a program asks for, which the user ``demo`` has allowed the same once."""
        ...


@dataclass(frozen=True)
class Exchange:
    """One request of ``agent`` and its answer; a body that is no JSON is base64.

    ``settled``: the worker had done all there was to do before.
    """

    agent: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    status: int
    answered: Mapping[str, str]
    answer: Any
    settled: bool = False


def normalised(value: Any, name: str = "") -> Any:
    """An answer without what differs from one time to the next: of that only the type is left."""
    if isinstance(value, dict):
        words = _OF_A_PROBLEM if {"type", "status", "code"} <= set(value) else set()
        return {key: f"<{type(one).__name__}>" if key in words else normalised(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [normalised(one, f"{name}[]") for one in value]
    if name in _VARIES and value is not None:
        return f"<{type(value).__name__}>"
    if isinstance(value, str):
        for pattern, said in _PATTERNS:
            value = pattern.sub(said, value)
    return value


def missing(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Where an answer says less than, or something else than, it did before; members that are new are no matter."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name, one in before.items():
            if name in now:
                yield from missing(one, now[name], f"{place}/{name}")
            else:
                yield f"{place}/{name} is gone"
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (one, other) in enumerate(zip(before, now, strict=True)):
            yield from missing(one, other, f"{place}/{index}")
    elif type(before) is not type(now) or before != now:
        yield f"{place} is not as it was"


class Recorder:
    """Keeps what clients of httpx send and are answered, for :meth:`written`."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, httpx.Response]] = []
        self._outside: dict[str, str] = {}
        self._settled: set[int] = set()

    def settled(self) -> None:
        """The worker has done all there was to do."""
        self._settled.add(len(self._kept))

    def came(self, name: str, value: str) -> str:
        """``value``, which came another way and is recorded as its ``name``."""
        self._outside[value] = f"{{{name}}}"
        return value

    def hook(self, agent: str) -> Callable[[httpx.Response], None]:
        """For ``event_hooks["response"]``."""

        def keep(response: httpx.Response) -> None:
            response.read()
            self._kept.append((agent, response))

        return keep

    def written(self) -> str:
        """All of it as JSON."""
        names = dict(self._outside)
        found = []
        for number, (agent, response) in enumerate(self._kept):
            found.append(asdict(_exchange(agent, response, names)) | {"settled": number in self._settled})
            names |= {value: f"{{{number}{place}}}" for place, value in _sayable(response)}
        return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _sayable(response: httpx.Response) -> Iterator[tuple[str, str]]:
    if "etag" in response.headers:
        yield "#etag", response.headers["etag"]
    yield from _leaves(_json(response.content))


def _leaves(
    value: Any, place: str = "", name: str = "", only: Collection[str] = _SAID_AGAIN
) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _leaves(one, f"{place}.{key}", key, only)
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _leaves(one, f"{place}.{index}", name, only)
    elif name in only and isinstance(value, str | int):
        yield place, str(value)


def _exchange(agent: str, response: httpx.Response, names: Mapping[str, str]) -> Exchange:
    request = response.request
    path, _, query = request.url.raw_path.decode().partition("?")
    steps = [names.get(unquote(step), step) for step in path.split("/")]
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    asked = "&".join(f"{name}={names.get(unquote(value), value)}" for name, _, value in pairs)
    headers = {name: request.headers[name] for name in _SENT if name in request.headers}
    spoken = {name: " ".join(names.get(word, word) for word in text.split(" ")) for name, text in headers.items()}
    body = _json(request.content) if "json" in headers.get("content-type", "") else None
    if body is None and request.content:
        body = base64.b64encode(request.content).decode()
    return Exchange(
        agent,
        request.method,
        "/".join(steps) + (f"?{asked}" if asked else ""),
        spoken,
        _named(body, names),
        response.status_code,
        _told(response),
        normalised(_json(response.content)),
    )


def _told(response: httpx.Response) -> dict[str, str]:
    told = {name: normalised(response.headers[name]) for name in _ANSWERED if name in response.headers}
    return told | ({"etag": "<etag>"} if "etag" in told else {})


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _named(body: Any, names: Mapping[str, str], name: str = "") -> Any:
    if isinstance(body, dict):
        return {key: _named(one, names, key) for key, one in body.items()}
    if isinstance(body, list):
        return [_named(one, names, name) for one in body]
    if isinstance(body, str) or (name == "id" and isinstance(body, int)):
        return names.get(str(body), body)
    return body


@dataclass
class Replay:
    """Sends recorded exchanges again and tells what is answered otherwise.

    ``around`` has the clients of the agents, and what comes another way than by the interface.
    """

    around: Around

    def __post_init__(self) -> None:
        self._answers: list[httpx.Response] = []
        self._secret = ""

    def send(self, exchange: Exchange) -> list[str]:
        """What is otherwise than it was; nothing if all is well."""
        if exchange.settled:
            self.around.settle()
        path = re.sub(r"\{[^{}]+\}", lambda one: quote(str(self._resolved(one[0])), safe=""), exchange.path)
        headers = {name: self._spoken(text) for name, text in exchange.headers.items()}
        content = b""
        if isinstance(exchange.body, str):
            content = base64.b64decode(exchange.body)
        elif exchange.body is not None:
            content = json.dumps(self._resolved(exchange.body)).encode()
        http = self.around.http(exchange.agent)
        response = http.request(exchange.method, path, headers=headers, content=content)
        self._answers.append(response)
        self._secret = next((text for _, text in _leaves(_json(response.content), only={"secret"})), self._secret)
        where = f"{len(self._answers) - 1}: {exchange.method} {exchange.path}"
        if response.status_code != exchange.status:
            return [f"{where}: {response.status_code} instead of {exchange.status}: {response.text[:200]}"]
        told = _told(response)
        found = [*missing(exchange.answered, told, " header")]
        found += missing(exchange.answer, normalised(_json(response.content)))
        return [f"{where}:{one}" for one in found]

    def _spoken(self, text: str) -> str:
        return " ".join(str(self._resolved(word)) for word in text.split(" "))

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._resolved(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._resolved(one) for one in value]
        if value == "{code}":
            return self.around.code(self._secret)
        if value == "{reset}":
            return self.around.reset("newcomer")
        if value == "{asked}":
            return self.around.asked()
        place = _PLACE.fullmatch(value) if isinstance(value, str) else None
        return value if place is None else self._answered(int(place[1]), place[2], place[3])

    def _answered(self, number: int, kind: str, place: str) -> Any:
        response = self._answers[number]
        if kind == "#":
            return response.headers[place]
        found: Any = response.json()
        for step in place.split("."):
            found = found[int(step)] if isinstance(found, list) else found[step]
        return found


def read(text: str) -> list[Exchange]:
    """What :meth:`Recorder.written` wrote."""
    return [Exchange(**one) for one in json.loads(text)]
