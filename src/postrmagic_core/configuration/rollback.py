"""The way back to a version: what a file can restore of it, what the environment must, and what nobody here can.

The file is written last, and only if the settings that it says are accepted. A secret is taken from the file that is
there, by its fingerprint, and from nowhere else: one of the environment is not put on the disk.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .._secret_files import SecretFiles
from ..errors import ConfigurationError
from .candidate import refusals
from .current import Present, present
from .interface import Change, Field, Fields, Masked, Value, Version
from .policy import changes, moved, secrets_in, verdict_of
from .recording import masked
from .replacing import replace_file
from .sources import effective, rooms
from .toml_edit import REMOVED, applied, edited, inline

# What a version has, and going back to it does not bring back.
_STAYS = {
    "security.keys": "keys stay: what was sealed since needs them",
    "backups.keys": "keys stay: backups that were made since need them",
    "oauth.signing_keys": "keys stay: tokens that were given out since are signed with them",
    "stack.release": "it names the code that runs: deploy that release",
}


@dataclass(frozen=True, slots=True)
class Unrestored:
    """A setting that the file cannot restore: why, and what to run or to do."""

    name: str
    reason: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rollback:
    """What going back to ``version`` does to the file at ``path``; nothing is done yet.

    ``changes`` are what the file says now and will say; ``left`` what it cannot restore. ``restored`` are the settings
    that will be those of the version. ``before`` is the text of the file now (``None``: there is none) and ``after``
    what it will be: they have secrets in them. ``keeps_text``: comments and order stay. ``drops``: lines that are no
    TOML do not.
    """

    version: Version
    path: Path
    changes: tuple[Change, ...]
    left: tuple[Unrestored, ...]
    restored: tuple[str, ...]
    keeps_text: bool
    drops: bool
    before: str | None
    after: str

    def __repr__(self) -> str:
        return f"Rollback(version={self.version.number}, path={str(self.path)!r})"


def plan_rollback(version: Version, now: Present) -> Rollback:
    """How the settings of ``now`` become those of ``version``, by its file; nothing is written.

    Raises :class:`ConfigurationError` where the file cannot be read, or cannot say what it would have to.
    """
    planner = _Planner(version, now)
    for name, old in sorted(version.fields.items()):
        planner.consider(name, old)
    planner.drop_what_is_refused()
    return planner.planned()


def roll_back(plan: Rollback) -> list[str]:
    """Write the file, the one before it beside it as ``.old``; say which settings did not become the version's.

    However it is interrupted, the file is the old one or the new one. Raises :class:`ConfigurationError` where it was
    changed since the plan was made, or cannot be written.
    """
    if plan.after != (plan.before or ""):
        replace_file(plan.path, plan.before, plan.after)
    now = present(path=plan.path)
    return [name for name in plan.restored if verdict_of(plan.version.fields[name], now.fields.get(name)) != "same"]


class _Planner:
    """Goes through the settings of a version, and gathers edits of the file and what is left."""

    def __init__(self, version: Version, now: Present) -> None:
        self._version = version
        self._now = now
        self._edits: dict[str, Any] = {}
        self._left: dict[str, Unrestored] = {}
        self._models = dict(rooms())
        sources = now.sources
        if sources.problem and sources.text is None and os.path.lexists(sources.path):
            raise ConfigurationError(f"{sources.path}: {sources.problem}")
        self._below = self._said(sources.file)
        at_hand = {
            pair for one in self._below.values() for part in secrets_in(one.value) for pair in part.prints.items()
        }
        now.masker.known = {pair: secret for pair, secret in now.masker.known.items() if pair in at_hand}

    def _said(self, table: Mapping[str, Any]) -> Fields:
        """The settings by a file that says ``table``, and by nothing else."""
        alone = replace(self._now.sources, file=table, environment={}, variables={}, secrets=SecretFiles())
        return masked(effective(alone).values, self._now.masker, alone)

    def consider(self, name: str, old: Field) -> None:
        """What becomes of one setting."""
        room, _, last = name.partition(".")
        if room not in self._models or last not in self._models[room].model_fields:
            self._leave(name, "this release does not know it")
            return
        verdict = verdict_of(old, self._now.fields.get(name))
        if name in _STAYS:
            if verdict != "same":
                self._leave(name, _STAYS[name])
        elif old.source == "code":
            if verdict != "same":
                self._leave(name, "the application's own code gave it")
        elif verdict == "unknown":
            self._leave(name, f"whether it is the one of version {self._version.number} {_untold(old.value)}")
        elif name in self._now.sources.variables:
            if verdict == "changed":
                self._by_environment(name, old)
        elif name in self._now.sources.secrets.files:
            if verdict == "changed":
                self._leave(name, f"{self._now.sources.secrets.files[name]} wins over the file: {_wanted(old)}")
        else:
            self._by_file(name, old)

    def _by_environment(self, name: str, old: Field) -> None:
        """The environment wins over the file: it is for who starts the processes to change."""
        variables = self._now.sources.variables[name]
        wanted = _variable(name)
        wins = f"{', '.join(variables)} wins over the file"
        rooms_of = [one for one in variables if one.count("__") == 0]  # these say more than this one setting
        out = f"; take it out of {', '.join(rooms_of)}" if rooms_of else ""
        commands = [f"unset {one}" for one in variables if one not in (*rooms_of, wanted)]
        if old.source != "environment":
            if wanted in variables:
                commands.append(f"unset {wanted}")
            if self._by_file(name, old):
                stays = None if self._now.sources.in_file(name) else REMOVED
                said = self._edits.get(name, stays) is not REMOVED
                holds = "the file will say it" if said else "without it the default holds"
                self._leave(name, f"{wins}{out}; {holds}", *commands)
            return
        if isinstance(old.value, Mapping):  # tables of several sources become one
            wins += out
            if self._now.sources.in_file(name):
                self._edits[name] = REMOVED
        if secrets_in(old.value):
            self._leave(name, f"{wins}: set {_variable(name)} to {_needed(old.value)}", *commands)
        elif old.value is None or old.value == "":
            self._leave(name, wins + out, *commands, f"unset {wanted}")
        elif isinstance(old.value, str) and not old.value.isprintable():  # a terminal would show another text
            self._leave(name, f"{wins}: set {wanted} to what is {json.dumps(old.value)} in JSON", *commands)
        else:
            self._leave(name, wins, *commands, _export(wanted, old.value))

    def _by_file(self, name: str, old: Field) -> bool:
        """Have the file say it; whether it can."""
        below = self._below.get(name)
        if verdict_of(old, below) == "same" and (old.source == "environment" or not moved(old, below)):
            return True
        if old.source != "file" and verdict_of(old, self._default(name)) == "same":
            self._edits[name] = REMOVED
            return True
        if old.value is None:
            self._leave(name, "it was not set, and this release has a default for it")
            return False
        try:
            value = self._now.masker.unmasked(old.value)
            inline(value).encode()
        except (KeyError, json.JSONDecodeError):
            self._leave(name, f"its secret is not in the file: set {_variable(name)} to {_needed(old.value)}")
            return False
        except (TypeError, UnicodeEncodeError):
            self._leave(name, "no TOML file can hold it")
            return False
        self._edits[name] = value
        return True

    def _default(self, name: str) -> Field:
        room, _, last = name.partition(".")
        value = self._models[room].model_fields[last].get_default(call_default_factory=True)
        return Field(self._now.masker.field(name, value), "default")

    def _leave(self, name: str, reason: str, *commands: str) -> None:
        self._left[name] = Unrestored(name, reason, commands)

    def _table(self) -> dict[str, Any]:
        return applied(self._now.sources.file, self._edits)

    def drop_what_is_refused(self) -> None:
        """Take back what this release would refuse; take out of the file what it refuses there already."""
        for _ in range(len(self._version.fields) + len(self._now.sources.file) + 1):
            problems = refusals(self._table())
            before = dict(self._edits)
            for place, problem in problems.items():
                name = ".".join(place.split(".")[:2])
                if self._edits.pop(name, None) is None and "." in name:
                    self._edits[name] = REMOVED
                elif "." not in name:  # a room before what is said of it anew
                    self._edits = {name: REMOVED, **self._edits}
                if name in self._version.fields and name not in self._left:
                    self._leave(name, f"this release refuses it: {problem}")
            if before == self._edits:
                return

    def _unknown(self, name: str) -> bool:
        room, _, last = name.partition(".")
        return room not in self._models or (bool(last) and last not in self._models[room].model_fields)

    def planned(self) -> Rollback:
        """What was gathered."""
        sources = self._now.sources
        self._environment_faults()
        valid = sources.valid or ""
        after, kept = edited(valid, self._edits) if self._edits else (valid, True)
        new = self._said(self._table())
        fields = self._version.fields
        restored = [name for name in fields if name not in self._left and fields[name].source != "code"]
        return Rollback(
            version=self._version,
            path=sources.path,
            changes=tuple(changes(self._below, new)),
            left=tuple(sorted(self._left.values(), key=lambda one: one.name)),
            restored=tuple(restored),
            keeps_text=kept,
            drops=valid != (sources.text or ""),
            before=sources.text,
            after=after,
        )

    def _environment_faults(self) -> None:
        """Variables by which no process would begin, whatever the file says."""
        for place in self._now.problems:
            if place in os.environ:
                self._leave(place, "no process begins with it", f"unset {place}")
            name = ".".join(place.split(".")[:2])
            if self._unknown(name):
                for one, variables in self._now.sources.variables.items():
                    untold = [f"unset {each}" for each in variables if each not in self._now.problems]
                    if untold and f"{one}.".startswith(f"{name}."):
                        self._leave(one, "this release does not know it", *untold)


def _variable(name: str) -> str:
    room, _, last = name.partition(".")
    return f"POSTRMAGIC_{room.upper()}__{last.upper()}"


def _wanted(old: Field) -> str:
    if old.source not in ("environment", "secret"):
        return "take it away, or write into it what it was"
    return f"write into it what it was ({_needed(old.value)})" if secrets_in(old.value) else "write the old value"


def _export(variable: str, value: Value) -> str:
    told = value if isinstance(value, str) else json.dumps(value)
    return f"export {variable}={shlex.quote(told)}"


def _untold(value: Value) -> str:
    keys = sorted({key for part in secrets_in(value) for key in part.prints})
    if not keys:
        return "cannot be told: there was no key to take a fingerprint with"
    return f"cannot be told: its fingerprint was made under another key ({', '.join(keys)})"


def _needed(value: Value) -> str:
    """What a secret must be, without saying it."""
    prints = ", ".join(dict.fromkeys(str(part) for part in secrets_in(value)))
    shape = f"{value}, with " if isinstance(value, Masked) and len(value.parts) > 1 else ""
    return f"{shape}the secret of the fingerprint {prints}"
