"""The routes of an Api for Flask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from os import fstat
from pathlib import Path

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from ..api import Api, Call
from ..api.endpoint import Endpoint, Place
from ..api.interface import PlainResponse
from ..middleware.environ import STATE, Bounded
from ._api import Waited, check_plain, not_ours

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def blueprint(api: Api) -> Blueprint:
    """All of them; :class:`ConfigurationError` for a handler that is ``async def``."""
    check_plain(api, "Flask")
    made = Blueprint(api.specification.base[1:].replace("/", "_").replace(".", "_"), __name__)

    def add(path: str, view: Callable[..., Response]) -> None:
        # Every method: what a path has not is answered as everything else is, by a problem document.
        rule, name = path.replace("{", "<").replace("}", ">"), path.replace(".", "_")
        made.add_url_rule(rule, name, view, methods=_METHODS, provide_automatic_options=False)

    for place in api.places:
        add(place.path, partial(_respond, place))
    for path in api.pages:
        add(path, partial(_page, api, path))
    return made


def _respond(place: Place, **values: str) -> Response:
    endpoint = place.endpoint(request.method)
    if endpoint is None:
        return _response(place.not_allowed)
    try:
        answer = endpoint.respond_now(_call(endpoint, values))
    except HTTPException as error:
        raise not_ours(endpoint, error) from error
    return _response(answer) if answer.file is None else _sent(endpoint, answer.file, answer)


def _call(endpoint: Endpoint, values: dict[str, str]) -> Call:
    return Call(
        operation=endpoint.operation,
        method=request.method,
        path=request.path,
        headers=_headers(),
        query=request.environ.get("QUERY_STRING", ""),
        values=values,
        source=Waited(Bounded(request.environ)),
        state=request.environ.setdefault(STATE, {}),
        client=request.environ.get("REMOTE_ADDR") or None,
        native=request,
    )


def _page(api: Api, path: str) -> Response:
    return _response(api.page(path, _headers(), request.method))


def _headers() -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers}


def _response(answer: PlainResponse) -> Response:
    response = Response(answer.body, answer.status)
    response.headers.pop("content-type")  # a guess, where the answer has no body
    response.headers.update(answer.headers)
    return response


def _sent(endpoint: Endpoint, path: Path, answer: PlainResponse) -> Response:
    """A file, or the part of it that is asked for. Flask's ``send_file`` would tell the file's name and date."""
    file = path.open("rb")
    size = fstat(file.fileno()).st_size
    response = Response(wrap_file(request.environ, file), answer.status, direct_passthrough=True)
    response.content_length = size
    response.headers.update(answer.headers)
    try:
        response.make_conditional(request.environ, accept_ranges=True, complete_length=size)
    except RequestedRangeNotSatisfiable:
        file.close()
        response = _response(endpoint.plain(416, {"content-range": f"bytes */{size}"}))
    return response
