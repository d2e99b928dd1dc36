"""SQL of features that are used and of questions that are answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, bindparam, case, delete, distinct, func, insert, select
from sqlalchemy.dialects import mysql, sqlite

from ..._clock import from_us
from ..._sql.types import Key
from ..tables import feature_uses, survey_answers
from .interface import Comment

f = feature_uses.c
a = survey_answers.c

_FEATURE: BindParameter[str] = bindparam("name", type_=Key(64))
_DAY: BindParameter[int] = bindparam("day")
_WHOSE: BindParameter[str] = bindparam("whose", type_=Key(32))
_QUESTION: BindParameter[str] = bindparam("asked", type_=Key(64))


class Use(NamedTuple):
    """Who used what on which day: the key of a row. ``user`` is a hash, empty for nobody known."""

    feature: str
    day_us: int
    user: str


class Used(NamedTuple):
    """A feature in a span: its different users, and how often it was used."""

    feature: str
    users: int
    uses: int


def add(counts: Mapping[Use, int], tx: Any) -> None:
    """Add to each row, making it where it is not there: in one order for all, so that none waits for the other."""
    rows = [
        {"feature": use.feature, "day_us": use.day_us, "user_hash": use.user, "uses": count}
        for use, count in sorted(counts.items())
    ]
    tx.execute(_ADD[tx.connection.dialect.name != "sqlite"], rows)


def _upsert(server: bool) -> Any:
    if server:
        made = mysql.insert(feature_uses)
        return made.on_duplicate_key_update(uses=f.uses + made.inserted.uses)
    kept = sqlite.insert(feature_uses)
    keys = ["feature", "day_us", "user_hash"]
    return kept.on_conflict_do_update(index_elements=keys, set_={"uses": f.uses + kept.excluded.uses})


_ADD = {server: _upsert(server) for server in (False, True)}
_USERS = func.count(distinct(case((f.user_hash != "", f.user_hash))))


def used(tx: Any, since_us: int, until_us: int) -> list[Used]:
    """Each feature used in the days from ``since_us`` on and before ``until_us``, those of most users first."""
    wanted = select(f.feature, _USERS, func.sum(f.uses)).where(f.day_us >= since_us, f.day_us < until_us)
    found = [Used(name, users, int(uses)) for name, users, uses in tx.execute(wanted.group_by(f.feature))]
    return sorted(found, key=lambda each: (-each.users, -each.uses, each.feature))


def used_of(tx: Any, feature: str, since_us: int, until_us: int) -> tuple[int, int]:
    """Different users of one feature in these days, and how often it was used."""
    wanted = select(_USERS, func.coalesce(func.sum(f.uses), 0))
    wanted = wanted.where(f.feature == feature, f.day_us >= since_us, f.day_us < until_us)
    users, uses = tx.execute(wanted).one()
    return int(users), int(uses)


def active(tx: Any, since_us: int, until_us: int) -> int:
    """Different users of any feature in these days."""
    return int(tx.scalar(select(_USERS).where(f.day_us >= since_us, f.day_us < until_us)))


def old_uses(tx: Any, before_us: int, limit: int) -> list[Use]:
    """Some rows of days before an instant."""
    wanted = select(f.feature, f.day_us, f.user_hash).where(f.day_us < before_us).order_by(f.day_us).limit(limit)
    return [Use(*row) for row in tx.execute(wanted)]


def drop_uses(which: Sequence[Use], tx: Any) -> None:
    """Forget these: each by its key, since to delete a range would lock what is being counted."""
    gone = delete(feature_uses).where(f.feature == _FEATURE, f.day_us == _DAY, f.user_hash == _WHOSE)
    tx.execute(gone, [{"name": use.feature, "day": use.day_us, "whose": use.user} for use in sorted(which)])


def has_answered(tx: Any, question: str, whose: Sequence[str]) -> bool:
    """Whether one of these hashes has answered."""
    wanted = select(a.score).where(a.question == question, a.who_hash.in_(whose))
    return tx.execute(wanted).first() is not None


def answer(tx: Any, values: Mapping[str, Any]) -> None:
    """Keep an answer; :class:`UniqueViolation` where there is one of the same hash."""
    tx.execute(insert(survey_answers).values(**values))


def scores(tx: Any, question: str, since_us: int) -> dict[int, int]:
    """How many gave each score."""
    wanted = select(a.score, func.count()).where(a.question == question, a.created_us >= since_us).group_by(a.score)
    return {int(score): int(count) for score, count in tx.execute(wanted)}


def comments(tx: Any, question: str, since_us: int, limit: int) -> tuple[Comment, ...]:
    """The newest comments that say something."""
    wanted = select(a.created_us, a.score, a.comment)
    wanted = wanted.where(a.question == question, a.created_us >= since_us, a.comment != "")
    wanted = wanted.order_by(a.created_us.desc(), a.who_hash).limit(limit)
    return tuple(Comment(from_us(at_us), score, text) for at_us, score, text in tx.execute(wanted))


def questions(tx: Any) -> list[str]:
    """Every question that has answers, the one first that was answered last."""
    wanted = select(a.question, func.max(a.created_us)).group_by(a.question)
    return [name for name, _ in sorted(tx.execute(wanted), key=lambda row: (-row[1], row[0]))]


def old_answers(tx: Any, before_us: int, limit: int) -> list[tuple[str, str]]:
    """Some answers that were given before an instant, by question and hash."""
    wanted = select(a.question, a.who_hash).where(a.created_us < before_us).order_by(a.created_us).limit(limit)
    return [(question, whose) for question, whose in tx.execute(wanted)]


def drop_answers(which: Sequence[tuple[str, str]], tx: Any) -> None:
    """Forget these."""
    gone = delete(survey_answers).where(a.question == _QUESTION, a.who_hash == _WHOSE)
    tx.execute(gone, [{"asked": question, "whose": whose} for question, whose in sorted(which)])
