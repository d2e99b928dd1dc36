"""What containers are made of and run by is in order, as far as that can be seen without an engine.

On an engine ``make container-test`` proves the rest.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement

from postrmagic_core.deployment.compose import check_variables, layout_of
from postrmagic_core.deployment.interface import Release
from postrmagic_core.settings import Settings
from postrmagic_core.testing.servers import require
from tests.project.runtime import closure

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ENVIRONMENTS = sorted(path.stem for path in (DEPLOY / "environments").glob("*.env"))
PUBLISHED = {"development", "proxy"}
# What of a service's variables is a path to a secret, or the name of who uses it, and none itself.
_TOLD = re.compile(r"_FILE$|__FILE$|^POSTRMAGIC_SECRETS$")
_SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|KEYS?$|DSN")


def program(name: str) -> str:
    """One that is installed beside this Python, or for everybody."""
    beside = str(Path(sys.executable).parent)
    return require(shutil.which(name, path=f"{beside}:{os.environ['PATH']}"), f"no {name} is installed")


def run(*command: str, **variables: str) -> str:
    """What a program prints, which must find nothing wrong; it is told these variables alone."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"} | variables
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def document(*options: str, **variables: str) -> dict[str, Any]:
    """``compose.yaml`` as Compose understands it."""
    found: dict[str, Any] = json.loads(run(program("docker-compose"), *options, "config", "--format=json", **variables))
    return found


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """All services of all profiles."""
    return document("--profile=*", RELEASE="1.1", IMAGE="media:1.1")


@pytest.fixture(scope="module")
def services(whole: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The services of all profiles, by name."""
    found: dict[str, dict[str, Any]] = whole["services"]
    return found


def script(name: str) -> ModuleType:
    """A script of ``deploy``, as a module."""
    spec = importlib.util.spec_from_file_location(name, DEPLOY / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    """Of how an image should be made, no rule is broken, and none is silenced."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "hadolint" not in text
    assert run(program("hadolint"), "--no-color", "Dockerfile") == ""


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_environment_is_one_that_compose_understands(environment: str) -> None:
    """With nothing but its file: it says its profile, its own project and its own secrets."""
    found = document(f"--env-file=deploy/environments/{environment}.env")
    assert found["services"].keys() == (
        {"development"}
        if environment == "development"
        else {"proxy", "app", "worker", "relay", "migrate", "database", "redis", "prometheus", "alertmanager"}
    )
    assert found["name"].endswith(environment) or environment == "production"
    places = {str(Path(secret["file"]).parent) for secret in found.get("secrets", {}).values()}
    assert places == (set() if environment == "development" else {str(DEPLOY / "secrets" / environment)})


def test_what_is_laid_over_fits() -> None:
    """HTTPS at the proxy, and the ways to Prometheus, Alertmanager and Grafana from this machine alone."""
    files = [f"--file={name}" for name in ("compose.yaml", "deploy/tls.yaml", "deploy/watch.yaml")]
    found = document(*files, "--profile=*")["services"]
    opened = {name: [port.get("host_ip") for port in found[name]["ports"]] for name in found if "ports" in found[name]}
    here = ["127.0.0.1"]
    assert opened.pop("proxy") == ["127.0.0.1", None]
    assert opened == {"development": here, "prometheus": here, "alertmanager": here, "grafana": here}


def test_every_container_may_do_as_little_as_it_needs(services: Mapping[str, dict[str, Any]]) -> None:
    """Nothing is written beside volumes and /tmp, no capability is kept, none is gained, all is bounded and watched."""
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert int(service["mem_limit"]) >= 64 * 1024**2, name
        assert service["pids_limit"], name
        assert name == "migrate" or float(service["cpus"]), name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert name in {"migrate", "development"} or service["healthcheck"]["test"], name
        assert ("ports" in service) == (name in PUBLISHED), name
        assert re.search(r":[\w.-]*\d", service["image"]), f"{name}: {service['image']} names no version"


def test_only_its_network_leads_to_a_server(whole: Mapping[str, Any], services: Mapping[str, dict[str, Any]]) -> None:
    """The database and the brokers are reached from within alone, and reach nothing outside; workers neither."""
    inside = {name for name, network in whole["networks"].items() if network.get("internal")}
    assert inside == {"backend"}
    for name in ("database", "redis", "rabbitmq", "worker", "migrate"):
        assert set(services[name]["networks"]) == {"backend"}, name
    assert "backend" not in services["proxy"]["networks"]
    assert "backend" not in services["prometheus"]["networks"]


def test_no_secret_is_in_a_variable_or_a_command(services: Mapping[str, dict[str, Any]]) -> None:
    """They are files; what is a password's variable names one."""
    for name, service in services.items():
        variables = service.get("environment") or {}
        wrong = [each for each in variables if _SECRET.search(each) and not _TOLD.search(each)]
        wrong += [each for each, value in variables.items() if re.search(r"://[^/]*:[^/]*@", str(value))]
        assert wrong == [], name
        assert not re.search(r"://[^/]*:[^/]*@|requirepass|--password", json.dumps(service.get("command"))), name


def test_a_replica_is_stopped_later_than_it_ends(services: Mapping[str, dict[str, Any]]) -> None:
    """Docker's patience exceeds what a process takes to drain, and to let end what runs."""

    def seconds(name: str, *options: str) -> float:
        words = [str(word) for word in services[name]["command"]]
        return sum(float(word.partition("=")[2]) for word in words if word.partition("=")[0] in options)

    assert seconds("app", "--drain", "--grace") < patience(services["app"])
    for name in ("worker", "relay"):
        assert seconds(name, "--grace") + 10 < patience(services[name])


def patience(service: Mapping[str, Any]) -> float:
    """Seconds that Docker waits for a container's end."""
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", service["stop_grace_period"])
    assert found is not None
    return int(found[1] or 0) * 60 + int(found[2] or 0)


def test_a_deployment_finds_what_it_replaces(whole: Mapping[str, Any]) -> None:
    """``postrmagic deploy`` reads the layout, and every service that it replaces takes its release from outside."""
    layout = layout_of(whole)
    assert (layout.app, layout.web, layout.workers) == ("media_library.worker:stack", ("app",), ("worker", "relay"))
    assert layout.replicas == {"app": 2, "worker": 1, "relay": 1}
    check_variables(whole, layout, Release("1.1", "media:1.1"))


def test_secrets_are_made_once(whole: Mapping[str, Any], tmp_path: Path) -> None:
    """All that Compose looks for, for their owner's eyes; made again, nothing changes, and what was lost comes back."""
    directory = tmp_path / "secrets"
    make = [str(DEPLOY / "secrets.sh"), str(directory)]
    assert run(*make) == ""
    made = {path.name: path.read_bytes() for path in directory.iterdir()}
    assert {Path(secret["file"]).name for secret in whole["secrets"].values()} <= made.keys()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o444}
    assert len({made[name] for name in made if name.endswith(("_password", "_keys", "_token"))}) == 8
    (directory / "database__url").unlink()
    run(*make)
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == made
    run(str(DEPLOY / "secrets.sh"), str(tmp_path / "others"))
    others = {path.name: path.read_bytes() for path in (tmp_path / "others").iterdir()}
    assert others.keys() == made.keys()
    assert not set(others.values()) & set(made.values())


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_the_application_reads_its_secrets(broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they lie in its container they are settings, with none that production misses."""
    run(str(DEPLOY / "secrets.sh"), str(tmp_path / "made"))
    app = document("--profile=production", SECRETS=str(tmp_path / "made"), BROKER=broker)
    (tmp_path / "run").mkdir()
    for secret in app["services"]["app"]["secrets"]:
        place = app["secrets"][secret["source"]]["file"]
        (tmp_path / "run" / Path(secret["target"]).name).symlink_to(place)
    for name, value in app["services"]["app"]["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POSTRMAGIC_SECRETS", str(tmp_path / "run"))
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    assert settings.database_url().endswith("@database/media")
    assert settings.broker_url().startswith({"redis": "redis://media:", "rabbitmq": "amqp://media:"}[broker])
    assert settings.key_ring() is not None
    assert settings.observability.token is not None
    rooms = (settings.cache, settings.sessions, settings.limits, settings.observability, settings.events)
    assert all(room.url is not None and "@redis/" in room.url.get_secret_value() for room in rooms)


# Of the servers' own checkers those that this machine has; `make container-test` starts the servers themselves.
CHECKS = {
    "promtool": ("check", "config", "--syntax-only", "deploy/prometheus/prometheus.yml"),
    "amtool": ("check-config", "deploy/alertmanager/alertmanager.yml"),
    "haproxy": ("-c", "-q", "-f", "deploy/haproxy.cfg"),
}
CHECKERS = [name for name in CHECKS if name == "promtool" or shutil.which(name)]


@pytest.mark.parametrize("checker", CHECKERS)
def test_a_server_finds_nothing_wrong_with_its_configuration(checker: str) -> None:
    """Prometheus, Alertmanager and HAProxy have a word for it each."""
    run(program(checker), *CHECKS[checker])


def test_what_prometheus_and_grafana_are_given_is_what_the_commands_print(whole: Mapping[str, Any]) -> None:
    """The package's own files are mounted: rules and dashboard cannot be older than it."""
    resources = ROOT / "src" / "postrmagic_core" / "observability" / "resources"
    assert whole["configs"]["rules"]["file"] == str(resources / "rules.yml")
    assert whole["configs"]["dashboard"]["file"] == str(resources / "dashboard.json")
    for config in whole["configs"].values():
        assert Path(config["file"]).is_file()
    for name in ("datasource", "dashboards"):
        assert json.loads((DEPLOY / "grafana" / f"{name}.yml").read_text(encoding="utf-8"))["apiVersion"] == 1


def test_the_image_installs_what_the_package_wants() -> None:
    """One version of each requirement of each extra that the image has, and one that is admitted."""
    pins = dict(pin.split("==") for pin in pinned())
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {str(line) for line in script("resolve").wanted(ROOT / "pyproject.toml")}
    assert wanted >= {*table["dependencies"], *table["optional-dependencies"]["demo"]}
    wrong = [
        line
        for line in map(Requirement, sorted(wanted))
        if not line.specifier.contains(pins.get(line.name.lower(), "0"))
    ]
    assert wrong == [], "run: docker build --target constraints --output deploy ."
    assert closure(map(Requirement, wanted)).keys() - pins.keys() <= {"async-timeout"}  # of Python before 3.11.3


def pinned() -> dict[str, list[str]]:
    """What is listed for the image, each ``name==version`` with its hashes; the file is what the script would write."""
    text = (DEPLOY / "constraints.txt").read_text(encoding="utf-8")
    lines = [line for line in text.replace(" \\\n", " ").splitlines() if not line.startswith("#")]
    parts = (line.partition(" ") for line in lines)
    found = {pin: re.findall(r"--hash=sha256:([0-9a-f]{64})\b", hashes) for pin, _, hashes in parts}
    assert script("resolve").written(found) == text
    return found


def test_nothing_is_installed_into_the_image_but_what_was_seen() -> None:
    """Each file by its hash, for both machines: what is compiled has one for each; where it lies is left to pip."""
    hashes = pinned()
    assert {pin for pin, found in hashes.items() if not found} == set()
    for name in ("sqlalchemy", "orjson", "pillow", "hiredis"):  # compiled for each machine and Python
        assert [len(found) for pin, found in hashes.items() if pin.startswith(f"{name}==")] == [6], name
    text = (DEPLOY / "constraints.txt").read_text(encoding="utf-8")
    assert re.findall(r"://|index|find-links", text) == []
    assert re.search(
        r"pip wheel (?=.*--require-hashes)(?=.*--no-deps)", (ROOT / "Dockerfile").read_text(encoding="utf-8")
    )


def test_nothing_is_sent_to_the_build_but_what_is_named() -> None:
    """Whatever lies in a checkout, as its secrets and its history, is left out before anything is let in."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {line[1:] for line in rules if line.startswith("!")}
    assert all((ROOT / name).exists() for name in let_in)
    assert not any("secret" in name or name.startswith(".") for name in let_in)
    assert rules.index("deploy/*") > rules.index("!deploy")


def test_each_variable_of_the_compose_file_is_told() -> None:
    """The how-to has a line for whatever may be set from outside."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "compose.yaml", *DEPLOY.glob("*.yaml")))
    page = (ROOT / "docs" / "how-to" / "run-in-containers.md").read_text(encoding="utf-8")
    variables = set(re.findall(r"\$\{(\w+)[:}]", text))
    assert len(variables) > 20
    assert sorted(name for name in variables if f"`{name}`" not in page) == []


class Site(BaseHTTPRequestHandler):
    """Says at /readyz what it is told to."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False), (404, False)])
def test_a_web_container_is_healthy_while_it_is_ready(
    status: int, healthy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the status of /readyz; where nothing listens that is an error, which Docker takes for the same as no."""
    asked = script("healthy")
    monkeypatch.setattr(Site, "status", status)
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        monkeypatch.setattr(asked, "ADDRESS", ("127.0.0.1", server.server_port))
        try:
            assert asked.ready() is healthy
        finally:
            server.shutdown()
    with pytest.raises(ConnectionRefusedError):
        asked.ready()


@pytest.mark.parametrize("name", ["worker", "relay"])
def test_a_worker_container_is_healthy_while_its_processes_work(
    name: str, services: Mapping[str, dict[str, Any]]
) -> None:
    """Docker looks for the file that is there so long, in a place of this container alone."""
    (told,) = [word.partition("=")[2] for word in services[name]["command"] if word.startswith("--ready-file=")]
    assert services[name]["healthcheck"]["test"] == ["CMD", "test", "-f", told]
    assert told.startswith("/tmp/")
    assert any(place.startswith("/tmp:") for place in services[name]["tmpfs"])
