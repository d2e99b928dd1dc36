"""``postrmagic alerts``: what fires, what did, which rules there are; silences, and trying a channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from ..errors import ConfigurationError
from ..observability.alerts import Alerts
from . import alerts_told
from .application import App, AsJson, ensure_schema, loaded
from .words import duration, operator, plain, print_json, refused

alerts = typer.Typer(help="Alerts: what fires, who was told, and what nobody is to be told of.", no_args_is_help=True)


@contextmanager
def opened_alerts(app: str) -> Iterator[Alerts]:
    """The application's alerts, with its database open and nothing else."""
    stack: Any = loaded(app)
    with stack.database:
        ensure_schema(stack.database)
        yield stack.observability.alerts


@alerts.command("list")
def show_all(
    app: App,
    state: Annotated[
        Literal["pending", "firing", "resolved"] | None, typer.Option(help="Only alerts in this state.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List alerts that fire or may soon, those first whose state changed last."""
    with opened_alerts(app) as opened:
        found = opened.current(state)
    if as_json:
        print_json(found)
    elif found:
        Console().print(alerts_told.listed(found, datetime.now(UTC)))
    else:
        Console().print("nothing fires" if state is None else f"no alert is {state}")


@alerts.command()
def history(
    app: App,
    limit: Annotated[int, typer.Option(min=1, help="How many at most, the newest first.")] = 50,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Go on after this one.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what became of alerts: when each fired, was acknowledged and was resolved."""
    with opened_alerts(app) as opened:
        try:
            found = opened.history(limit, after)
        except ValueError as error:
            raise refused(str(error)) from None
    if as_json:
        print_json(found)
    elif found:
        Console().print(alerts_told.changed(found))
    else:
        Console().print("nothing has fired yet")


@alerts.command()
def rules(app: App, as_json: AsJson = False) -> None:
    """List the rules: what they look at, when they are broken, who is told."""
    with opened_alerts(app) as opened:
        found = opened.rules
    if as_json:
        print_json([alerts_told.rule(one) for one in found])
    elif found:
        Console().print(alerts_told.ruled(found))
    else:
        Console().print("there are no rules")


@alerts.command()
def silence(
    app: App,
    span: Annotated[Any, typer.Option("--for", parser=duration, metavar="DURATION", help="For so long: 30m, 12h, 7d.")],
    rule: Annotated[str, typer.Option(help="Alerts of this rule.")] = "",
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Alerts with this label; may come again.")
    ] = None,
    comment: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Tell nobody of some alerts for a while; what still fires then is told."""
    pairs = [one.partition("=") for one in label or ()]
    if not all(name and equals for name, equals, _ in pairs):
        raise refused("expected --label as NAME=VALUE")
    labels = {name: value for name, _, value in pairs}
    until = datetime.now(UTC) + timedelta(seconds=span)
    with opened_alerts(app) as opened:
        try:
            made = opened.silence(rule, labels, until=until, by=operator(), comment=comment)
        except ValueError as error:
            raise refused(str(error)) from None
    if as_json:
        print_json(made)
    else:
        Console().print(plain(f"silence {made.id} holds until {until:%Y-%m-%d %H:%M:%S} UTC"), soft_wrap=True)


@alerts.command()
def unsilence(
    app: App,
    name: Annotated[str, typer.Argument(metavar="SILENCE", help="The silence, as it is listed.")],
    as_json: AsJson = False,
) -> None:
    """End a silence now; exit status 1 if there is none such."""
    with opened_alerts(app) as opened:
        done = opened.unsilence(name)
    _answer(done, f"silence {name} has ended", f"silence {name} is unknown, or has ended", as_json=as_json)


@alerts.command()
def silences(app: App, as_json: AsJson = False) -> None:
    """List the silences that hold now."""
    with opened_alerts(app) as opened:
        found = opened.silences()
    if as_json:
        print_json(found)
    elif found:
        Console().print(alerts_told.silenced(found))
    else:
        Console().print("nothing is silenced")


@alerts.command()
def ack(
    app: App,
    name: Annotated[str, typer.Argument(metavar="ALERT", help="The alert, as it is listed.")],
    as_json: AsJson = False,
) -> None:
    """Say that you look at an alert: nothing of it is repeated; exit status 1 if it does not fire."""
    with opened_alerts(app) as opened:
        done = opened.acknowledge(name, operator())
    _answer(done, f"alert {name} is acknowledged", f"alert {name} does not fire", as_json=as_json)


@alerts.command()
def undelivered(app: App, as_json: AsJson = False) -> None:
    """List notifications that a channel refused for good; exit status 1 if there is one."""
    with opened_alerts(app) as opened:
        found = opened.undelivered()
    if as_json:
        print_json(found)
    elif found:
        Console().print(alerts_told.lost(found))
    else:
        Console().print("everything was told")
    if found:
        raise typer.Exit(1)


@alerts.command("test")
def try_out(
    app: App,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel, as settings name it.")],
    as_json: AsJson = False,
) -> None:
    """Have a channel tell a test notification now; exit status 1 if it cannot."""
    with opened_alerts(app) as opened:
        try:
            wrong = opened.test(channel)
        except ConfigurationError as error:
            raise refused(str(error)) from None
    _answer(not wrong, f"channel {channel} told it", f"channel {channel} cannot tell it: {wrong}", as_json=as_json)


def _answer(done: bool, well: str, ill: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"done": done, "said": well if done else ill})
    elif done:
        Console().print(plain(well), soft_wrap=True)
    else:
        refused(ill)
    if not done:
        raise typer.Exit(1)
