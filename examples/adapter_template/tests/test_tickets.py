"""It keeps what an alert channel promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from postrmagic_core.testing.contracts.alert_channel import AlertChannelContract, Receiver
from postrmagic_template.tickets import TicketChannel


class TestTicketChannel(AlertChannelContract):
    """A directory of tickets."""

    @pytest.fixture
    def receiver(self, tmp_path: Path) -> Receiver:
        """That nobody else tells anything to."""
        tickets = tmp_path / "tickets"
        tickets.mkdir()

        def told() -> list[str]:
            return [file.read_text() for file in sorted(tickets.glob("*.json"))]

        @contextmanager
        def fail() -> Iterator[None]:
            tickets.rename(tmp_path / "away")
            yield
            (tmp_path / "away").rename(tickets)

        @contextmanager
        def refuse() -> Iterator[None]:
            (tickets / "closed").touch()
            yield
            (tickets / "closed").unlink()

        return Receiver(lambda: TicketChannel.from_url(f"tickets://{tickets}"), told, refuse, fail)
