"""Run as a program: restores the parts of a directory into a database, and says each part that is done.

``python -m tests.backups.mysql.restoring URL DIRECTORY``; the directory holds ``manifest.json`` beside the parts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from postrmagic_core.backups.dumps.mysql import MysqlTarget
from postrmagic_core.backups.interface import DatabaseFacts
from tests.backups.mysql.hostile import Kept, described


def laid_down(kept: Kept, directory: Path) -> None:
    """The parts as files, and how they are called."""
    directory.mkdir()
    facts = kept.manifest.database
    for number, text in enumerate(kept.parts.values()):
        (directory / str(number)).write_bytes(text)
    told = {"id": kept.manifest.id, "kind": facts.kind, "tables": dict(facts.tables), "parts": list(kept.parts)}
    (directory / "manifest.json").write_text(json.dumps(told))


def picked_up(directory: Path) -> Kept:
    """The same again."""
    told = json.loads((directory / "manifest.json").read_text())
    parts = {name: (directory / str(number)).read_bytes() for number, name in enumerate(told["parts"])}
    return Kept(described(told["id"], DatabaseFacts(told["kind"], "", told["tables"]), parts), parts)


def told(what: str, done: int, total: int | None) -> None:
    """Say it on a line, once something is changed."""
    if what != "database":
        return
    sys.stdout.write(f"{what} {done} {total}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    MysqlTarget(sys.argv[1], Path(sys.argv[2])).restore(picked_up(Path(sys.argv[2])), told)
