"""`postrmagic doctor`: how it ends, that nothing stops it, and what it says of settings, packages and machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from postrmagic_core.cli import app as commands
from postrmagic_core.cli import diagnosis
from postrmagic_core.cli.diagnosis import packages, system, written
from postrmagic_core.cli.diagnosis import python as interpreter
from postrmagic_core.cli.diagnosis.examining import AREAS, examine
from postrmagic_core.cli.diagnosis.interface import Check, Finding, advice, ok, problem, unknown
from postrmagic_core.cli.diagnosis.interface import Patient as Looked
from tests.cli.doctoring import (
    CANARY,
    KEY,
    Patient,
    command,
    finding,
    named,
)

ROOT = Path(__file__).parents[2]
# Seconds that a busy machine may add to a promised time.
SLACK = 5.0


@pytest.fixture
def patient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """Who is looked at."""
    return Patient(tmp_path, monkeypatch)


def test_an_empty_directory_is_well_and_stays_empty(patient: Patient) -> None:
    """Given nothing at all, every area is looked at, nothing is wrong, and neither file nor folder is made."""
    done = patient.run()
    assert done.exit_code == 0, done.output
    assert list(patient.directory.iterdir()) == []
    assert "will be made" in done.output
    assert "0 wrong" in done.output
    told = patient.json()
    assert {one["area"] for one in told["findings"]} == set(AREAS)
    assert told["counts"]["problem"] == 0
    assert set(told["findings"][0]) == {"area", "state", "found", "do", "page"}


@pytest.mark.parametrize("arguments", [["--only", "settings,nonsense"], ["--only", ","], ["--app", "shop"]])
def test_a_wrong_call_is_2(patient: Patient, arguments: list[str]) -> None:
    """An area that there is not is answered with those that there are."""
    done = patient.run(*arguments)
    assert done.exit_code == 2
    assert "expected" in done.output


def test_the_exit_status_says_what_counts(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Advice alone is 0, and 1 with --strict; a problem is 1; an area that is not asked for counts for nothing."""
    monkeypatch.setenv("POSTRMAGC_STACK__RELEASE", "1")
    assert patient.run("--only", "settings").exit_code == 0
    assert patient.run("--only", "settings", "--strict").exit_code == 1
    monkeypatch.setenv("POSTRMAGIC_STACK__DATADIR", "/srv")
    assert patient.run("--only", "settings").exit_code == 1
    assert patient.run("--only", "python, files").exit_code == 0


def _says(finding: Finding) -> Check:
    return lambda patient: [finding]


def test_a_check_that_fails_ends_no_other(patient: Patient) -> None:
    """Whatever a check raises, in whatever state, is a finding of its own; of a foreign error the text is not shown."""

    def fails(patient: Looked) -> Iterator[Finding]:
        yield ok("before")
        raise KeyError(CANARY)

    def leaves(patient: Looked) -> Iterator[Finding]:
        raise SystemExit(CANARY)

    found = examine(checks={"fails": fails, "leaves": leaves, "well": _says(ok("well"))})
    assert [(one.area, one.state) for one in found] == [
        ("fails", "ok"),
        ("fails", "unknown"),
        ("leaves", "unknown"),
        ("well", "ok"),
    ]
    assert re.search(r"KeyError at test_doctor\.py:\d+", found[1].found)
    assert "SystemExit" in found[2].found
    assert CANARY not in repr(found)


def test_a_check_that_hangs_is_left(patient: Patient) -> None:
    """Two that never end cost one bound together, what they had found is told, and a server so late is a problem."""
    forever = threading.Event()

    def hangs(patient: Looked) -> Iterator[Finding]:
        yield problem("so far", "mend it")
        forever.wait()

    began = time.monotonic()
    found = examine(checks={"one": hangs, "redis": hangs, "well": _says(ok("well"))}, bound=0.3)
    took = time.monotonic() - began
    forever.set()
    assert took < 0.3 + SLACK
    assert [one.state for one in found] == ["problem", "unknown", "problem", "problem", "ok"]
    assert "not done within 0.3 s" in found[1].found


def test_texts_from_elsewhere_neither_colour_nor_break_the_table(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Markup and control characters of a variable's name are shown as they are."""
    monkeypatch.setenv("POSTRMAGIC_[red]\x1b[31m__X", "1")
    done = patient.run("--only", "settings")
    assert "\x1b" not in done.output
    assert "[red]" in done.output


def test_a_terminal_of_few_characters(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an arrow nor a name that is no UTF-8 keeps the rest from being told."""
    monkeypatch.setenv("POSTRMAGIC_STACK__DATA_DIR", os.fsdecode(b"caf\xe9-\xc3\xa9"))
    monkeypatch.setenv("POSTRMAGIC_DATBASE__URL", "x")
    done = CliRunner(charset="latin-1").invoke(command, ["--only", "settings,data"])
    assert done.exit_code == 1
    assert "-> unset POSTRMAGIC_DATBASE__URL" in done.output
    assert "caf\\udce9" in done.output
    assert "will be made" in done.output
    assert patient.json("--only", "data")


def test_a_driver_that_is_not_installed(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is a problem of the packages; the server could not be looked at."""
    monkeypatch.setenv("POSTRMAGIC_JOBS__URL", f"amqp://app:{CANARY}@127.0.0.1:1/")
    monkeypatch.setitem(sys.modules, "pika", None)
    monkeypatch.delitem(sys.modules, "postrmagic_core.jobs.adapters.rabbitmq", raising=False)
    found = patient.found("packages", "rabbitmq")
    assert "jobs.url: " in named(found, "problem")
    assert "pip install 'postrmagic-core[rabbitmq]'" in named(found, "problem")
    assert "pika is not installed" in named(found, "unknown")


def test_a_directory_that_is_gone(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, and what can be looked at is."""
    gone = patient.directory / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = patient.found()
    assert "the directory in which this runs is gone" in named(found, "problem")
    assert {one.area for one in found if one.state == "ok"} >= {"python", "production"}


def test_settings_are_answered_with_what_was_meant(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable, field, prefix and secret file; a value that is refused; one that is empty."""
    (patient.directory / "postrmagic.toml").write_text('[databse]\nurl = "x"\n[cache]\nurll = "memory://"\n')
    secrets = patient.directory / "secrets"
    secrets.mkdir()
    (secrets / "security__key").write_text(CANARY)
    for name, value in {
        "SECRETS": str(secrets),
        "DATBASE__URL": f"mysql://app:{CANARY}@db/app",
        "JOBS__THREDS": "4",
        "JOBS__LEASE": "soon",
        "LOG__LEVEL": "",
    }.items():
        monkeypatch.setenv(f"POSTRMAGIC_{name}", value)
    monkeypatch.setenv("POSTERMAGIC_JOBS__THREADS", "4")
    found = patient.found("settings")
    wrong = named(found, "problem")
    for pattern in (
        r"DATBASE__URL: .*did you mean POSTRMAGIC_DATABASE__URL",
        r"jobs\.threds: there is no such setting → take POSTRMAGIC_JOBS__THREDS away, or did you mean jobs\.threads",
        r"jobs\.lease: .*correct POSTRMAGIC_JOBS__LEASE",
        r"security__key: .*did you mean security__keys",
        r"cache\.urll: .*urll in \[cache\] of postrmagic\.toml",
        r"databse: ",
    ):
        assert re.search(pattern, wrong), (pattern, wrong)
    assert len([line for line in wrong.lower().splitlines() if "datbase" in line]) == 1
    assert "not read: POSTRMAGIC_LOG__LEVEL" in named(found, "ok")
    assert "POSTERMAGIC_JOBS__THREADS is not read" in named(found, "advice")


@pytest.mark.parametrize("kind", ["directory", "large", "binary", "pipe", "loop", "missing"])
def test_whatever_lies_there_as_settings(patient: Patient, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A file of settings that is none is a problem, in time, and the rest is looked at with the environment's."""
    file = patient.directory / "postrmagic.toml"
    match kind:
        case "directory":
            file.mkdir()
        case "large":
            file.write_bytes(b"x = 1\n" * 2_000_000)
        case "binary":
            file.write_bytes(bytes(range(256)) * 40)
        case "pipe":
            os.mkfifo(file)
        case "loop":
            file.symlink_to(file)
        case "missing":
            monkeypatch.setenv("POSTRMAGIC_CONFIG", str(file))
    monkeypatch.setenv("POSTRMAGIC_STACK__DATA_DIR", "elsewhere")
    began = time.monotonic()
    found = examine(only=["settings", "data"])
    assert time.monotonic() - began < SLACK + 5
    assert "postrmagic.toml" in named(found, "problem")
    assert "elsewhere is not there, and will be made" in named(found, "ok")


def test_who_else_can_read_secrets(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with secrets for all to read is advice, in production a problem; one that all can write always is."""
    monkeypatch.setattr(written, "in_memory", lambda path: False)  # wherever the tests' own directories are
    file = patient.directory / "postrmagic.toml"
    file.write_text(f'[security]\nkeys = ["{KEY}"]\n')
    file.chmod(0o604)
    told = finding(patient.found("settings"), "can read")
    assert told.state == "advice"
    assert "security.keys" in told.found
    monkeypatch.setenv("POSTRMAGIC_STACK__ENVIRONMENT", "production")
    assert finding(patient.found("settings"), "can read").state == "problem"
    file.chmod(0o602)
    assert finding(patient.found("settings"), "can write").state == "problem"
    file.chmod(0o640)
    assert named(patient.found("settings"), "problem") == ""
    secrets = patient.directory / "secrets"
    secrets.mkdir()
    (secrets / "security__keys").write_text(f'["{KEY}"]')
    (secrets / "security__keys").chmod(0o644)
    monkeypatch.setenv("POSTRMAGIC_SECRETS", str(secrets))
    assert "it is security.keys" in finding(patient.found("settings"), "can read").found


def test_production_is_told_what_is_of_development(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its line, and a production that is set up well has none."""
    monkeypatch.setenv("POSTRMAGIC_STACK__ENVIRONMENT", "production")
    monkeypatch.setenv("POSTRMAGIC_BACKUPS__KEYS", f'["{CANARY}"]')
    for name, value in {
        "SESSIONS__URL": "memory://",
        "LIMITS__URL": "memory://",
        "JOBS__WORKER": "embedded",
        "LOG__LEVEL": "DEBUG",
        "OAUTH__ISSUER": "http://app.example.org",
        "OBSERVABILITY__TOKEN": "x" * 16,
    }.items():
        monkeypatch.setenv(f"POSTRMAGIC_{name}", value)
    found = patient.found("production")
    wrong, better = named(found, "problem"), named(found, "advice")
    for text in ("backups.keys: ", "there are no keys", "sessions.url is memory", "oauth.issuer is http:", "guessed"):
        assert text in wrong
    for text in ("limits.url is memory", "embedded", "DEBUG", "no proxy is trusted", "stack.release"):
        assert text in better


def test_a_good_production_is_well(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is advice, so that --strict can stand before a deployment."""
    for name, value in {
        "STACK__ENVIRONMENT": "production",
        "STACK__RELEASE": "1.4",
        "SECURITY__KEYS": f'["{KEY}"]',
        "OBSERVABILITY__TOKEN": f"{KEY}",
        "MIDDLEWARE__OPTIONS": '{"trusted_proxies": {"networks": []}}',
    }.items():
        monkeypatch.setenv(f"POSTRMAGIC_{name}", value)
    done = patient.run("--strict", "--only", "settings,production")
    assert done.exit_code == 0, done.output


def test_an_application_is_looked_at_too(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its settings and its tasks count; one that prints, fails, leaves or is missing does not end the command."""
    (patient.directory / "well_here.py").write_text(
        "import sys\nfrom postrmagic_core.settings import Settings\nfrom postrmagic_core.stack import Stack\n"
        "from postrmagic_core.jobs import task\n"
        "print('noise')\n"
        "stack = Stack(Settings(stack={'data_dir': 'of_the_code'}))\n"
        "@task(name='one')\ndef one(ctx): ...\n"
        "stack.include(sys.modules[__name__])\n"
    )
    (patient.directory / "fails_here.py").write_text(f"raise RuntimeError('{CANARY}')\n")
    (patient.directory / "leaves_here.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(patient.directory)
    told = patient.json("--app", "well_here:stack", "--only", "data,work")
    assert "of_the_code is not there" in str(told)
    for app, why in {
        "fails_here:stack": "RuntimeError at fails_here.py:1",
        "leaves_here:stack": "SystemExit",
        "nowhere_here:stack": "there is no module nowhere_here",
        "os:path": "expected a Stack",
    }.items():
        done = patient.run("--app", app, "--only", "python")
        assert done.exit_code == 1, app
        assert why in done.output
        assert "CPython" in done.output


def test_an_application_that_hangs_is_left(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is never done with being imported: the rest is looked at, as the settings alone say."""
    (patient.directory / "hangs_here.py").write_text("import time\ntime.sleep(3)\n")
    monkeypatch.syspath_prepend(patient.directory)
    found = examine("hangs_here:stack", ["python"], bound=0.5)
    assert [(one.area, one.state) for one in found[:2]] == [("application", "unknown"), ("python", "ok")]
    assert "not done within 0.5 s" in found[0].found


def test_packages_are_judged_by_the_metadata() -> None:
    """Missing, too old, too new; of an extra only what is there; a prerelease by its numbers."""
    wanted = list(
        packages.requirements(
            [
                "sqlalchemy>=2.1.7,<2.2",
                "typer>=0.29",
                "pymysql<2,>=1.2.4; extra == 'mysql'",
                'pika>=1.4; extra == "rabbitmq"',
                "postrmagic-core[mysql]; extra == 'all'",
                "rich",
            ]
        )
    )
    assert [one.name for one in wanted] == ["sqlalchemy", "typer", "pymysql", "pika", "rich"]
    there = {"sqlalchemy": "2.2.0", "typer": "0.29", "pymysql": "1.2.3"}
    found = list(packages.judged(wanted, there.get))
    wrong = named(found, "problem")
    assert "sqlalchemy 2.2.0 is installed, and sqlalchemy>=2.1.7,<2.2 is needed" in wrong
    assert "rich is not installed" in wrong
    assert "pymysql<2,>=1.2.4 is needed for what the extra mysql is for" in named(found, "advice")
    assert "pymysql" in named(packages.judged(wanted, there.get, {"mysql"}), "problem")
    assert "pika" not in named(found)
    assert "typer" not in named(found)
    there = {"sqlalchemy": "2.1.10rc1", "typer": "1", "pymysql": "1.3", "rich": "14"}
    assert [one.state for one in packages.judged(wanted, there.get)] == ["ok"]


def test_two_copies_are_told(tmp_path: Path) -> None:
    """Which one is imported depends on where a process begins; one that is found twice is one."""
    assert list(packages.copies([str(tmp_path), f"{tmp_path}/."])) == []
    (told,) = packages.copies([str(tmp_path), str(tmp_path / "other")])
    assert told.state == "problem"
    assert "2 times" in told.found


def test_a_room_without_adapter_is_told(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheme that nobody provides, with those that there are."""
    monkeypatch.setenv("POSTRMAGIC_CACHE__URL", f"etcd://app:{CANARY}@host/0")
    told = finding(patient.found("packages"), r"^cache\.url")
    assert told.state == "problem"
    assert "redis" in told.found


def test_the_machine_is_judged() -> None:
    """Few files, none to speak of, no limit; a clock that was never set."""
    assert [next(system.files(limit)).state for limit in (64, 512, 1024, -1)] == ["problem", "advice", "ok", "ok"]
    assert [one.state for one in system.clock(datetime(2000, 1, 1, tzinfo=UTC), None)] == ["problem"]
    assert [one.state for one in system.clock(datetime(2027, 1, 1, tzinfo=UTC), False)] == ["ok"]
    assert system.kept() in (True, False, None)


def test_the_interpreter_is_judged() -> None:
    """A SQLite that is too old, old, or built without locks."""
    assert [one.state for one in interpreter.sqlite((3, 22, 0), 3)] == ["problem"]
    assert [one.state for one in interpreter.sqlite((3, 34, 1), 3)] == ["advice"]
    assert [one.state for one in interpreter.sqlite((3, 46, 0), 1)] == ["ok", "problem"]


def test_every_page_exists() -> None:
    """Each page and heading that a finding names is in the documentation."""
    texts = [path.read_text() for path in Path(str(diagnosis.__file__)).parent.glob("*.py")]
    pages = {page for text in texts for page in re.findall(r'"((?:how-to|explanation|reference)/[^"{}]+)"', text)}
    assert len(pages) > 10
    for page in sorted(pages):
        name, _, anchor = page.partition("#")
        file = ROOT / "docs" / name
        assert file.is_file(), page
        headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", one.replace("`", "").lower()).replace(" ", "-") for one in headings}
        assert not anchor or anchor in slugs, page


def test_every_command_exists() -> None:
    """Each that a finding names, and that the guide names."""
    texts = [path.read_text() for path in Path(str(diagnosis.__file__)).parent.glob("*.py")]
    texts.append((ROOT / "docs" / "how-to" / "find-out-what-is-wrong.md").read_text())
    named = {words for text in texts for words in re.findall(r"postrmagic ([a-z]+(?: [a-z-]+)?)(?![a-z])", text)}
    assert len(named) > 10
    for words in sorted(named):
        group, _, name = words.partition(" ")
        module, _, attribute = commands._PARTS.get(words, commands._PARTS.get(group, "")).partition(":")
        if words in commands._PARTS or group in ("settings", "plugins"):
            continue
        assert module, words
        part = getattr(import_module(f"postrmagic_core.cli.{module}"), attribute)
        if isinstance(part, typer.Typer):
            there = {one.name or getattr(one.callback, "__name__", "") for one in part.registered_commands}
            assert name in there, words


def test_the_guide_is_true(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its table has every area, and what it shows is what comes out."""
    page = (ROOT / "docs" / "how-to" / "find-out-what-is-wrong.md").read_text()
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)[: len(AREAS)] == list(AREAS)
    (settings,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (shown,) = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    file = patient.directory / "postrmagic.toml"
    file.write_text(settings)
    file.chmod(0o640)
    monkeypatch.setenv("COLUMNS", "100")
    done = patient.run("--only", "settings,production")
    assert (done.exit_code, done.output) == (1, shown)


def test_every_finding_says_what_to_do() -> None:
    """The constructors ask for it; what is well needs nothing."""
    for make in (advice, problem):
        with pytest.raises(TypeError):
            make("something is wrong")  # type: ignore[call-arg]  # that is what is tested
    assert unknown("silent").do == ok("well").do == ""


def test_the_command_as_it_is_called(short_directory: Path) -> None:
    """As a user who may do little: what cannot be read, written or made is told, and the status is 1."""
    short_directory.chmod(0o755)
    data, secrets = short_directory / "var", short_directory / "secrets"
    for folder in (data, secrets):
        folder.mkdir()
        folder.chmod(0o500 if folder == data else 0)
    (data / "app.db").write_bytes(b"")
    env = {name: value for name, value in os.environ.items() if not name.startswith("POSTRMAGIC_")}
    env |= {"POSTRMAGIC_SECRETS": str(secrets), "COLUMNS": "200", "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"}
    user = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    done = subprocess.run(
        [sys.executable, "-m", "postrmagic_core.cli", "doctor", "--only", "settings,data"],
        cwd=short_directory,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        **user,  # type: ignore[call-overload]  # options of one name each
    )
    for folder in (data, secrets):
        folder.chmod(0o700)
    assert done.returncode == 1, done.stderr
    assert f"the directory {secrets} cannot be read" in done.stdout
    assert f"{data} may not be read and written" in done.stdout
