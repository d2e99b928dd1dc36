"""The public API as text, a line a name: what ``docs/reference/public-api.txt`` holds, and a review looks at.

Public is what the pages of ``docs/reference/modules`` list, the fields of Settings, the commands, the URL schemes and
the fixtures. ``python -m tests.project.public_api`` writes the file anew.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ForwardRef, Literal, ParamSpec, TypeVar

from _pytest.fixtures import FixtureFunctionDefinition

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference" / "modules"
FILE = ROOT / "docs" / "reference" / "public-api.txt"
PACKAGE = "postrmagic_core"

_HEAD = """\
# The public API: a change here is a change for users. `python -m tests.project.public_api` writes this file anew.
"""
# Ways of use that are spelled by punctuation.
_SPELLED = ("__call__", "__enter__", "__aenter__", "__iter__", "__aiter__", "__getitem__", "__contains__", "__len__")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_LONGEST_DEFAULT = 120
_UNPACKED = re.compile(r"Unpack\[(\w+)\]")
_DIRECTIVE = re.compile(r"^\.\. automodule:: (\S+)\n((?:   :.*\n)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Plain:
    """An annotation shown as it was written, without quotes."""

    text: str

    def __repr__(self) -> str:
        return self.text


def documented(pages: Iterable[Path]) -> dict[str, list[str]]:
    """The modules that the pages list, each with the names they show; none: those it declares or defines."""
    found: dict[str, list[str]] = {}
    for page in sorted(pages):
        for module, options in _DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            named = re.search(r":members:(.*)", options)
            found[module] = [name.strip() for name in named[1].split(",") if name.strip()] if named else []
    # A room before what is in it; last the package, whose names are those of its rooms.
    return dict(sorted(found.items(), key=lambda item: (item[0] == PACKAGE, item[0])))


def names_of(module: ModuleType) -> list[str]:
    """``__all__``, or else what the module itself defines."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


def modules(shown: Mapping[str, list[str]]) -> Iterator[str]:
    """A paragraph for each module; a name that an earlier one told is told to be the same."""
    told: dict[int, str] = {}
    loaded = [(import_module(name), names) for name, names in shown.items()]
    public = {id(getattr(module, name)) for module, names in loaded for name in names or names_of(module)}
    for module, names in loaded:
        yield f"\n[{module.__name__}]"
        for name in names or names_of(module):
            value = getattr(module, name)
            if isinstance(value, (TypeVar, ParamSpec)):
                continue
            if hasattr(value, "__qualname__") and id(value) in told:
                yield f"{name} = {told[id(value)]}"
                continue
            told[id(value)] = f"{module.__name__}.{name}"
            yield from members(name, value, public)


def members(name: str, value: object, public: Collection[int] = ()) -> Iterator[str]:
    """The lines of one name: a class with all that it has, but for what a public base is told to have as well."""
    if inspect.isroutine(value):
        yield from _calls(name, value, public)
    elif not isinstance(value, type):
        yield f"{name}: {_kind(value)}"
    elif issubclass(value, Enum):
        yield f"class {name}({value.__base__.__name__ if value.__base__ else ''})"
        yield from (f"{name}.{member.name} = {member.value!r}" for member in value)
    else:
        yield from _class(name, value, public)


def _class(name: str, value: type, public: Collection[int] = ()) -> Iterator[str]:
    bases = dict.fromkeys(base.__name__ for base in _bases(value, public))
    yield f"class {name}({', '.join(bases)})"
    contract = any(attribute.startswith("test_") for attribute in dir(value))
    if not (contract or _is_made_here(value) or getattr(value, "_is_protocol", False) or typing.is_typeddict(value)):
        yield from _calls(name, value, public)
    if code := getattr(value, "code", "") if issubclass(value, Exception) else "":
        yield f"{name}: code {code!r}" + (", retryable" if getattr(value, "retryable", False) else "")
    own: dict[str, tuple[type, Any]] = {}
    for base in reversed(value.__mro__):
        if base.__module__.partition(".")[0] == PACKAGE and (base is value or id(base) not in public):
            attributes = dict.fromkeys(inspect.get_annotations(base)) | dict(vars(base))
            own.update((field, (base, attribute)) for field, attribute in attributes.items())
    given = _given(value)
    for field, (base, attribute) in sorted(own.items()):
        if isinstance(attribute, FixtureFunctionDefinition) or (contract and _does(attribute)):
            continue  # of a contract is told what a subclass sets
        if field not in given and (not field.startswith("_") or field in _SPELLED):
            told = list(_attribute(f"{name}.{field}", base, field, attribute, public))
            if told != _inherited(name, value, field, public):
                yield from told


def _bases(value: type, public: Collection[int]) -> Iterator[type]:
    """Its bases that a reader can look up; of one that no page tells, those of that."""
    for base in value.__bases__:
        if id(base) in public or base.__module__.partition(".")[0] != PACKAGE:
            yield from () if base is object else (base,)
        else:
            yield from _bases(base, public)


def _inherited(name: str, value: type, field: str, public: Collection[int]) -> list[str]:
    """What is told of the field by the nearest public base that has it, as if it were of ``name``."""
    for base in value.__mro__[1:]:
        owner = next((each for each in base.__mro__ if field in vars(each)), None)
        if id(base) in public and owner is not None:
            return list(_attribute(f"{name}.{field}", owner, field, vars(owner)[field], public))
    return []


def _does(attribute: object) -> bool:
    """Whether it is a test, or a help of tests, and not a value."""
    bound = isinstance(attribute, (staticmethod, classmethod, property))
    return bound or (callable(attribute) and not isinstance(attribute, type))


def _is_made_here(value: type) -> bool:
    """Whether only the package makes one: its constructor takes a private field."""
    fields = getattr(value, "__dataclass_fields__", {}).values()
    return any(field.init and field.name.startswith("_") for field in fields)


def _given(value: type) -> set[str]:
    """The attributes that other lines tell, the constructor's and an error's, and pydantic's own."""
    error = {"code", "retryable"} if issubclass(value, Exception) else set[str]()
    pydantic = {"model_config", "settings_customise_sources"}
    fields = () if _is_made_here(value) else getattr(value, "__dataclass_fields__", ())
    return {*pydantic, *error, *fields, *getattr(value, "model_fields", ())}


def _attribute(name: str, base: type, field: str, value: Any, public: Collection[int] = ()) -> Iterator[str]:
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__get__(None, base)
    if isinstance(value, (property, cached_property)):
        getter = value.fget if isinstance(value, property) else value.func
        returns = inspect.signature(getter).return_annotation if getter else inspect.Signature.empty
        yield f"{name}: {_annotation(returns)}"
    elif inspect.isroutine(value):
        yield from _calls(name, value, public)
    elif isinstance(value, type):
        yield f"{name} = {value.__name__}"
    elif field in inspect.get_annotations(base):
        yield f"{name}: {_annotation(inspect.get_annotations(base)[field])}"
    else:
        yield f"{name}: {_kind(value)}"


def _calls(name: str, value: Any, public: Collection[int] = ()) -> Iterator[str]:
    """How it is called; each of its overloads where it has some."""
    written = inspect.getattr_static(value, "__init__") if isinstance(value, type) else value
    declared = typing.get_overloads(written) if inspect.isfunction(written) else []
    prefix = "async " if inspect.iscoroutinefunction(value) else ""
    for function in declared or [value]:
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            return
        known = getattr(inspect.unwrap(written), "__globals__", {})
        parameters = [
            parameter.replace(annotation=_taken(parameter, known, public), default=_default(parameter.default))
            for parameter in signature.parameters.values()
            if parameter.name not in {"self", "cls"}
        ]
        returns = inspect.Signature.empty if isinstance(value, type) else _plain(signature.return_annotation)
        shown = signature.replace(parameters=parameters, return_annotation=returns)
        yield f"{prefix}{name}{shown}"


def _taken(parameter: inspect.Parameter, known: Mapping[str, Any], public: Collection[int]) -> object:
    """What a parameter takes; the options that no page tells, one by one: ``**options: Options(retries: int)``."""
    unpacked = _UNPACKED.fullmatch(str(parameter.annotation))
    options = known.get(unpacked[1]) if unpacked else None
    if options is None or id(options) in public:
        return _plain(parameter.annotation)
    fields = ", ".join(f"{field}: {_annotation(kind)}" for field, kind in options.__annotations__.items())
    return _Plain(f"{options.__name__}({fields})")


def _default(value: object) -> object:
    """A default as text that is the same in every process."""
    if value is inspect.Signature.empty:
        return value
    if value is Ellipsis:
        return _Plain("...")
    name = getattr(value, "__name__", "") if inspect.isroutine(value) else ""
    if name == "<lambda>" or "frozenset({" in repr(value):
        name = f"<{type(value).__name__}>"
    shown = name or _ADDRESS.sub("", repr(value))
    return _Plain(shown if len(shown) <= _LONGEST_DEFAULT else f"<{type(value).__name__}>")


def _plain(annotation: object) -> object:
    return annotation if annotation is inspect.Signature.empty else _Plain(_annotation(annotation))


def _annotation(annotation: object) -> str:
    if annotation is inspect.Signature.empty:
        return "?"
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    return re.sub(r"~(?=\w)", "", text.replace(f"{PACKAGE}.", ""))


def _kind(value: object) -> str:
    """A constant's value where it is short and the same in every process; otherwise its type."""
    shown = repr(value)
    short = isinstance(value, (str, int, float, bytes, tuple, frozenset)) or typing.get_origin(value) is not None
    return shown if short and len(shown) < 90 and not isinstance(value, frozenset) else type(value).__name__


def settings() -> Iterator[str]:
    """Each variable of the environment with its type and default."""
    from postrmagic_core.settings import Settings

    yield "\n[settings]"
    for room, field in Settings.model_fields.items():
        model: Any = field.annotation
        for name, setting in model.model_fields.items():
            default = "required" if setting.is_required() else repr(setting.get_default(call_default_factory=True))
            variable = f"{PACKAGE.partition('_')[0].upper()}_{room.upper()}__{name.upper()}"
            choices = typing.get_args(setting.annotation) if typing.get_origin(setting.annotation) is Literal else ()
            yield f"{variable} = {default}" + (f" of {', '.join(choices)}" if choices else "")


def commands() -> Iterator[str]:
    """Each command with its arguments and options."""
    import typer.main

    from postrmagic_core.cli.app import assembled

    yield "\n[commands]"
    yield from _command("postrmagic", typer.main.get_command(assembled()))


def _command(path: str, command: Any) -> Iterator[str]:
    inside = getattr(command, "commands", None)
    if inside is not None:
        for name, part in sorted(inside.items()):
            yield from _command(f"{path} {name}", part)
        return
    words = [path]
    for parameter in command.params:
        if parameter.name != "help":
            spelled = "|".join([*parameter.opts, *parameter.secondary_opts])
            words.append(spelled.upper() if parameter.param_type_name == "argument" else f"[{spelled}]")
    yield " ".join(words)


def schemes() -> Iterator[str]:
    """Each URL scheme of each kind of adapter, and the group of entry points that adds to them."""
    from postrmagic_core.registry import KINDS, NAMED_KINDS

    yield "\n[url schemes]"
    yield from (f"{kind.name}: {', '.join(sorted(kind.builtin))} (entry points: {kind.group})" for kind in KINDS)
    yield from (f"{kind.name} (entry points: {kind.group})" for kind in NAMED_KINDS)


def fixtures() -> Iterator[str]:
    """Each fixture and option of the pytest plugin."""
    text = (ROOT / "src" / PACKAGE / "testing" / "pytest_plugin.py").read_text(encoding="utf-8")
    yield "\n[pytest]"
    yield from sorted(
        f"fixture {name}" for name in re.findall(r"^@pytest\.fixture.*\ndef ([a-z]\w+)", text, re.MULTILINE)
    )
    yield from sorted(f"option {name}" for name in re.findall(r"addoption\(\"(\S+?)\"", text))


def rendered() -> str:
    """The whole file."""
    parts = [modules(documented(PAGES.glob("*.md"))), settings(), commands(), schemes(), fixtures()]
    return _HEAD + "".join(f"{line}\n" for part in parts for line in part)


if __name__ == "__main__":
    FILE.write_text(rendered(), encoding="utf-8")
    sys.stdout.write(f"{FILE.relative_to(ROOT)}\n")
