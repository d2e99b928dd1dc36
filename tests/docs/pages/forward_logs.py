"""A queue that takes lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from tests.docs.playing import Page


class Queue:
    """Of somebody else."""

    sent: ClassVar[list[bytes]] = []

    def send(self, text: bytes) -> None:
        """Keep it."""
        self.sent.append(text)

    def disconnect(self) -> None:
        """Nothing to do."""


def play(page: Page) -> None:
    """Nobody answers at the address, and nobody waits for it; the page's own shipper ships."""
    page.instead["/var/lib/media/logs/spool"] = str(Path("spool").absolute())
    page.instead["syslog+tls://logs.example.com:6514"] = "syslog+tls://127.0.0.1:1"
    page.names.update(Queue=Queue, Sequence=Sequence)
    shown = page.run()
    shipper = shown["QueueShipper"](Queue())
    assert shipper.ship([b"a", b"b"]) == 0
    shipper.close()
    assert Queue.sent == [b"a\nb"]
