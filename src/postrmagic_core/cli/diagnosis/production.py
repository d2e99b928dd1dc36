"""What may be in development, and not where users are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import SecretStr

from ..._crypto import KeyRing
from ...errors import ConfigurationError
from ...settings import Settings
from .interface import Finding, Patient, advice, graver, ok, problem

_CONTAINERS = "how-to/run-in-containers.md#run-it-where-users-are"
_KEY = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
_STORES: Mapping[str, tuple[bool, str]] = {
    "sessions": (True, "everybody is logged out when the process ends, and each process knows its own alone"),
    "limits": (False, "each process counts by itself, so that clients may do a multiple of what is set"),
    "cache": (False, "each process computes everything by itself, and invalidations reach no other"),
    "observability": (False, "no process sees the figures of another"),
}

# Of what is drawn at random, 16 characters have more different ones.
_FEWEST_CHARACTERS = 6


def look(patient: Patient) -> Iterator[Finding]:
    """Keys in any environment; the rest in production."""
    settings = patient.settings
    yield from keys(settings, patient.production)
    if not patient.production:
        yield ok(
            f"the environment is {settings.stack.environment}: where users are, set "
            "POSTRMAGIC_STACK__ENVIRONMENT=production, and look again"
        )
        return
    before = [*stores(settings), *processes(settings), *outside(settings)]
    yield from before
    if not before:
        yield ok("nothing is set as it is in development alone")


def keys(settings: Settings, production: bool) -> Iterator[Finding]:
    """Whether there are keys, and each is long enough. None is made, and none is read from the data directory."""
    named = {"security.keys": settings.security.keys, "backups.keys": settings.backups.keys}
    for name, given in named.items():
        variable = f"POSTRMAGIC_{name.replace('.', '__').upper()}"
        try:
            if given:
                KeyRing([key.get_secret_value() for key in given])
        except ConfigurationError as error:
            yield problem(f"{name}: {error}", f"{variable}, with what `{_KEY}` prints in its place", _CONTAINERS)
    if not settings.security.keys:
        found = "there are no keys (security.keys): " + (
            "no process begins" if production else "development makes one in the data directory"
        )
        if production:
            yield problem(found, f"POSTRMAGIC_SECURITY__KEYS='[\"…\"]' with what `{_KEY}` prints", _CONTAINERS)
        else:
            yield ok(found)


def stores(settings: Settings) -> Iterator[Finding]:
    """Rooms that live in one process alone."""
    for room, (grave, why) in _STORES.items():
        if settings.store_url(getattr(settings, room)).startswith("memory:"):
            yield graver(
                grave,
                f"{room}.url is memory://: {why}",
                f"leave it out (POSTRMAGIC_{room.upper()}__URL) for a file in the data directory, or name a server",
                "how-to/run-on-redis.md",
            )


def processes(settings: Settings) -> Iterator[Finding]:
    """What allows one process alone."""
    if settings.jobs.worker == "embedded":
        yield advice(
            "jobs.worker is embedded: there may be one web process, and a new release cannot start beside the old one",
            "POSTRMAGIC_JOBS__WORKER=separate, and run `postrmagic worker`",
            "how-to/run-workers.md",
        )


def outside(settings: Settings) -> Iterator[Finding]:
    """What clients, proxies and operators meet."""
    if settings.log.level == "DEBUG" or "DEBUG" in settings.log.levels.values():
        yield advice(
            "the log keeps DEBUG records: they are many, and tell of data",
            "POSTRMAGIC_LOG__LEVEL=INFO, and no DEBUG in POSTRMAGIC_LOG__LEVELS",
            "how-to/log-with-context.md",
        )
    for name, url in (("oauth.issuer", settings.oauth.issuer), ("oauth.audience", settings.oauth.audience)):
        if url is not None and url.startswith("http:"):
            yield problem(
                f"{name} is {url}: tokens would pass in clear",
                f"POSTRMAGIC_{name.replace('.', '__').upper()}=https://…",
                "how-to/let-other-programs-use-the-api.md",
            )
    if "trusted_proxies" not in settings.middleware.options:
        yield advice(
            "no proxy is trusted: behind one, every client has the proxy's address, and limits count all as one",
            'POSTRMAGIC_MIDDLEWARE__OPTIONS=\'{"trusted_proxies": {"networks": ["10.0.0.0/8"]}}\' with your proxy\'s '
            "network; `[]` says that there is none",
            "how-to/run-behind-a-proxy.md",
        )
    if settings.observability.token is None and not settings.observability.networks:
        yield advice(
            "nobody may read /metrics: there is neither a token nor a network",
            "POSTRMAGIC_OBSERVABILITY__TOKEN, 16 characters or more",
            "how-to/watch-with-prometheus.md",
        )
    if not settings.stack.release:
        yield advice(
            "stack.release is not set: errors and figures are not told apart by release",
            "POSTRMAGIC_STACK__RELEASE with the version that is deployed",
            "how-to/follow-an-error.md",
        )
    yield from tokens(settings.observability.token)


def tokens(token: SecretStr | None) -> Iterator[Finding]:
    """One that stands in a documentation, or is one character over and over, is none."""
    text = "" if token is None else token.get_secret_value()
    if text and len(set(text)) < _FEWEST_CHARACTERS:
        yield problem(
            "observability.token can be guessed: it has few different characters",
            f"make one with `{_KEY}`",
            _CONTAINERS,
        )
