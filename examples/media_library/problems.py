"""What can go wrong here, as clients are told: a stable code, a status, and words that tell no more than they
should."""

from __future__ import annotations

from postrmagic_core.api import Problems, ProblemType
from postrmagic_core.errors import Overloaded

from .library import NotFound, QuotaExceeded
from .logins import CodeRefused, LoginRefused, StartAgain, Throttled
from .storage import Damaged

_TYPES = [
    ProblemType(
        "media.not_found",
        404,
        "There is no such medium in your library",
        "It was deleted, or it was never yours. Ask for the list of media.",
    ),
    ProblemType(
        "media.damaged",
        500,
        "The stored file is damaged, so it is not given out",
        "It is not what was uploaded. Upload it again, or have it restored from a backup.",
    ),
    ProblemType(
        "quota.exceeded",
        413,
        "This file does not fit into your quota",
        "GET /stats tells how much room is used. Delete media to make room.",
    ),
    ProblemType(
        "thumbnail.not_ready",
        404,
        "The thumbnail is being made; ask again in a moment",
        "It is made after the upload. The medium names it once it is there.",
    ),
    ProblemType(
        "login.refused",
        401,
        "Name or password is wrong",
        "Which of the two is not told. Check both, or ask for a link that sets a new password.",
    ),
    ProblemType(
        "login.code_refused",
        401,
        "This code is wrong or was used; wait for the next one",
        "A code of the authenticator app is good once. A recovery code does as well.",
    ),
    ProblemType(
        "login.start_again",
        401,
        "Enter your name and your password again",
        "The second step must follow the first within five minutes, in the same session.",
    ),
    ProblemType(
        "login.throttled",
        429,
        "Too many attempts; try again later",
        "Retry-After says in how many seconds.",
    ),
    ProblemType(
        "device.not_found",
        404,
        "There is no such session of yours",
        "It has ended already. Ask for the list of devices.",
    ),
    ProblemType(
        "factor.not_enabled",
        409,
        "No second factor is set up",
        "POST /account/factor begins with one.",
    ),
    ProblemType(
        "factor.enabled",
        409,
        "A second factor is set up; turn it off first",
        "POST /account/factor/disable turns it off.",
    ),
    ProblemType(
        "reset.ended",
        410,
        "This link was used or is too old; ask for another",
        "A link that sets a new password is good once, and for half an hour.",
    ),
    ProblemType(
        "token.not_found",
        404,
        "There is no such token of yours",
        "It has ended or was revoked already. Ask for the list of tokens.",
    ),
    ProblemType(
        "authorization.refused",
        400,
        "An application asked in a way that is not right",
        "``error`` is the word of RFC 6749 for it, ``detail`` says more. Where ``location`` is not null, the client is "
        "told there: go on to it. Else it must not be told, as nobody knows who it is.",
    ),
    ProblemType(
        "authorization.not_found",
        404,
        "No such application uses your library",
        "It was ended already, or its time is over. Ask for the list of authorizations.",
    ),
    ProblemType(
        "user.not_found",
        404,
        "There is no such account",
        "Ask for the list of accounts.",
    ),
    ProblemType(
        "role.not_found",
        404,
        "There is no such role",
        "The list of accounts names the roles there are.",
    ),
]

PROBLEMS = Problems(
    _TYPES,
    base="/problems/",
    errors={
        NotFound: "media.not_found",
        QuotaExceeded: "quota.exceeded",
        Damaged: "media.damaged",
        LoginRefused: "login.refused",
        CodeRefused: "login.code_refused",
        StartAgain: "login.start_again",
        Throttled: "login.throttled",
        Overloaded: "overloaded",
    },
)
"""The registry; ``/problems/`` shows it."""
