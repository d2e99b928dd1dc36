"""Further releases of the reference application: images made of its own, with a revision or a fault besides."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.containers.engine import ROOT, Engine

VERSIONS = ROOT / "examples" / "media_library" / "migrations" / "versions"
PREFIX = "postrmagic-deploy-test"
_REVISION = '''"""{title}"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{head}"


def upgrade() -> None:
    {statement}
'''
# Each release is made of the one before it, or of the second: what they do to the database, one after the other.
REVISIONS = {
    "2": ("20990101000000", 'op.add_column("media", sa.Column("licence", sa.String(64), nullable=True))'),
    "contracts": ("20990101000001", 'op.drop_column("media", "filename")'),
}
FAULTS = {
    "never": """
_whole = app
async def app(scope, receive, send):
    if scope["type"] == "http" and scope["path"] == "/readyz":
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"not ready"})
    else:
        await _whole(scope, receive, send)
""",
    "crashes": """
raise SystemExit("the fault of this image: it cannot start")
""",
    "errors": """
import itertools
_whole, _served = app, itertools.count()
async def app(scope, receive, send):
    if scope["type"] == "http" and scope["path"].startswith("/api/") and next(_served) % 10 < 3:
        await send({"type": "http.response.start", "status": 500, "headers": []})
        await send({"type": "http.response.body", "body": b"the fault of this image"})
    else:
        await _whole(scope, receive, send)
""",
}


def made(engine: Engine, image: str, release: str) -> str:
    """The image of a release, made of another: ``2`` adds a column, ``contracts`` drops one, others have a fault."""
    name = f"{PREFIX}:{release}"
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        lines = [f"FROM {image}", f"ENV POSTRMAGIC_STACK__RELEASE={release}"]
        lines.append(f'LABEL org.opencontainers.image.version="{release}"')
        if release in REVISIONS:
            number, statement = REVISIONS[release]
            head = _head() if release == "2" else REVISIONS["2"][0]
            text = _REVISION.format(title=f"Release {release}.", revision=number, head=head, statement=statement)
            (directory / f"{number}_further.py").write_text(text)
            lines.append("COPY *.py /srv/media_library/migrations/versions/")
        else:
            source = ROOT / "examples" / "media_library" / "asgi.py"
            (directory / "asgi.py").write_text(source.read_text() + FAULTS[release])
            lines.append("COPY asgi.py /srv/media_library/asgi.py")
        (directory / "Dockerfile").write_text("\n".join(lines) + "\n")
        engine.docker("build", "--quiet", f"--tag={name}", scratch)
    return name


def _head() -> str:
    """The newest revision of the checkout."""
    texts = [path.read_text() for path in VERSIONS.glob("*.py")]
    known = {found[1] for text in texts if (found := re.search(r'^revision = "(\d+)"', text, re.MULTILINE))}
    followed = {found[1] for text in texts if (found := re.search(r'^down_revision = "(\d+)"', text, re.MULTILINE))}
    return (known - followed).pop()
