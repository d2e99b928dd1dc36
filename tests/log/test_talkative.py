"""Libraries that chat at INFO are kept to warnings, until somebody wants to hear them."""

from __future__ import annotations

import io
import logging

import pytest

from postrmagic_core.log import configure, is_configured


def heard(level: str, logger: str, at: int) -> bool:
    """Whether a record of `logger` reaches the output under a configuration of `level`."""
    stream = io.StringIO()
    with configure(level=level, stream=stream, format="json"):
        assert is_configured()
        logging.getLogger(logger).log(at, "chat")
    assert not is_configured()
    return "chat" in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "logger", "at", "expected"),
    [
        ("INFO", "alembic.runtime.migration", logging.INFO, False),
        ("INFO", "alembic.runtime.migration", logging.WARNING, True),
        ("DEBUG", "alembic.runtime.migration", logging.INFO, True),
        ("INFO", "an.application", logging.INFO, True),
        ("INFO", "postrmagic_core.jobs", logging.INFO, True),
        ("ERROR", "alembic", logging.WARNING, False),
    ],
)
def test_talkative_libraries_are_heard_from_warning_on(level: str, logger: str, at: int, expected: bool) -> None:
    """At DEBUG everything is heard; the application's own records always are."""
    assert heard(level, logger, at) == expected


def test_a_level_that_the_application_gave_is_kept_and_ours_is_taken_back() -> None:
    """Who asked for Alembic's chat gets it; after close() nothing is left behind."""
    alembic = logging.getLogger("alembic")
    assert alembic.level == logging.NOTSET
    alembic.setLevel(logging.INFO)
    try:
        assert heard("INFO", "alembic.runtime", logging.INFO)
        assert alembic.level == logging.INFO
    finally:
        alembic.setLevel(logging.NOTSET)
    assert not heard("INFO", "alembic.runtime", logging.INFO)
    assert alembic.level == logging.NOTSET
