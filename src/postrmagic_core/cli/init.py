"""``postrmagic init``: a new project that runs at once."""

from __future__ import annotations

import keyword
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigurationError
from .application import AsJson
from .init_told import show, steps
from .words import plain, print_json

# What is at once a package, a project of an index, an image and a project of Compose.
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_LONGEST = 32
_WORD = re.compile(r"@(name|title|version|next)@")
# No tool takes a template for code, and none looks for rules in one that is called `.gitignore`.
_SUFFIX, _HIDDEN, _PACKAGE = ".in", "dot-", "NAME"


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the project and of its package, such as posters.")],
    directory: Annotated[
        Path | None, typer.Option("--directory", "-d", metavar="DIR", help="The project's folder; default: NAME.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a new project that runs at once: a page, an API, a worker, tests, and what it takes to deploy them.

    Its folder is new, or an empty one. It appears whole or, with exit status 1, not at all.
    """
    target = directory or Path(name)
    try:
        _check(name)
        project = dict(_project(name))
        target = target.absolute()
        _check_place(target)
        _write(project, target)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigurationError(f"{plain(target)} cannot be made: {reason}. Nothing was written") from error
    if as_json:
        print_json({"name": name, "directory": str(target), "files": [*project], "next": steps(name, target)})
    else:
        show(name, target, len(project))


def _check(name: str) -> None:
    """Raise :class:`ConfigurationError` for what is no good name of a package."""
    shown = ascii(name[:60])
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ConfigurationError(
            f"{shown} is no name for a package: expected a letter, then letters, digits and single underscores, all "
            f"lower case and {_LONGEST} at most, such as posters or my_posters"
        )
    if taken := _taken(name):
        raise ConfigurationError(f"{shown} is {taken}: expected another name, such as our_{name}")


def _taken(name: str) -> str:
    if keyword.iskeyword(name):
        return "a word of Python"
    if name in sys.stdlib_module_names:
        return "a module of Python's standard library, which the package would hide"
    if name in {entry.name for entry in _templates().iterdir()}:
        return "the name of a folder in each new project"
    return "a module that is installed here, which the package would hide" if _is_installed(name) else ""


def _is_installed(name: str) -> bool:
    """Whether an import finds ``name`` elsewhere than in this folder, where it may be the project that is asked for."""
    spec = find_spec(name)
    if spec is None:
        return False
    places = spec.submodule_search_locations or [spec.origin or ""]
    return any(Path(place).resolve().parent != Path.cwd() for place in places)


def _check_place(target: Path) -> None:
    """Raise :class:`ConfigurationError` unless nothing is there, or an empty folder that can be replaced."""
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ConfigurationError(f"{plain(target)} is there and is no folder: expected a new or an empty one")
    if not target.exists():
        return
    if first := min(target.iterdir(), default=None):
        raise ConfigurationError(f"{plain(target)} holds {plain(first.name)}: expected a new or an empty folder")
    if target.samefile(Path.cwd()):
        raise ConfigurationError(f"{plain(target)} is where you are: go one folder up, and name it from there")


def _templates() -> Traversable:
    return files("postrmagic_core.cli") / "templates"


def _project(name: str) -> Iterator[tuple[str, str]]:
    """The files of a project: each one's path in it, and what it says."""
    release = version("postrmagic-core")
    words = {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "version": release,
        "next": str(int(release.partition(".")[0]) + 1),
    }
    for path, template in _found(_templates()):
        parts = [name if part == _PACKAGE else _named(part) for part in path]
        text = _WORD.sub(lambda found: words[found[1]], template.read_text(encoding="utf-8"))
        yield "/".join(parts).removesuffix(_SUFFIX), text


def _named(part: str) -> str:
    return f".{part.removeprefix(_HIDDEN)}" if part.startswith(_HIDDEN) else part


def _found(folder: Traversable, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = (*above, entry.name)
        if entry.is_dir():
            yield from _found(entry, path)
        elif entry.name.endswith(_SUFFIX):
            yield path, entry


def _write(project: Mapping[str, str], target: Path) -> None:
    """Write the files beside ``target``, then put them there in one step; who is killed leaves a hidden folder."""
    workshop = Path(tempfile.mkdtemp(prefix=".postrmagic-", dir=target.parent))
    try:
        draft = workshop / "project"  # made as any folder is: who may enter it the user has decided
        for place, text in project.items():
            path = draft / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            if text.startswith("#!"):
                mode = path.stat().st_mode
                path.chmod(mode | (mode & 0o444) >> 2)
        draft.rename(target)  # onto nothing or an empty folder: what came there meanwhile is an error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
