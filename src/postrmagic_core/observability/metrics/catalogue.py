"""What each metric of the package is: kind, labels, a sentence, and how several processes' gauges become one.

Names are as code has them; :func:`shown_name` is what ``/metrics`` calls them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
Merge: TypeAlias = Literal["sum", "max", "min"]

PREFIX = "postrmagic_"
UNKNOWN = "A metric of the application."
_MICROS, _SECONDS = "_microseconds_total", "_seconds_total"


@dataclass(frozen=True, slots=True)
class Described:
    """One metric; ``merge``: what becomes of several processes' values of a gauge. Counters and histograms add up."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    merge: Merge = "sum"


def shown_name(name: str) -> str:
    """The name at ``/metrics``: with the prefix, times in seconds."""
    return PREFIX + (name.removesuffix(_MICROS) + _SECONDS if name.endswith(_MICROS) else name)


def in_micros(name: str) -> bool:
    """Whether the counter holds microseconds, which are shown as seconds."""
    return name.endswith(_MICROS)


def merge_of(name: str) -> Merge:
    """How several values of the gauge ``name`` become one; what is not listed here is added up."""
    described = BY_NAME.get(name)
    return "sum" if described is None else described.merge


def _c(name: str, labels: str, text: str) -> Described:
    return Described(name, "counter", text, tuple(labels.split()))


def _h(name: str, labels: str, text: str) -> Described:
    return Described(name, "histogram", text, tuple(labels.split()))


def _g(name: str, labels: str, text: str, merge: Merge = "sum") -> Described:
    return Described(name, "gauge", text, tuple(labels.split()), merge)


ALL: tuple[Described, ...] = (
    # Requests
    _c("http_requests_total", "method route status", "Requests that ended; status 499: the client left first."),
    _h("http_request_duration_seconds", "method route status_class", "From a request's arrival to its last byte."),
    _c("http_response_bytes_total", "method route", "Bytes of response bodies."),
    _g("http_requests_in_flight", "", "Requests that are being answered."),
    # Jobs
    _c("jobs_enqueued_total", "queue", "Jobs enqueued, those of units that were rolled back included."),
    _c("jobs_processed_total", "task queue outcome", "Deliveries that ended, by how."),
    _h("jobs_duration_seconds", "task queue", "For how long deliveries ran."),
    _h("jobs_wait_seconds", "queue", "From when a job was due until a thread began it."),
    _g("jobs_in_flight", "", "Deliveries that run in workers."),
    _g("jobs_threads", "", "Threads of workers."),
    _g("jobs_queue_depth", "queue state", "Jobs that may run now, wait for their time, run, or are dead.", "max"),
    _g("jobs_oldest_due_seconds", "queue", "Since when the first of the jobs that may run now has been due.", "max"),
    _c("schedule_ticks_fired_total", "schedule", "Ticks of schedules that enqueued a job."),
    _c("schedule_ticks_missed_total", "schedule", "Ticks of schedules that were too late to be fired."),
    # The database
    _g("db_pool_capacity", "pool", "Connections that the pools may have."),
    _g("db_pool_open", "pool", "Connections that are open."),
    _g("db_pool_in_use", "pool", "Connections that somebody holds."),
    _g("db_pool_waiting", "pool", "Callers that wait for a connection."),
    _h("db_pool_wait_seconds", "pool", "For how long callers waited for a connection."),
    _h("db_pool_hold_seconds", "pool", "For how long connections were held."),
    _h("db_pool_connect_seconds", "pool", "How long connections took to open."),
    _c("db_pool_exhausted_total", "pool", "Callers that gave up waiting for a connection."),
    _c("db_conflicts_total", "", "Units that a conflict rolled back."),
    _c("db_hook_errors_total", "", "After-commit hooks that failed."),
    _c("outbox_delivered_total", "topic", "Outbox rows delivered."),
    _c("outbox_failed_total", "topic", "Deliveries of outbox rows that failed and are tried again."),
    _c("outbox_dead_total", "topic", "Outbox rows given up."),
    _g("outbox_waiting", "topic", "Outbox rows that wait.", "max"),
    _g("outbox_dead", "topic", "Outbox rows that are given up and still there.", "max"),
    _g("outbox_oldest_seconds", "topic", "Since when the oldest outbox row that waits has been there.", "max"),
    # Stores
    _g("stores_breaker_open", "adapter", "1 while calls to a store's server fail at once, because it is away.", "max"),
    _c("stores_failures_total", "adapter", "Calls that a store's server did not answer."),
    _c("stores_refused_total", "adapter", "Calls that failed at once because the server was known to be away."),
    _c("stores_opened_total", "adapter", "How often a store's server was found to be away."),
    _c("stores_feed_lost_total", "adapter", "How often a near cache lost its feed of invalidations."),
    # The cache
    _c("cache_hits_total", "namespace", "Reads that found a fresh value."),
    _c("cache_stale_total", "namespace", "Reads that found a stale value that may still be served."),
    _c("cache_misses_total", "namespace", "Reads that found nothing."),
    _c("cache_computes_total", "namespace", "Values computed."),
    _c("cache_alone_total", "namespace", "Computations without the promise of being the only one."),
    _c("cache_errors_total", "namespace", "Operations of the cache's store that failed."),
    _c("cache_unreadable_total", "namespace", "Entries that are not what this version writes."),
    _c("cache_stored_bytes_total", "namespace", "Bytes of values stored."),
    _c("cache_compute_microseconds_total", "namespace", "Time spent computing values."),
    _c("cache_saved_microseconds_total", "namespace", "Time that computing would have taken, of each hit."),
    _c("cache_blind_writes_total", "namespace", "Writes that invalidated all cached queries, their tables unknown."),
    # Limits and sessions
    _c("limits_admitted_total", "", "Calls that a rate limit admitted."),
    _c("limits_refused_total", "", "Calls that a rate limit refused."),
    _c("limits_uncounted_total", "", "Calls admitted uncounted, the limits' store being away."),
    _c("limits_store_errors_total", "", "Operations of the limits' store that failed."),
    _c("sessions_created_total", "namespace", "Sessions begun."),
    _c("sessions_saved_total", "namespace", "Sessions stored."),
    _c("sessions_merged_total", "namespace", "Saves that were merged with another request's."),
    _c("sessions_unprolonged_total", "namespace", "Sessions not prolonged, their store being away."),
    _c("sessions_refused_total", "namespace", "Saves of sessions that had been ended meanwhile."),
    _c("sessions_incidents_total", "namespace kind", "Signs that a session was stolen or forged."),
    # Events
    _c("events_emitted_total", "type", "Events emitted."),
    _c("events_dropped_total", "", "Calls of background listeners dropped, too many being waiting."),
    _c("events_listener_failures_total", "listener", "Calls of listeners that failed."),
    _c("events_broadcast_failures_total", "", "Broadcasts that could not be sent."),
    _c("events_broadcast_unread_total", "", "Broadcasts that this version cannot read."),
    _c("events_broadcast_missed_total", "", "How often broadcasts may have been missed."),
    # Security
    _c("logins_succeeded_total", "", "Logins."),
    _c("logins_failed_total", "", "Logins with a wrong password or factor."),
    _c("logins_throttled_total", "judged", "Logins refused before the password was looked at."),
    _c("logins_unremembered_total", "", "Logins whose network could not be noted, the store being away."),
    _c("login_tokens_issued_total", "purpose", "One-time tokens given out."),
    _c("login_tokens_redeemed_total", "purpose", "One-time tokens used."),
    _c("login_tokens_refused_total", "purpose", "One-time tokens refused."),
    _c("login_tokens_revoked_total", "purpose", "One-time tokens revoked."),
    _c("login_tokens_seal_broken_total", "purpose", "One-time tokens whose row was tampered with."),
    _c("passwords_verified_total", "outcome", "Passwords verified."),
    _c("passwords_rehashed_total", "", "Passwords hashed anew with today's parameters."),
    _c("passwords_overloaded_total", "", "Passwords not looked at, too many being verified."),
    _c("passwords_unreadable_total", "", "Stored hashes that cannot be read."),
    _c("access_denials_total", "", "Permissions denied."),
    _c("audit_failures_total", "", "Entries of the audit log that could not be written at once."),
    _c("access_tokens_issued_total", "", "API tokens given out."),
    _c("access_tokens_verified_total", "", "API tokens accepted."),
    _c("access_tokens_refused_total", "reason", "API tokens refused."),
    _c("access_tokens_revoked_total", "", "API tokens revoked."),
    _c("access_tokens_unnoted_total", "", "Uses of API tokens that could not be noted."),
    _c("signed_tokens_verified_total", "", "Signed tokens accepted."),
    _c("signed_tokens_refused_total", "reason", "Signed tokens refused."),
    _c("remote_keys_fetched_total", "outcome", "Fetches of another server's keys."),
    _c("introspections_total", "outcome", "Tokens that another server was asked about."),
    _c("oauth_tokens_issued_total", "grant_type", "Tokens that the authorization server gave out."),
    _c("oauth_refused_total", "error", "Requests that the authorization server refused."),
    _c("oauth_grants_revoked_total", "reason", "Grants that were revoked."),
    _c("oauth_access_verified_total", "", "OAuth access tokens accepted."),
    _c("oauth_access_refused_total", "reason", "OAuth access tokens refused."),
    # Log and errors
    _c("log_lines_total", "", "Log lines written."),
    _c("log_dropped_total", "", "Log lines below ERROR dropped, the output being slow or away."),
    _c("log_emergency_total", "", "Log lines that could only be written to standard error."),
    _c("log_sampled_out_total", "", "Log lines that sampling left out."),
    _c("log_repeats_total", "", "Log lines left out because they repeated others."),
    _c("log_tap_errors_total", "", "Calls of those who follow logged errors that failed."),
    _g("log_backlog", "", "Log lines that wait to be written."),
    _c("log_spool_dropped_total", "", "Log lines that the spool did not take; the log's own output has them."),
    _c("log_forward_lines_total", "to", "Log lines that a receiver has."),
    _c("log_forward_refused_total", "to", "Log lines dropped: the receiver refuses them, or they are the half of one."),
    _c("log_forward_failures_total", "to", "Tries to ship log lines that failed."),
    _c("log_forward_lost_bytes_total", "to", "Bytes of the log that the spool could not hold for a receiver."),
    _g("log_forward_behind_bytes", "to", "Bytes of the log that wait for a receiver; told by the process that ships."),
    _c("log_indexed_lines_total", "", "Log lines that can be searched."),
    _c("log_index_unreadable_total", "", "Lines that are no record, and parts of the index put aside."),
    _c("log_index_lost_bytes_total", "", "Bytes of the log that the spool could not hold for the index."),
    _c("log_index_failures_total", "", "Tries to index log lines that failed."),
    _g("log_index_bytes", "", "Bytes of the index; told by the process that collects.", "max"),
    _c("errors_seen_total", "", "Errors that were logged."),
    _c("errors_regressed_total", "", "Groups of errors that came back after they were resolved."),
    _c("errors_untracked_total", "", "Errors that are in no group, too many being new at once."),
    _c("errors_lost_total", "", "Errors whose count could not be written before the end."),
    _c("errors_write_failures_total", "", "Tries to write down errors that failed."),
    _c("sentry_sent_total", "", "Errors sent to Sentry."),
    _c("sentry_dropped_total", "", "Errors that could not be sent to Sentry."),
    _c("traces_spans_total", "", "Spans recorded."),
    _c("traces_dropped_total", "", "Spans dropped, their receiver being slow or away."),
    _g("release_marked_timestamp_seconds", "release", "When the release was marked, in seconds since 1970.", "max"),
    # Processes
    _g("build_info", "service release version", "1 for each release that runs; version is postrmagic-core's.", "max"),
    _g("processes", "kind", "Processes that tell of themselves."),
    _c("processes_ended_total", "kind", "Processes that ended in order."),
    _c("processes_lost_total", "kind", "Processes that fell silent: killed, or cut off from the store."),
    _c("process_cpu_microseconds_total", "kind", "Processor time used."),
    _g("process_resident_memory_bytes", "kind", "Memory in use by all processes."),
    _g("process_resident_memory_max_bytes", "kind", "Memory in use by the largest process.", "max"),
    _g("process_open_fds", "kind", "Open files of all processes."),
    _g("process_open_fds_max", "kind", "Open files of the process that has the most.", "max"),
    _g("process_max_fds", "kind", "Open files that a process may have, the least of all.", "min"),
    _g("process_start_time_seconds", "kind", "When the latest process started, in seconds since 1970.", "max"),
    _g("process_oldest_start_time_seconds", "kind", "When the oldest process started.", "min"),
    _c("gc_collections_total", "generation", "Collections of garbage."),
    _c("gc_collected_total", "generation", "Objects collected as garbage."),
    _c("gc_uncollectable_total", "generation", "Objects that are garbage and could not be collected."),
    # What one process of all does
    _c("duty_failures_total", "duty", "Runs of duties that failed."),
    _g("duties_held", "", "1 where a process does the duties of all.", "max"),
    _g("uptime_up", "probe", "1 while the target is up, 0 while it is down.", "min"),
    _h("uptime_check_seconds", "probe", "How long looks at targets took."),
    _g("uptime_certificate_expires_timestamp_seconds", "probe", "When the certificate expires, since 1970.", "min"),
    _c("alerts_evaluations_total", "", "Evaluations of all alert rules."),
    _c("alerts_evaluation_failures_total", "rule", "Alert rules whose source could not be read."),
    _c("alerts_told_total", "channel", "Notifications of alerts that a channel told."),
    _c("alerts_send_failures_total", "channel", "Tries of a channel to tell of an alert that failed."),
    _c("alerts_undelivered_total", "channel", "Notifications of alerts that were given up."),
    # Backups
    _g("backup_age_seconds", "", "Since when the newest backup has been there, or none that was meant to be.", "max"),
    _g("backup_size_bytes", "", "Bytes of the newest backup.", "max"),
    _g("backup_failures", "", "Backups that failed since one was taken.", "max"),
    _g("backup_drill_age_seconds", "", "Since when no backup was restored for a trial.", "max"),
    _g("backup_drill_failures", "", "Drills that failed since one succeeded.", "max"),
    # Flags
    _c("flag_changes_total", "", "Flags that were set or cleared."),
    _c("flag_load_failures_total", "", "Times the flags could not be read; the last rules known stood."),
    _g("flag_rules_age_seconds", "", "Age of the rules by which a process that asks for flags decides.", "max"),
    # What users feel
    _h("page_load_seconds", "page", "From navigation to the end of the load event, as browsers tell."),
    _h("page_first_byte_seconds", "page", "From navigation to the first byte, as browsers tell."),
    _h("page_lcp_seconds", "page", "Largest contentful paint, as browsers tell."),
    _h("page_inp_seconds", "page", "The slowest interaction with a page, as browsers tell."),
    _h("page_layout_shift", "page", "Cumulative layout shift, a score without unit, as browsers tell."),
    _c("page_beacons_total", "outcome", "Beacons of page loads: taken, cross_site, invalid, too_large, limited."),
    _c("feature_uses_lost_total", "", "Uses of features that could not be counted."),
    # These figures themselves
    _g("metrics_store_up", "", "0 where the store is away: then these are this process's figures alone.", "min"),
    _c("metrics_publish_failures_total", "", "Publications of a process's figures that failed."),
    _c("metrics_series_dropped_total", "", "Series beyond the bound of a process, which nobody sees."),
    _c("metrics_unreadable_total", "", "Published figures that this version cannot read."),
)

BY_NAME: Mapping[str, Described] = {described.name: described for described in ALL}
