"""The commands that concern the whole package, and the assembly of those that have a file of their own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ..errors import PostrMagicError
from .application import AsJson
from .completion import completing, name_only
from .words import print_json

app = typer.Typer(
    name="postrmagic",
    help="Operate an application built on postrmagic-core.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


# Each group, or command, and the module in which it stands; a group before what is added to it.
_PARTS = {
    "db": "schema:database",
    "db analyze": "analyze:analyze",
    "db pool": "pool:pool",
    "db transfer": "transfer:transfer",
    "db backup": "backups:backup",
    "db backups": "backups:backups",
    "db restore": "backups:restore",
    "db verify-backup": "backups:verify_backup",
    "db drill": "backups:drill",
    "db prune": "backups:prune",
    "config": "configuration:config",
    "flags": "flags:flags",
    "outbox": "outbox:outbox",
    "cache": "cache:cache",
    "jobs": "jobs:jobs",
    "events": "events:events",
    "schedules": "schedules:schedules",
    "roles": "roles:roles",
    "oauth": "oauth:oauth",
    "api": "api:api",
    "contract": "contract:contract",
    "init": "init:init",
    "dev": "dev:dev",
    "serve": "serve:serve",
    "middleware": "middleware:middleware",
    "worker": "worker:worker",
    "log": "log:log",
    "logs": "logs:logs",
    "metrics": "metrics:metrics",
    "errors": "errors:errors",
    "release": "release:release",
    "deploy": "deploy:deploy",
    "uptime": "uptime:uptime",
    "alerts": "alerts:alerts",
    "experience": "experience:experience",
    "doctor": "doctor:doctor",
}


# What the command answers by itself.
_ALONE = {"--version", "--json", "--install-completion", "--show-completion"}


def assembled(words: Sequence[str] = ()) -> typer.Typer:
    """The command with every group in its place, or with those alone that ``words`` need; call it once.

    A group loads the rooms that it operates: whoever asks for one does not pay for all.
    """
    return _joined(_needed(words))


def completed(words: Sequence[str]) -> typer.Typer:
    """The command as far as it completes the word after ``words``: what they name, and the names of what is in it."""
    named = _named(words)
    above = [path for path in _PARTS if f"{named} ".startswith(f"{path} ")]
    return _joined(above, names=[path for path in _PARTS if path.rpartition(" ")[0] == named])


def _joined(paths: Sequence[str], names: Sequence[str] = ()) -> typer.Typer:
    inside = {"": app}
    for path in paths:
        above, _, name = path.rpartition(" ")
        module, _, attribute = _PARTS[path].partition(":")
        part = getattr(import_module(f".{module}", __package__), attribute)
        if isinstance(part, typer.Typer):
            inside[above].add_typer(part, name=name)
            inside[path] = part
        else:
            inside[above].command()(part)
    for path in names:
        above, _, name = path.rpartition(" ")
        inside[above].command(name, help="")(name_only)
    return app


def _needed(words: Sequence[str]) -> list[str]:
    """What is named by the first words, what it stands in and what stands in it; everything where they name nothing."""
    if words and words[0] in _ALONE:
        return []
    named = f"{_named(words)} ".lstrip()
    return [path for path in _PARTS if named.startswith(f"{path} ") or f"{path} ".startswith(named)]


def _named(words: Sequence[str]) -> str:
    """The longest path that the first words are; nothing where they name none."""
    asked = " ".join([*words, ""])
    return max((path for path in _PARTS if asked.startswith(f"{path} ")), key=len, default="")


def run() -> None:
    """Run the command line; our own errors become one sentence and exit status 1."""
    words = completing(os.environ)
    command = assembled(sys.argv[1:]) if words is None else completed(words)
    try:
        command()
    except PostrMagicError as error:
        Console(stderr=True).print(
            f"[red]{error.code}[/red] {escape(str(error))}", highlight=False, markup=True, soft_wrap=True
        )
        sys.exit(1)


@app.callback(invoke_without_command=True)
def about(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="What is installed here, and leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --version: JSON instead of words.")] = False,
) -> None:
    """Operate an application built on postrmagic-core."""
    if as_json and not version:
        raise typer.BadParameter("--json here goes with --version; a command has its own, after its name")
    if version:
        _tell_versions(as_json)
        raise typer.Exit


def _tell_versions(as_json: bool) -> None:
    from .version import versions

    found = versions()
    if as_json:
        print_json(found)
        return
    typer.echo("postrmagic-core {postrmagic-core}".format_map(found))
    typer.echo("{implementation} {python}, SQLite {sqlite}, {platform}".format_map(found))
    extras = [name.removeprefix("extra.") for name in found if name.startswith("extra.")]
    typer.echo(f"extras: {', '.join(extras) or 'none'}")


@app.command()
def plugins(as_json: AsJson = False) -> None:
    """List every adapter: built in or installed, usable or not, and why not."""
    from ..registry import Registry

    found = Registry().plugins()
    if as_json:
        print_json(found)
        return
    table = Table("kind", "scheme", "origin", "state", "adapter or reason")
    for plugin in found:
        cells = (plugin.kind, plugin.scheme, plugin.origin, plugin.state, plugin.reason or plugin.target)
        table.add_row(*map(Text, cells))  # an extra's brackets are no markup
    Console().print(table)


@app.command()
def settings(as_json: AsJson = False) -> None:
    """Show every setting with its present value (secrets masked), or list what is wrong with them."""
    from .._secret_files import read_secret_files
    from ..configuration.masking import Masker
    from ..settings import Settings, settings_rooms

    names = ("variable", "value", "meaning")
    mask = Masker(None).field  # options and rules are of any form: what is called like a secret in them is one, too
    given = read_secret_files(settings_rooms(Settings)).files
    found = [
        (
            f"POSTRMAGIC_{room.upper()}__{name.upper()}",
            json.loads(json.dumps(mask(f"{room}.{name}", value, hidden=f"{room}.{name}" in given), default=str)),
            type(values).model_fields[name].description or "",
        )
        for room, values in Settings()
        for name, value in values
    ]
    if as_json:
        print_json([dict(zip(names, one, strict=True)) for one in found])
        return
    table = Table(*names)
    for one in found:
        table.add_row(*map(Text, map(str, one)))
    Console().print(table)
