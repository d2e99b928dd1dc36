"""No secret is committed: whoever clones the project has every file of it, and of its past, for good."""

from __future__ import annotations

import random
import string
import subprocess
from base64 import b32encode
from pathlib import Path

import pytest

from tests.project.leaks import leaks

ROOT = Path(__file__).parents[2]

MADE_UP = {
    "kX3v9_first_": "a master key of the tests of settings and stack",
    "a7Rk2mQ9xW4v": "a master key of the tests of the stack",
    "nWGxne_9WmC6": "the key of RFC 8037, appendix A.1",
}
"""How values begin that look like secrets and open nothing, with where they are from."""


def committed() -> list[Path]:
    """The files that are committed, or soon could be; of an unpacked archive, all that came with it."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        folders = ("src", "tests", "docs", "examples", "benchmarks")
        paths = [path for folder in folders for path in (ROOT / folder).rglob("*")] + list(ROOT.glob("*.*"))
    return [path for path in paths if path.is_file() and path.suffix not in {".png", ".pyc"}]


def test_no_secret_is_committed() -> None:
    """No file holds a private key, a token, or a random text under a secret's name, but for those made up for tests."""
    found = [(path, leak) for path in committed() for leak in leaks(path.read_text(encoding="utf-8", errors="replace"))]
    used = {start for start in MADE_UP for _, leak in found if leak.value.startswith(start)}
    assert [f"{path.relative_to(ROOT)}:{leak}" for path, leak in found if leak.value[:12] not in used] == []
    assert MADE_UP.keys() == used, "listed, and in no file any more"


_random = random.Random(54)


def letters(count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """Letters and digits as a machine makes them, the same in each process."""
    return "".join(_random.choices(alphabet, k=count))


PEM = "-----BEGIN {}PRIVATE KEY-----"
PLANTED = [
    PEM.format("") + "\n" + letters(64),
    PEM.format("RSA ") + "\\n" + letters(64),
    f'"{PEM.format("EC ")}"\n    "{letters(64)}"',
    "pm_" + letters(16) + "_" + letters(49),
    "pms_" + letters(43),
    "AKIA" + "Q7" * 8,
    "ghp_" + letters(36),
    f'SECRET_KEY = "{letters(32, "0123456789abcdef")}"',
    f"'password': '{letters(20)}'",
    f'api_key: Final = b"{letters(32)}"',
    f'POSTRMAGIC_SECURITY__KEYS=["{letters(32)}"]',
    f'{{"kty": "OKP", "d": "{letters(43)}"}}',
    f'secret = "{b32encode(_random.randbytes(40)).decode()}"',
]

HONEST = [
    PEM.format("") + "\n{CANARY}",
    PEM.format("[A-Z ]{0,30}") + ".*",
    "-----BEGIN CERTIFICATE-----\n" + letters(64),
    "pm_user_roles_of_everybody_who_is_here_and_elsewhere_too",
    'password="posters-for-everyone"',
    'NEW_KEY = "the-next-master-value-9876543210-klmnopqr"',
    'SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"',
    '"key": "0190a5b4-6c1e-7c3a-9b1e-2f6d3c9e8a70"',
    f'title = "{letters(32)}"',
    f'{{"kty": "OKP", "x": "{letters(43)}"}}',
    f'secret = "{"0" * 64}"',
    "token = secrets.token_urlsafe(32)",
]


@pytest.mark.parametrize("text", PLANTED, ids=range(len(PLANTED)))
def test_a_planted_secret_is_found(text: str) -> None:
    """Each shape of secret is found, once, at its line, and the complaint does not repeat it."""
    (leak,) = leaks(f"one = 1\n{text}\n")
    assert leak.line == 2
    assert leak.value not in str(leak)


@pytest.mark.parametrize("text", HONEST, ids=range(len(HONEST)))
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    """Passwords of words, patterns, certificates, ids, and random texts that are nobody's secret."""
    assert list(leaks(f"one = 1\n{text}\n")) == []
