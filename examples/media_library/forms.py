"""What clients may send."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation import Input, Validator, invalid
from postrmagic_core.validation.rules import PlainText, Tag
from postrmagic_core.validation.stored import Unique

from .tables import users

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def _plain(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise invalid("name.characters", "use a to z, 0 to 9 and . _ - with a letter or digit at the beginning")
    return name


# How long a password must be, and what else, the rules say: these bound the work before them.
Password = Annotated[str, Field(min_length=1, max_length=1024)]
# One spelling only: nobody takes a name that looks like another's.
NewName = Annotated[str, Field(min_length=2, max_length=32), AfterValidator(_plain)]


class Login(Input):
    """Name and password."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    password: Password


class SignUp(Input):
    """A new account."""

    name: Annotated[NewName, Unique(users.c.name)]
    password: Password


class SecondStep(Input):
    """The code of an authenticator app, or a recovery code."""

    code: Annotated[str, Field(max_length=16)] | None = None
    recovery_code: Annotated[str, Field(max_length=80)] | None = None

    @model_validator(mode="after")
    def _one(self) -> SecondStep:
        if (self.code is None) == (self.recovery_code is None):
            raise invalid("login.one_code", "expected a code or a recovery code")
        return self


class PasswordChange(Input):
    """The present password and the next."""

    current: Password
    new: Password


class Again(Input):
    """The password of who is logged in."""

    password: Password


class Confirmation(Input):
    """The first code of an authenticator app."""

    code: Annotated[str, Field(max_length=16)]


class Reset(Input):
    """A new password, by the token of a link."""

    token: Annotated[str, Field(max_length=200)]
    password: Password


class Change(Input):
    """What can be changed of a medium; what is left out stays."""

    title: Annotated[str, PlainText(max=200, min=1)] | None = None
    tags: Annotated[list[Tag], Field(max_length=20)] | None = None


class Seen(Input):
    """Up to when notifications were seen: the latest ``changed_at`` that was shown."""

    until: AwareDatetime


def sign_up_form(database: DatabaseManager) -> Validator[SignUp]:
    """The form of a new account, whose name nobody has."""
    return Validator(SignUp, database=database)


login_form = Validator(Login)
second_step_form = Validator(SecondStep)
password_form = Validator(PasswordChange)
again_form = Validator(Again)
confirmation_form = Validator(Confirmation)
reset_form = Validator(Reset)
change_form = Validator(Change)
seen_form = Validator(Seen)


def cursor_of(position: tuple[int, int] | None) -> str | None:
    """The page position as an opaque text."""
    if position is None:
        return None
    return base64.urlsafe_b64encode("{}.{}".format(*position).encode()).decode().rstrip("=")


def position_of(cursor: str | None) -> tuple[int, int] | None:
    """The page position behind ``cursor``; one we did not make raises :class:`ValidationFailed`."""
    if not cursor:
        return None
    try:
        created_us, media_id = _decoded(cursor).split(".")
        position = int(created_us), int(media_id)
    except (ValueError, binascii.Error):
        position = (-1, -1)
    if not all(0 <= number < 2**63 for number in position):
        problem = {"pointer": "/after", "code": "cursor.invalid", "message": "expected a cursor from an earlier page"}
        raise ValidationFailed([problem])
    return position


def _decoded(cursor: str) -> str:
    return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
