"""The pages of an API, rendered: its document, the reference made of it, and what its problems mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .conditional import etag_of
from .interface import PlainResponse
from .page_style import STYLE
from .problem_pages import list_page, type_page
from .reference_page import reference_html

if TYPE_CHECKING:
    from .specification import Specification

_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def pages(specification: Specification) -> Iterator[tuple[str, PlainResponse]]:
    """What is read about the API, by path: it is everybody's, and the same for all."""
    document = specification.openapi()
    base = specification.base
    text = json.dumps(document, ensure_ascii=False, indent=2).encode()
    yield f"{base}/openapi.json", _page("application/json", text)
    yield f"{base}/docs", _page("text/html; charset=utf-8", reference_html(document, stylesheet=f"{base}/docs.css"))
    yield f"{base}/docs.css", _page("text/css; charset=utf-8", STYLE.encode())
    at = specification.problems.base
    if at is not None and at.startswith("/"):
        types = specification.problems.types
        sheet = f"{base}/docs.css"
        yield at, _page("text/html; charset=utf-8", list_page(types, base=at, stylesheet=sheet))
        for one in types:
            page = type_page(one, base=at, stylesheet=sheet)
            yield f"{at}{one.code}", _page("text/html; charset=utf-8", page)


def _page(media_type: str, body: bytes) -> PlainResponse:
    headers = {
        "content-type": media_type,
        "content-security-policy": _POLICY,
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
        "etag": etag_of(body),
    }
    return PlainResponse(200, headers, body)
