"""Brokers that break one clause of the contract each, and the tests that must notice."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from postrmagic_core.errors import NotOpen
from postrmagic_core.jobs.interface import ENDED, LIVE, Beat, Claim, NewJob, Outcome, Renewal, Settlement, Turn, Want
from tests.testing.brokers import Good, Job


@dataclass(frozen=True)
class Bad:
    """A broker with some parts replaced; ``tests`` are those that must be red, without ``test_``."""

    parts: dict[str, Any]
    tests: set[str]

    def broker(self, name: str) -> type[Good]:
        """The class."""
        return type(name, (Good,), self.parts)


def slow_take(self: Good, job: Job, want: Want, *, alone: bool) -> Claim:
    """Somebody else has looked meanwhile."""
    time.sleep(0.001)
    return Good.take(self, job, want, alone=alone)


def slow_holder(self: Good, new: NewJob) -> str | None:
    """Somebody else has looked meanwhile."""
    holder = Good.holder(self, new)
    time.sleep(0.001)
    return holder


def slow_cancel(self: Good, job: Job) -> None:
    """What was seen is no longer so."""
    running = job.state == "running"
    time.sleep(0.001)
    if running:
        job.cancelling = True
    else:
        self.end(job, Outcome("cancelled"))


def lumped(self: Good, settlements: Sequence[Settlement], want: Want | None) -> Turn:
    """Those that held first."""
    turn = Good.turn(self, settlements, want)
    return replace(turn, owned=sorted(turn.owned, reverse=True))


def handed_back_late(self: Good, job: Job) -> None:
    """In an hour."""
    Good.hand_back(self, job)
    job.due_us += 3_600_000_000


def handed_back_counted(self: Good, job: Job) -> None:
    """The delivery was one."""
    job.attempts += 1
    Good.hand_back(self, job)


def handed_back_silently(self: Good, job: Job) -> None:
    """Whoever sweeps will find it."""
    job.attempts -= 1
    job.state, job.due_us = "queued", self.now()


def ends_with_old_error(self: Good, job: Job, outcome: Outcome) -> None:
    """What went wrong once is told for ever."""
    Good.end(self, job, replace(outcome, error=outcome.error or job.outcome.error))


def letters_forgotten(self: Good, job: Job, outcome: Outcome) -> None:
    """Like all the others."""
    Good.end(self, job, outcome)
    job.forget_us = self.now() + self.keep_us(job)


def renews_everything(self: Good, beats: Sequence[Beat]) -> Renewal:
    """Nobody is ever told that he lost."""
    return replace(Good.renew(self, beats), lost=())


def tells_no_cancel(self: Good, beats: Sequence[Beat]) -> Renewal:
    """Nobody is ever told that he shall end."""
    return replace(Good.renew(self, beats), cancelled=())


def counts_no_delivery(self: Good, job: Job) -> None:
    """Every delivery is the first."""
    job.attempts, job.fence = 1, job.fence + 1


def counts_no_fence(self: Good, job: Job) -> None:
    """Every delivery has the same fence."""
    job.attempts, job.fence = job.attempts + 1, 1


def cancels_at_once(self: Good, job: Job) -> None:
    """Whoever runs it."""
    self.end(job, Outcome("cancelled"))


def replays_tired(self: Good, job: Job) -> None:
    """With the tries that are left."""
    attempts = job.attempts
    Good.replay(self, job)
    job.attempts = attempts


def replays_doomed(self: Good, job: Job) -> None:
    """And is forgotten when its former end would have been."""
    forget = job.forget_us
    Good.replay(self, job)
    job.forget_us = forget


def replays_cancelling(self: Good, job: Job) -> None:
    """And is asked to end again."""
    cancelling = job.cancelling
    Good.replay(self, job)
    job.cancelling = cancelling


def replays_silently(self: Good, job: Job) -> None:
    """Whoever sweeps will find it."""
    bells, self.shelf.bells = self.shelf.bells, []
    Good.replay(self, job)
    self.shelf.bells = bells


def a_share_each(self: Good, want: Want) -> list[Job]:
    """No queue is given what another one does not need."""
    most = max(1, want.free // max(1, len(want.queues)))
    found: list[Job] = []
    for queue in want.queues:
        found += Good.candidates(self, replace(want, queues=[queue]))[:most]
    return found


@contextmanager
def rings_for_ever(self: Good, queues: Sequence[str], ring: Callable[[], None]) -> Any:
    """The bell is never taken down."""
    self.shelf.bells.append((queues, ring))
    yield


@contextmanager
def rings_for_the_last(self: Good, queues: Sequence[str], ring: Callable[[], None]) -> Any:
    """There is one bell."""
    self.shelf.bells[:] = [(queues, ring)]
    yield
    self.shelf.bells.clear()


def closes_once(self: Good) -> None:
    """And not again."""
    self.closed = getattr(self, "closed", 0) + 1  # type: ignore[attr-defined]  # this double's own
    if self.closed == 2:  # type: ignore[attr-defined]  # this double's own
        raise NotOpen


def clings(self: Good, job: Job, tx: Any) -> None:
    """What its unit's savepoint undid is neither there nor gone."""
    job.hidden = True
    tx.after_commit(lambda: setattr(job, "hidden", False))


PUTS = {
    "PutAgainIsNew": Bad(
        {"is_known": lambda self, job_id: False},
        {
            "put_again_changes_nothing",
            "put_again_while_it_runs_changes_nothing",
            "put_again_after_its_end_changes_nothing",
            "putting_in_a_unit_is_idempotent",
        },
    ),
    "EndedIsUnknown": Bad(
        {"is_known": lambda self, job_id: job_id in self.shelf.jobs and self.shelf.jobs[job_id].state in LIVE},
        {"put_again_after_its_end_changes_nothing"},
    ),
    "Early": Bad(
        {"due_of": lambda self, new, now: now},
        {"a_delayed_job_is_not_early", "delays_do_not_hold_up_the_others", "the_next_due_time_is_told"},
    ),
    "ToTheMillisecond": Bad(
        {"due_of": lambda self, new, now: (new.due_us or now) // 1000 * 1000},
        {"a_delayed_job_is_not_early", "large_numbers_stay_exact"},
    ),
    "Stripping": Bad(
        {"kept": lambda self, new: replace(new, payload=new.payload.strip(b"\x00"))},
        {"bytes_come_back_exactly[nul]", "bytes_come_back_exactly[every byte]"},
    ),
    "Textual": Bad(
        {"kept": lambda self, new: replace(new, headers=new.headers.decode(errors="replace").encode())},
        {"bytes_come_back_exactly[not UTF-8]"},
    ),
    "Cutting": Bad(
        {"kept": lambda self, new: replace(new, payload=new.payload[:65_535])},
        {"bytes_come_back_exactly[a megabyte]"},
    ),
    "Shortening": Bad({"kept": lambda self, new: replace(new, task=new.task[:64])}, {"the_longest_names"}),
    "Spaceless": Bad({"space": lambda self, namespace: ""}, {"namespaces_share_nothing"}),
    "SpacesAlike": Bad({"space": lambda self, namespace: namespace.lower()}, {"namespaces_share_nothing"}),
    "Batching": Bad(
        {"put": lambda self, jobs: Good.put(self, jobs[:1_000])},
        {"many_jobs_in_one_call"},
    ),
    "ClosesOnce": Bad({"close": closes_once}, {"a_closed_adapter_may_be_closed_again"}),
    "OutsideUnits": Bad(
        {"hide": lambda self, job, tx: None},
        {
            "a_job_is_there_with_its_units_commit",
            "a_job_goes_with_its_units_rollback",
            "a_job_goes_with_its_savepoint",
        },
    ),
    "Clinging": Bad({"hide": clings}, {"a_job_goes_with_its_units_rollback", "a_job_goes_with_its_savepoint"}),
}

KEYS = {
    "Keyless": Bad(
        {"holder": lambda self, new: None},
        {
            "a_held_key_keeps_others_out",
            "the_first_of_a_call_holds_the_key",
            "one_of_many_at_once_gets_the_key",
            "a_unit_sees_the_unique_jobs_it_put",
            "two_units_get_one_unique_job",
        },
    ),
    "CaseBlind": Bad({"key": lambda self, key: key.lower().strip()}, {"keys_that_look_alike_are_different"}),
    "KeysForEver": Bad(
        {"is_free": lambda self, job, until: job is None},
        {
            "until_start_ends_with_the_first_delivery",
            "until_done_ends_with_every_end",
            "a_poisonous_holder_holds_nothing",
            "a_window_ends_by_time_alone",
            "a_key_is_free_in_the_turn_that_ends_its_job",
        },
    ),
    "KeysUntilTheEnd": Bad(
        {"is_free": lambda self, job, until: job is None or job.state in ENDED},
        {"until_start_ends_with_the_first_delivery", "a_window_ends_by_time_alone"},
    ),
    "KeysUntilTheStart": Bad(
        {"is_free": lambda self, job, until: job is None or job.started_us is not None},
        {"until_done_lasts_until_the_end", "a_window_ends_by_time_alone"},
    ),
    "KeysWhileItWaits": Bad(
        {"is_free": lambda self, job, until: job is None or job.state not in ("queued", "retrying")},
        {"until_done_lasts_until_the_end"},
    ),
    "TornKeys": Bad(
        {"atomic": lambda self: nullcontext(), "holder": slow_holder},
        {"one_of_many_at_once_gets_the_key"},
    ),
}

TURNS = {
    "Torn": Bad(
        {"atomic": lambda self: nullcontext(), "take": slow_take, "cancel": slow_cancel},
        {
            "each_job_is_delivered_once",
            "cancelling_and_claiming_has_one_winner",
            "an_abandoned_job_is_taken_once",
        },
    ),
    "Stack": Bad(
        {"order": lambda self, job: (-job.due_us, job.id)},
        {"a_queue_is_in_order", "the_first_put_is_the_first_claimed"},
    ),
    "PriorityBlind": Bad(
        {"order": lambda self, job: (job.due_us, job.id)},
        {"a_queue_is_in_order", "what_is_urgent_goes_past_what_waits"},
    ),
    "IdOnly": Bad({"order": lambda self, job: job.id}, {"a_queue_is_in_order"}),
    "QueueAfterQueue": Bad(
        {"mixed": lambda self, found: [job for jobs in found for job in jobs]},
        {"one_turn_serves_every_queue"},
    ),
    "AShareEach": Bad({"candidates": a_share_each}, {"a_share_that_is_not_used_is_the_others"}),
    "CaseBlindQueues": Bad(
        {"is_in": lambda self, job, queue: job.new.queue.lower() == queue.lower()}, {"only_the_queues_asked_for"}
    ),
    "Generous": Bad(
        {"room": lambda self, want: want.free + 1},
        {"no_more_than_is_free[0]", "no_more_than_is_free[5]", "a_turn_that_only_settles_claims_nothing"},
    ),
    "Uncounted": Bad(
        {"count": counts_no_delivery},
        {"each_delivery_counts_and_has_a_higher_fence", "a_killer_is_delivered_as_often_as_it_may_be"},
    ),
    "Unfenced": Bad(
        {"count": counts_no_fence},
        {"each_delivery_counts_and_has_a_higher_fence", "a_stale_settlement_is_refused"},
    ),
    "Grabbing": Bad({"is_held": lambda self, job, want: False}, {"what_is_held_is_never_claimed_again"}),
    "Restless": Bad({"next_due": lambda self, want: 0.0}, {"nothing_waits_without_end", "the_next_due_time_is_told"}),
    "Dozing": Bad(
        {"next_due": lambda self, want: None},
        {"the_next_due_time_is_told", "waiting_until_the_next_due_time_is_enough"},
    ),
    "Nosy": Bad({"matters": lambda self, job, want: True}, {"the_next_due_time_is_told"}),
    "Lumped": Bad({"turn": lumped}, {"an_unknown_job_cannot_be_settled"}),
}

ENDS = {
    "Trusting": Bad(
        {"owns": lambda self, job, claim: job is not None and job.state == "running"},
        {
            "a_stale_settlement_is_refused",
            "renewing_tells_what_is_lost",
            "an_abandoned_job_is_taken_once",
            "a_replayed_job_has_all_its_tries[dead]",
        },
    ),
    "EndsTwice": Bad(
        {"owns": lambda self, job, claim: job is not None and job.fence == claim.fence},
        {"a_delivery_ends_once"},
    ),
    "Pedantic": Bad(
        {"owns": lambda self, job, claim: Good.owns(self, job, claim) and job.due_us > self.now()},
        {"who_is_late_and_alone_still_owns_it"},
    ),
    "HandsBackLate": Bad(
        {"hand_back": handed_back_late},
        {"what_is_handed_back_does_not_count", "handing_back_wears_nothing_out"},
    ),
    "HandsBackCounted": Bad(
        {"hand_back": handed_back_counted},
        {"what_is_handed_back_does_not_count", "handing_back_wears_nothing_out"},
    ),
    "Impatient": Bad(
        {"delay_us": lambda self, outcome: 0},
        {"a_failed_try_is_tried_again_after_its_delay", "the_next_due_time_is_told"},
    ),
    "Milliseconds": Bad(
        {"delay_us": lambda self, outcome: round(outcome.delay * 1e3)},
        {"a_failed_try_is_tried_again_after_its_delay"},
    ),
    "Grudging": Bad({"end": ends_with_old_error}, {"a_success_after_failures_shows_no_error"}),
    "Hoarding": Bad(
        {"forget_old": lambda self: None},
        {
            "what_went_well_is_forgotten_in_time[succeeded]",
            "a_job_cancelled_while_it_waited_is_forgotten_in_time",
        },
    ),
    "Careless": Bad(
        {"keep_us": lambda self, job: 100_000},
        {
            "what_went_well_is_forgotten_in_time[cancelled]",
            "a_job_cancelled_while_it_waited_is_forgotten_in_time",
        },
    ),
    "ForgetsLetters": Bad({"end": letters_forgotten}, {"what_went_well_is_forgotten_in_time[succeeded]"}),
    "FailingIsPoison": Bad(
        {"is_abandoned": lambda self, job: job.state in ("running", "retrying")}, {"failing_is_no_poison"}
    ),
    "Heedless": Bad(
        {"heeded": lambda self, job, outcome: outcome},
        {
            "who_was_asked_to_end_does_not_come_again[retrying]",
            "who_was_asked_to_end_does_not_come_again[queued]",
        },
    ),
}

LEASES = {
    "ForEver": Bad(
        {"is_due": lambda self, job: job.state in ("queued", "retrying") and job.due_us <= self.now()},
        {
            "a_silent_workers_job_is_delivered_to_another",
            "a_worker_that_lost_everything_gets_its_own_jobs_back",
            "a_killer_is_delivered_as_often_as_it_may_be",
        },
    ),
    "Hasty": Bad(
        {"is_due": lambda self, job: job.state == "running" or Good.is_due(self, job)},
        {"a_claimed_job_is_nobody_elses"},
    ),
    "Unprolonged": Bad(
        {"prolong": lambda self, job: None},
        {"a_renewed_lease_lasts", "leases_of_one_worker_end_each_for_itself"},
    ),
    "LosesNothing": Bad({"renew": renews_everything}, {"renewing_tells_what_is_lost"}),
    "TellsNoCancel": Bad({"renew": tells_no_cancel}, {"renewing_tells_who_was_cancelled"}),
    "Mumbling": Bad({"progress": lambda self, job, progress: job.progress}, {"progress_is_told_to_everybody"}),
    "Erasing": Bad({"progress": lambda self, job, progress: progress}, {"progress_is_told_to_everybody"}),
    "Immortal": Bad(
        {"is_poison": lambda self, job: False},
        {"a_killer_is_delivered_as_often_as_it_may_be", "a_poisonous_holder_holds_nothing"},
    ),
    "Quick": Bad(
        {"is_poison": lambda self, job: job.attempts >= job.new.retries},
        {"a_killer_is_delivered_as_often_as_it_may_be", "an_innocent_that_shared_a_process_survives"},
    ),
    "InCompany": Bad({"in_company": lambda self, want, claims: False}, {"a_last_delivery_has_its_process_to_itself"}),
}

RECORDS = {
    "OldestFirst": Bad(
        {"limited": lambda self, jobs, limit: jobs[::-1][:limit]},
        {"the_newest_come_first"},
    ),
    "Unlimited": Bad(
        {"limited": lambda self, jobs, limit: jobs}, {"the_newest_come_first", "a_selection_is_changed_at_once"}
    ),
    "BeforeOrAt": Bad(
        {"ended_before": lambda self, job, instant: job.ended_us is not None and job.ended_us <= instant},
        {"jobs_are_found_by_when_they_ended[dead]"},
    ),
    "NotYetIsBefore": Bad(
        {"ended_before": lambda self, job, instant: (job.ended_us or 0) < instant},
        {"jobs_are_found_by_when_they_ended[succeeded]"},
    ),
    "Everything": Bad(
        {
            "fits": lambda self, job, selection: Good.fits(
                self, job, selection if selection.states else replace(selection, states=LIVE | ENDED)
            )
        },
        {"no_state_and_no_id_is_no_job"},
    ),
    "TaskBlind": Bad(
        {"fits": lambda self, job, selection: Good.fits(self, job, replace(selection, task=None))},
        {"what_else_is_given_must_fit_too", "a_selection_is_changed_at_once", "hostile_selections_select_nothing"},
    ),
    "CancelsAtOnce": Bad({"cancel": cancels_at_once}, {"a_running_job_is_asked_to_end"}),
    "CancelsAnything": Bad(
        {"changeable": lambda self, change: LIVE | ENDED},
        {
            "what_can_be_changed_is_and_what_cannot_is_not[cancel]",
            "what_can_be_changed_is_and_what_cannot_is_not[forget]",
        },
    ),
    "RunsUnwanted": Bad({"is_unwanted": lambda self, job: False}, {"a_running_job_whose_worker_is_gone_ends"}),
    "ReplaysTired": Bad({"replay": replays_tired}, {"a_replayed_job_has_all_its_tries[failed]"}),
    "ReplaysDoomed": Bad({"replay": replays_doomed}, {"a_replayed_job_is_not_forgotten_while_it_waits"}),
    "ReplaysCancelling": Bad({"replay": replays_cancelling}, {"a_replayed_job_is_not_asked_to_end_again"}),
    "CountsAlike": Bad(
        {"kind": lambda self, job: "queued" if job.state in LIVE else None},
        {"jobs_are_counted_by_queue", "what_was_abandoned_runs_until_it_is_taken"},
    ),
    "CountsLate": Bad(
        {"kind": lambda self, job: "later" if job.state == "retrying" else Good.kind(self, job)},
        {"what_became_due_is_counted_as_that"},
    ),
}

BELLS = {
    "Mute": Bad(
        {"ring": lambda self, queue: None},
        {"a_put_rings[q-broker]", "a_put_rings[r-other]"},
    ),
    "HandsBackSilently": Bad({"hand_back": handed_back_silently}, {"a_job_handed_back_rings"}),
    "ReplaysSilently": Bad({"replay": replays_silently}, {"a_replay_rings"}),
    "RingsForEver": Bad(
        {"listen": rings_for_ever}, {"a_listener_ends_promptly", "a_listener_ends_where_its_block_fails"}
    ),
    "RingsForTheLast": Bad({"listen": rings_for_the_last}, {"two_listeners_are_both_woken"}),
    "DozesThroughDelays": Bad(
        {"next_due": lambda self, want: None},
        {"who_looks_when_rung_or_told_finds_what_is_due[put]"},
    ),
}

FAMILIES = {
    "puts": PUTS,
    "keys": KEYS,
    "turns": TURNS,
    "ends": ENDS,
    "leases": LEASES,
    "records": RECORDS,
    "bells": BELLS,
}
