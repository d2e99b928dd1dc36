"""Waiting for what another thread or process does."""

from __future__ import annotations

import threading

import pytest

from postrmagic_core.testing import until, waiting


def test_it_gives_what_it_sees_once_that_is_true() -> None:
    """Not before, and what it sees itself."""
    seen: list[int] = []
    threading.Timer(0.05, seen.append, [7]).start()
    assert until(lambda: seen) == [7]


def test_what_does_not_happen_fails_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the test's own words, after the time it gives or the usual one."""
    with pytest.raises(AssertionError, match=r"nobody came within 0\.02 s"):
        until(lambda: None, "nobody came", 0.02)
    monkeypatch.setattr(waiting, "SOON", 0.03)
    with pytest.raises(AssertionError, match=r"within 0\.03 s"):
        until(lambda: False)


def test_what_cannot_be_seen_is_raised_at_once() -> None:
    """A mistake in the test is not waited out."""
    with pytest.raises(ZeroDivisionError):
        until(lambda: 1 // 0)
