"""Each operation once, as the reference shows it: what is sent, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from postrmagic_core.api.interface import Example

MEDIUM: dict[str, Any] = {
    "id": 12,
    "title": "Jazz at Dusk",
    "filename": "jazz-at-dusk.jpeg",
    "size": 184_233,
    "type": "image/jpeg",
    "width": 900,
    "height": 1200,
    "tags": ["jazz", "outdoor"],
    "colours": ["#1d2b53", "#ffa300"],
    "orientation": "portrait",
    "created_at": "2026-06-01T18:30:00+00:00",
    "file": "/api/v1/media/12/file",
    "thumbnail": "/api/v1/media/12/thumbnail",
}
_NEW = MEDIUM | {"tags": [], "colours": None, "orientation": None, "thumbnail": None}
_ME = {"id": 1, "name": "demo", "roles": ["user"], "admin": False}
_CODES = {"recovery_codes": ["3k7q-m2xw-9t4c", "p8vd-1hzn-6rfy"]}
_ROLES = {"id": 2, "name": "guest", "roles": ["admin", "user"]}
_PASSWORD = {"password": "posters-for-everyone"}


def _data(data: object, **beside: object) -> dict[str, object]:
    return {"data": data} | beside


def _missing(code: str, title: str) -> dict[str, object]:
    return {"type": f"/problems/{code}", "title": title, "status": 404, "code": code}


_MEDIA: Mapping[str, Sequence[Example]] = {
    "list_media": [
        Example(
            "Search, the newest first",
            query={"q": "jazz -indoor", "limit": "2"},
            answer=_data([MEDIUM], next=None),
        )
    ],
    "add_medium": [
        Example(
            "Upload a poster",
            body={"file": "jazz-at-dusk.jpeg", "title": "Jazz at Dusk"},
            status=201,
            answer=_data(_NEW),
        )
    ],
    "show_medium": [Example("Show a medium", path={"id": "12"}, answer=_data(MEDIUM))],
    "change_medium": [
        Example(
            "Rename and tag it",
            path={"id": "12"},
            body={"title": "Jazz at Dusk", "tags": ["jazz", "outdoor"]},
            answer=_data(MEDIUM),
        )
    ],
    "delete_medium": [Example("Delete it", path={"id": "12"})],
    "change_media": [
        Example(
            "Tag one, delete another",
            body={"items": [{"action": "change", "id": 12, "tags": ["jazz"]}, {"action": "delete", "id": 99}]},
            answer=_data(
                [
                    {"index": 0, "status": 200, "data": MEDIUM | {"tags": ["jazz"]}},
                    {
                        "index": 1,
                        "status": 404,
                        "problem": _missing("media.not_found", "There is no such medium in your library"),
                    },
                ],
                meta={"succeeded": 1, "failed": 1},
            ),
        )
    ],
    "get_file": [Example("Download the original", path={"id": "12"})],
    "get_thumbnail": [Example("Get the thumbnail", path={"id": "12"})],
    "list_tags": [Example("List tags", answer=_data([{"name": "jazz", "count": 3}, {"name": "outdoor", "count": 1}]))],
    "show_stats": [
        Example(
            "How much there is",
            answer=_data(
                {
                    "media": 3,
                    "bytes": 512_000,
                    "quota_bytes": 536_870_912,
                    "tags": [{"name": "jazz", "count": 3}],
                    "activity": [{"month": "2026-05", "uploads": 1}, {"month": "2026-06", "uploads": 2}],
                    "types": [{"type": "image/jpeg", "count": 3}],
                    "colours": [{"colour": "#3366cc", "count": 2}],
                    "refreshed_at": "2026-06-01T18:31:00+00:00",
                },
                meta={"cache_hit_rate": 0.93},
            ),
        )
    ],
}

_LOGINS: Mapping[str, Sequence[Example]] = {
    "show_me": [Example("Who am I", answer=_data(_ME))],
    "sign_up": [
        Example(
            "Make an account",
            body={"name": "newcomer", "password": "seven lanterns over water"},
            status=201,
            answer=_data(_ME | {"id": 4, "name": "newcomer"}),
        )
    ],
    "log_in": [
        Example("Log in", body={"name": "demo", **_PASSWORD}, answer=_data(_ME)),
        Example(
            "Log in to an account with a second factor",
            body={"name": "demo", **_PASSWORD},
            status=202,
            answer=_data({"second_factor": "required", "expires_in": 300.0}),
        ),
    ],
    "log_in_with_code": [Example("The second step", body={"code": "492039"}, answer=_data(_ME))],
    "log_out": [Example("Log out")],
    "reset_password": [
        Example("Set a new password", body={"token": "the-token-of-the-link", "password": "nine boats at low tide"})
    ],
}

_ACCOUNT: Mapping[str, Sequence[Example]] = {
    "change_password": [
        Example("Change it", body={"current": "posters-for-everyone", "new": "seven lanterns over water"})
    ],
    "show_factor": [
        Example("How it stands", answer=_data({"enabled": False, "since": None, "recovery_codes": 0})),
    ],
    "enrol_factor": [
        Example(
            "Begin",
            body=_PASSWORD,
            status=201,
            answer=_data(
                {
                    "secret": "JBSW Y3DP EHPK 3PXP",
                    "qr": "data:image/svg+xml;base64,PHN2Zy8+",
                    "alt": "QR code for an authenticator app",
                    "uri": "otpauth://totp/PostrMagic:demo?secret=JBSWY3DPEHPK3PXP&issuer=PostrMagic",
                }
            ),
        )
    ],
    "confirm_factor": [Example("Confirm it", body={"code": "492039"}, answer=_data(_CODES))],
    "disable_factor": [Example("Turn it off", body=_PASSWORD)],
    "renew_recovery_codes": [Example("Make new ones", body=_PASSWORD, answer=_data(_CODES))],
    "list_devices": [
        Example(
            "Where am I logged in",
            answer=_data(
                [
                    {
                        "id": "h3Yq0mZ2",
                        "agent": "Firefox on Linux",
                        "network": "192.0.2.0/24",
                        "began_at": "2026-06-01T18:00:00+00:00",
                        "last_seen_at": "2026-06-01T18:30:00+00:00",
                        "current": True,
                    }
                ]
            ),
        )
    ],
    "end_device": [Example("End one", path={"id": "h3Yq0mZ2"})],
    "end_other_devices": [Example("End all the others")],
    "list_notifications": [
        Example(
            "What is new",
            answer=_data(
                [
                    {
                        "kind": "posters_ready",
                        "amount": 3,
                        "message": "3 posters are ready.",
                        "changed_at": "2026-06-01T18:31:00+00:00",
                        "read": False,
                    }
                ],
                meta={"unread": 1},
            ),
        )
    ],
    "read_notifications": [Example("They were seen", body={"until": "2026-06-01T18:31:00+00:00"})],
}

_TOKEN = {
    "id": "b7x2k9qd41hm",
    "name": "backup at night",
    "permissions": ["media:read:own"],
    "created_at": "2026-06-01T18:00:00+00:00",
    "expires_at": "2026-08-30T18:00:00+00:00",
    "last_used_at": None,
}
_TOKENS: Mapping[str, Sequence[Example]] = {
    "list_tokens": [Example("Which are there", answer=_data([_TOKEN]))],
    "issue_token": [
        Example(
            "A token that may only read",
            body={"name": "backup at night", "permissions": ["media:read:own"], "days": 90, **_PASSWORD},
            status=201,
            answer=_data({"token": "pm_…", "about": _TOKEN}),
        )
    ],
    "revoke_token": [Example("End it", path={"id": "b7x2k9qd41hm"})],
}

_ASKED = (
    "response_type=code&client_id=wall-of-posters&redirect_uri=http%3A%2F%2F127.0.0.1%3A8401%2Fback&scope=media.read"
    "&state=k3Jq&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
)
_ASKS = {
    "client": {"id": "wall-of-posters", "name": "Wall of Posters"},
    "scopes": [{"name": "media.read", "about": "See your posters, their tags and figures"}],
}
_BACK = "http://127.0.0.1:8401/back"
_PROGRAMS: Mapping[str, Sequence[Example]] = {
    "preview_authorization": [
        Example(
            "Who asks, and for what",
            body={"query": _ASKED},
            answer=_data(_ASKS | {"host": "127.0.0.1:8401", "lifetime": 7_776_000.0}),
        )
    ],
    "decide_authorization": [
        Example(
            "Allow it",
            body={"query": _ASKED, "allow": True, "scopes": ["media.read"]},
            answer=_data({"location": f"{_BACK}?code=pmc_…&state=k3Jq&iss=https%3A%2F%2Fposters.example.org"}),
        ),
        Example(
            "Deny it",
            body={"query": _ASKED, "allow": False},
            answer=_data({"location": f"{_BACK}?error=access_denied&state=k3Jq&iss=https%3A%2F%2Fposters.example.org"}),
        ),
    ],
    "list_authorizations": [
        Example(
            "Which are there",
            answer=_data(
                [
                    {
                        "id": "01a22380-0000-7000-8000-0000000000a1",
                        **_ASKS,
                        "created_at": "2026-06-01T18:00:00+00:00",
                        "expires_at": "2026-08-30T18:00:00+00:00",
                        "last_used_at": None,
                    }
                ]
            ),
        )
    ],
    "revoke_authorization": [Example("End one", path={"id": "01a22380-0000-7000-8000-0000000000a1"})],
}

_ADMIN: Mapping[str, Sequence[Example]] = {
    "list_users": [
        Example(
            "The first accounts",
            query={"limit": "1"},
            answer=_data(
                [{"id": 1, "name": "demo", "roles": ["user"], "created_at": "2026-06-01T18:00:00+00:00"}],
                next="AWkx",
                meta={"roles": [{"name": "user", "about": "Has a library of their own."}]},
            ),
        )
    ],
    "show_roles": [Example("Of one account", path={"id": "2"}, answer=_data(_ROLES))],
    "grant_role": [Example("Make somebody an administrator", path={"id": "2", "role": "admin"}, answer=_data(_ROLES))],
    "revoke_role": [
        Example(
            "And no more",
            path={"id": "2", "role": "admin"},
            answer=_data(_ROLES | {"roles": ["user"]}),
        )
    ],
    "explain_permission": [
        Example(
            "May they edit media",
            path={"id": "2"},
            query={"permission": "media:edit:own"},
            answer=_data(
                {
                    "allowed": True,
                    "sentence": "guest may media:edit:own: the role user allows it.",
                    "explanation": "guest may media:edit:own: the role user allows it.",
                }
            ),
        )
    ],
    "list_audit": [
        Example(
            "The last entry",
            query={"limit": "1"},
            answer=_data(
                [
                    {
                        "id": "01a22380-0000-7000-8000-000000000000",
                        "at": "2026-06-01T18:00:00+00:00",
                        "actor": "keeper",
                        "action": "role.granted",
                        "subject": "guest",
                        "outcome": "done",
                        "detail": {"role": "admin"},
                    }
                ]
            ),
        )
    ],
}

EXAMPLES: Mapping[str, Sequence[Example]] = {**_MEDIA, **_LOGINS, **_ACCOUNT, **_TOKENS, **_PROGRAMS, **_ADMIN}
"""By the operations' names."""
