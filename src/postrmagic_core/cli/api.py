"""``postrmagic api``: the specification of an API as a file, what changed in it, its client, its reference."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from ..api.compare import NotASpecification, compare, judge, operations, read_reviewed
from ..errors import ConfigurationError
from . import api_told
from .application import AsJson, named_by
from .words import plain, print_json

api = typer.Typer(
    help="The API: its specification, what changed in it, its client, its reference.", no_args_is_help=True
)

Described = Annotated[
    str,
    typer.Option(
        metavar="MODULE:NAME", help="What has the specification: an object with openapi(), or a function that gives it."
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to standard output.")
]
Check = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write nothing; exit status 1 with the differences if FILE says otherwise."),
]
_OLD = typer.Argument(metavar="OLD", help="The specification that clients know, as JSON.")
_NEW = typer.Argument(metavar="NEW", help="The specification that is to take its place, as JSON.")


@api.command()
def describe(app: Described, output: Output = None, check: Check = None) -> None:
    """Write the OpenAPI 3.1 document of an application as JSON, or check that a file still says the same.

    Commit the file: a change of it shows what a change of the code means for clients.
    """
    text = json.dumps(_document(app), indent=2, ensure_ascii=False) + "\n"
    mend = f"postrmagic api describe --app {app} -o {check}"
    _write_or_check(text, output, check, "the application", mend)


@api.command("compare")
def compare_files(
    old: Annotated[Path, _OLD],
    new: Annotated[Path, _NEW],
    reviewed: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TOML with the breaking changes that were reviewed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two specifications, and what of it breaks clients.

    Exit status 1 if a breaking change is not reviewed, or a review is of no change that is there; 2 if a file is no
    specification. A review is an entry of FILE: [[reviewed]] with code, place, reason and date.
    """
    try:
        changes = compare(_json(old), _json(new))
        verdict = judge(changes, read_reviewed(_text(reviewed)) if reviewed is not None else [])
    except NotASpecification as error:
        _refuse(str(error))
    if as_json:
        print_json(api_told.comparison_as_json(changes, verdict))
    else:
        api_told.show(Console(), changes, verdict)
    if not verdict.passes:
        raise typer.Exit(1)


@api.command()
def client(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The specification, as JSON.")],
    output: Output = None,
    check: Check = None,
) -> None:
    """Write a typed Python client of an API, one module that needs only httpx; or check that a file still is it."""
    from ..api.client import client_source

    document = _specification(spec)
    mend = f"postrmagic api client {spec} -o {check}"
    _write_or_check(client_source(document), output, check, str(spec), mend)


@api.command()
def reference(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The specification, as JSON.")],
    output: Output = None,
    check: Check = None,
) -> None:
    """Write the reference of an API as Markdown, for its documentation; or check that a file still is it."""
    from ..api.reference_text import reference_markdown

    document = _specification(spec)
    mend = f"postrmagic api reference {spec} -o {check}"
    _write_or_check(reference_markdown(document), output, check, str(spec), mend)


@api.command()
def routes(app: Described, as_json: AsJson = False) -> None:
    """List the operations of an API: method, path, who may call them, and what they do."""
    document = _document(app)
    found = [api_told.Route.of(method, path, told, document) for method, path, told in operations(document)]
    if as_json:
        print_json([api_told.route_as_json(route) for route in found])
    elif found:
        Console().print(api_told.listed(found))
    else:
        Console().print("the API has no operations")


def _document(app: str) -> dict[str, Any]:
    """What the object that ``module:name`` names says of its API."""
    named = named_by(app)
    describes: Callable[[], object] | None = getattr(named, "openapi", None) or (named if callable(named) else None)
    if describes is None or isinstance(named, type):
        raise ConfigurationError(
            f"--app {app} is a {type(named).__name__}, expected an object with openapi(), or a function that gives it"
        )
    document = describes()
    if not isinstance(document, Mapping):
        raise ConfigurationError(f"--app {app} gives a {type(document).__name__}, expected an OpenAPI document")
    return dict(document)


def _write_or_check(text: str, output: Path | None, check: Path | None, source: str, mend: str) -> None:
    if check is not None:
        if output is not None:
            raise typer.BadParameter("--check writes nothing: give either --output or --check")
        there = _text(check) if check.exists() else ""
        if there != text:
            api_told.show_difference(Console(stderr=True), there, text, str(check), source)
            Console(stderr=True).print(plain(f"{check} is not what {source} says; mend it: {mend}"), soft_wrap=True)
            raise typer.Exit(1)
    elif output is None:
        typer.echo(text, nl=False)
    else:
        try:
            output.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            _refuse(f"{output} cannot be written: {error.strerror}")


def _specification(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = _json(path)
    try:
        list(operations(document))
    except NotASpecification as error:
        _refuse(str(error))
    return document


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        _refuse(f"{path} cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        _refuse(f"{path} is no text in UTF-8")


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except (ValueError, RecursionError):
        _refuse(f"{path} is no JSON document")


def _refuse(sentence: str) -> NoReturn:
    Console(stderr=True).print(plain(sentence), style="red", soft_wrap=True)
    raise typer.Exit(2)
