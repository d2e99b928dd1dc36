# pyright: strict
"""What comes in, checked, and what stands around it: a layer that is a generator, for ASGI and WSGI alike."""

from __future__ import annotations

from typing import Annotated, assert_type

from pydantic import Field

from postrmagic_core import Pipeline
from postrmagic_core.errors import ValidationFailed
from postrmagic_core.middleware import Layer, Request, Response
from postrmagic_core.middleware.request_id import request_id
from postrmagic_core.validation import Input, Validator, errors_by_field
from postrmagic_core.validation.rules import PlainText, Tag


class NewPoster(Input):
    """A form."""

    title: Annotated[str, PlainText(max=80, min=1)]
    copies: int = Field(default=1, ge=1, le=500)
    tags: list[Tag] = Field(default_factory=list[Tag])


new_poster = Validator(NewPoster)


def read(body: bytes) -> NewPoster | dict[str, list[str]]:
    """A poster, or what is wrong with it."""
    try:
        poster = new_poster.validate_json(body)
    except ValidationFailed as error:
        return {field: list(messages) for field, messages in errors_by_field(error).items()}
    assert_type(poster, NewPoster)
    return poster


def closed(request: Request) -> Layer:
    """Answer by itself where the library is closed; else add a header to whatever is answered."""
    if request.path.startswith("/closed"):
        yield Response(503, b"back soon\n", {"retry-after": "60"})
        return
    head = yield
    head.set("x-library", "posters")


pipeline = Pipeline([request_id(), closed])
