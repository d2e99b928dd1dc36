"""An alert channel that opens a ticket, which here is a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from postrmagic_core.errors import BackendRejected
from postrmagic_core.observability.alerts import Notification


class TicketChannel:
    """Tickets in ``directory``, a file each."""

    def __init__(self, directory: Path, what: str) -> None:
        self._directory, self._what = directory, what

    @classmethod
    def from_url(cls, url: str, *, what: str = "a channel", secrets: Sequence[str] = ()) -> Self:
        """``tickets:///var/tickets``; nothing is opened yet."""
        return cls(Path(unquote(urlsplit(url).path)), what)

    def send(self, notification: Notification) -> None:
        """Open a ticket, once."""
        ticket = self._directory / f"{notification.id}.json"
        if ticket.exists():  # it was told before, and the answer was lost
            return
        if (self._directory / "closed").exists():  # the same the next time
            raise BackendRejected(f"{self._what}: no tickets are taken here any more")
        new = ticket.with_suffix(".new")
        new.write_text(json.dumps(notification.as_json()))
        new.rename(ticket)

    def close(self) -> None:
        """Nothing is held."""
