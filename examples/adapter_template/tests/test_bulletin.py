"""The file keeps what a channel promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from postrmagic_core.testing.contracts.channel import ChannelContract
from postrmagic_template.bulletin import BulletinChannel


class TestBulletin(ChannelContract):
    """A file."""

    channel_class = BulletinChannel

    @pytest.fixture
    def channel_url(self, tmp_path: Path) -> str:
        """A channel that nobody else uses, for each test."""
        return f"bulletin://{tmp_path}/news"
