"""What leaves: what the answers of the interface tell, as models. What a row holds beside, nobody is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, PlainSerializer, WithJsonSchema, computed_field

from postrmagic_core._clock import from_us
from postrmagic_core.validation.responses import Disclosed, Output

from .notifications import message_of


def _as_instant(stored: object) -> object:
    return from_us(stored) if type(stored) is int else stored


def _as_list(stored: object) -> object:
    return list(stored) if isinstance(stored, tuple) else stored


# Rows hold microseconds.
Instant = Annotated[
    datetime,
    BeforeValidator(_as_instant),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


class Medium(Output):
    """A medium as clients see it: no digest, no user, links instead of paths."""

    id: int
    title: str
    filename: str = Field(description="The name under which it was uploaded.")
    size: int = Field(description="Of the original, in bytes.")
    type: str = Field(validation_alias="mime", description="The media type of the original.")
    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    tags: list[str] = Field(description="In the order of the alphabet.")
    colours: list[str] | None = Field(
        description="Its main colours, such as #1d2b53, the one it has most of first; null until they were looked for."
    )
    orientation: str | None = Field(description="landscape, portrait or square; null until it was looked at.")
    created_at: Instant = Field(validation_alias="created_us", description="When it was uploaded.")
    is_ready: bool = Field(validation_alias="thumbnail", exclude=True)

    @computed_field
    def file(self) -> str:
        """Where the original is."""
        return f"/api/v1/media/{self.id}/file"

    @computed_field
    def thumbnail(self) -> str | None:
        """Where the thumbnail is, once it is made."""
        return f"/api/v1/media/{self.id}/thumbnail" if self.is_ready else None


class Count(Output):
    """How many media have a tag."""

    name: str
    count: int = Field(description="How many media have the tag.")


class Month(Output):
    """How many media were uploaded in a month."""

    month: str = Field(description="Year and month, such as 2026-06, in UTC.")
    uploads: int = Field(description="How many media of that month there are.")


class TypeCount(Output):
    """How many media are of a type."""

    type: str = Field(description="A media type, such as image/jpeg.")
    count: int = Field(description="How many media are of the type.")


class ColourCount(Output):
    """How many media show a colour."""

    colour: str = Field(description="One of all that are like it, as #rrggbb.")
    count: int = Field(description="How many media show the colour.")


class Stats(Output):
    """What a user has; the figures are ``None`` until they are first computed."""

    media: int = Field(description="How many there are.")
    bytes: int = Field(description="The room that the originals take.")
    quota_bytes: int = Field(description="The room that they may take.")
    tags: list[Count] = Field(description="The fifty tags that are used most, the most used first.")
    activity: list[Month] | None = Field(description="The last twelve months, the present one last.")
    types: list[TypeCount] | None = Field(description="The most frequent first.")
    colours: list[ColourCount] | None = Field(description="The ten most frequent, the most frequent first.")
    refreshed_at: str | None = Field(description="When activity, types and colours were counted; null with them.")


class CacheFigures(Output):
    """What share of reads the cache of this process could answer, from 0 to 1."""

    cache_hit_rate: float = Field(description="From 0 to 1.")


def _was_read(stored: object) -> bool:
    return stored if isinstance(stored, bool) else stored is not None


def _in_words(told: dict[str, Any]) -> str:
    return message_of(told["kind"], told["amount"])


class Notification(Output):
    """A notification as clients see it."""

    kind: str = Field(description="What happened, for programs.")
    amount: int = Field(description="How many times, or how much, as the message says.")
    message: str = Field(default_factory=_in_words, description="What happened, for people.")
    changed_at: Instant = Field(validation_alias="changed_us", description="When it last happened.")
    read: Annotated[bool, BeforeValidator(_was_read)] = Field(
        validation_alias="read_us", description="Whether it was marked as read."
    )


class Unread(Output):
    """How many notifications are new."""

    unread: int = Field(description="How many notifications are not read.")


class Me(Output):
    """Who is logged in."""

    id: int
    name: str
    roles: list[str] = Field(description="In the order of the alphabet.")
    admin: bool = Field(description="Whether administration is among the roles.")


class SecondStepNeeded(Output):
    """The password was right, and the second step is awaited for that many seconds."""

    second_factor: str = Field(description="Always required.")
    expires_in: float = Field(description="In seconds.")


class Factor(Output):
    """How a second factor stands."""

    enabled: bool = Field(description="Whether a login asks for it.")
    since: Instant | None = Field(validation_alias="enabled_at", description="When it was confirmed.")
    recovery_codes: int = Field(validation_alias="recovery_left", description="How many are left.")


class Enrolment(Output):
    """What an authenticator app needs."""

    secret: Annotated[str, Disclosed("shown once, to be typed into the app")] = Field(
        validation_alias="grouped_secret", description="To be typed into the app, where it cannot read the QR code."
    )
    qr: str = Field(validation_alias="data_uri", description="The QR code, as a data: URL of an image.")
    alt: str = Field(description="What the image is, for who does not see it.")
    uri: str = Field(description="What the QR code says.")


class RecoveryCodes(Output):
    """Recovery codes, shown once."""

    recovery_codes: list[str] = Field(description="Each is good once.")


class Device(Output):
    """Where a user is logged in."""

    id: str = Field(description="Names the session to DELETE /account/devices/{id}; it opens nothing.")
    agent: str | None = Field(description="The names of the browser and the system, where they are known.")
    network: str | None = Field(description="The network it was last used from, where it is known.")
    began_at: Instant = Field(validation_alias="created_at", description="When it logged in.")
    last_seen_at: Instant = Field(description="When it was last used.")
    current: bool = Field(validation_alias="is_current", description="Whether it is the session that asks.")


class Account(Output):
    """An account as administrators see it."""

    id: int
    name: str
    roles: list[str]
    created_at: Instant = Field(validation_alias="created_us", description="When it was made.")


class AboutRole(Output):
    """A role in words."""

    name: str
    about: str = Field(description="What the role is for.")


class KnownRoles(Output):
    """Which roles there are."""

    roles: list[AboutRole] = Field(description="All the roles there are.")


class RolesOf(Output):
    """The roles of an account."""

    id: int
    name: str
    roles: list[str]


class Explained(Output):
    """Why an account has a permission or lacks it."""

    allowed: bool = Field(description="Whether it has the permission.")
    sentence: str = Field(description="Why, in one sentence.")
    explanation: str = Field(description="Why, with everything that was looked at.")


class Entry(Output):
    """An entry of the audit log, with names instead of ids."""

    id: str
    at: Instant = Field(description="When it happened.")
    actor: str | None = Field(description="Who did it; null for the system.")
    action: str = Field(description="What was done, for programs.")
    subject: str | None = Field(description="To whom or what, if to any.")
    outcome: str = Field(description="How it ended, for programs.")
    detail: dict[str, JsonValue] = Field(description="What else is known; its members depend on the action.")


class Token(Output):
    """What is told of an access token."""

    id: str = Field(description="Names the token to DELETE /tokens/{id}; it opens nothing.")
    name: str
    permissions: Annotated[list[str], BeforeValidator(_as_list)] | None = Field(
        description="What it is limited to; null where it may do what its owner may."
    )
    created_at: Instant = Field(description="When it was made.")
    expires_at: Instant = Field(description="When it ends.")
    last_used_at: Instant | None = Field(description="To the minute; null where it never was.")


class NewToken(Output):
    """A token that was just made."""

    token: Annotated[str, Disclosed("shown once, to be kept by the script")] = Field(
        description="To be sent as ``Authorization: Bearer …``; it is shown once."
    )
    about: Token


class AboutScope(Output):
    """A scope in words."""

    name: str
    about: str = Field(description="What an application may do by it.")


class AskingClient(Output):
    """An application as its operator registered it."""

    id: str = Field(description="Given at its registration; it is no secret.")
    name: str


class Question(Output):
    """What an application asks of a user."""

    client: AskingClient = Field(description="Who asks.")
    host: str = Field(description="Where the browser goes afterwards: a host, or the scheme of an app.")
    scopes: list[AboutScope] = Field(description="What it wants to do.")
    lifetime: float = Field(description="For how long it may, in seconds, unless it is ended before.")


class Onward(Output):
    """Where the browser goes on."""

    location: str = Field(description="An address of the application's, with the answer in its query.")


class Authorization(Output):
    """An application that a user lets use the library."""

    id: str = Field(description="Names it to DELETE /authorizations/{id}; it opens nothing.")
    client: AskingClient = Field(description="Which application.")
    scopes: list[AboutScope] = Field(description="What it may do.")
    created_at: Instant = Field(description="When it was allowed.")
    expires_at: Instant = Field(description="When it ends.")
    last_used_at: Instant | None = Field(description="When it last refreshed its access; null where it never did.")
