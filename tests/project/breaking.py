"""What was released and is not there any more, or not as it was: each needs a line under ``Breaking`` in the changelog.

``docs/reference/public-api-released.txt`` is the public API of the last release. A name that is gone, a parameter that
is gone, renamed, moved, required now or takes less, a result that may be more, a setting, command, option or scheme
that is gone: whoever used it has to change something, and is told what. An addition breaks nobody, except what others
implement: a ``Protocol``.

``python -m tests.project.breaking`` tells what is broken and not said; with ``--release`` it writes down what is
released.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest

from tests.project.api_lines import Call, Parameter, call_of, names, split
from tests.project.public_api import FILE, ROOT

RELEASED = FILE.with_name("public-api-released.txt")
CHANGELOG = ROOT / "CHANGELOG.md"
_RECIPE = re.compile(r"\bInstead:\s+\S")


@dataclass(frozen=True, slots=True)
class Break:
    """One thing that whoever used it has to change: where it stood, what it is called, and what became of it."""

    section: str
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} ({self.section}): {self.why}"


def breaks(released: str, now: str) -> list[Break]:
    """Everything of ``released`` that ``now`` does not offer as it was; both as ``public-api.txt`` has it."""
    before, after = names(released), names(now)
    found = [Break(*key, why) for key, lines in before.items() for why in _changes(key, lines, after)]
    for (section, name), lines in after.items():
        owner = (section, name.rpartition(".")[0])
        if (section, name) not in before and _is_protocol(before.get(owner, ())):
            found.append(Break(section, name, f"whoever implements {owner[1]} lacks it: {lines[0]}"))
    return found


def unsaid(found: Iterable[Break], changelog: str) -> list[Break]:
    """Those that no entry under Unreleased's ``Breaking`` names in code and tells what to do instead of."""
    said = [
        code.partition("(")[0].strip()
        for entry in entries(changelog)
        if _RECIPE.search(entry)
        for code in re.findall(r"`([^`]+)`", entry.partition("Instead:")[0])
    ]
    return [one for one in found if not any(_covers(name, one) for name in said)]


def entries(changelog: str) -> list[str]:
    """The points under ``### Breaking`` of ``## Unreleased``, each on one line."""
    unreleased = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    part = re.search(r"^### Breaking\n(.*?)(?=^### |\Z)", unreleased[1] if unreleased else "", re.MULTILINE | re.DOTALL)
    points = re.split(r"^- ", part[1], flags=re.MULTILINE)[1:] if part else []
    return [" ".join(point.split()) for point in points]


def _covers(name: str, one: Break) -> bool:
    """Whether what was broken is what is named, or within it: an option of a command, a method of a class."""
    for full in (one.name, f"{one.section}.{one.name}"):
        if full == name or full.startswith((f"{name}.", f"{name} ")):
            return True
    return one.section == name


def _changes(key: tuple[str, str], lines: list[str], after: dict[tuple[str, str], list[str]]) -> Iterator[str]:
    section, name = key
    current = after.get(key) or _inherited(key, after)
    if current is None:
        yield "it is gone"
    elif section == "settings":
        yield from _setting(lines[0], current[0])
    elif section == "commands":
        yield from _command(lines[0], current[0])
    elif section == "url schemes":
        yield from _schemes(lines[0], current[0])
    elif _is_protocol(after.get((section, name.rpartition(".")[0]), ())):
        yield from (f"whoever implements it has {line}" for line in lines if line not in current)
    else:
        yield from (why for line in lines if (why := _line(line, current)))


def _is_protocol(lines: Iterable[str]) -> bool:
    return any(line.startswith("class ") and "Protocol" in line for line in lines)


def _inherited(key: tuple[str, str], after: dict[tuple[str, str], list[str]]) -> list[str] | None:
    """The lines of a member that a public base has now, as if they were of its heir."""
    section, (owner, _, member) = key[0], key[1].rpartition(".")
    bases = [base for line in after.get((section, owner), ()) for base in _bases(line)]
    for (where, what), lines in after.items():
        base, _, named = what.rpartition(".")
        if named == member and base in bases:
            return [line.replace(f"{base}.", f"{owner}.", 1) for line in lines]
        if what in bases and member and (found := _inherited((where, f"{what}.{member}"), after)):
            return found
    return None


def _bases(line: str) -> list[str]:
    return split(line.partition("(")[2][:-1], ",") if line.startswith("class ") else []


def _line(line: str, current: list[str]) -> str:
    """Why no line that there is now does what this one did; nothing where one does."""
    same_kind = [one for one in current if one.startswith("class ") == line.startswith("class ")]
    if line in current:
        return ""
    whys = [_differs(line, one) for one in same_kind]
    return "" if "" in whys else min(whys, key=len, default=f"it is not this any more: {line}")


def _differs(line: str, now: str) -> str:
    if line.startswith("class "):
        lost = [base for base in _bases(line) if base not in _bases(now)]
        return f"it is no {lost[0]} any more" if lost else ""
    old, new = call_of(line), call_of(now)
    if old and new:
        return _call(old, new)
    value, other = _value(line), _value(now)
    return "" if old is new is None and _within(other, value) else f"it was {line!r}, it is {now!r}"


def _value(line: str) -> str:
    return re.sub(r"^[\w.]+(?::| =) ", "", line)


def _call(old: Call, new: Call) -> str:
    """The first reason why a call that was right is not any more."""
    if old.waits != new.waits:
        return "it is awaited now" if new.waits else "it is not awaited any more"
    if not _within(new.returns, old.returns):
        return f"it returns {new.returns}, it returned {old.returns}"
    taken = {parameter.name: parameter for parameter in new.parameters}
    for parameter in old.parameters:
        if why := _parameter(parameter, taken.get(parameter.name)):
            return f"{parameter.name}: {why}"
    known = {parameter.name for parameter in old.parameters}
    for parameter in new.parameters:
        if parameter.name not in known and parameter.default is None and "*" not in parameter.kind:
            return f"{parameter.name}: it is required"
    placed = ("positional", "either")
    orders = [[one.name for one in call.parameters if one.kind in placed] for call in (old, new)]
    for was, now in zip_longest(*orders):
        if was is not None and was != now:
            return f"{was}: it has another place"
    return ""


def _parameter(old: Parameter, new: Parameter | None) -> str:
    if new is None:
        return "it is gone"
    if new.kind != old.kind and (old.kind, new.kind) not in {("keyword", "either"), ("positional", "either")}:
        return f"it was given as {old.kind}, it is as {new.kind}"
    if not _within(old.annotation, new.annotation):
        return f"it takes {new.annotation}, it took {old.annotation}"
    if old.default is not None and new.default is None:
        return "it is required"
    if _type(old.default) != _type(new.default) and old.default is not None:
        return f"its default is {new.default}, it was {old.default}"
    return ""


def _within(less: str, more: str) -> bool:
    """Whether all that one annotation allows is allowed by the other: one of its choices, or any."""
    return less == more or more in {"?", "", "Any", "object"} or set(split(less, " | ")) <= set(split(more, " | "))


def _type(default: str | None) -> str:
    """Of what type a default is, as far as its text shows."""
    text = default or ""
    for pattern, name in (
        (r"None", "None"),
        (r"True|False", "bool"),
        (r"-?[\d_]+", "int"),
        (r"-?[\d_.]+(e[+-]?\d+)?|inf", "float"),
        (r"b?['\"].*", "text"),
        (r"\(.*\)", "tuple"),
    ):
        if re.fullmatch(pattern, text, re.DOTALL):
            return name
    return text


def _setting(old: str, new: str) -> Iterator[str]:
    (was, had), (now, has) = (_default(line) for line in (old, new))
    if lost := [choice for choice in had if has and choice not in has]:
        yield f"it cannot be {', '.join(lost)} any more"
    if not had and has:
        yield f"it can only be {', '.join(has)}"
    if now == "required" != was:
        yield "it is required"
    elif _type(was) != _type(now) and was != "required":
        yield f"its default is {now}, it was {was}"


def _default(line: str) -> tuple[str, list[str]]:
    default, _, choices = line.partition(" = ")[2].partition(" of ")
    return default, choices.split(", ") if choices else []


def _command(old: str, new: str) -> Iterator[str]:
    (options, arguments), (now, takes) = (_words(line) for line in (old, new))
    yield from (f"{option} is gone" for option in options if option not in now)
    if arguments != takes:
        yield f"it takes {' '.join(takes) or 'no argument'}, it took {' '.join(arguments) or 'none'}"


def _words(line: str) -> tuple[list[str], list[str]]:
    words = line.split(" ")
    options = [name for word in words if word.startswith("[") for name in word.strip("[]").split("|")]
    return options, [word for word in words if word.isupper()]


def _schemes(old: str, new: str) -> Iterator[str]:
    def parts(line: str) -> tuple[list[str], str]:
        schemes, _, group = line.partition(":")[2].partition("(")
        return [name.strip() for name in schemes.split(",")], group

    yield from (f"{scheme}: is gone" for scheme in parts(old)[0] if scheme not in parts(new)[0])
    if parts(old)[1] != parts(new)[1]:
        yield f"adapters are found under ({parts(new)[1]}, they were under ({parts(old)[1]}"


if __name__ == "__main__":
    if "--release" in sys.argv[1:]:
        RELEASED.write_text(FILE.read_text(encoding="utf-8"), encoding="utf-8")
    elif RELEASED.exists():
        now, told = FILE.read_text(encoding="utf-8"), CHANGELOG.read_text(encoding="utf-8")
        left = unsaid(breaks(RELEASED.read_text(encoding="utf-8"), now), told)
        sys.stdout.writelines(f"{one}\n" for one in left)
        sys.exit(bool(left))
