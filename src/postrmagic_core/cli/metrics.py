"""``postrmagic metrics``: what the processes of an application count, and what Prometheus and Grafana need for it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from .application import App, AsJson, loaded
from .words import plain, print_json

if TYPE_CHECKING:
    from ..observability.metrics.policy import Totals

metrics = typer.Typer(
    help="The figures of all processes; rules for Prometheus, a dashboard for Grafana.", no_args_is_help=True
)


@metrics.command()
def show(
    app: App,
    names: Annotated[
        list[str] | None, typer.Argument(help="How the names begin, as `http` or `jobs_wait`. Default: all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the figures that the application's processes published last, as one; of histograms count and mean.

    Nothing of the application is opened but the store. Where that is memory, only a process's own `/metrics` tells.
    """
    from .._metrics import Metrics
    from ..observability.metrics import MetricsHub

    stack = loaded(app)
    room, service = stack.settings.observability, stack.settings.stack.service
    store = stack.store(room)
    try:
        hub = MetricsHub(Metrics(), store, namespace=room.namespace, service=service, every=room.publish_every)
        found = sorted(_rows(hub.everybody(), tuple(names or [""])), key=lambda row: (row["name"], str(row["labels"])))
    finally:
        store.close()
    if as_json:
        print_json(found)
        return
    if not found:
        typer.echo("no process tells such figures: they publish every few seconds while they run, unless metrics=false")
        return
    table = Table("name", "labels", "value")
    for row in found:
        labels = " ".join(f"{name}={value}" for name, value in row["labels"].items())
        table.add_row(plain(row["name"]), plain(labels), _cell(row))
    Console().print(table)


@metrics.command()
def rules(
    tests: Annotated[
        bool, typer.Option("--tests", help="The rules' tests instead, for `promtool test rules`.")
    ] = False,
) -> None:
    """Print rules for Prometheus: what to record, when to raise an alarm, and what to do then."""
    _print("rules_test.yml" if tests else "rules.yml")


@metrics.command()
def dashboard() -> None:
    """Print a dashboard for Grafana 10 or later, to be imported there."""
    _print("dashboard.json")


def _print(name: str) -> None:
    text = (files("postrmagic_core.observability") / "resources" / name).read_text(encoding="utf-8")
    typer.echo(text, nl=False)


def _rows(found: Totals, begin: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """A row a series, by the names that ``/metrics`` tells."""
    from ..observability.metrics.catalogue import PREFIX, in_micros, shown_name

    begin = tuple(word.removeprefix(PREFIX) for word in begin)
    for (name, labels), number in found.counters.items():
        if name.startswith(begin):
            value = number / 1e6 if in_micros(name) else number
            yield {"name": shown_name(name), "labels": dict(labels), "value": value}
    for (name, labels), level in found.gauges.items():
        if name.startswith(begin):
            yield {"name": shown_name(name), "labels": dict(labels), "value": level}
    for (name, labels), buckets in found.histograms.items():
        if name.startswith(begin):
            yield {"name": shown_name(name), "labels": dict(labels), "count": sum(buckets.counts), "sum": buckets.sum}


def _cell(row: dict[str, Any]) -> str:
    if "value" in row:
        return f"{row['value']:,.10g}"
    mean = row["sum"] / row["count"] if row["count"] else 0.0
    return f"{row['count']:,} of {mean * 1000:,.3g} ms"
