"""What clients may send."""

from __future__ import annotations

import re
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue, model_validator

from postrmagic_core.database import DatabaseManager
from postrmagic_core.validation import Input, Validator, invalid
from postrmagic_core.validation.database_rules import Unique
from postrmagic_core.validation.images import ImageUpload, ReceivedImage
from postrmagic_core.validation.rules import OneOf, PlainText, Tag

from .library import POLICY
from .listings import ACCOUNTS, MEDIA
from .roles import ROLES
from .tables import users

Id = Annotated[int, Field(ge=0, lt=10**18, description="The number that names it.")]

_PERMISSIONS = sorted(name + own for name in ROLES.permissions or () for own in ("", ":own"))
Scope: TypeAlias = Annotated[str, OneOf(tuple(_PERMISSIONS), shown=True)]
"""A permission there is; ``:own`` at its end means one's own objects only."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def _plain(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise invalid("name.characters", "use a to z, 0 to 9 and . _ - with a letter or digit at the beginning")
    return name


def _shown(name: str) -> str:
    if not name.isprintable():
        raise invalid("name.unprintable", "use letters, digits, signs and plain spaces only")
    return name


# How long a password must be, and what else, the rules say: these bound the work before them.
Password = Annotated[str, Field(min_length=1, max_length=1024, json_schema_extra={"format": "password"})]
# One spelling only: nobody takes a name that looks like another's.
NewName = Annotated[
    str,
    Field(
        min_length=2,
        max_length=32,
        description="a to z, 0 to 9 and . _ - with a letter or digit at the beginning.",
        json_schema_extra={"pattern": f"^{_NAME.pattern}$"},
    ),
    AfterValidator(_plain),
]


class Login(Input):
    """Name and password."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Password


class SignUp(Input):
    """A new account."""

    name: Annotated[NewName, Unique(users.c.name)]
    password: Password


def _one_of(name: str, other: str) -> dict[str, JsonValue]:
    return {"required": [name], "properties": {name: {"type": "string"}, other: {"type": "null"}}}


class SecondStep(
    Input,
    json_schema_extra={"oneOf": [_one_of("code", "recovery_code"), _one_of("recovery_code", "code")]},
):
    """The code of an authenticator app, or a recovery code."""

    code: Annotated[str, Field(max_length=16)] | None = Field(default=None, description="The code of now.")
    recovery_code: Annotated[str, Field(max_length=80)] | None = Field(
        default=None, description="One that was not used before."
    )

    @model_validator(mode="after")
    def _one(self) -> SecondStep:
        if (self.code is None) == (self.recovery_code is None):
            raise invalid("login.one_code", "expected a code or a recovery code")
        return self


class PasswordChange(Input):
    """The present password and the next."""

    current: Password = Field(description="The present one.")
    new: Password = Field(description="The next one.")


class Again(Input):
    """The password of who is logged in."""

    password: Password


class Confirmation(Input):
    """The first code of an authenticator app."""

    code: Annotated[str, Field(max_length=16)] = Field(description="The code that the app shows now.")


class Reset(Input):
    """A new password, by the token of a link."""

    token: Annotated[str, Field(max_length=200)] = Field(description="What stands behind ``#reset=`` in the link.")
    password: Password


class Change(Input):
    """What can be changed of a medium; what is left out stays."""

    title: Annotated[str, PlainText(max=200, min=1)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = Field(
        default=None, description="All of them: those that are not named are taken away."
    )


class NewMedium(Input):
    """An image to be added."""

    file: Annotated[ReceivedImage, ImageUpload(POLICY, reencode=False)] = Field(
        description="A JPEG, PNG or WebP image; its name is kept."
    )
    title: Annotated[str, PlainText(max=200)] = Field(default="", description="Made of the file's name if left out.")


class Revision(Change):
    """What is to be changed of one medium among many."""

    action: Literal["change"]
    id: Id


class Deletion(Input):
    """One medium among many that is to be deleted."""

    action: Literal["delete"]
    id: Id


class BulkChanges(Input):
    """What is to be done with many media, one after another."""

    items: Annotated[
        list[Annotated[Revision | Deletion, Field(discriminator="action")]], Field(min_length=1, max_length=100)
    ] = Field(description="Carried out in this order.")


class TokenWanted(Again):
    """An access token: what it is called, what it may and for how many days, and the password of its owner."""

    name: Annotated[str, PlainText(max=64, min=1), AfterValidator(_shown)] = Field(
        description="What it is for, in the words of its owner.", json_schema_extra={"format": "printable-text"}
    )
    permissions: Annotated[list[Scope], Field(max_length=50)] | None = Field(
        default=None, description="What it is limited to; left out, it may do what its owner may."
    )
    days: Annotated[int, Field(ge=1, le=365)] = Field(default=90, description="For how many days it is good.")


class Asking(Input):
    """What an application asks for, by the address that it opened."""

    query: Annotated[str, Field(max_length=8192)] = Field(
        description="What follows the question mark of GET /oauth/authorize, still encoded."
    )


class Decision(Asking):
    """What is answered to an application that asks."""

    allow: bool = Field(description="Whether it may use the library.")
    scopes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50)] | None = Field(
        default=None, description="Which of the scopes that it asks for it gets; left out, all of them."
    )


class PermissionQuery(Input):
    """Which permission is asked about."""

    permission: Scope = Field(description="``:own`` at its end: for their own objects only.")


class MediaQuery(MEDIA.Query):  # type: ignore[name-defined, misc]  # made of what the list declares
    """Which media, in which order."""


class AccountsQuery(ACCOUNTS.Query):  # type: ignore[name-defined, misc]  # made of what the list declares
    """Which accounts, in which order."""


class AuditQuery(Input):
    """Which entries of the audit log are asked for."""

    limit: Annotated[int, Field(ge=1, le=500)] = Field(default=100, description="How many entries at most.")
    action: Annotated[str, Field(min_length=1, max_length=64, pattern="^[!-~]+$")] | None = Field(
        default=None, description="Only entries of this action, such as role.granted."
    )


class Seen(Input):
    """Up to when notifications were seen: the latest ``changed_at`` that was shown."""

    until: AwareDatetime = Field(description="The latest ``changed_at`` that was shown.")


def sign_up_form(database: DatabaseManager) -> Validator[SignUp]:
    """The form of a new account, whose name nobody has."""
    return Validator(SignUp, database=database)
