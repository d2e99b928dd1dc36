"""The contract of alert channels: green on the smallest channel; red, on the right promise, on each that breaks one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from postrmagic_core.errors import BackendRejected, BackendUnavailable
from postrmagic_core.observability.alerts import Notification
from postrmagic_core.observability.alerts.told import text
from postrmagic_core.testing.contracts.alert_channel import AlertChannelContract, Receiver
from tests.planted import expect_red

SECRET = "s3cret-7f3a9c"
logger = logging.getLogger(__name__)


class Desk:
    """Where notifications arrive; ``ill`` is what happens to them there."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.ill = ""

    @contextmanager
    def being(self, ill: str) -> Iterator[None]:
        """Ill for a block."""
        self.ill = ill
        yield
        self.ill = ""


class Good:
    """Its parts are methods, for others to break."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def send(self, notification: Notification) -> None:
        """Tell it."""
        if self.desk.ill == "refusing":
            raise self.refused()
        if self.desk.ill == "away":
            raise self.away()
        self.desk.notes.extend(self.notes(notification))

    def notes(self, notification: Notification) -> list[str]:
        """What is told of it."""
        return [f"{notification.id}\n{text(notification)}"]

    def refused(self) -> Exception:
        """For good."""
        return BackendRejected("the desk is closed")

    def away(self) -> Exception:
        """For now."""
        return BackendUnavailable("nobody is at the desk")

    def close(self) -> None:
        """Nothing is held."""


class Mute(Good):
    """Tells nothing."""

    def notes(self, notification: Notification) -> list[str]:
        """None."""
        return []


class Terse(Good):
    """Tells the title alone."""

    def notes(self, notification: Notification) -> list[str]:
        """One line."""
        return [f"{notification.id} {notification.title}"]


class InPieces(Good):
    """Tells what is long in several."""

    def notes(self, notification: Notification) -> list[str]:
        """Of 4,000 characters at most."""
        [note] = super().notes(notification)
        return [note[at : at + 4000] for at in range(0, len(note), 4000)]


class Raw(Good):
    """Tells texts as they are."""

    def notes(self, notification: Notification) -> list[str]:
        """Whatever is in them."""
        told = [f"{alert.summary} {dict(alert.labels)}" for alert in notification.alerts]
        return ["\n".join([notification.id, notification.title, *(f"{each}\n{each}" for each in told)])]


class Renamed(Good):
    """Gives each try an id of its own."""

    def notes(self, notification: Notification) -> list[str]:
        """A new one."""
        return [f"{uuid4().hex}\n{text(notification)}"]


class ClosedForAll(Good):
    """Takes the desk with it."""

    def close(self) -> None:
        """For good."""
        self.desk.notes.clear()


class ClosedOnce(Good):
    """May not be closed again."""

    closed = False

    def close(self) -> None:
        """Once."""
        if self.closed:
            raise RuntimeError("it is closed")
        self.closed = True


class Shown(Good):
    """Shows its secret."""

    def __repr__(self) -> str:
        return f"Shown({SECRET})"


class ShownWhereItFails(Good):
    """Shows its secret to who looks into the error."""

    def away(self) -> Exception:
        """For now."""
        error = BackendUnavailable("nobody is at the desk")
        error.__cause__ = OSError(f"https://desk.example/{SECRET}")
        return error


class Logged(Good):
    """Shows its secret to who reads the log."""

    def notes(self, notification: Notification) -> list[str]:
        """After a word of it."""
        logger.info("telling https://desk.example/%s", SECRET)
        return super().notes(notification)


class Hopeful(Good):
    """Takes a refusal for what may go by."""

    def refused(self) -> Exception:
        """For now."""
        return self.away()


class Hopeless(Good):
    """Takes what may go by for a refusal."""

    def away(self) -> Exception:
        """For good."""
        return self.refused()


class Broken(Good):
    """Does not recover."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.failed = False

    def send(self, notification: Notification) -> None:
        """Unless it failed before."""
        self.failed = self.failed or self.desk.ill == "away"
        if self.failed:
            raise self.away()
        super().send(notification)


def receiver(kind: type[Good]) -> Receiver:
    """A desk of the test's own."""
    desk = Desk()
    return Receiver(
        lambda: kind(desk),
        lambda: list(desk.notes),
        refuse=lambda: desk.being("refusing"),
        fail=lambda: desk.being("away"),
        secrets=(SECRET,),
    )


class TestGood(AlertChannelContract):
    """The smallest channel that keeps it."""

    @pytest.fixture
    def receiver(self) -> Receiver:
        """A desk."""
        return receiver(Good)


BAD = {
    "Mute": {"what_is_given_is_told", "a_long_one_arrives"},
    "Terse": {"what_is_given_is_told"},
    "InPieces": {"a_long_one_arrives"},
    "Raw": {"text_is_no_markup"},
    "Renamed": {"each_try_has_the_same_id"},
    "ClosedForAll": {"it_opens_again"},
    "ClosedOnce": {"it_opens_again"},
    "Shown": {"no_secret_is_shown"},
    "ShownWhereItFails": {"no_secret_is_shown"},
    "Logged": {"no_secret_is_shown"},
    "Hopeful": {"a_refusal_for_good_is_told_apart"},
    "Hopeless": {"a_failure_may_go_by"},
    "Broken": {"a_failure_may_go_by"},
}
MODULE = """
import pytest
from postrmagic_core.testing.contracts.alert_channel import AlertChannelContract
from tests.testing import test_alert_channel_contract as plants

def planted(kind, tests):
    class Planted(AlertChannelContract):
        @pytest.fixture
        def receiver(self):
            return plants.receiver(kind)

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, tests in {tests}.items():
    globals()["Test" + name] = planted(getattr(plants, name), tests)
"""


@pytest.mark.soak
def test_each_broken_promise_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the tests named for it; the same are green on the channel that keeps them."""
    expect_red(pytester, monkeypatch, MODULE, BAD)
