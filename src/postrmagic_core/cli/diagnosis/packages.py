"""What is installed beside what the package's metadata ask for, and whether there is more than one copy of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from ...errors import ConfigurationError, MissingExtra
from ...registry import BROKERS, CHANNELS, DATABASES, STORES, VAULTS, Kind, Registry
from ...settings import Settings
from .interface import Finding, Patient, advice, graver, ok, problem

NAME = "postrmagic-core"
_STORES = ("cache", "sessions", "limits", "observability")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;()]*)\)?\s*(?:;(.*))?")
_BOUND = re.compile(r"(>=|<=|==|!=|<|>)\s*([0-9][0-9.]*)")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_RELEASE = re.compile(r"(?:\d+!)?(\d+(?:\.\d+)*)")
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A package, the versions that do, and the extra that asks for it."""

    name: str
    bounds: tuple[tuple[str, str], ...]
    extra: str

    @property
    def text(self) -> str:
        """As pip takes it."""
        return self.name + ",".join(sign + release for sign, release in self.bounds)

    def admits(self, version: str) -> bool:
        """Whether it does; a version that has no numbers does."""
        found = _RELEASE.match(version)
        return found is None or all(_holds(sign, found[1], release) for sign, release in self.bounds)


def look(patient: Patient) -> Iterator[Finding]:
    """Copies, what is missing or out of bounds, and adapters that these settings name and nothing provides."""
    yield from copies([str(one.locate_file("")) for one in distributions(name=NAME)])
    try:
        own = distribution(NAME)
    except PackageNotFoundError:
        yield advice(f"{NAME} has no metadata: it runs from a folder that nobody installed", f"pip install {NAME}")
        return
    urls = rooms(patient.settings)
    used = {kind.extras.get(url.partition(":")[0].partition("+")[0], "") for kind, url in urls.values()}
    yield from judged(list(requirements(own.requires or ())), installed, used)
    yield from adapters(urls)


def rooms(settings: Settings) -> dict[str, tuple[Kind, str]]:
    """Which rooms take an adapter, of which kind, for which URL."""
    return {
        "database": (DATABASES, settings.database_url()),
        **{room: (STORES, settings.store_url(getattr(settings, room))) for room in _STORES},
        "jobs": (BROKERS, settings.broker_url()),
        "events": (CHANNELS, settings.channel_url()),
        "backups": (VAULTS, settings.vault_url()),
    }


def copies(places: Iterable[str]) -> Iterator[Finding]:
    """More than one: which is imported depends on where a process begins."""
    distinct = sorted({str(Path(place).resolve()) for place in places})
    if len(distinct) > 1:
        yield problem(
            f"{NAME} is installed {len(distinct)} times: {', '.join(distinct)}",
            f"remove what is not meant: `pip uninstall {NAME}`, until it says that there is none; then install it once",
        )


def installed(name: str) -> str | None:
    """The version of a package; ``None`` if it is not there."""
    try:
        found: Distribution = distribution(name)
    except PackageNotFoundError:
        return None
    return found.version


def requirements(lines: Iterable[str]) -> Iterator[Requirement]:
    """What lines of ``Requires-Dist`` ask for (PEP 508), without markers of platforms, and our own extras."""
    for line in lines:
        parts = _REQUIREMENT.fullmatch(line)
        if parts is None or _SEPARATORS.sub("-", parts[1]).lower() == NAME:
            continue
        marker = parts[3] or ""
        extra = _EXTRA.search(marker)
        bounds = tuple((sign, release) for sign, release in _BOUND.findall(parts[2]))
        yield Requirement(parts[1], bounds, extra[1] if extra else "")


def judged(
    wanted: Iterable[Requirement], version_of: Callable[[str], str | None], used: Collection[str] = ()
) -> Iterator[Finding]:
    """Each that is missing or out of bounds.

    Of an extra only what is there, as nobody notes which extras were asked for; it is a problem where the extra is one
    of those ``used`` for sure.
    """
    there: set[str] = set()
    wrong: dict[str, tuple[str, set[str]]] = {}
    for one in wanted:
        version = version_of(one.name)
        if version is None and not one.extra:
            wrong[one.text] = (f"{one.name} is not installed", {""})
        elif version is not None and not one.admits(version):
            found = f"{one.name} {version} is installed, and {one.text} is needed"
            wrong.setdefault(one.text, (found, set()))[1].add(one.extra)
        elif version is not None:
            there.add(one.extra)
    for text, (found, extras) in wrong.items():
        whose = "" if "" in extras else f" for what the extra {_named(extras)} is for"
        grave = "" in extras or not extras.isdisjoint(used)
        yield graver(grave, found + whose, f"pip install '{text}'", "explanation/dependencies.md")
    if not wrong:
        yield ok(f"every package is of a version that was asked for; of the extras there is {_named(there)}")


def _named(extras: set[str]) -> str:
    return ", ".join(sorted(extras - {"", "all", "demo"})) or "none"


def _holds(sign: str, version: str, release: str) -> bool:
    have, want = (tuple(map(int, text.strip(".").split("."))) for text in (version, release))
    length = max(len(have), len(want))
    a, b = (each + (0,) * (length - len(each)) for each in (have, want))
    return {">=": a >= b, "<=": a <= b, "==": a == b, "!=": a != b, "<": a < b, ">": a > b}[sign]


def adapters(urls: Mapping[str, tuple[Kind, str]]) -> Iterator[Finding]:
    """Rooms whose URL no installed adapter takes, and what to install."""
    registry = Registry()
    for room, (kind, url) in urls.items():
        try:
            registry.load(kind, url)
        except MissingExtra as error:
            found, _, do = str(error).partition(": ")
            yield problem(f"{room}.url: {found}", do, "explanation/dependencies.md")
        except ConfigurationError as error:
            variable = f"POSTRMAGIC_{room.upper()}__URL"
            yield problem(f"{room}.url: {error}", f"correct {variable}; `postrmagic plugins` lists what there is")
