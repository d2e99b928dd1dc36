"""What a channel is: the way by which every process hears what any of them publishes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol, Self

from ..errors import UsageError
from ..registry import CHANNELS, Registry

MAX_PAYLOAD = 256 * 1024
"""Bytes that every channel carries at once."""
KEPT = 8 * 1024 * 1024
KEPT_LEAST = 4 * MAX_PAYLOAD


@dataclass(frozen=True, slots=True)
class ChannelOptions:
    """What every adapter is made with.

    ``namespace`` keeps applications apart that share a server. ``keep_bytes``: about how much is held for listeners
    that are slow or cut off, a hundred bytes added to each payload: half of it certainly, and not much more.
    """

    namespace: str
    keep_bytes: int = KEPT

    def __post_init__(self) -> None:
        if self.keep_bytes < KEPT_LEAST:
            raise ValueError(f"keep_bytes is a number from {KEPT_LEAST} on, got {self.keep_bytes}")


@dataclass(frozen=True, slots=True)
class Missed:
    """What a listener did not hear, and never will: all that it hears after this was published after that.

    ``count`` is how many payloads, ``None`` where that is unknown, and may then be none. ``reason``: it was ``behind``
    by more than is kept, or the server has ``forgotten`` what it kept, or was ``away`` when the listener began.
    """

    count: int | None
    reason: Literal["behind", "forgotten", "away"]


class Channel(Protocol):
    """A way to every listener of every process that shares its URL and namespace, the publisher's own ones included.

    A listener hears what is published between its beginning and its end, in one order which is the same for all,
    each payload once at most. Whatever it missed, or may have missed, it is told.
    """

    @classmethod
    def from_url(cls, url: str, options: ChannelOptions) -> Self:
        """An adapter for ``url``; no I/O yet."""
        ...

    def open(self) -> object:
        """Make ready what the adapter owns; called before anything else. A server that is away is no error."""
        ...

    def publish(self, payload: bytes) -> None:
        """Have ``payload`` heard, without waiting for who hears it.

        :class:`UsageError` for more than :data:`MAX_PAYLOAD` bytes; else the errors of ``BackendError``: after
        :class:`OutcomeUnknown` it may be heard, after any other it is not.
        """
        ...

    def listen(
        self, heard: Callable[[bytes], None], missed: Callable[[Missed], None]
    ) -> AbstractContextManager[object]:
        """While entered, have both called in a thread of the channel's, one call at a time.

        What they raise is logged, and ends nothing. No call begins after the block has ended; one under way is waited
        for, a second at most. A server that is away when it begins, or goes, is waited for, however long.
        """
        ...

    def close(self) -> None:
        """End the listeners and release what was opened, within a second or so, whatever the server does."""
        ...


def check_payload(payload: bytes) -> None:
    """Raise :class:`TypeError` or :class:`UsageError` for what no channel carries."""
    if type(payload) is not bytes:
        raise TypeError(f"a payload is bytes, got {type(payload).__name__}")
    if len(payload) > MAX_PAYLOAD:
        raise UsageError(
            f"a payload of {len(payload)} bytes is more than the {MAX_PAYLOAD} that a channel carries: "
            "publish where it is kept instead"
        )


def open_channel(url: str, *, namespace: str = "app", registry: Registry | None = None) -> Channel:
    """The channel that ``url`` names, for ``EventManager(channel=…)``, which opens and closes it."""
    loaded: type[Channel] = (registry or Registry()).load(CHANNELS, url)
    return loaded.from_url(url, ChannelOptions(namespace))
