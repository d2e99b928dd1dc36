"""What is said of the packages that come with ours is so: which they are, how they are told, when they are mended."""

from __future__ import annotations

import ast
import re
import ssl
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from ruamel.yaml import YAML

from postrmagic_core._sql.mysql_connection import ResumingContext
from postrmagic_core.testing.certificates import Authority
from tests.project.runtime import closure, required

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "supply-chain.md"
DEPENDENCIES = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "postrmagic_core"


def section(title: str) -> str:
    """A part of the page."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None, title
    return found[1]


def rows(title: str) -> list[list[str]]:
    """The rows of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_severity_has_its_time() -> None:
    """The worse, the sooner; the security policy and this page name the same severities to the same end."""
    days = {name.split(",")[0]: int(within.split()[0]) for name, within, _ in rows("When one has a vulnerability")}
    assert list(days)[:4] == ["critical", "high", "medium", "low"]
    times = list(days.values())
    assert times[:4] == sorted(times[:4])
    assert max(days.values()) <= 90
    assert all(
        re.search(r"\d+ days|nothing is to be done|each week", within) for _, within in rows("When one is only old")
    )


def test_every_requirement_is_told_why_it_is_there() -> None:
    """By its own name or that of its project, on the page of dependencies; each is bounded from below."""
    known = DEPENDENCIES.lower().replace("-", "").replace(" ", "").replace("_", "")
    spelled = {"cryptography": "cryptography", "markupsafe": "markupsafe", "argon2-cffi": "argon2cffi"}
    named = {one.name: one for one in required()}
    untold = [
        name
        for name in named
        if spelled.get(name, name).lower().replace("-", "").replace("_", "") not in known
        and not name.startswith("opentelemetry-")
    ]
    assert untold == []
    unbounded = [name for name, one in named.items() if not any(part.operator == ">=" for part in one.specifier)]
    assert unbounded == []


def test_one_requirement_has_one_lower_bound() -> None:
    """Wherever it is named: in the package, an extra, or a group of tools; what is tried is that one."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = [line for group in table["dependency-groups"].values() for line in group if isinstance(line, str)]
    bounds: dict[str, set[str]] = {}
    for one in [*required(), *map(Requirement, groups)]:
        lower = {part.version for part in one.specifier if part.operator == ">="}
        bounds.setdefault(one.name.lower(), set()).update(lower)
    assert {name: found for name, found in bounds.items() if len(found) > 1} == {}


def test_components_that_are_risky_are_ones_that_are_installed() -> None:
    """Each that the page names comes with the package; each place of dangerous functionality is there."""
    installed = {name.replace("-", "") for name in closure(required())} | {"redispy", "ammonia"}
    named = [part.strip().lower().replace("-", "") for row in rows("Risky components") for part in row[0].split(",")]
    assert len(named) >= 5
    assert [name for name in named if name not in installed] == []
    places = [place for row in rows("Dangerous functionality") for place in re.findall(r"`([\w/.]+)`", row[0])]
    assert len(places) >= 5
    assert [place for place in places if not (SOURCE / place).exists()] == []


def test_a_release_has_a_bill_of_materials_and_signatures() -> None:
    """Of the very wheel; PyPI takes it for who sends it, with attestations; a job that signs runs none of our code."""
    jobs = YAML(typ="safe", pure=True).load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    assert [step["run"] for step in jobs["sbom"]["steps"] if "run" in step] == [
        "scripts/sbom.sh dist sbom/postrmagic-core.cdx.json"
    ]
    signed = [step["with"] for step in jobs["attest"]["steps"] if "attest@" in step.get("uses", "")]
    assert {"subject-path": "dist/*.whl", "sbom-path": "sbom/postrmagic-core.cdx.json"} in signed
    assert not any("run" in step for name in ("attest", "pypi") for step in jobs[name]["steps"])
    (publish,) = [step["with"] for step in jobs["pypi"]["steps"] if "pypi-publish@" in step["uses"]]
    assert publish["attestations"] is True
    assert "password" not in publish
    assert jobs["pypi"]["environment"]["name"] == "pypi"
    assert set(jobs["pypi"]["needs"]) == {"attest", "image"}


def test_a_vulnerability_fails_the_nightly_run() -> None:
    """There an answer is demanded; nothing is installed from beside the index."""
    nightly = (ROOT / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8")
    assert 'AUDIT_REQUIRED: "1"' in nightly
    assert "target: audit" in nightly
    found = [
        path.relative_to(ROOT)
        for folder in ("scripts", "deploy", ".github")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and path.suffix in {".sh", ".py", ".yml", ".yaml", ".txt"}
        and "secrets" not in path.parts
        and re.search(r"extra-index-url|--index-url|--find-links", path.read_text(encoding="utf-8"))
    ]
    assert found == []


# To parse every file takes long; what makes a context, or weakens one, has one of these words.
_ABOUT_TLS = r"ssl|wrap_socket|check_hostname|verify_mode|m..imum_version"


def contexts(tree: ast.AST) -> list[str]:
    """What in a module makes a TLS context, or takes a check away from one."""
    told = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.rpartition(".")[2] in {
                "SSLContext",
                "_create_unverified_context",
                "create_default_context",
                "wrap_socket",
            }:
                told.append(name)
        elif isinstance(node, ast.Assign):
            told += [
                f"{ast.unparse(target)} = {ast.unparse(node.value)}"
                for target in node.targets
                if isinstance(target, ast.Attribute)
                and target.attr in {"check_hostname", "verify_mode", "minimum_version", "maximum_version"}
            ]
    return told


def test_every_connection_of_ours_is_checked_as_python_checks_it() -> None:
    """TLS 1.2 at least, a certificate that somebody trusted vouches for, of the host that was meant; nowhere less."""
    found = {
        told
        for path in SOURCE.rglob("*.py")
        if "testing" not in path.relative_to(SOURCE).parts and re.search(_ABOUT_TLS, text := path.read_text("utf-8"))
        for told in contexts(ast.parse(text))
    }
    weakened = {told for told in found if " = " in told or "unverified" in told or told == "ssl.SSLContext"}
    assert {told for told in weakened if not told.startswith("context.minimum_version = ")} == set()
    assert "ssl.create_default_context" in found
    planted = "import ssl\na = ssl.SSLContext()\na.check_hostname = False\nssl._create_unverified_context()"
    assert contexts(ast.parse(planted)) == [
        "a.check_hostname = False",
        "ssl.SSLContext",
        "ssl._create_unverified_context",
    ]


def shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> str:
    """How a handshake between the two in memory ends: the version, or why there is none."""
    wires = (ssl.MemoryBIO(), ssl.MemoryBIO())
    ends = (
        client.wrap_bio(wires[0], wires[1], server_hostname="localhost"),
        server.wrap_bio(wires[1], wires[0], server_side=True),
    )
    for end in ends * 4:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return str(error.reason or error)
    return ends[0].version() or "nothing"


@pytest.mark.parametrize("kind", [ssl.create_default_context, lambda: ResumingContext(ssl.PROTOCOL_TLS_CLIENT)])
def test_an_older_version_is_not_spoken(kind: Callable[[], ssl.SSLContext], tmp_path: Path) -> None:
    """TLS 1.3 where the server has it, 1.2 where it has not, nothing where it has neither; certificates are checked."""
    authority = Authority(tmp_path)
    certificate = authority.issue("localhost")
    for versions, spoken in (
        ((ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3), "TLSv1.3"),
        ((ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2), "TLSv1.2"),
        ((ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1), ""),
    ):
        client, server = kind(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        assert (client.verify_mode, client.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert not [one["name"] for one in client.get_ciphers() if re.search("RC4|3DES|NULL|EXP|MD5", one["name"])]
        client.load_verify_locations(authority.file)
        server.load_cert_chain(certificate.certificate, certificate.key)
        if not spoken:
            server.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of the versions that must not be spoken
            server.minimum_version, server.maximum_version = versions
        found = shaken(client, server)
        assert found == spoken or (not spoken and not found.startswith("TLSv")), found
