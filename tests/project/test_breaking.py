"""What was released stays as it was, or the changelog says under ``Breaking`` what to do instead."""

from __future__ import annotations

import re

import pytest

from tests.project import breaking, public_api
from tests.project.api_lines import call_of, names, split

API = """\
# A head.

[thing.shelf]
class Shelf(Lifecycle)
Shelf(width: int, *, doors: bool = False)
async Shelf.get(name: str, default: str | None = None) -> str | None
Shelf.put(name: str, *args: Any, at: int = 0, **more: str) -> None
Shelf.full: bool | None
TYPES: 'a, (b'
NAME = 'shelf'
class Full(ThingError)
Full: code 'shelf.full', retryable

[thing.keeper]
class Keeper(Protocol)
Keeper.keep(name: str) -> None
class Base()
Base.dust() -> int
class Case(Base)
Case.lock(key: bytes = b'', /) -> bool
Case.width: int

[thing]
Shelf = thing.shelf.Shelf

[settings]
THING_SHELF__WIDTH = 3
THING_SHELF__KIND = 'oak' of oak, pine
THING_SHELF__DOORS = required

[commands]
thing shelf put NAME [--at|-a] [--json]

[url schemes]
shelf: oak, pine (entry points: thing.shelves)

[pytest]
fixture shelf
"""


def told(old: str, new: str) -> list[tuple[str, str]]:
    """What is broken where one text became the other: name and why."""
    assert old in API
    return [(one.name, one.why) for one in breaking.breaks(API, API.replace(old, new))]


def test_the_public_api_is_what_was_released_or_the_changelog_says_what_to_do() -> None:
    """As soon as there is a release, its API lies beside the present one."""
    changelog = breaking.CHANGELOG.read_text(encoding="utf-8")
    released = re.search(r"^## \[?\d\S* - \d{4}-\d\d-\d\d$", changelog, re.MULTILINE)
    if released is None:
        assert not breaking.RELEASED.exists(), "nothing was released"
        return
    was, now = (path.read_text(encoding="utf-8") for path in (breaking.RELEASED, public_api.FILE))
    assert [str(one) for one in breaking.unsaid(breaking.breaks(was, now), changelog)] == []


def test_the_present_api_is_read_to_its_last_line() -> None:
    """Nothing is broken by itself; each call is understood; what is taken away anywhere is missed."""
    text = public_api.FILE.read_text(encoding="utf-8")
    assert breaking.breaks(text, text) == []
    lines = [line for line in text.splitlines() if line and line[0] not in "#["]
    calls = [line for line in lines if call_of(line)]
    assert len(calls) > len(lines) / 4
    gone = breaking.breaks(text, "\n".join(line for line in text.splitlines() if line not in calls[::40]))
    assert {one.name.rpartition(".")[2] for one in gone} >= {
        re.split(r"[.( ]", line.partition("(")[0])[-1]
        for line in calls[::40]
        if "__" not in line and text.count(line) == 1
    }


# What breaks those who use it: the text that was, the text that is, what is named and a part of what is said of it.
BROKEN = [
    ("Shelf.full: bool | None\n", "", "Shelf.full", "gone"),
    ("async Shelf.get", "Shelf.get", "Shelf.get", "not awaited any more"),
    (", default: str | None = None", "", "Shelf.get", "default: it is gone"),
    ("default: str", "otherwise: str", "Shelf.get", "default: it is gone"),
    ("default: str | None = None", "default: str | None", "Shelf.get", "default: it is required"),
    ("default: str | None = None", "default: str = 'x'", "Shelf.get", "default: it takes str, it took str | None"),
    ("default: str | None = None", "default: str | None = ''", "Shelf.get", "its default is '', it was None"),
    ("name: str, default: str | None = None", "name: str, *, default: str | None = None", "Shelf.get", "as keyword"),
    ("(width: int,", "(height: int = 1, width: int = 1,", "Shelf", "width: it has another place"),
    ("(width: int,", "(width: int, height: int,", "Shelf", "height: it is required"),
    (") -> str | None", ") -> str | bytes | None", "Shelf.get", "it returns str | bytes | None"),
    ("*args: Any, at", "*, at", "Shelf.put", "args: it is gone"),
    (", **more: str", "", "Shelf.put", "more: it is gone"),
    ("at: int = 0", "at: int = '0'", "Shelf.put", "its default is '0', it was 0"),
    ("full: bool | None", "full: bool | None | str", "Shelf.full", "it was"),
    ("TYPES: 'a, (b'", "TYPES: 'a'", "TYPES", "it was"),
    ("NAME = 'shelf'", "NAME(shelf: str) -> str", "NAME", "it was"),
    ("class Full(ThingError)", "class Full(Exception)", "Full", "it is no ThingError any more"),
    ("code 'shelf.full', retryable", "code 'shelf.full'", "Full", "retryable"),
    ("Keeper.keep(name: str)", "Keeper.keep(name: str, at: int = 0)", "Keeper.keep", "whoever implements it"),
    ("Keeper.keep", "Keeper.close() -> None\nKeeper.keep", "Keeper.close", "whoever implements Keeper lacks it"),
    ("Base.dust() -> int\n", "", "Base.dust", "gone"),
    ("key: bytes = b'', /", "key: bytes = b'', at: int, /", "Case.lock", "at: it is required"),
    ("SHELF__WIDTH = 3\n", "SHELF__WIDE = 3\n", "THING_SHELF__WIDTH", "gone"),
    ("SHELF__WIDTH = 3", "SHELF__WIDTH = None", "THING_SHELF__WIDTH", "its default is None, it was 3"),
    ("SHELF__WIDTH = 3", "SHELF__WIDTH = required", "THING_SHELF__WIDTH", "required"),
    ("of oak, pine", "of oak", "THING_SHELF__KIND", "it cannot be pine"),
    ("shelf put NAME [--at|-a]", "shelf put NAME [--at]", "thing shelf put", "-a is gone"),
    ("shelf put NAME", "shelf put NAME PLACE", "thing shelf put", "it takes NAME PLACE"),
    ("thing shelf put NAME [--at|-a] [--json]\n", "", "thing shelf put", "gone"),
    ("oak, pine (", "oak (", "shelf", "pine: is gone"),
    ("thing.shelves", "thing.things", "shelf", "thing.things"),
    ("fixture shelf\n", "", "fixture shelf", "gone"),
]


@pytest.mark.parametrize(("old", "new", "name", "why"), BROKEN)
def test_what_breaks_a_user_is_found(old: str, new: str, name: str, why: str) -> None:
    """Once where it was told, and once more by each other name that it has."""
    found = told(old, new)
    assert name in {one for one, _ in found}
    assert all(why in said for _, said in found), found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("doors: bool = False)", "doors: bool = True, depth: int = 1)"),
        ("default: str | None = None", "default: str | bytes | None = None"),
        ("-> str | None", "-> str"),
        ("at: int = 0", "at: int = 1"),
        ("*, doors", "doors"),
        ("key: bytes = b'', /", "key: bytes = b''"),
        ("class Full(ThingError)", "class Full(ThingError, OSError)"),
        ("class Base()", "Base.new() -> None\nclass Base()"),
        ("Case.width: int\n", "Case.width: int\nclass Other()\nOther(a: int)\n"),
        ("class Base()\n", "class Base()\nBase.lock(key: bytes = b'', /) -> bool\n"),
        ("SHELF__WIDTH = 3", "SHELF__WIDTH = 4"),
        ("SHELF__DOORS = required", "SHELF__DOORS = 2"),
        ("of oak, pine", "of oak, elm, pine"),
        ("[--json]", "[--json] [--more]"),
        ("oak, pine (", "elm, oak, pine ("),
        ("fixture shelf\n", "fixture shelf\nfixture other\n"),
    ],
)
def test_what_breaks_nobody_is_none(old: str, new: str) -> None:
    """More that may be given, less that comes back, another value of the same type, something new."""
    assert told(old, new) == []


def test_what_moved_and_what_is_inherited_now_is_still_there() -> None:
    """A class told of another module, by the name that it had; a method that its base has instead."""
    block = API[API.index("class Shelf") : API.index("TYPES")]
    moved = API.replace(block, "Shelf = thing.wood.Shelf\n").replace("[thing]", f"[thing.wood]\n{block}\n[thing]")
    moved = moved.replace("Shelf = thing.shelf.Shelf", "Shelf = thing.wood.Shelf")
    assert breaking.breaks(API, moved) == []
    assert [one.name for one in breaking.breaks(moved, API) if one.section != "thing.wood"] == []
    inherited = API.replace("Case.lock(key: bytes = b'', /) -> bool\n", "")
    inherited = inherited.replace("Base.dust()", "Base.lock(key: bytes = b'', /) -> bool\nBase.dust()")
    assert breaking.breaks(API, inherited) == []


CHANGELOG = """# Changelog

## Unreleased

### Breaking

{entries}
### Added

- `Shelf.full`. Instead: nothing.

## 1.0.0 - 2026-01-01

### Breaking

- `Shelf.full`. Instead: nothing.
"""
GONE = [breaking.Break("thing.shelf", "Shelf.full", "it is gone")]
OPTION = [breaking.Break("commands", "thing shelf put", "-a is gone")]


@pytest.mark.parametrize(
    ("found", "entries"),
    [
        (GONE, "- `Shelf.full` is gone. Instead: `len(shelf) == shelf.width`.\n"),
        (GONE, "- A shelf does not\n  say `thing.shelf.Shelf.full` any more.\n  Instead: count.\n"),
        (GONE, "- `Shelf` is gone, with all that it had. Instead: a `Board`.\n"),
        (GONE, "- `thing.shelf` is gone. Instead: `thing.board`.\n"),
        (OPTION, "- `thing shelf put -a`, `thing shelf put`. Instead: `--at`.\n"),
        (OPTION, "- `thing shelf` is gone. Instead: a table.\n"),
    ],
)
def test_what_the_changelog_says_may_be_broken(found: list[breaking.Break], entries: str) -> None:
    """By its name, or by that of what it is in, with what to do instead."""
    assert breaking.unsaid(found, CHANGELOG.format(entries=entries)) == []


@pytest.mark.parametrize(
    "entries",
    [
        "",
        "- `Shelf.full` is gone.\n",
        "- `Shelf.full` is gone. Instead:\n",
        "- Shelf.full is gone. Instead: count.\n",
        "- `Shelf.fullest` is gone. Instead: count.\n",
        "- `Shel` is gone. Instead: count.\n",
        "- `Case` is gone. Instead: `Shelf.full`.\n",
        "- `Shelf.full` is gone.\n- `Case` is gone. Instead: count.\n",
    ],
)
def test_what_the_changelog_does_not_say_may_not_be_broken(entries: str) -> None:
    """Neither without a recipe, nor under another name, nor in the recipe of another, nor in an older version."""
    assert breaking.unsaid(GONE, CHANGELOG.format(entries=entries)) == GONE
    assert breaking.unsaid(GONE, CHANGELOG.format(entries=entries).replace("### Breaking", "### Changed", 1)) == GONE


def test_a_call_is_read_whatever_is_in_it() -> None:
    """Commas and brackets within brackets and quotes, defaults that look like anything, kinds of parameters."""
    call = call_of(
        "f(a: dict[str, int] = {'x)': 1}, /, b: Callable[[int], str] = <f>, *c: int, d: str = ', ') -> X[a, b]"
    )
    assert call is not None
    assert [(one.name, one.kind, one.default) for one in call.parameters] == [
        ("a", "positional", "{'x)': 1}"),
        ("b", "either", "<f>"),
        ("c", "*", None),
        ("d", "keyword", "', '"),
    ]
    assert (call.returns, call.parameters[1].annotation) == ("X[a, b]", "Callable[[int], str]")
    assert split(r"'a\', b', c", ",") == [r"'a\', b'", "c"]
    assert call_of("class X()") is None
    assert ("thing", "Shelf.full") in names(API)
    with pytest.raises(ValueError, match="not closed"):
        call_of("f(a: int")
