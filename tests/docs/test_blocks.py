"""What the documentation shows beside Python and commands is valid in its language; links are well formed."""

from __future__ import annotations

import configparser
import json
import re
import sqlite3
import tomllib
from collections.abc import Callable
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
import pytest
import sqlglot
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from postrmagic_core.errors import PostrMagicError
from postrmagic_core.observability.alerts.from_settings import rules_from
from postrmagic_core.observability.alerts.rules import defaults
from postrmagic_core.observability.uptime.targets import probe
from postrmagic_core.registry import KINDS, NAMED_KINDS
from postrmagic_core.settings import Settings
from postrmagic_core.testing.asvs import load_requirements
from postrmagic_core.testing.faults import load_rows
from tests.docs.playing import ROOT, Block, blocks, pages

PAGES = {page.relative_to(ROOT).as_posix(): page for page in pages()}
ROOMS = frozenset(name for name, _ in Settings())
GROUPS = {kind.group for kind in KINDS} | {kind.group for kind in NAMED_KINDS} | {"postrmagic_core.listeners"}
WRONG_ON_PURPOSE = frozenset({"docs/how-to/find-out-what-is-wrong.md"})
"""Pages whose settings are refused, as they say."""
UNREAD = frozenset({"ATTACH", "CREATE", "GRANT", "PRAGMA"})
"""Statements of which sqlglot may read no more than the first word."""
INSTRUCTIONS = frozenset({"CMD", "ENTRYPOINT", "ENV", "FROM", "COPY", "HEALTHCHECK", "RUN", "STOPSIGNAL", "USER"})
VOID = frozenset({"br", "img", "input", "link", "meta", "hr"})


def toml(text: str, page: str) -> str | None:
    """Valid; settings load, entry points are of a group that there is, rows are read by what reads their file."""
    data = tomllib.loads(text)
    if data.keys() <= ROOMS:
        return _settings(data, refused=page in WRONG_ON_PURPOSE)
    unknown = data.get("project", {}).get("entry-points", {}).keys() - GROUPS
    return f"there is no group {', '.join(sorted(unknown))}" if unknown else None


def _settings(data: dict[str, Any], *, refused: bool) -> str | None:
    try:
        given = Settings(**data)
        rules_from(given.observability.rules, defaults())
        for name, url in given.observability.probes.items():
            probe(name, url.get_secret_value())
    except PostrMagicError as error:
        return None if refused else str(error)
    return "they are taken" if refused else None


def yaml(text: str, page: str) -> str | None:
    """Valid YAML 1.2."""
    YAML(typ="safe").load(text)
    return None


def sql(text: str, page: str, dialect: str = "sqlite") -> str | None:
    """Read by sqlglot in a dialect, or else one of the statements that it does not know."""
    if text.startswith("CREATE VIRTUAL TABLE"):
        with closing(sqlite3.connect(":memory:")) as database:
            database.execute(text)
        return None
    dialect = "mysql" if "CHARACTER SET" in text else dialect
    for statement in sqlglot.parse(text, dialect=dialect):
        unread = isinstance(statement, sqlglot.exp.Command) and str(statement.this).upper() not in UNREAD
        if unread or isinstance(statement, (sqlglot.exp.Condition, sqlglot.exp.Alias)):
            return f"{statement} is no statement"
    return None


class _Tags(HTMLParser):
    """Which tags are open, and which were closed that were not."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open it, unless nothing is in it."""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last that is open."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")


def html(text: str, page: str) -> str | None:
    """A template that Jinja reads, whose tags are closed in their order; the end may be left out."""
    jinja2.Environment(autoescape=True).parse(text)
    tags = _Tags()
    tags.feed(text)
    tags.close()
    return next(iter(tags.wrong), None)


def ini(text: str, page: str) -> str | None:
    """A unit of systemd: sections and settings."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.read_string(text)
    unknown = set(parser.sections()) - {"Unit", "Service", "Install", "Timer", "Socket"}
    return f"no section of systemd: {', '.join(unknown)}" if unknown else None


def dockerfile(text: str, page: str) -> str | None:
    """Lines that begin with an instruction; a list in brackets is JSON."""
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.partition(" ")
        if word and not word.startswith("#") and word not in INSTRUCTIONS:
            return f"{word} is no instruction"
        if rest.startswith("["):
            json.loads(rest)
    return None


def ended(text: str, page: str) -> str | None:
    """Of nginx: each line ends."""
    wrong = [line for line in text.splitlines() if line.strip() and not re.search(r"[;{}]$|^\s*#", line)]
    return f"{wrong[0]} does not end" if wrong else None


def paired(text: str, page: str) -> str | None:
    """Of a script: what is opened is closed, strings aside. There is no parser of it here."""
    waiting, pairs = "", {")": "(", "]": "[", "}": "{"}
    for letter in re.sub(r'"(?:\\.|[^"\\])*"|//.*', "", text):
        if letter in "([{":
            waiting += letter
        elif letter in pairs:
            if waiting[-1:] != pairs[letter]:
                return f"{letter} closes nothing"
            waiting = waiting[:-1]
    return f"{waiting} is not closed" if waiting else None


def diff(text: str, page: str) -> str | None:
    """Lines that stay, go and come."""
    wrong = [line for line in text.splitlines() if line and line[0] not in " +-@"]
    return f"{wrong[0]} neither stays nor goes nor comes" if wrong else None


def _json(text: str, page: str) -> str | None:
    json.loads(text)
    return None


READERS: dict[str, Callable[[str, str], str | None]] = {
    "toml": toml,
    "json": _json,
    "yaml": yaml,
    "sql": sql,
    "mysql": lambda text, page: sql(text, page, "mysql"),
    "html": html,
    "ini": ini,
    "dockerfile": dockerfile,
    "nginx": ended,
    "js": paired,
    "diff": diff,
}
ELSEWHERE = frozenset({"python", "console", "sh", "bash"})
"""Looked at by test_snippets.py and test_commands.py."""
DRAWN = frozenset({"", "text", "md", "{toctree}", "{list-table}", "{eval-rst}"})
"""Output, drawings, files of programs that are not ours; and what Sphinx reads, warnings being errors."""
ERRORS = (
    ValueError,
    YAMLError,
    sqlglot.errors.SqlglotError,
    configparser.Error,
    jinja2.TemplateSyntaxError,
    sqlite3.Error,
)


def complaint(block: Block, page: str) -> str | None:
    """What is wrong with a block."""
    if block.language in ELSEWHERE | DRAWN:
        return None
    reader = READERS.get(block.language)
    if reader is None:
        return f"line {block.line}: nobody reads {block.language}"
    try:
        found = reader(block.text, page)
    except ERRORS as error:
        found = str(error)
    return f"line {block.line}: {found}" if found else None


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if blocks(page)])
def test_the_blocks_of_a_page_are_valid(name: str) -> None:
    """Each by a reader of its language; a fence that is not closed leaves a line of its own behind."""
    page = PAGES[name]
    found = blocks(page)
    assert [told for block in found if (told := complaint(block, name))] == []
    fences = re.findall(r"^ *```", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) == 2 * len(found)


def test_rows_are_read_by_what_reads_their_file(tmp_path: Path) -> None:
    """Of faults and of requirements."""
    for name, read in (("how-to/test-with-the-kit.md", load_rows), ("reference/security.md", load_requirements)):
        (block,) = blocks(ROOT / "docs" / name, "toml")
        file = tmp_path / "rows.toml"
        file.write_text(block.text)
        assert len(read(file)) == 1


def bad_links(text: str) -> list[str]:
    """Links to other places that no browser would follow; whether something is there is not looked at."""
    prose = re.sub(r"^( *)```.*?^\1```|`[^`\n]*`", "", text, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"\]\(([a-z]+:[^)\n]*)\)|<(https?:[^>\n]*)>", prose)
    wrong = []
    for target in (one or other for one, other in found):
        parts = urlsplit(target)
        mail = parts.scheme == "mailto" and re.fullmatch(r"[^@\s]+@[\w.-]+\.\w+", parts.path)
        site = parts.scheme in ("http", "https") and re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.hostname or "")
        if not (mail or site) or re.search(r"[\s<>\"`{}|\\^]", target) or "//" in parts.path:
            wrong.append(target)
    return wrong


def test_links_to_other_places_are_well_formed() -> None:
    """On every page."""
    found = {name: bad_links(page.read_text(encoding="utf-8")) for name, page in PAGES.items()}
    assert {name: links for name, links in found.items() if links} == {}


@pytest.mark.parametrize(
    ("language", "wrong", "right"),
    [
        ("toml", "a = ", "a = 1"),
        ("toml", "[jobs]\nthreds = 8", "[jobs]\nurl = 'memory://'"),
        ("toml", '[observability.rules."x"]\nof = "odd()"\nabove = 1', '[observability.rules]\n"jobs fail" = false'),
        ("toml", '[observability.rules]\n"absent" = false', '[observability.rules."jobs fail"]\nabove = 1'),
        ("toml", '[observability.probes]\nx = "odd://x"', '[observability.probes]\nx = "internal:"'),
        ("toml", '[project.entry-points."postrmagic_core.odd"]', '[project.entry-points."postrmagic_core.stores"]'),
        ("json", "{'a': 1}", '{"a": 1}'),
        ("yaml", "a: [", "a: {b: c}"),
        ("yaml", "a: 1\na: 2", "a: 1\nb: 2"),
        ("sql", "SELECT FROM (", "SELECT a FROM b WHERE c = :d"),
        ("sql", "SELEKT a", "PRAGMA foreign_keys = ON"),
        ("mysql", "CREATE TABEL (", "CREATE DATABASE shop CHARACTER SET utf8mb4"),
        ("html", "<p><b>x</p></b>", "<form><input><p>{{ x }}</p>"),
        ("html", "{% if %}", "{% if x %}{% endif %}"),
        ("ini", "[Servise]\nA=b", "[Service]\nA=b\nA=c %n"),
        ("ini", "A=b", "[Unit]"),
        ("dockerfile", "RUM x", "# so\nRUN x \\\n  y"),
        ("dockerfile", "CMD ['x']", 'CMD ["x"]'),
        ("nginx", "a b", "a b;\nc {\n}"),
        ("js", "f({)}", 'f({a: "("}); // ('),
        ("js", "f(", "f()"),
        ("diff", "a", " a\n-b\n+c"),
        ("sql", "CREATE VIRTUAL TABLE a USING fts5(b, odd = 'c')", "CREATE VIRTUAL TABLE a USING fts5(b)"),
        ("pyhton", "x", ""),
    ],
)
def test_a_wrong_block_is_found(language: str, wrong: str, right: str) -> None:
    """And a right one is left alone."""
    assert complaint(Block(language, 1, f"{wrong}\n"), "page.md") is not None
    assert complaint(Block(language if right else "text", 1, f"{right}\n"), "page.md") is None


def test_settings_that_are_wrong_on_purpose_are_refused() -> None:
    """Those that are taken are none."""
    (page, *_) = WRONG_ON_PURPOSE
    assert complaint(Block("toml", 1, "[jobs]\nurl = 'memory://'\n"), page) is not None
    assert complaint(Block("toml", 1, "[jobs]\nthreds = 8\n"), page) is None


def test_a_wrong_link_is_found() -> None:
    """Without a host, with a space, with a scheme that no browser has; in code it is none."""
    right = "[a](https://example.org/a?b=c#d) <https://example.org> [b](mailto:a@example.org) `[c](https:/x)` [d](e.md)"
    assert bad_links(right) == []
    wrong = [
        "https:/example.org",
        "https://example",
        "htps://example.org",
        "https://a.org/b c",
        "mailto:a",
        "http://a.org//b",
    ]
    assert bad_links(" ".join(f"[x]({target})" for target in wrong)) == wrong
