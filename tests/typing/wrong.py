# pyright: strict, reportUnnecessaryTypeIgnoreComment=true
"""What must be an error, each on its line: it is excused there, and an excuse of nothing is an error itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from postrmagic_core import Pipeline
from postrmagic_core.events import EventContext, on
from postrmagic_core.middleware import Request
from postrmagic_core.validation import Input, Validator

from .posters.application import Posters
from .posters.events import PosterUploaded
from .posters.tasks import make_thumbnail, send

if TYPE_CHECKING:
    from postrmagic_core import Stack
    from postrmagic_core.jobs import JobContext


def calls(stack: Stack, ctx: JobContext) -> None:
    """Of tasks."""
    make_thumbnail.call("seven")  # type: ignore[arg-type]  # a text for a number
    make_thumbnail.call()  # type: ignore[call-arg]  # what has no default is given
    make_thumbnail.call(7, height=3)  # type: ignore[call-arg]  # no such argument
    send.call("ada@example.org", "Hello")  # type: ignore[call-arg]  # it is given by name
    make_thumbnail(7)  # type: ignore[call-arg]  # without a context it does not run
    width: int = make_thumbnail(ctx, 7)  # type: ignore[assignment]  # it gives a text
    stack.jobs.enqueue(make_thumbnail)  # type: ignore[arg-type]  # a task is no call of it
    del width


def events(stack: Stack) -> None:
    """Of what happens."""
    PosterUploaded(poster_id="seven")  # type: ignore[arg-type, call-arg]  # a text, and no title
    stack.events.emit("poster.uploaded")  # type: ignore[arg-type]  # a name is no event


@on(PosterUploaded)  # type: ignore[arg-type]  # a listener of something else
def other(event: NewPoster, context: EventContext) -> None:
    """Hear what is never told."""


class NewPoster(Input):
    """A form."""

    title: Annotated[str, "shown"]


def checked(body: bytes) -> str:
    """What a validator gives is the model."""
    return Validator(NewPoster).validate_json(body)  # type: ignore[return-value]  # not one of its fields


def cached(stack: Stack, posters: Posters) -> list[str]:
    """What the cache gives is what is computed."""
    stack.cache.get_or_set("titles", posters.titles)  # type: ignore[call-arg]  # for how long
    numbers: list[int] = stack.cache.get_or_set("titles", posters.titles, fresh=60)  # type: ignore[arg-type]  # texts
    del numbers
    return stack.cache.aio.get_or_set("titles", posters.titles, fresh=60)  # type: ignore[return-value]  # not awaited


def no_layer(request: Request) -> str:
    """Yield nothing."""
    return request.path


PIPELINE = Pipeline([no_layer])  # type: ignore[list-item]  # no layer
