"""What the Compose file says of the deployment, read and checked before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from ..errors import DeployRefused
from .engine import IMAGE, PREVIOUS_IMAGE, PREVIOUS_RELEASE, RELEASE
from .interface import Layout, Release

KEY: Final = "x-postrmagic-deploy"
_NAMES = {"app", "web", "workers", "proxy"}
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,400}")


def layout_of(document: Mapping[str, Any]) -> Layout:
    """The layout in a Compose file; raises :class:`DeployRefused` with what is to be written there."""
    told, services = document.get(KEY), document.get("services") or {}
    if not isinstance(told, Mapping):
        raise DeployRefused(f"the Compose file has no {KEY}: write there which services are `web`, and their `app`")
    if unknown := sorted(set(told) - _NAMES):
        raise DeployRefused(f"{KEY} says {', '.join(unknown)}: expected {', '.join(sorted(_NAMES))}")
    web, workers = _listed(told, "web"), _listed(told, "workers")
    rolled = (*workers, *web)
    if not web:
        raise DeployRefused(f"{KEY} names no `web` services")
    if missing := [name for name in rolled if name not in services]:
        raise DeployRefused(f"{KEY} names {', '.join(missing)}: no service of the profiles in use is called so")
    if len(set(rolled)) < len(rolled):
        raise DeployRefused(f"{KEY} names a service twice")
    app, proxy = told.get("app"), told.get("proxy") or ""
    if not isinstance(app, str) or not app or app.startswith("-"):
        raise DeployRefused(f"{KEY} has no `app`: write module:name of the Stack")
    if proxy and (not isinstance(proxy, str) or urlsplit(proxy).scheme not in {"http", "https"}):
        raise DeployRefused(f"{KEY} has a `proxy` that is no http address")
    around = [name for name in services if name not in rolled and not _is_task(services, name, rolled[0])]
    after = tuple(name for name in around if _needs(services, name, set(rolled), set()))
    return Layout(
        project=str(document.get("name", "")),
        app=app,
        web=web,
        proxy=proxy,
        workers=workers,
        replicas={name: _replicas(services[name]) for name in rolled},
        before=tuple(name for name in around if name not in after),
        after=after,
    )


def check_variables(document: Mapping[str, Any], layout: Layout, release: Release) -> None:
    """Raise :class:`DeployRefused` unless each service takes the release's image and labels from its environment.

    ``document`` was read with the variables of ``release`` and without those of a release before.
    """
    wrong = [
        f"services.{name}: {where} must be `${{{variable}:-}}`"
        for name in layout.rolled
        for where, variable, found, expected in _places(document["services"][name], release)
        if found != expected
    ]
    if wrong:
        raise DeployRefused("the Compose file does not take its release from outside:\n  " + "\n  ".join(wrong))


def _places(service: Mapping[str, Any], release: Release) -> list[tuple[str, str, Any, str]]:
    labels = service.get("labels") or {}
    return [
        ("image", "IMAGE", service.get("image"), release.image),
        (f"labels.{RELEASE}", "RELEASE", labels.get(RELEASE), release.version),
        (f"labels.{IMAGE}", "IMAGE", labels.get(IMAGE), release.image),
        (f"labels.{PREVIOUS_RELEASE}", "PREVIOUS_RELEASE", labels.get(PREVIOUS_RELEASE), ""),
        (f"labels.{PREVIOUS_IMAGE}", "PREVIOUS_IMAGE", labels.get(PREVIOUS_IMAGE), ""),
    ]


def check_release(release: Release) -> None:
    """Raise :class:`DeployRefused` for what cannot be a version or an image's name."""
    if not _VERSION.fullmatch(release.version):
        raise DeployRefused(f"expected letters, digits and ._+- as a release, got {release.version[:40]!r}")
    if not _IMAGE.fullmatch(release.image):
        raise DeployRefused(f"expected the name of an image, as in registry/name:1.1, got {release.image[:40]!r}")


def _listed(told: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = told.get(name) or []
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise DeployRefused(f"{KEY} has `{name}` that is no list of services")
    return tuple(found)


def _replicas(service: Mapping[str, Any]) -> int:
    found = service.get("scale") or (service.get("deploy") or {}).get("replicas") or 1
    return found if isinstance(found, int) else 1


def _is_task(services: Mapping[str, Any], name: str, rolled: str) -> bool:
    """Whether a service ends by itself, or would run the release's image: neither is to be started beside it."""
    condition = "service_completed_successfully"
    needs = [(each.get("depends_on") or {}).get(name) or {} for each in services.values()]
    same = services[name].get("image") is not None and services[name].get("image") == services[rolled].get("image")
    return same or any(isinstance(need, Mapping) and need.get("condition") == condition for need in needs)


def _needs(services: Mapping[str, Any], name: str, rolled: set[str], seen: set[str]) -> bool:
    """Whether a service depends on one that is rolled, directly or by way of others."""
    if name in seen:
        return False
    seen.add(name)
    needed = set((services.get(name) or {}).get("depends_on") or ())
    return bool(needed & rolled) or any(_needs(services, one, rolled, seen) for one in needed)
