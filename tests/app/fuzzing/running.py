"""Schemathesis in a process of its own, on the application in another, on the backends that the settings name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postrmagic_core.settings import Settings
from postrmagic_core.testing.servers import require
from tests.app.fuzzing.prepared import prepare
from tests.app.served import serving

HERE = Path(__file__).parent
# Its path where it is not installed beside this interpreter.
VARIABLE = "POSTRMAGIC_TEST_SCHEMATHESIS"


@dataclass(frozen=True)
class Outcome:
    """What a run came to: its exit status, what it wrote, and by operation how often each status was answered."""

    code: int
    shown: str
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True)
class Target:
    """An application that is served, and what the hooks must know of it."""

    document: str
    directory: Path

    def run(self, caller: str, *options: str) -> Outcome:
        """Fuzz it as ``caller``: ``administrator``, ``user``, ``token`` or ``nobody``."""
        counts = self.directory / f"counts-{caller}.json"
        told = {
            "FUZZING_FACTS": str(self.directory / "facts.json"),
            "FUZZING_CALLER": caller,
            "FUZZING_COUNTS": str(counts),
            "NO_COLOR": "1",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(self.directory / "hypothesis"),
        }
        # It takes whatever time it is given: those beside it that are about time-outs come first.
        command = [
            "nice",
            "-n",
            "15",
            schemathesis(),
            "--config-file",
            str(HERE / "schemathesis.toml"),
            "run",
            self.document,
            *options,
        ]
        done = subprocess.run(command, cwd=HERE, env=os.environ | told, capture_output=True, text=True, check=False)
        found = json.loads(counts.read_text()) if counts.exists() else {}
        return Outcome(done.returncode, done.stdout + done.stderr, found)


def schemathesis() -> str:
    """The command."""
    beside = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    return require(os.environ.get(VARIABLE) or beside, f"no schemathesis: install it, or name it by {VARIABLE}")


@contextmanager
def target(
    directory: Path, settings: Settings, *, app: str = "media_library.asgi:app", **more: str
) -> Iterator[Target]:
    """``app`` on these settings, furnished, with its worker in the same process.

    Its limits are on: each request comes from an address of its own, as a proxy that is trusted says.
    """
    facts = prepare(settings)
    environment: dict[str, Any] = {
        "POSTRMAGIC_SECURITY__KEYS": json.dumps([key.get_secret_value() for key in settings.security.keys]),
        "POSTRMAGIC_DATABASE__URL": _url(settings.database),
        "POSTRMAGIC_CACHE__URL": _url(settings.cache),
        "POSTRMAGIC_SESSIONS__URL": _url(settings.sessions),
        "POSTRMAGIC_JOBS__URL": _url(settings.jobs),
        "POSTRMAGIC_JOBS__WORKER": "embedded",
        "POSTRMAGIC_MIDDLEWARE__OPTIONS": json.dumps({"trusted_proxies": {"networks": ["127.0.0.0/8"]}}),
    }
    environment |= more
    with serving("uvicorn-httptools", directory, None, tls=False, app=app, **environment) as served:
        base = f"{served.origin}/api/v1"
        (directory / "facts.json").write_text(json.dumps({"base": base, **facts}))
        yield Target(f"{base}/openapi.json", directory)


def _url(part: Any) -> str:
    url = part.url
    return str(url.get_secret_value() if hasattr(url, "get_secret_value") else url)
