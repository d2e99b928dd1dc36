"""What the fuzzed application begins with: accounts of one password, and facts that no document tells."""

from __future__ import annotations

import base64
import secrets
from io import BytesIO
from typing import Any

from PIL import Image
from pyotp.totp import TOTP

from media_library.application import assemble
from media_library.posters import POSTERS, draw
from media_library.roles import ADMIN, USER
from media_library.seed import DEMO
from postrmagic_core.settings import Settings
from postrmagic_core.stack import Stack
from tests.app.house import ISSUER
from tests.app.programs import question, register

RESETS, IMAGES = 40, 12
FORMATS = ("JPEG", "PNG", "WEBP")


def prepare(settings: Settings) -> dict[str, Any]:
    """Make the accounts, and a program; what the hooks must know of them, and the texts that set a new password."""
    application = assemble(Stack(settings.replace(oauth={"issuer": ISSUER}), configure_logging=False))
    with application.stack:
        application.prepare()
        security, accounts = application.stack.security, application.accounts
        hashed = security.passwords.hash(DEMO["password"])
        roles = {"demo": [USER], "guest": [USER], "keeper": [USER, ADMIN], "guarded": [USER]}
        for name, held in roles.items():
            accounts.add(name, hashed, roles=held)
        key = str(_id(accounts, "guarded"))
        enrolment = security.factors.enrol(key, "guarded")
        codes = security.factors.confirm(key, TOTP(enrolment.secret).now())
        assert codes is not None
        for number in range(RESETS):
            accounts.add(f"forgetful-{number}", hashed, roles=[USER])
        resets = [accounts.reset_token(f"forgetful-{number}") for number in range(RESETS)]
        program, verifier = register(security.oauth, public=True).info, secrets.token_urlsafe(48)
        guest, kept = _id(accounts, "guest"), [_id(accounts, "demo"), _id(accounts, "keeper")]
    return {
        "password": DEMO["password"],
        "recovery_codes": list(codes),
        "resets": resets,
        "images": {f"image/{name.lower()}": [_image(name, seed) for seed in range(IMAGES)] for name in FORMATS},
        "names": list(roles),
        "program": {"verifier": verifier, "asks": question(program.id, program.scopes, verifier)},
        "guest": guest,
        "kept": kept,
    }


def _image(name: str, seed: int) -> str:
    drawn = Image.open(BytesIO(draw(POSTERS[0], seed=seed, size=(60, 80))))
    written = BytesIO()
    drawn.save(written, name)
    return base64.b64encode(written.getvalue()).decode()


def _id(accounts: Any, name: str) -> int:
    user = accounts.by_name(name)
    assert user is not None
    return int(user.id)
