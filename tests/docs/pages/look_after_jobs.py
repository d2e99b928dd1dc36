"""A print shop's queue, with a job that failed."""

from __future__ import annotations

from postrmagic_core.jobs import JobContext, task
from postrmagic_core.stack import Stack
from tests.docs.given import opened, settings
from tests.docs.playing import Page


@task(name="render", retries=0)
def render(ctx: JobContext) -> None:
    """Fail."""
    raise ValueError("no such poster")


def play(page: Page) -> None:
    """What was given up is told, and waits anew."""
    with opened() as stack:
        stack.jobs.include(render)
        job = stack.jobs.enqueue(render.call())
        with stack.jobs.worker(threads=1):
            job.wait(timeout=20)
    page.names["stack"] = Stack(settings(), configure_logging=False)
    page.run()
    assert page.names["job"].reason == "failed"
