"""Whether anybody would be told."""

from __future__ import annotations

from collections.abc import Iterator

from .interface import Finding, Patient, advice, ok

_PAGE = "how-to/be-alerted.md"


def look(patient: Patient) -> Iterator[Finding]:
    """Channels, and whether this process watches."""
    settings = patient.settings
    room = settings.observability
    if not patient.production:
        yield ok(f"{len(room.channels)} channels for alerts")
        return
    if not room.channels:
        yield advice(
            "nobody is told of alerts: there is no channel",
            'POSTRMAGIC_OBSERVABILITY__CHANNELS=\'{"mail": "smtp://host/?from=…&to=…"}\'',
            f"{_PAGE}#name-channels",
        )
    else:
        yield ok(f"alerts go to {', '.join(sorted(room.channels))}; `postrmagic alerts test` tries them")
    if not settings.watches:
        yield advice(
            "a process with these settings does not watch (observability.watch is false)",
            "leave POSTRMAGIC_OBSERVABILITY__WATCH out, of one process at the least",
            f"{_PAGE}#keep-the-watch",
        )
    if room.channels and room.webhook_secret is None and _has_webhook(patient):
        yield advice(
            "webhooks are not signed: who receives them cannot tell that they are ours",
            "POSTRMAGIC_OBSERVABILITY__WEBHOOK_SECRET",
            f"{_PAGE}#receive-a-webhook",
        )


def _has_webhook(patient: Patient) -> bool:
    channels = patient.settings.observability.channels.values()
    return any(channel.get_secret_value().startswith("webhook") for channel in channels)
