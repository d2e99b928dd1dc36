"""Every use of cryptography in the package is found in the code and stands on the page that tells what it is for.

The page is docs/reference/cryptography.md: a new use, or a new purpose of a key, fails here until it is listed there.
Beside that, what the page says of the key ring: one error, no nonce twice, nothing opens elsewhere.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import SealBroken
from tests.parsed import trees

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "postrmagic_core"
PAGE = ROOT / "docs" / "reference" / "cryptography.md"

# What cryptography and chance come from. Of some only that they are used is told, of the others what of them.
SOURCES = {
    "argon2", "bcrypt", "cryptography", "hashlib", "hmac", "jwt", "nacl", "passlib", "pwdlib", "pyotp", "random",
    "secrets", "ssl", "uuid",
}  # fmt: skip
AS_A_WHOLE = {"argon2", "jwt", "pwdlib", "pyotp", "ssl"}
BY_NAME = {"hashlib.file_digest", "hashlib.new", "hashlib.pbkdf2_hmac", "hmac.digest", "hmac.new"}
NO_CRYPTOGRAPHY = {"uuid.UUID", "uuid.SafeUUID"}
CHANCE = "Chance that guards nothing"

# SHA-1 where no collision helps: codes of authenticator apps (decided in docs/explanation/second-factors.md), and
# the name that Redis itself gives a script.
OLD_DIGESTS = {
    ("security/factors/policy.py", "hashlib.sha1"),
    ("stores/adapters/_redis_steps.py", "hashlib.sha1"),
}
DIGESTS = {"blake2b", "sha256", "sha384", "sha512"}

FIRST = "kX3v9_first_8QmZ1rT6yUw2pLs7NaBcDe"
SECOND = "Jd5_second_h2Kq9VtY4mRx7WzPf1GbLoS"


def uses(tree: ast.AST) -> set[str]:
    """What of :data:`SOURCES` a module uses, as ``hashlib.sha256``."""
    modules: dict[str, str] = {}
    found: set[str] = set()
    nodes = list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {
                (each.asname or each.name.partition(".")[0]): each.name.partition(".")[0]
                for each in node.names
                if each.name.partition(".")[0] in SOURCES
            }
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            root = node.module.partition(".")[0]
            if root in SOURCES:
                found |= {f"{root}.{each.name}" for each in node.names}
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            found.add(f"{modules[node.value.id]}.{node.attr}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = f"{modules.get(getattr(node.func.value, 'id', ''), '')}.{node.func.attr}"
            named = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if called in BY_NAME:
                found |= {f"hashlib.{name}" for name in named}
    found |= {root for root in modules.values() if not any(each.startswith(f"{root}.") for each in found)}
    whole = {each.partition(".")[0] for each in found} & AS_A_WHOLE
    return {each for each in found if each.partition(".")[0] not in whole} - NO_CRYPTOGRAPHY | whole


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the package by its path."""
    return trees(PACKAGE)


@cache
def used() -> frozenset[tuple[str, str]]:
    """Module and use, of all there are."""
    return frozenset((module, use) for module, tree in sources().items() for use in uses(tree))


def rows(heading: str) -> Iterator[list[str]]:
    """The cells of the table under a heading of the page."""
    text = PAGE.read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    for line in section.splitlines():
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def listed() -> list[tuple[str, str, str]]:
    """Heading, module and use of every line of the page's inventory."""
    headings = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found = []
    for heading in headings:
        for cells in rows(heading):
            if cells[0].endswith(".py`"):
                assert len(cells) == 3, cells
                assert cells[2], f"{cells[0]}: say what for"
                found += [(heading, cells[0].strip("`"), use) for use in re.findall(r"`([^`]+)`", cells[1])]
    return found


def test_every_use_is_listed_with_what_it_is_for() -> None:
    """What the code uses is what the page lists: no more, no less, and each in one place."""
    on_the_page = [(module, use) for _, module, use in listed()]
    assert sorted(used() - set(on_the_page)) == [], "used and not listed"
    assert sorted(set(on_the_page) - used()) == [], "listed and not used"
    assert len(on_the_page) == len(set(on_the_page))
    assert len(used()) > 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import hashlib\nhashlib.md5(b'')", {"hashlib.md5"}),
        ("import hashlib as h\nh.sha1(b'')", {"hashlib.sha1"}),
        ("from hashlib import md5 as digest", {"hashlib.md5"}),
        ("import hmac\nhmac.new(b'', b'', 'md5')", {"hmac.new", "hashlib.md5"}),
        ("import hashlib\nhashlib.new('sha1')", {"hashlib.new", "hashlib.sha1"}),
        ("def f():\n    import random\n    return random.random()", {"random.random"}),
        ("from cryptography.hazmat.primitives.ciphers.modes import ECB", {"cryptography.ECB"}),
        ("import jwt\njwt.decode('')", {"jwt"}),
        ("from uuid import UUID, uuid4", {"uuid.uuid4"}),
        ("import secrets", {"secrets"}),
        ("from .secrets import token", set()),
    ],
)
def test_a_use_is_found_however_it_is_written(text: str, expected: set[str]) -> None:
    """By its module, another name, a name alone, or the text that names a digest."""
    assert uses(ast.parse(text)) == expected


def test_digests_are_those_that_are_approved() -> None:
    """SHA-2 and BLAKE2; SHA-1 in the two places that say why; MD5 nowhere (OWASP ASVS 11.4.1)."""
    approved = {f"hashlib.{name}" for name in (*DIGESTS, "file_digest")}
    assert {each for each in used() if each[1].startswith("hashlib.") and each[1] not in approved} == OLD_DIGESTS


def test_ciphers_are_those_that_are_approved() -> None:
    """AES in GCM and nothing else of ciphers; no padding of RSA encryption, no mode but that (ASVS 11.3.1, 11.3.2)."""
    words = {"ECB", "CBC", "CTR", "CFB", "OFB", "Fernet", "PKCS1v15", "OAEP", "TripleDES", "ARC4", "Blowfish", "Cipher"}
    found = {use.partition(".")[2] for _, use in used() if use.startswith("cryptography.")}
    assert found & words == set()
    assert {name for name in found if re.fullmatch(r"(AES|ChaCha|XChaCha|AEGIS)\w*", name)} == {"AESGCM"}


def test_what_cannot_be_guessed_comes_from_the_system() -> None:
    """``random`` and UUIDs are listed as chance that guards nothing, and nowhere else (ASVS 11.5.1)."""
    guessable = {each for each in used() if each[1].startswith(("random", "uuid"))}
    told = {(module, use) for heading, module, use in listed() if heading == CHANCE}
    assert guessable == {each for each in told if each[1].startswith(("random", "uuid"))}
    guarded = ("security/", "sessions/", "middleware/csrf", "api/listing/", "_crypto")
    assert [each for each in sorted(guessable) if each[0].startswith(guarded)] == [
        ("sessions/rows.py", "random.random"),  # how long to wait before a write is tried again
    ]


# Comparing what is secret

_SECRET = re.compile(r"(?:^|_)(?:digest|mac|tag|signature|secret|hash|hashed|code|token|verifier|challenge)s?$")


def compared(tree: ast.AST) -> Iterator[str]:
    """Comparisons by ``==``, ``!=`` or ``in`` of what its name calls a secret, with something that is no constant."""
    tables = _columns(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        if any(not isinstance(each, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)) for each in node.ops):
            continue
        if any(isinstance(each, ast.Constant) for each in sides) or any(
            _name(getattr(each, "value", None)) in tables for each in sides
        ):
            continue
        if any(_SECRET.search(_name(each)) for each in sides):
            yield ast.unparse(node)


def _name(node: ast.AST | None) -> str:
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    if isinstance(node, ast.Call):
        return _name(node.func)
    return getattr(node, "attr", getattr(node, "id", ""))


def _columns(tree: ast.AST) -> set[str]:
    """What stands for the columns of a table: a row is found by the hash of what was sent, as the database compares."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            (target,) = node.targets if len(node.targets) == 1 else (None,)
            pairs = (
                zip(target.elts, node.value.elts, strict=False)
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                else [(target, node.value)]
            )
            found |= {_name(name) for name, value in pairs if isinstance(value, ast.Attribute) and value.attr == "c"}
    return found


def test_secrets_are_compared_in_constant_time() -> None:
    """By ``compare_digest``: where what is secret is decided, no ``==`` looks at a digest or a code (ASVS 11.2.4)."""
    places = ("security/", "sessions/", "middleware/csrf.py", "api/listing/cursors.py", "_crypto.py")
    found = {
        (module, each)
        for module, tree in sources().items()
        if module.startswith(places) or module.endswith("verifying/report.py")
        for each in compared(tree)
    }
    assert sorted(found) == []


@pytest.mark.parametrize(
    "line",
    ["stored == given_mac", "row.digest != digest", "code in codes", "self.mac(a)[:8] == b", "tag == made[:16]"],
)
def test_a_comparison_that_ends_early_would_be_found(line: str) -> None:
    """Whatever it compares, on either side."""
    assert list(compared(ast.parse(line))) == [line]


# The keys


@cache
def purposes() -> dict[str, set[str]]:
    """Every purpose for which the ring's keys are used, with its modules."""
    found: dict[str, set[str]] = {}
    for module, tree in sources().items():
        constants = _texts(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in {"seal", "open", "mac", "macs"}:
                for each in node.keywords:
                    if each.arg == "purpose":
                        for name in _said(each.value, constants, tree):
                            found.setdefault(name, set()).add(module)
    return found


def _texts(tree: ast.Module) -> dict[str, str]:
    """The texts that the names of a module stand for."""
    found: dict[str, str] = {}
    for node in tree.body:
        if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            names, values = ([each] if not isinstance(each, ast.Tuple) else each.elts for each in (target, node.value))
            for name, value in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found[name.id] = value.value
    return found


def _said(value: ast.expr, constants: dict[str, str], tree: ast.Module) -> list[str]:
    if isinstance(value, ast.Constant):
        return [str(value.value)]
    name = getattr(value, "id", "")
    if name in constants:
        return [constants[name]]
    # An argument: what the module's own calls give for it, in last place.
    inner = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.args.args and node.args.args[-1].arg == name
    ]
    return [
        str(node.args[-1].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") in inner
        and node.args
        and isinstance(node.args[-1], ast.Constant)
    ]


def test_every_purpose_of_a_key_is_listed_and_is_one_component_s() -> None:
    """A sub-key is for one purpose, a purpose for one module: what one signs, no other takes for its own."""
    found = purposes()
    told = [cells[0].strip("`") for cells in rows("Purposes")]
    assert sorted(found) == sorted(told)
    assert {name: modules for name, modules in found.items() if len(modules) > 1} == {}
    assert len(found) > 12


# The ring


@pytest.fixture(scope="module")
def ring() -> KeyRing:
    """A ring that was rotated once."""
    return KeyRing([SECOND, FIRST])


def damaged(ring: KeyRing) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """A sealed value, spoiled in every way there is, by the way's name."""
    where: dict[str, Any] = {"purpose": "session", "context": b"row 1"}
    sealed = ring.seal(b"user 7", purpose="session", context=b"row 1")
    other = ring.seal(b"user 8", purpose="session", context=b"row 1")
    found: dict[str, tuple[bytes, dict[str, Any]]] = {
        "nothing": (b"", where),
        "a version that is none": (b"\x02" + sealed[1:], where),
        "an unknown key": (sealed[:1] + b"\0\0\0\0" + sealed[5:], where),
        "the other key's id": (sealed[:1] + KeyRing([FIRST]).seal(b"", purpose="x")[1:5] + sealed[5:], where),
        "the nonce of another": (sealed[:5] + other[5:17] + sealed[17:], where),
        "the tag of another": (sealed[:-16] + other[-16:], where),
        "one byte more": (sealed + b"\0", where),
        "twice": (sealed + sealed, where),
        "another row": (sealed, {**where, "context": b"row 2"}),
        "no row": (sealed, {"purpose": "session"}),
        "another purpose": (sealed, {**where, "purpose": "session-list"}),
        "purpose and row joined anew": (sealed, {"purpose": "sessionrow", "context": b" 1"}),
        "of another ring": (KeyRing(["Qw8_third_zX5cVbN2mKj7HgF4dSaP0oIu"]).seal(b"x", **where), where),
    }
    found |= {f"byte {at}": (_flipped(sealed, at), where) for at in range(len(sealed))}
    return found | {f"{length} bytes of it": (sealed[:length], where) for length in range(len(sealed))}


def _flipped(blob: bytes, at: int) -> bytes:
    return blob[:at] + bytes([blob[at] ^ 0x80]) + blob[at + 1 :]


def test_whatever_was_done_to_a_sealed_value_the_error_is_one(ring: KeyRing) -> None:
    """One type, one text, no cause: nobody learns what was wrong, so that there is no oracle (ASVS 11.2.5)."""
    told = set()
    for how, (blob, where) in damaged(ring).items():
        with pytest.raises(SealBroken) as caught:
            ring.open(blob, **where)
        error = caught.value
        assert error.__cause__ is None, how
        assert error.__suppress_context__ or error.__context__ is None, how
        told.add((type(error), str(error), error.args))
    assert len(told) == 1


def test_no_nonce_comes_twice_under_a_key() -> None:
    """200,000 of them, and those of forked children too, are all different (ASVS 11.3.4)."""
    ring = KeyRing([FIRST])
    seen = {ring.seal(b"", purpose="p")[5:17] for _ in range(200_000)}
    assert len(seen) == 200_000
    for _ in range(3):
        theirs = _in_a_child(ring, 2_000)
        assert len(theirs) == 2_000
        assert not theirs & seen
        seen |= theirs


def _in_a_child(ring: KeyRing, number: int) -> set[bytes]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(b"".join(ring.seal(b"", purpose="p")[5:17] for _ in range(number)))
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        told = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return {told[start : start + 12] for start in range(0, len(told), 12)}


def test_an_older_key_reads_and_never_writes(ring: KeyRing) -> None:
    """It opens and verifies what it made; what is sealed or signed from now on is the first key's alone."""
    old, new = KeyRing([FIRST]), KeyRing([SECOND])
    sealed = [ring.seal(b"x", purpose="p") for _ in range(100)]
    assert all(new.open(blob, purpose="p") == b"x" for blob in sealed)
    for blob in sealed:
        with pytest.raises(SealBroken):
            old.open(blob, purpose="p")
    assert ring.mac(b"x", purpose="p") == new.mac(b"x", purpose="p") != old.mac(b"x", purpose="p")
    assert ring.macs(b"x", purpose="p")[1:] == [old.mac(b"x", purpose="p")]
    assert ring.open(old.seal(b"x", purpose="p"), purpose="p") == b"x"


def test_sub_keys_of_purposes_have_nothing_in_common(ring: KeyRing) -> None:
    """What is sealed or signed for one purpose is nothing for any other of those there are, nor for the other use."""
    names = sorted(purposes())
    sealed = {name: ring.seal(b"x", purpose=name, context=b"row") for name in names}
    for name, blob in sealed.items():
        for other in names:
            if other == name:
                assert ring.open(blob, purpose=other, context=b"row") == b"x"
            else:
                with pytest.raises(SealBroken):
                    ring.open(blob, purpose=other, context=b"row")
    assert len({mac for name in names for mac in ring.macs(b"x", purpose=name)}) == 2 * len(names)


def test_the_page_tells_the_algorithms_of_the_code(ring: KeyRing) -> None:
    """AES-256-GCM with a nonce of 96 bits and a tag of 128, HMAC-SHA256."""
    from postrmagic_core._crypto import _Key

    page = PAGE.read_text(encoding="utf-8")
    key = _Key(FIRST.encode())
    assert len(key.derive("seal:x")) * 8 == 256
    assert len(ring.seal(b"", purpose="x")) == 1 + 4 + 12 + 16
    assert len(ring.mac(b"", purpose="x")) == 32
    assert "AES-256-GCM" in page
    assert "nonce of 96 bits" in page
    assert "HMAC-SHA256" in page


@pytest.mark.parametrize("purpose", ["seal:session", "mac:csrf-token", "key-id", ""])
def test_sub_keys_are_those_of_hkdf(purpose: str) -> None:
    """What the ring computes by HMAC is what the ``cryptography`` package calls HKDF (RFC 5869)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    from postrmagic_core._crypto import _Key

    info = b"postrmagic-core/" + purpose.encode()
    assert _Key(FIRST.encode()).derive(purpose) == HKDF(SHA256(), 32, None, info).derive(FIRST.encode())


def test_the_page_says_how_each_thing_is_exchanged() -> None:
    """Each kind of the inventory that outlives a request has its way to a successor, post-quantum ones included."""
    text = PAGE.read_text(encoding="utf-8")
    (plan,) = re.findall(r"^## Exchange for another\n(.*)\Z", text, re.MULTILINE | re.DOTALL)
    told = [line.split(" | ")[0].strip("| ") for line in plan.splitlines() if line.startswith("| ")][2:]
    assert told == ["sealed values", "keyed hashes that name rows", "passwords", "access tokens", "TOTP"]
    assert {"ML-DSA", "ML-KEM"} <= set(re.findall(r"ML-\w+", plan))
