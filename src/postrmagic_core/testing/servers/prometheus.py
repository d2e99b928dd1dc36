"""A private Prometheus that scrapes what a test serves."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from postrmagic_core.errors import BackendRejected

from ._process import MissingServer, ServerProcess


class PrometheusServer(ServerProcess):
    """``prometheus``, which asks ``targets`` (``"127.0.0.1:8000"``) for ``/metrics`` each ``every`` seconds.

    ``rules``: files of rules that it evaluates as often. What it stores lies in :attr:`directory`.
    """

    name: ClassVar[str] = "prometheus"

    def __init__(
        self,
        targets: Sequence[str] = (),
        *,
        every: float = 0.25,
        rules: Sequence[Path] = (),
        token: str | None = None,
        options: Sequence[str] = (),
    ) -> None:
        super().__init__(options=options)
        self._targets = list(targets)
        self._every = f"{round(every * 1000)}ms"
        self._rules = [str(path.resolve()) for path in rules]
        self._token = token

    @classmethod
    def binary(cls) -> str | None:
        """Absolute path of the program; ``None`` when it is not installed."""
        return shutil.which("prometheus")

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an instant query answers: ``metric`` (labels) and ``value`` (instant and text) of each.

        Raises :class:`BackendRejected` for an expression that Prometheus refuses.
        """
        found = self._asked("query", query=expression)["result"]
        return list(found) if isinstance(found, list) else []

    def targets(self) -> list[dict[str, Any]]:
        """What it scrapes, with ``health`` and ``lastError`` of each."""
        return list(self._asked("targets")["activeTargets"])

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its ``health`` and ``lastError``."""
        return [rule for group in self._asked("rules")["groups"] for rule in group["rules"]]

    def _asked(self, what: str, **arguments: str) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(arguments)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server's
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise BackendRejected(f"prometheus refused {arguments or what}: {error.read().decode()}") from error

    def create_database(self) -> str:
        """The URL: there is one database."""
        return self.url

    def _prepare(self) -> None:
        scraped: dict[str, Any] = {"job_name": "app", "static_configs": [{"targets": self._targets}]}
        if self._token is not None:
            scraped["authorization"] = {"type": "Bearer", "credentials": self._token}
        often = {"scrape_interval": self._every, "evaluation_interval": self._every, "scrape_timeout": self._every}
        configuration = {"global": often, "rule_files": self._rules, "scrape_configs": [scraped]}
        # JSON is YAML.
        (self.directory / "prometheus.yml").write_text(json.dumps(configuration))

    def _argv(self) -> list[str]:
        places = (
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address={self.host}:{self.port}",
        )
        return [str(self.binary()), *places, "--log.level=warn", *self._options]

    def _url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def _answers(self) -> bool:
        request = f"GET /-/ready HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n\r\n"
        return self._exchange(request.encode()).startswith(b"HTTP/1.1 200")


def promtool(*arguments: str, given: bytes | None = None) -> str:
    """What ``promtool`` says; :class:`BackendRejected`, with it, where it finds fault."""
    program = shutil.which("promtool")
    if program is None:
        raise MissingServer("no promtool found: install prometheus")
    done = subprocess.run([program, *arguments], input=given, capture_output=True, check=False, timeout=60)
    said = (done.stdout + done.stderr).decode(errors="replace")
    if done.returncode:
        raise BackendRejected(f"promtool {' '.join(arguments)}:\n{said}")
    return said
