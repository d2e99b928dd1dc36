"""The tables of observability: errors in groups, how often each came in an hour, and releases."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table

from .._sql.types import TABLE_OPTIONS, Blob, Id, Key, Micros

metadata = MetaData()

# One row a group. What each occurrence changes (count, last_us, …) and what people change (state, until_us, …) are
# different columns. `words` is what is searched, in lower case; `history` the last changes of state, as JSON.
errors = Table(
    "pm_errors",
    metadata,
    Column("fingerprint", Key(64), primary_key=True),
    Column("service", Key(64), nullable=False),
    Column("logger", Key(190), nullable=False),
    Column("kind", Key(190), nullable=False),
    Column("message", Key(1000), nullable=False),
    Column("place", Key(255), nullable=False),
    Column("words", Key(2000), nullable=False),
    Column("count", BigInteger(), nullable=False),
    Column("first_us", Micros(), nullable=False),
    Column("last_us", Micros(), nullable=False),
    Column("first_release", Key(64), nullable=False),
    Column("last_release", Key(64), nullable=False),
    Column("sample", Blob(), nullable=False),
    Column("state", Key(16), nullable=False),
    Column("changed_us", Micros()),
    Column("changed_by", Key(190)),
    Column("resolved_in", Key(64)),
    Column("until_us", Micros()),
    Column("until_count", BigInteger()),
    Column("history", Blob(), nullable=False),
    Index("ix_pm_errors_last", "last_us"),
    **TABLE_OPTIONS,
)

# How often a group's error came in the hour that began then.
error_counts = Table(
    "pm_error_counts",
    metadata,
    Column("fingerprint", Key(64), primary_key=True),
    Column("hour_us", Micros(), primary_key=True, autoincrement=False),
    Column("count", BigInteger(), nullable=False),
    Index("ix_pm_error_counts_hour", "hour_us"),
    **TABLE_OPTIONS,
)

# A release begins when a process of it is first seen, or when somebody marks it, whichever is first: `since_us`.
releases = Table(
    "pm_releases",
    metadata,
    Column("version", Key(64), primary_key=True),
    Column("since_us", Micros(), nullable=False),
    Column("first_seen_us", Micros()),
    Column("marked_us", Micros()),
    Column("marked_by", Key(190), nullable=False),
    Column("note", Key(1000), nullable=False),
    **TABLE_OPTIONS,
)

# What the figures of all processes came to: of the last 15 seconds (`step` 15), or of the 300 that end at `at_us`.
history = Table(
    "pm_history",
    metadata,
    Column("step", Integer(), primary_key=True, autoincrement=False),
    Column("at_us", Micros(), primary_key=True, autoincrement=False),
    Column("points", Blob(), nullable=False),
    Column("routes", Blob(), nullable=False),
    **TABLE_OPTIONS,
)

# How each probe stands: `up` is 1, 0, or NULL before the first look; `due_us` when somebody is to look again.
uptime_probes = Table(
    "pm_uptime_probes",
    metadata,
    Column("name", Key(64), primary_key=True),
    Column("due_us", Micros(), nullable=False),
    Column("up", Integer()),
    Column("since_us", Micros()),
    Column("at_us", Micros()),
    Column("took_us", Micros()),
    Column("error", Key(190), nullable=False),
    Column("failing", Integer(), nullable=False),
    Column("failing_us", Micros()),
    Column("expires_us", Micros()),
    **TABLE_OPTIONS,
)

# Each look at a probe: `error` is empty where it was well.
uptime_checks = Table(
    "pm_uptime_checks",
    metadata,
    Column("probe", Key(64), primary_key=True),
    Column("at_us", Micros(), primary_key=True, autoincrement=False),
    Column("took_us", Micros(), nullable=False),
    Column("error", Key(190), nullable=False),
    Index("ix_pm_uptime_checks_at", "at_us"),
    **TABLE_OPTIONS,
)

# What the looks of an hour came to: of how much of it is known how the probe was, and for how much it was down.
uptime_hours = Table(
    "pm_uptime_hours",
    metadata,
    Column("probe", Key(64), primary_key=True),
    Column("hour_us", Micros(), primary_key=True, autoincrement=False),
    Column("known_us", Micros(), nullable=False),
    Column("down_us", Micros(), nullable=False),
    Column("checks", Integer(), nullable=False),
    Column("failed", Integer(), nullable=False),
    Column("took_us", Micros(), nullable=False),
    Column("most_us", Micros(), nullable=False),
    **TABLE_OPTIONS,
)

# From the first look that failed to the first that did not; one that goes on has no end.
uptime_outages = Table(
    "pm_uptime_outages",
    metadata,
    Column("probe", Key(64), primary_key=True),
    Column("began_us", Micros(), primary_key=True, autoincrement=False),
    Column("ended_us", Micros()),
    Column("reason", Key(190), nullable=False),
    Index("ix_pm_uptime_outages_began", "began_us"),
    **TABLE_OPTIONS,
)

# An alert: what a rule finds at one place, which its labels name; `id` is made of both. `data` is JSON.
alerts = Table(
    "pm_alerts",
    metadata,
    Column("id", Key(32), primary_key=True),
    Column("rule", Key(190), nullable=False),
    Column("state", Key(16), nullable=False),
    Column("changed_us", Micros(), nullable=False),
    Column("data", Blob(), nullable=False),
    **TABLE_OPTIONS,
)

# One row: who evaluates locks it. Its `data` (JSON) is what rules need of earlier evaluations.
alert_rounds = Table(
    "pm_alert_rounds",
    metadata,
    Column("name", Key(64), primary_key=True),
    Column("at_us", Micros(), nullable=False),
    Column("data", Blob(), nullable=False),
    **TABLE_OPTIONS,
)

# What became of alerts, the newest with the greatest `id`.
alert_changes = Table(
    "pm_alert_changes",
    metadata,
    Column("id", Id(), primary_key=True),
    Column("at_us", Micros(), nullable=False),
    Column("alert", Key(32), nullable=False),
    Column("state", Key(16), nullable=False),
    Column("data", Blob(), nullable=False),
    Index("ix_pm_alert_changes_at", "at_us"),
    **TABLE_OPTIONS,
)

# Of what nobody is told until then.
alert_silences = Table(
    "pm_alert_silences",
    metadata,
    Column("id", Key(36), primary_key=True),
    Column("until_us", Micros(), nullable=False),
    Column("created_us", Micros(), nullable=False),
    Column("by_whom", Key(190), nullable=False),
    Column("data", Blob(), nullable=False),
    **TABLE_OPTIONS,
)

# What a channel is to tell, until it has: not before `due_us`, which a sender moves on as it takes the row. `dead` is
# 1 where the channel refused for good.
alert_notices = Table(
    "pm_alert_notices",
    metadata,
    Column("id", Key(64), primary_key=True),
    Column("channel", Key(64), nullable=False),
    Column("created_us", Micros(), nullable=False),
    Column("due_us", Micros(), nullable=False),
    Column("attempts", Integer(), nullable=False),
    Column("dead", Integer(), nullable=False),
    Column("error", Key(190)),
    Column("payload", Blob(), nullable=False),
    Index("ix_pm_alert_notices_due", "dead", "channel", "created_us"),
    **TABLE_OPTIONS,
)

# Who used a feature on the day that began then, in UTC. `user_hash`: by the application's key; empty for nobody known.
feature_uses = Table(
    "pm_feature_uses",
    metadata,
    Column("feature", Key(64), primary_key=True),
    Column("day_us", Micros(), primary_key=True, autoincrement=False),
    Column("user_hash", Key(32), primary_key=True),
    Column("uses", BigInteger(), nullable=False),
    Index("ix_pm_feature_uses_day", "day_us"),
    **TABLE_OPTIONS,
)

# One answer of each to a question. `who_hash`: by the application's key, another one for each question; or at random.
survey_answers = Table(
    "pm_survey_answers",
    metadata,
    Column("question", Key(64), primary_key=True),
    Column("who_hash", Key(32), primary_key=True),
    Column("score", Integer(), nullable=False),
    Column("comment", Key(2000), nullable=False),
    Column("created_us", Micros(), nullable=False),
    Index("ix_pm_survey_answers_created", "created_us"),
    **TABLE_OPTIONS,
)
