"""A whole move as a person makes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from postrmagic_core.database.transfer.copying.options import RunOptions
from postrmagic_core.database.transfer.copying.run import run
from postrmagic_core.database.transfer.interface import Plan, unreported
from postrmagic_core.database.transfer.planning.plan import plan
from postrmagic_core.database.transfer.verifying.verify import verify


def accepted(planned: Plan) -> Plan:
    """The plan as of a person who accepts all that needs a decision."""
    return replace(planned, findings=tuple(replace(one, accepted=True) for one in planned.findings))


def stops(planned: Plan) -> list[tuple[str, str]]:
    """Table and column of what has to be mended in the source."""
    return [(one.table, one.column) for one in planned.findings if one.severity == "stop"]


def moved(source: Path, url: str) -> Plan:
    """Plan, run and verify; the plan that was run."""
    planned = accepted(plan(source, url, unreported))
    run(planned, url, RunOptions(), unreported)
    assert_verified(planned, url)
    return planned


def assert_verified(planned: Plan, url: str) -> None:
    """The package's own verifier finds no difference."""
    verified = verify(planned, url)
    told = [one for table in verified.tables for one in (*table.differences, *table.failures)]
    assert verified.equal, told[:3]
