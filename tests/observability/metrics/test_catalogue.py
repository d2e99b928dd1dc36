"""Every metric is described, and everything described is one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from postrmagic_core.observability.metrics.catalogue import ALL, BY_NAME, Described, in_micros, shown_name
from tests.observability.metrics import catalogue_page

PACKAGE = Path(__file__).parents[3] / "src" / "postrmagic_core"

# Made of parts, or told by a name that is computed: what they become is listed here.
COMPUTED = {
    "access_tokens_{}_total": {"issued", "revoked"},
    "login_tokens_{}_total": {"issued", "redeemed", "refused", "revoked", "seal_broken"},
    "db_pool_{}_seconds": {"wait", "hold"},
}
# Told by the catalogue's own room, which adds them to what all processes tell.
OWN = {
    described.name for described in ALL if re.match("(build_info|processe?s?_|processes$|gc_|metrics_)", described.name)
}
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
KINDS = {"counter": "counter", "histogram": "histogram", "gauge": "gauge"}
_MAKES = re.compile(r"\b(counter|histogram|gauge)\(|\bTold\b")


@cache
def texts() -> dict[str, str]:
    """The package's files, but for the catalogue, by their place in it."""
    paths = (path for path in PACKAGE.rglob("*.py") if path.name != "catalogue.py")
    return {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def made() -> Iterator[tuple[str, str, str]]:
    """Name, kind and place of each metric that the package's code makes."""
    for place, text in texts().items():
        for node in ast.walk(ast.parse(text)) if _MAKES.search(text) else ():
            where = f"{place}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                if node.func.attr in KINDS:
                    yield from ((name, KINDS[node.func.attr], where) for name in _names(node.args[0]))
            elif isinstance(node, ast.Yield) and isinstance(node.value, ast.Tuple) and "Told" in text:
                yield from ((name, KINDS["gauge"], where) for name in _names(node.value.elts[0]))


def _names(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        yield from (text.format(word) for word in COMPUTED.get(text, {text}))


def test_every_metric_is_described() -> None:
    """What the code makes is in the catalogue, as what it is."""
    wrong = [
        f"{name} ({kind}) in {place}"
        for name, kind, place in made()
        if name not in BY_NAME or BY_NAME[name].kind != kind
    ]
    assert wrong == []


def test_everything_described_is_made() -> None:
    """A row whose metric is gone goes too."""
    found = {text.format(word) for text, words in COMPUTED.items() for word in words}
    everything = "".join(texts().values())
    assert [name for name in BY_NAME if name not in found and f'"{name}"' not in everything] == []


def test_names_are_as_the_field_has_them() -> None:
    """Snake case; counters end in _total, histograms in their unit; a sentence with its full stop."""
    for found in ALL:
        _look_at(found)


UNITLESS = {"page_layout_shift"}
"""Scores, as those who define them have it."""


def _look_at(found: Described) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", found.name)
    assert found.name.endswith("_total") == (found.kind == "counter")
    assert found.kind != "histogram" or found.name.endswith("_seconds") or found.name in UNITLESS
    assert re.fullmatch(r"\w.*\.", found.help)
    assert shown_name(found.name).endswith("_seconds_total") or not in_micros(found.name)
    assert "le" not in found.labels


def test_the_page_is_current() -> None:
    """``python -m tests.observability.metrics.catalogue_page`` writes it."""
    assert catalogue_page.FILE.read_text(encoding="utf-8") == catalogue_page.page().rstrip("\n") + "\n"


def test_names_are_their_own() -> None:
    """None twice."""
    assert len(BY_NAME) == len(ALL)
