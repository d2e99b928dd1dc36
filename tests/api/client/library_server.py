"""A server that speaks library.json, as small as it can be; it remembers what it was asked."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PICTURE = b"\x89PNG" + bytes(range(256)) * 1_000
TOKEN = "library-token"


def medium(number: int, **changes: object) -> dict[str, object]:
    """A medium as the server tells it: with a member and a type that the specification did not know yet."""
    return {
        "id": number,
        "title": f"Poster {number}",
        "filename": f"{number}.png",
        "size": len(PICTURE),
        "type": "image/avif",
        "width": 320,
        "height": 480.0,
        "tags": ["jazz"],
        "colours": None,
        "orientation": "portrait",
        "note": None,
        "created_at": "2026-11-28T20:22:37.5+01:00",
        "file": f"/api/v1/media/{number}/file",
        "thumbnail": None,
        "added_later": {"deep": [1, 2]},
    } | changes


def problem(status: int, code: str, headers: dict[str, str] | None = None, **more: object) -> Response:
    """A problem document."""
    body = {"type": "about:blank", "title": "A title", "status": status, "code": code, "detail": "A detail."} | more
    told = {"content-type": "application/problem+json", "x-request-id": "r-1"} | (headers or {})
    return Response(json.dumps(body), status, told)


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes = field(repr=False)


@dataclass
class Library:
    """The application, what it holds, and ``answer``: a response to give instead of its own."""

    media: dict[int, dict[str, object]] = field(default_factory=lambda: {n: medium(n) for n in range(1, 8)})
    asked: list[Asked] = field(default_factory=list)
    answer: Response | None = None
    form: list[tuple[str, object]] = field(default_factory=list)

    def application(self) -> Starlette:
        """The application to be served."""
        routes = [
            ("/media", "GET", self._list),
            ("/media", "POST", self._upload),
            ("/media/tag", "POST", self._tag),
            ("/media/{id}", "GET", self._get),
            ("/media/{id}", "PATCH", self._edit),
            ("/media/{id}", "DELETE", self._delete),
            ("/media/{id}/file", "GET", self._file),
            ("/tags", "GET", self._tags),
            ("/stats", "GET", self._stats),
            ("/search", "GET", self._search),
            ("/login", "POST", self._log_in),
            ("/logout", "POST", self._log_out),
            ("/devices/{id}", "GET", self._device),
        ]
        return Starlette(
            routes=[Route(f"/api/v1{path}", self._guarded(handler), methods=[verb]) for path, verb, handler in routes]
        )

    def _guarded(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            query, headers = request.query_params.multi_items(), dict(request.headers)
            self.asked.append(Asked(request.method, request.scope["path"], query, headers, await request.body()))
            if self.answer is not None:
                return self.answer
            if not request.scope["path"].endswith("/login"):
                by_cookie = request.cookies.get("session") == "open"
                if not by_cookie and headers.get("authorization") != f"Bearer {TOKEN}":
                    return problem(401, "authentication.required")
                own = headers.get("sec-fetch-site") in {"none", "same-origin"}
                if by_cookie and request.method != "GET" and not own:
                    return problem(403, "csrf.token")
            return await handler(request)

        return endpoint

    def _one(self, request: Request) -> dict[str, object] | None:
        return self.media.get(int(request.path_params["id"]))

    @staticmethod
    def etag(one: dict[str, Any]) -> str:
        """The version of a medium."""
        return f'"{abs(hash(json.dumps(one)))}"'

    async def _list(self, request: Request) -> Response:
        if request.headers.get("if-none-match") == '"all"':
            return Response(status_code=304, headers={"etag": '"all"'})
        limit, after = int(request.query_params.get("limit", 3)), int(request.query_params.get("after", 0))
        rest = [one for number, one in sorted(self.media.items()) if number > after]
        following = str(rest[limit - 1]["id"]) if len(rest) > limit else None
        return JSONResponse({"data": rest[:limit], "next": following}, headers={"etag": '"all"'})

    async def _upload(self, request: Request) -> Response:
        form = await request.form()
        for name, value in form.multi_items():
            told = value if isinstance(value, str) else (value.filename, value.content_type, await value.read())
            self.form.append((name, told))
        await form.close()
        self.media[8] = medium(8, title=dict(self.form).get("title", ""))
        return JSONResponse({"data": self.media[8]}, 201, {"location": "/api/v1/media/8", "etag": '"8"'})

    async def _tag(self, request: Request) -> Response:
        items = (await request.json())["items"]
        done = [{"index": at, "status": 200, "data": self.media[one["id"]]} for at, one in enumerate(items)]
        failed = {
            "index": len(items),
            "status": 404,
            "problem": json.loads(bytes(problem(404, "media.not_found").body)),
        }
        return JSONResponse({"data": [*done, failed], "meta": {"succeeded": len(items), "failed": 1}})

    async def _get(self, request: Request) -> Response:
        if (one := self._one(request)) is None:
            return problem(404, "media.not_found")
        if request.headers.get("if-none-match") == self.etag(one):
            return Response(status_code=304, headers={"etag": self.etag(one)})
        return JSONResponse({"data": one}, headers={"etag": self.etag(one)})

    async def _edit(self, request: Request) -> Response:
        if (one := self._one(request)) is None:
            return problem(404, "media.not_found")
        if request.headers.get("if-match") not in {None, self.etag(one)}:
            return problem(412, "precondition.failed")
        one.update(await request.json())
        return JSONResponse({"data": one}, headers={"etag": self.etag(one)})

    async def _delete(self, request: Request) -> Response:
        del self.media[int(request.path_params["id"])]
        return Response(status_code=204)

    async def _file(self, request: Request) -> Response:
        kind = "image/png" if request.headers["accept"] == "*/*" else request.headers["accept"]
        return Response(PICTURE, media_type=kind, headers={"etag": '"file"'})

    async def _tags(self, _: Request) -> Response:
        return JSONResponse({"data": [{"name": "jazz", "count": 7}], "next": None})

    async def _stats(self, _: Request) -> Response:
        data = {
            "media": 7,
            "bytes": 1,
            "tags": [{"name": "jazz", "count": 7}],
            "parts": {"cache": {"ok": True, "ms": 1}},
            "since": "2026-11-01",
            "detail": {"any": ["thing"]},
        }
        return JSONResponse({"data": data, "meta": {"hit_rate": 0.5}})

    async def _search(self, _: Request) -> Response:
        told = {
            "deprecation": "@1767225600",
            "sunset": "Fri, 01 Jan 2027 00:00:00 GMT",
            "link": '</docs>; rel="deprecation"',
        }
        return JSONResponse({"data": [medium(1)], "next": None}, headers=told)

    async def _log_in(self, request: Request) -> Response:
        given = await request.json()
        if given["name"] == "two":
            return JSONResponse({"data": {"second_factor": "totp", "expires_in": 30}})
        answer = JSONResponse({"data": {"id": 1, "name": given["name"], "roles": []}})
        answer.set_cookie("session", "open")
        return answer

    async def _log_out(self, _: Request) -> Response:
        return Response(status_code=204)

    async def _device(self, request: Request) -> Response:
        told = {"id": request.path_params["id"], "agent": None, "from": "home", "current": True}
        return JSONResponse({"data": told | {"began_at": "2026-11-28T20:22:37Z"}})
