"""The pipeline and the Stack in a FastAPI application: Starlette's, and invalid input told as everywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ValidationFailed
from ..middleware import Pipeline
from ..stack import Stack
from ..validation.messages import ENGLISH
from ..validation.policy import translate
from ._parts import answers_errors, needing
from .starlette import install as install_starlette

if TYPE_CHECKING:
    from fastapi import FastAPI

A = TypeVar("A", bound="FastAPI")


def install(app: A, pipeline: Pipeline, stack: Stack | None = None) -> A:
    """As :func:`postrmagic_core.integrations.starlette.install`; returns ``app``.

    And what FastAPI's parameters and models refuse becomes a :class:`ValidationFailed`, which ``errors`` answers with
    422 as a problem document: FastAPI's own repeats the input, and fails where that is not UTF-8. A handler that the
    application set for ``RequestValidationError`` stays, and FastAPI's own in a pipeline without ``errors``.
    """
    with needing("FastAPI", "fastapi"):
        from fastapi.exception_handlers import request_validation_exception_handler
        from fastapi.exceptions import RequestValidationError

    untouched = app.exception_handlers.get(RequestValidationError) is request_validation_exception_handler
    if answers_errors(pipeline) and untouched:
        app.add_exception_handler(RequestValidationError, _refused)
    return install_starlette(app, pipeline, stack)


async def _refused(_: object, error: Any) -> Any:
    raise ValidationFailed(list(_told(error))) from None


def _told(error: Any) -> Iterator[dict[str, str]]:
    """Pointers into the body; of other parameters ``/query/name``, ``/path/name``, ``/header/name``."""
    for one in error.errors():
        place, *steps = one["loc"]
        if place == "body":
            yield from translate([{**one, "loc": steps}], error.body, ENGLISH)
        else:
            yield from translate([one], {place: dict.fromkeys(steps[:1])}, ENGLISH)
