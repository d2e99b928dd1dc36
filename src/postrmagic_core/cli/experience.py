"""``postrmagic experience``: how fast pages come to users, which features they use, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.console import Console

from ..observability.experience import Experience
from . import experience_told
from .application import App, AsJson, ensure_schema, loaded
from .words import duration, print_json

experience = typer.Typer(
    help="What users feel and do: page loads, features in use, answers to a question.", no_args_is_help=True
)

_MONTH = 30 * 86_400.0


@contextmanager
def opened_experience(app: str) -> Iterator[Experience]:
    """What is known of the application's users, with its database open and nothing else."""
    stack: Any = loaded(app)
    with stack.database:
        ensure_schema(stack.database)
        yield Experience(stack.database, clock=stack.clock)


@experience.command()
def adoption(
    app: App,
    since: Annotated[
        Any, typer.Option(parser=duration, metavar="DURATION", help="Over the last 7d, 90d. Default: 30d.")
    ] = None,
    weeks: Annotated[int, typer.Option(min=1, max=52, help="So many weeks in the course of each feature.")] = 12,
    as_json: AsJson = False,
) -> None:
    """List the features that were used: by how many users, how often, and by which share of all who used any."""
    begin = datetime.now(UTC) - timedelta(seconds=_MONTH if since is None else since)
    with opened_experience(app) as opened:
        found = opened.adoption(begin)
        course = {each.feature: opened.weeks(each.feature, weeks=weeks) for each in found}
    if as_json:
        print_json([experience_told.as_json(each, course[each.feature]) for each in found])
    elif found:
        Console().print(experience_told.adopted(found, course))
    else:
        Console().print("no feature was used; they are counted by experience.use() and experience.count()")


@experience.command()
def survey(
    app: App,
    question: Annotated[str, typer.Argument(metavar="[SURVEY]", help="Its name. Default: the one answered last.")] = "",
    since: Annotated[
        Any, typer.Option(parser=duration, metavar="DURATION", help="Only answers of the last 7d, 90d.")
    ] = None,
    comments: Annotated[int, typer.Option(min=0, help="So many comments, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what users answered to a question: how many, their mean, each score, and the newest comments."""
    begin = None if since is None else datetime.now(UTC) - timedelta(seconds=since)
    with opened_experience(app) as opened:
        asked = question or next(iter(opened.questions()), "")
        found = opened.survey(asked, since=begin, comments=comments)
    if as_json:
        print_json(found)
    elif found.count:
        Console().print(experience_told.surveyed(found))
    else:
        Console().print("nobody has answered")


@experience.command()
def pages(app: App, as_json: AsJson = False) -> None:
    """List the pages that browsers told of, with what three of four loads do not exceed; the most loaded first.

    Nothing of the application is opened but the metrics' store. Where that is memory, only `/metrics` tells.
    """
    from .._metrics import Metrics
    from ..observability.experience.policy import pages as told_pages
    from ..observability.metrics import MetricsHub

    stack = loaded(app)
    room, service = stack.settings.observability, stack.settings.stack.service
    store = stack.store(room)
    try:
        hub = MetricsHub(Metrics(), store, namespace=room.namespace, service=service, every=room.publish_every)
        found = told_pages(hub.everybody())
    finally:
        store.close()
    if as_json:
        print_json(found)
    elif found:
        Console().print(experience_told.paged(found))
    else:
        Console().print("no browser told of a page: the layer `experience` serves the script that does")
