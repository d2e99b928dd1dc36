"""What a user's media come to: their number, room and tags as of now; uploads a month, types and colours by a job.

The job keeps these figures as JSON; they are shown as of now, also when nothing was uploaded since.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import and_, case, delete, func, insert, select

from postrmagic_core._clock import from_us, to_us
from postrmagic_core.database import Unit

from .colours import coarse
from .tables import blobs, details, media, statistics, tags, users

MONTHS = 12
MOST_COLOURS = 10
MOST_TAGS = 50
_PENDING: dict[str, Any] = {"activity": None, "types": None, "colours": None, "refreshed_at": None}


def shown(unit: Unit, user_id: int, now_us: int) -> dict[str, Any]:
    """All of it as clients see it; the figures are ``None`` until they are first computed."""
    user = unit.execute(select(users.c.used_bytes, users.c.quota_bytes).where(users.c.id == user_id)).one()
    total = unit.scalar(select(func.count()).select_from(media).where(media.c.user_id == user_id))
    kept = unit.execute(select(statistics).where(statistics.c.user_id == user_id)).mappings().first()
    return {
        "media": total,
        "bytes": user.used_bytes,
        "quota_bytes": user.quota_bytes,
        "tags": _most_used_tags(unit, user_id),
        **(_PENDING if kept is None else _figures(kept["figures"], kept["refreshed_us"], now_us)),
    }


def refresh(tx: Unit, user_id: int, now_us: int) -> None:
    """Keep the figures that a user's media come to now, in the place of those before."""
    row = {"user_id": user_id, "figures": computed(tx, user_id, now_us), "refreshed_us": now_us}
    tx.execute(delete(statistics).where(statistics.c.user_id == user_id))
    tx.execute(insert(statistics).values(row))


def computed(tx: Unit, user_id: int, now_us: int) -> str:
    """The figures of a user's media as JSON."""
    of_user = media.c.user_id == user_id
    return json.dumps(
        {
            "months": _by_month(tx, of_user, now_us),
            "types": _by_type(tx, of_user),
            "colours": _by_colour(tx, of_user),
        }
    )


def _figures(figures: str, refreshed_us: int, now_us: int) -> dict[str, Any]:
    kept = json.loads(figures)
    months = [f"{start:%Y-%m}" for start in month_starts(now_us)[:-1]]
    return {
        "activity": [{"month": month, "uploads": kept["months"].get(month, 0)} for month in months],
        "types": [{"type": mime, "count": count} for mime, count in kept["types"].items()],
        "colours": [{"colour": colour, "count": count} for colour, count in kept["colours"].items()],
        "refreshed_at": from_us(refreshed_us).isoformat(),
    }


def month_starts(now_us: int) -> list[datetime]:
    """When each of the last twelve months (UTC, the present one last) began, and when the next one will."""
    now = from_us(now_us)
    last = now.year * 12 + now.month - 1
    numbers = range(last - MONTHS + 1, last + 2)
    return [datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC) for number in numbers]


def _most_used_tags(unit: Unit, user_id: int) -> list[dict[str, Any]]:
    count = func.count().label("count")
    rows = unit.execute(
        select(tags.c.name, count)
        .join(media, media.c.id == tags.c.media_id)
        .where(media.c.user_id == user_id)
        .group_by(tags.c.name)
        .order_by(count.desc(), tags.c.name)
        .limit(MOST_TAGS)
    )
    return [dict(row) for row in rows.mappings()]


def _by_month(tx: Unit, of_user: Any, now_us: int) -> dict[str, int]:
    starts = month_starts(now_us)
    created = media.c.created_us
    counts = [
        func.count(case((and_(created >= to_us(start), created < to_us(end)), 1))) for start, end in pairwise(starts)
    ]
    row = tx.execute(select(*counts).where(of_user, created >= to_us(starts[0]))).one()
    return {f"{start:%Y-%m}": count for start, count in zip(starts, row, strict=False) if count}


def _by_type(tx: Unit, of_user: Any) -> dict[str, int]:
    count = func.count().label("count")
    rows = tx.execute(
        select(blobs.c.mime, count)
        .select_from(media.join(blobs, blobs.c.digest == media.c.digest))
        .where(of_user)
        .group_by(blobs.c.mime)
        .order_by(count.desc(), blobs.c.mime)
    )
    return {row["mime"]: row["count"] for row in rows.mappings()}


def _by_colour(tx: Unit, of_user: Any) -> dict[str, int]:
    """How many of the media show each colour, the most frequent first; like colours count as one."""
    palettes = tx.execute(
        select(details.c.colours, func.count().label("count"))
        .select_from(media.join(details, details.c.digest == media.c.digest))
        .where(of_user)
        .group_by(details.c.colours)
    )
    found: Counter[str] = Counter()
    for row in palettes.mappings():
        for colour in {coarse(each) for each in row["colours"].split()}:
            found[colour] += row["count"]
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_COLOURS])
