"""Whoever installs the package may use, change and pass on all that comes with it: each licence is one we know."""

from __future__ import annotations

from importlib.metadata import Distribution
from pathlib import Path
from typing import Protocol

import pytest
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement

from tests.project.runtime import closure, required

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "HPND",
    "ISC",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",  # its terms end at its own files
    "PSF-2.0",
    "Unlicense",
    "Zlib",
}

BY_NAME = {
    # Imported as it is released, and whoever installs it may put another version in its place: section 4 of the LGPL
    # asks no more of who uses a library.
    "dramatiq": "LGPL-3.0-or-later",
    # Of the second half we take one: what either leaves of the first is allowed above.
    "orjson": "MPL-2.0 AND (Apache-2.0 OR MIT)",
}
"""Distributions whose licence is none of these, each for a reason of its own."""

CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",  # it does not say which of them
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}

SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "ISC License": "ISC",
    "MIT License": "MIT",
}


class Metadata(Protocol):
    """What is read of a distribution's metadata."""

    def get_all(self, name: str) -> list[str] | None: ...


def licence(metadata: Metadata) -> str:
    """The SPDX expression of a distribution: its own, else what its classifiers or its `License` field come to."""
    for expression in metadata.get_all("License-Expression") or ():
        return expression
    classified = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or () if "License :: " in line]
    if classified:
        return " AND ".join(CLASSIFIERS.get(name, f"({name})") for name in classified)  # which of them, they do not say
    (field,) = metadata.get_all("License") or ("",)
    return SPELLINGS.get(field.strip(), field.strip())


def allowed(expression: str) -> bool:
    """Whether an expression leaves a way to keep to the licences that are allowed; one in parentheses is not read."""
    try:
        parts = canonicalize_license_expression(expression).split(" OR ")
    except InvalidLicenseExpression:
        return False
    return any(set(part.split(" AND ")) <= ALLOWED for part in parts)


def refused(distributions: dict[str, Distribution]) -> dict[str, str]:
    """Of these distributions, what those are under that are neither allowed nor listed for a reason."""
    found = {name: licence(one.metadata) for name, one in distributions.items()}
    return {name: text for name, text in found.items() if not allowed(text) and BY_NAME.get(name) != text}


def test_all_that_the_package_requires_has_a_licence_we_know() -> None:
    """The core's dependencies, those of every extra, and whatever these bring along."""
    found = closure(required())
    assert refused(found) == {}
    assert not BY_NAME.keys() - found.keys(), "listed, and not required any more"
    assert len(found) > len(required()) / 2


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A folder for distributions of a test's own."""
    return tmp_path


def put(shelf: Path, name: str, *lines: str) -> None:
    """A distribution that is installed there, with these lines of metadata."""
    (shelf / f"{name}-1.0.dist-info").mkdir()
    head = ["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0"]
    (shelf / f"{name}-1.0.dist-info" / "METADATA").write_text("\n".join([*head, *lines]) + "\n")


def of(shelf: Path, *roots: str) -> dict[str, Distribution]:
    """What these require of what is there."""

    def find(name: str) -> Distribution:
        return next(iter(Distribution.discover(name=name, path=[str(shelf)])))

    return closure(map(Requirement, roots), find)


def test_what_is_required_in_turn_is_found(shelf: Path) -> None:
    """Extras count where they are asked for, also by an extra; what a marker excludes does not; a circle ends."""
    put(shelf, "one", "Requires-Dist: two[more]", "Requires-Dist: away; python_version < '3'")
    put(shelf, "two", "Requires-Dist: three; extra == 'more'", "Requires-Dist: four; extra == 'less'")
    put(shelf, "three", "Requires-Dist: One_", "Requires-Dist: one[late]")
    put(shelf, "one_", "License-Expression: MIT")
    assert list(of(shelf, "one")) == ["one", "one-", "three", "two"]


@pytest.mark.parametrize(
    ("lines", "verdict"),
    [
        (["License-Expression: MIT"], None),
        (["License-Expression: Apache-2.0 OR GPL-3.0-only"], None),
        (["License-Expression: MIT AND PSF-2.0"], None),
        (["License-Expression: MIT AND GPL-3.0-only"], "MIT AND GPL-3.0-only"),
        (["License-Expression: GPL-3.0-only", "Classifier: License :: OSI Approved :: MIT License"], "GPL-3.0-only"),
        (["Classifier: License :: OSI Approved :: MIT License", "License: whatever"], None),
        (
            [
                "Classifier: License :: OSI Approved :: MIT License",
                "Classifier: License :: OSI Approved :: GNU Affero General Public License v3",
            ],
            "MIT AND (GNU Affero General Public License v3)",
        ),
        (["License: bsd-3-clause"], None),
        (["License: BSD"], None),
        (["License: Commercial"], "Commercial"),
        (["License: UNKNOWN"], "UNKNOWN"),
        ([], ""),
    ],
)
def test_a_licence_that_nobody_knows_is_named(shelf: Path, lines: list[str], verdict: str | None) -> None:
    """The expression is believed first, then the classifiers, then the field; none at all is no licence."""
    put(shelf, "one", "Requires-Dist: thing")
    put(shelf, "thing", *lines)
    assert refused({"thing": of(shelf, "one")["thing"]}) == ({} if verdict is None else {"thing": verdict})


def test_a_listed_licence_holds_for_its_distribution_alone(shelf: Path) -> None:
    """Another one under the same licence is refused."""
    lesser = "License-Expression: LGPL-3.0-or-later"
    put(shelf, "dramatiq", lesser)
    put(shelf, "other", lesser)
    assert refused(of(shelf, "dramatiq", "other")) == {"other": "LGPL-3.0-or-later"}
