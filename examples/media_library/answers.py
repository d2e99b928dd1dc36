"""What leaves: every JSON answer of the interface, as a model. What a row holds beside, nobody is told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, PlainSerializer, computed_field
from starlette.responses import Response

from postrmagic_core._clock import from_us
from postrmagic_core.validation.responses import Data, Disclosed, Output, Page, Responses

from .notifications import message_of


def _as_instant(stored: object) -> object:
    return from_us(stored) if type(stored) is int else stored


# Rows hold microseconds.
Instant = Annotated[datetime, BeforeValidator(_as_instant), PlainSerializer(datetime.isoformat, return_type=str)]


class Medium(Output):
    """A medium as clients see it: no digest, no user, links instead of paths."""

    id: int
    title: str
    filename: str
    size: int
    type: str = Field(validation_alias="mime")
    width: int
    height: int
    tags: list[str]
    colours: list[str] | None
    orientation: str | None
    created_at: Instant = Field(validation_alias="created_us")
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
    count: int


class Month(Output):
    """How many media were uploaded in a month."""

    month: str
    uploads: int


class TypeCount(Output):
    """How many media are of a type."""

    type: str
    count: int


class ColourCount(Output):
    """How many media show a colour."""

    colour: str
    count: int


class Stats(Output):
    """What a user has; the figures are ``None`` until they are first computed."""

    media: int
    bytes: int
    quota_bytes: int
    tags: list[Count]
    activity: list[Month] | None
    types: list[TypeCount] | None
    colours: list[ColourCount] | None
    refreshed_at: str | None


class HitRate(Output):
    """What share of reads the cache of this process could answer."""

    hit_rate: float


class StatsAnswer(Data[Stats]):
    """The user's figures, and the cache's."""

    cache: HitRate


def _was_read(stored: object) -> bool:
    return stored if isinstance(stored, bool) else stored is not None


def _in_words(told: dict[str, Any]) -> str:
    return message_of(told["kind"], told["amount"])


class Notification(Output):
    """A notification as clients see it."""

    kind: str
    amount: int
    message: str = Field(default_factory=_in_words)
    changed_at: Instant = Field(validation_alias="changed_us")
    read: Annotated[bool, BeforeValidator(_was_read)] = Field(validation_alias="read_us")


class NotificationsAnswer(Data[list[Notification]]):
    """What a user was told, and how much of it is new."""

    unread: int


class Part(Output):
    """Whether a backend answers, and in how many milliseconds."""

    ok: bool
    ms: float


class Me(Output):
    """Who is logged in."""

    id: int
    name: str
    roles: list[str]
    admin: bool


class SecondStepNeeded(Output):
    """The password was right, and the second step is awaited for that many seconds."""

    second_factor: str
    expires_in: float


class Factor(Output):
    """How a second factor stands."""

    enabled: bool
    since: Instant | None
    recovery_codes: int = Field(validation_alias="recovery_left")


class Enrolment(Output):
    """What an authenticator app needs."""

    secret: Annotated[str, Disclosed("shown once, to be typed into the app")] = Field(validation_alias="grouped_secret")
    qr: str = Field(validation_alias="data_uri")
    alt: str
    uri: str


class RecoveryCodes(Output):
    """Recovery codes, shown once."""

    recovery_codes: list[str]


class Device(Output):
    """Where a user is logged in."""

    id: str
    agent: str | None
    network: str | None
    began_at: Instant = Field(validation_alias="began")
    last_seen_at: Instant = Field(validation_alias="last_seen")
    current: bool = Field(validation_alias="is_current")


class Account(Output):
    """An account as administrators see it."""

    id: int
    name: str
    roles: list[str]
    created_at: Instant = Field(validation_alias="created_us")


class AboutRole(Output):
    """A role in words."""

    name: str
    about: str


class AccountsAnswer(Data[list[Account]]):
    """Some accounts, the id that the next ones come behind, and which roles there are."""

    next: int | None
    roles: list[AboutRole]


class RolesOf(Output):
    """The roles of an account."""

    id: int
    name: str
    roles: list[str]


class Explained(Output):
    """Why an account has a permission or lacks it."""

    allowed: bool
    sentence: str
    explanation: str


class Entry(Output):
    """An entry of the audit log, with names instead of ids."""

    id: str
    at: Instant
    actor: str | None
    action: str
    subject: str | None
    outcome: str
    detail: dict[str, JsonValue]


MEDIUM = Responses(Data[Medium])
MEDIA = Responses(Page[Medium])
TAGS = Responses(Data[list[Count]])
STATS = Responses(StatsAnswer)
NOTIFICATIONS = Responses(NotificationsAnswer)
HEALTH = Responses(Data[dict[str, Part]])
ME = Responses(Data[Me])
SECOND_STEP = Responses(Data[SecondStepNeeded])
FACTOR = Responses(Data[Factor])
ENROLMENT = Responses(Data[Enrolment])
RECOVERY_CODES = Responses(Data[RecoveryCodes])
DEVICES = Responses(Data[list[Device]])
ACCOUNTS = Responses(AccountsAnswer)
ROLES_OF = Responses(Data[RolesOf])
EXPLAINED = Responses(Data[Explained])
AUDIT = Responses(Data[list[Entry]])


def answer(
    model: Responses[Any], data: object, *, status: int = 200, headers: dict[str, str] | None = None, **beside: object
) -> Response:
    """A JSON answer by ``model``: what was asked for under ``data``, anything else beside it."""
    rendered = model.render({"data": data} | beside, status=status, headers=headers)
    return Response(rendered.body, rendered.status, dict(rendered.headers))
