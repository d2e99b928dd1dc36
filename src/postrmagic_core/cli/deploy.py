"""``postrmagic deploy``: a release put in place of the one that runs, and taken back.

Exit status 0: deployed, or nothing to do. 1: refused, or rolled back. 2: a wrong command. 3: neither the old nor the
new release stands whole, and a person is needed.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from ..deployment import Deployment, Engine, Outcome, Release, Terms
from ..deployment.lock import described
from ..errors import DeployFailed, DeployUnfinished
from . import deploy_told
from .application import AsJson
from .deploy_options import Care, Project, Yes
from .options import spread
from .words import plain, print_json

deploy = typer.Typer(
    help="Deploy a release to a Compose project, replica by replica; rolled back where it does not stand.",
    no_args_is_help=True,
)

_UNFINISHED = 3


@deploy.command()
@spread
def up(
    release: Annotated[str, typer.Option(help="Its version, as 1.1; labels and settings name it so.")],
    image: Annotated[str, typer.Option(help="Its image; fetched where it is not here.")],
    project: Project,
    care: Care,
    again: Annotated[bool, typer.Option("--again", help="Replace replicas of this release too.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a release in place of the one that runs; back to that by itself if it does not become ready or fails.

    Exit status 0: deployed. 1: refused, or rolled back. 3: a person is needed, and the message says for what.
    """
    _agreed(yes, f"Deploy {release} ({image})?")
    _done(project.engine(), care.terms(), lambda made: made.up(Release(release, image), again=again), as_json)


@deploy.command()
@spread
def rollback(project: Project, care: Care, yes: Yes = False, as_json: AsJson = False) -> None:
    """Go back to the release before the one that runs, or before the one that was begun; the database stays as it is.

    Exit status 0: it runs. 1: refused, or it did not stand and what ran runs again. 3: a person is needed.
    """
    _agreed(yes, "Go back to the release before?")
    _done(project.engine(), care.terms(), lambda made: made.rollback(), as_json)


@deploy.command()
@spread
def status(project: Project, as_json: AsJson = False) -> None:
    """Show what runs, what the proxy says of it, who deploys and what is unfinished."""
    found = Deployment(project.engine()).status()
    if as_json:
        print_json(deploy_told.status_as_json(found))
    else:
        deploy_told.show_status(found)


@deploy.command()
@spread
def unlock(project: Project, yes: Yes = False) -> None:
    """Take the lock away from a deployer that is gone; who still works would go on, beside the next."""
    _agreed(yes, "Is nobody deploying any more?")
    held = Deployment(project.engine()).unlock()
    told = "nobody had the lock" if held is None else f"the lock is free: {described(held)}"
    Console().print(plain(told), soft_wrap=True)


def _done(engine: Engine, terms: Terms, work: Callable[[Deployment], Outcome], as_json: bool) -> None:
    with deploy_told.steps(to_stderr=as_json) as tell:
        made = Deployment(engine, terms, report=tell)
        try:
            with _interruptible(made):
                outcome = work(made)
        except DeployFailed as error:
            deploy_told.show_log(error.log)
            raise
        except DeployUnfinished as error:
            deploy_told.show_log(error.log)
            Console(stderr=True).print(plain(f"{error.code} {error}"), style="red", soft_wrap=True)
            raise typer.Exit(_UNFINISHED) from None
    if as_json:
        print_json(deploy_told.outcome_as_json(outcome))
    else:
        deploy_told.show_outcome(outcome)


def _agreed(yes: bool, question: str) -> None:
    """Ask at a terminal only: a program has nobody to answer."""
    if not yes and Console().is_terminal and not typer.confirm(question):
        raise typer.Exit(1)


@contextmanager
def _interruptible(made: Deployment) -> Iterator[None]:
    """The first SIGINT or SIGTERM has the deployment rolled back, the second ends it where it stands."""
    asked = 0

    def interrupted(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise KeyboardInterrupt
        made.stop()

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
