"""`postrmagic init`: what it refuses, what it writes, and that this holds."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from postrmagic_core.cli import init as module
from postrmagic_core.cli.init import init
from postrmagic_core.deployment.compose import check_variables, layout_of
from postrmagic_core.deployment.interface import Release
from postrmagic_core.errors import ConfigurationError
from postrmagic_core.settings import Settings
from postrmagic_core.testing.servers import require
from tests import commands

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "start-a-project.md"
LONGEST = "a" * 32

command = typer.Typer()
command.command()(init)


def run(*arguments: object) -> Result:
    """The command, in this process and this folder."""
    return CliRunner().invoke(command, list(map(str, arguments)))


def refusal(*arguments: object) -> str:
    """What it says as it refuses."""
    error = run(*arguments).exception
    assert isinstance(error, ConfigurationError)
    return str(error)


def files(folder: Path) -> list[str]:
    """All that is in a folder, hidden or not."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture(scope="module")
def posters(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, as it is written; nobody changes it."""
    folder = tmp_path_factory.mktemp("projects") / "posters"
    assert run("posters", "--directory", folder).exit_code == 0
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, in which the command is given."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Posters", "no name for a package"),
        ("1st", "no name for a package"),
        ("my.posters", "no name for a package"),
        ("my-posters", "no name for a package"),
        ("my posters", "no name for a package"),
        ("../posters", "no name for a package"),
        ("/posters", "no name for a package"),
        ("posters\n", "no name for a package"),
        ("_posters", "no name for a package"),
        ("posters_", "no name for a package"),
        ("my__posters", "no name for a package"),
        ("plak\u00e1t", "no name for a package"),
        ("\u0440osters", "no name for a package"),  # the first letter is Cyrillic
        ("posters\udce9", "no name for a package"),
        ("@name@", "no name for a package"),
        ("", "no name for a package"),
        (LONGEST + "a", "no name for a package"),
        ("lambda", "a word of Python"),
        ("email", "standard library"),
        ("starlette", "installed here"),
        ("postrmagic_core", "installed here"),
        ("tests", "a folder in each new project"),
    ],
)
def test_a_name_that_cannot_be_a_package_s_is_refused(name: str, why: str, here: Path) -> None:
    """It is said why and what would be one, in characters that every terminal shows; nothing is written."""
    said = refusal(name)
    assert why in said
    assert "such as" in said
    assert said.isascii()
    assert said.isprintable()
    assert files(here) == []


def test_a_module_that_only_lies_in_this_folder_is_no_other_s(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of that name here is the project that one began by hand; a module found elsewhere is somebody's."""
    monkeypatch.syspath_prepend(str(here))
    (here / "posters").mkdir()
    assert run("posters").exit_code == 0
    (here / "elsewhere").mkdir()
    (here / "elsewhere" / "hoardings.py").touch()
    monkeypatch.syspath_prepend(str(here / "elsewhere"))
    assert "installed here" in refusal("hoardings")


def test_a_folder_that_holds_something_stays_as_it_is(here: Path) -> None:
    """The first file is named, hidden ones too, in characters that every terminal shows."""
    for first in ("\x1b[31mred", ".git", "a.txt"):
        target = here / f"of-{first.strip()[-3:]}"
        target.mkdir()
        (target / first).write_text("mine")
        (target / "b.txt").write_text("mine")
        said = refusal("posters", "-d", target)
        assert first.replace("\x1b", "\\x1b") in said
        assert said.isprintable()
        assert files(target) == sorted([first, "b.txt"])
    assert [path.name for path in here.iterdir() if path.name.startswith(".postrmagic")] == []


def test_what_is_no_folder_stays_as_it_is(here: Path) -> None:
    """A file, a link to an empty folder, and one that leads nowhere."""
    (here / "file").write_text("mine")
    (here / "empty").mkdir()
    (here / "link").symlink_to("empty")
    (here / "lost").symlink_to("nowhere")
    for name in ("file", "link", "lost"):
        assert "is no folder" in refusal("posters", "-d", name)
    assert (here / "file").read_text() == "mine"
    assert (here / "link").is_symlink()
    assert (here / "lost").is_symlink()
    assert files(here / "empty") == []


@pytest.mark.parametrize("place", ["absent/posters", "file/posters", "n" * 300, "/proc/posters"])
def test_a_place_where_nothing_can_be_made_is_told(place: str, here: Path) -> None:
    """By the system's own word for it."""
    (here / "file").touch()
    assert "cannot be made: " in refusal("posters", "-d", place)
    assert files(here) == ["file"]


def test_a_folder_that_is_no_more_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody removed the one in which the command is given."""
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    assert "cannot be made: No such file" in refusal("posters")


def test_the_folder_where_one_is_is_not_replaced(here: Path) -> None:
    """Whoever is in it would be in a folder that is no more."""
    assert "go one folder up" in refusal("posters", "-d", ".")
    assert here.is_dir()
    assert files(here) == []


def test_an_empty_folder_is_taken(here: Path) -> None:
    """One that somebody made for it, as a folder of the same rights as any made there."""
    (here / "empty").mkdir(mode=0o700)
    assert run("posters", "-d", "empty").exit_code == 0
    (here / "other").mkdir()
    assert (here / "empty").stat().st_mode == (here / "other").stat().st_mode
    assert (here / "empty" / "posters" / "web.py").is_file()


def test_who_may_read_it_is_as_the_user_has_decided(here: Path) -> None:
    """Under a strict umask nobody else may; the script can be run, and in the image everybody may read."""
    before = os.umask(0o077)
    try:
        assert run("posters").exit_code == 0
    finally:
        os.umask(before)
    modes = {name: (here / "posters" / name).stat().st_mode & 0o777 for name in files(here / "posters")}
    assert modes.pop("deploy/secrets.sh") == 0o700
    assert set(modes.values()) == {0o600}
    assert "COPY --chmod=0644 postrmagic.toml" in (here / "posters" / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("failing", [0, 5, "rename"])
def test_what_fails_half_way_leaves_nothing(failing: int | str, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full at the first file, at a later one, or a folder that was filled meanwhile."""
    written = []
    write, rename = Path.write_text, Path.rename

    def full(path: Path, *arguments: Any, **options: Any) -> int:
        written.append(path)
        if len(written) - 1 == failing:
            write(path, "ha", encoding="utf-8")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write(path, *arguments, **options)

    def overtaken(path: Path, target: Path) -> Path:
        if failing == "rename":
            target.mkdir()
            (target / "theirs").touch()
        return rename(path, target)

    monkeypatch.setattr(Path, "write_text", full)
    monkeypatch.setattr(Path, "rename", overtaken)
    said = refusal("posters")
    assert ("No space left" in said) == (failing != "rename")
    assert ("not empty" in said) == (failing == "rename")
    assert files(here) == (["posters/theirs"] if failing == "rename" else [])
    assert [path.name for path in here.iterdir()] == (["posters"] if failing == "rename" else [])


def test_of_two_at_once_one_wins(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have looked and found nothing there; one project is there in the end, whole, and the other is told."""
    both, told = Barrier(2), []
    rename = Path.rename

    def together(path: Path, target: Path) -> Path:
        both.wait(30)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", together)

    def give(name: str) -> None:
        try:
            init(name, here / "project", as_json=True)
            told.append(name)
        except ConfigurationError as error:
            told.append(str(error))

    threads = [Thread(target=give, args=(name,)) for name in ("posters", "hoardings")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (winner,) = {"posters", "hoardings"} & set(told)
    assert any("not empty" in each for each in told)
    assert files(here) == sorted(f"project/{name}" for name in dict(module._project(winner)))
    assert [path.name for path in here.iterdir()] == ["project"]


def test_whoever_kills_it_finds_no_half_of_a_project(here: Path) -> None:
    """Killed before the last step it leaves a hidden folder, and the next try succeeds."""
    killed = "import os; from pathlib import Path; Path.rename = lambda *_: os._exit(137)\n"
    killed += "from postrmagic_core.cli.init import init; init('posters')"
    assert subprocess.run([sys.executable, "-c", killed], check=False, timeout=60).returncode == 137
    (left,) = here.iterdir()
    assert left.name.startswith(".postrmagic-")
    assert run("posters").exit_code == 0


def test_it_says_what_to_do_next(here: Path) -> None:
    """The same three commands for people and for programs, with a path that a shell takes as it is."""
    said = run("posters", "-d", "my posters").stdout
    told = json.loads(run("posters", "-d", "other", "--json").stdout)
    assert told["name"] == "posters"
    assert told["directory"] == str(here / "other")
    assert sorted(told["files"]) == files(here / "other")
    assert len(told["next"]) == 3
    assert "cd 'my posters' && " in said
    for step in told["next"]:
        assert step.replace("cd other", "cd 'my posters'") in said
    guide, readme = (page.read_text(encoding="utf-8") for page in (GUIDE, here / "other" / "README.md"))
    for step in told["next"]:
        assert "$ " + step.removeprefix("cd other && ") in readme
        assert "$ " + step.replace("cd other", "cd posters") in guide


def test_a_path_that_cannot_be_shown_is_no_reason_to_fail(here: Path) -> None:
    """On a terminal without these letters, or where the name is none in any alphabet: the project is there already."""
    for folder in ("\u0142\u00f3d\u017a", "caf\udce9", "red\x1b[31m"):
        done = CliRunner(charset="latin-1").invoke(command, ["posters", "-d", folder])
        assert done.exit_code == 0, done.exception
        assert b"postrmagic dev posters.web:app" in done.stdout_bytes
        assert b"\x1b" not in done.stdout_bytes
        assert (here / folder / "posters" / "web.py").is_file()


def test_the_command_works_without_a_home_and_in_any_locale(here: Path) -> None:
    """As in a container of somebody else's; what is written is UTF-8 all the same."""
    given = [sys.executable, "-m", "postrmagic_core.cli", "init", "posters"]
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(given, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "\u2026".encode() in (here / "posters" / "posters" / "tables.py").read_bytes()


def test_the_guide_has_a_line_for_each_file(posters: Path) -> None:
    """And for none that is not there."""
    guide = GUIDE.read_text(encoding="utf-8")
    told = re.findall(r"^\| `([^`-][^`]*)` \|", guide, re.MULTILINE)
    assert sorted(told) == files(posters)
    assert len(told) == len(set(told))


def test_nothing_of_the_template_is_left(posters: Path) -> None:
    """No word that stands for the name, no name of somebody else's project; scripts can be run, and nothing else."""
    for name in files(posters):
        path = posters / name
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"@\w+@|\bNAME\b|media.library", text), name
        assert text.endswith("\n"), name
        assert os.access(path, os.X_OK) == name.endswith(".sh"), name


@pytest.mark.parametrize("name", ["a1", LONGEST])
def test_a_name_of_any_length_fits_the_style(name: str, here: Path) -> None:
    """The linter and the formatter that the project names find nothing to change, by the project's own rules."""
    assert run(name).exit_code == 0
    for check in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        judged(here / name, "ruff", *check, ".")


def test_the_project_s_own_tests_pass(posters: Path, tmp_path: Path) -> None:
    """With the kit's fixtures and nothing else, each warning an error, as somebody gives the command there."""
    project = shutil.copytree(posters, tmp_path / "posters")
    quiet = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "postrmagic_core.testing.pytest_plugin"}
    done = commands.run("-q", "-p", "no:cacheprovider", module="pytest", directory=project, environment=quiet)
    assert done.status == 0, done.stdout
    assert re.search(r"^9 passed", done.stdout, re.MULTILINE), done.stdout


def program(name: str) -> str:
    """One that is installed beside this Python, or for everybody."""
    beside = str(Path(sys.executable).parent)
    return require(shutil.which(name, path=f"{beside}:{os.environ['PATH']}"), f"no {name} is installed")


def judged(project: Path, name: str, *arguments: str) -> str:
    """What a program prints, which must find nothing wrong."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    done = subprocess.run(
        [program(name), *arguments], cwd=project, env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_checkers_find_nothing_in_the_image_and_its_scripts(posters: Path) -> None:
    """No rule of hadolint and of shellcheck is broken, and none is silenced."""
    for name, file in (("hadolint", "Dockerfile"), ("shellcheck", "deploy/secrets.sh")):
        assert judged(posters, name, file) == ""
        assert name not in (posters / file).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def composed(posters: Path) -> dict[str, Any]:
    """The Compose file of production, as Compose understands it."""
    environment = "--env-file=deploy/environments/production.env"
    found: dict[str, Any] = json.loads(judged(posters, "docker-compose", environment, "config", "--format=json"))
    return found


def test_compose_understands_each_environment(posters: Path, composed: dict[str, Any]) -> None:
    """Each has a project, an address and secrets of its own, and the same services."""
    file = "--env-file=deploy/environments/staging.env"
    staging = json.loads(judged(posters, "docker-compose", file, "config", "--format=json"))
    assert (composed["name"], staging["name"]) == ("posters", "posters-staging")
    assert composed["services"].keys() == staging["services"].keys()
    assert composed["services"].keys() == {"proxy", "app", "worker", "migrate", "database", "redis"}
    assert composed["services"]["proxy"]["ports"] != staging["services"]["proxy"]["ports"]
    for name, found in (("production", composed), ("staging", staging)):
        places = {str(Path(secret["file"]).parent) for secret in found["secrets"].values()}
        assert places == {str(posters / "deploy" / "secrets" / name)}


def test_https_is_laid_over(posters: Path) -> None:
    """The proxy listens for it too, with the certificate among its secrets; nothing else changes."""
    given = ["--env-file=deploy/environments/production.env", "--file=compose.yaml", "--file=deploy/tls.yaml"]
    found = json.loads(judged(posters, "docker-compose", *given, "config", "--format=json"))
    assert [port["target"] for port in found["services"]["proxy"]["ports"]] == [8080, 8443]
    assert [secret["source"] for secret in found["services"]["proxy"]["secrets"]] == ["certificate.pem"]


def test_postrmagic_deploy_understands_it(composed: dict[str, Any]) -> None:
    """It finds what it replaces, and that each takes its release from outside."""
    layout = layout_of(composed)
    assert (layout.app, layout.web, layout.workers) == ("posters.worker:stack", ("app",), ("worker",))
    assert layout.replicas == {"app": 2, "worker": 2}
    for service in composed["services"].values():
        if service["image"] == "posters:dev":
            service["image"] = "posters:1.0"
            service["labels"] |= {"org.postrmagic.release": "1.0", "org.postrmagic.image": "posters:1.0"}
    check_variables(composed, layout, Release("1.0", "posters:1.0"))


def test_every_container_may_do_as_little_as_it_needs(posters: Path, composed: dict[str, Any]) -> None:
    """Nothing is written beside volumes and /tmp, no capability is kept; servers are reached from within alone."""
    for name, service in composed["services"].items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) >= 64 * 1024**2, name
        assert service["pids_limit"], name
        assert name in {"migrate", "app"} or service["healthcheck"]["test"], name
        assert ("ports" in service) == (name == "proxy"), name
        said = json.dumps([service.get("environment"), service.get("command")])
        assert not re.search(r"://[^/ ]*:[^/ ]*@", said), name
    assert composed["networks"]["backend"]["internal"]
    for name in ("database", "redis", "worker", "migrate"):
        assert set(composed["services"][name]["networks"]) == {"backend"}, name
    image = (posters / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER 10001:10001$", image, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*\n.*/readyz", image, re.MULTILINE)


def test_the_application_reads_its_secrets(
    posters: Path, composed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made once and for the owner alone; as they lie in its container they are all that production needs."""
    made = tmp_path / "made"
    judged(posters, str(posters / "deploy/secrets.sh"), str(made))
    kept = {path.name: path.read_bytes() for path in made.iterdir()}
    judged(posters, str(posters / "deploy/secrets.sh"), str(made))
    assert {path.name: path.read_bytes() for path in made.iterdir()} == kept
    assert made.stat().st_mode & 0o777 == 0o700
    assert {Path(secret["file"]).name for secret in composed["secrets"].values()} <= kept.keys()
    (tmp_path / "run").mkdir()
    for secret in composed["services"]["app"]["secrets"]:
        (tmp_path / "run" / secret["target"].rpartition("/")[2]).symlink_to(made / secret["source"])
    for name, value in composed["services"]["app"]["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POSTRMAGIC_SECRETS", str(tmp_path / "run"))
    monkeypatch.chdir(posters)
    settings = Settings()
    assert (settings.stack.service, settings.stack.environment) == ("posters", "production")
    assert settings.database_url().endswith("@database/app")
    assert settings.broker_url().startswith("redis://app:")
    assert settings.key_ring() is not None
    assert settings.observability.token is not None
    rooms = (settings.cache, settings.sessions, settings.limits, settings.observability, settings.events)
    assert all(room.url is not None and "@redis/" in room.url.get_secret_value() for room in rooms)


def test_nothing_secret_is_sent_to_the_build(posters: Path) -> None:
    """What the image's build is sent is named, is there, and is all that the build copies."""
    lines = (posters / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert all((posters / name).exists() for name in let_in)
    image = (posters / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (?:--chmod=0644 )?(.+) \S+$", image, re.MULTILINE)
    assert {name for line in copied for name in line.split()} == let_in
    assert "deploy/secrets/" in (posters / ".gitignore").read_text(encoding="utf-8").splitlines()
