"""The room's decisions, without a database."""

from __future__ import annotations

import pytest

from postrmagic_core import errors
from postrmagic_core.database import policy
from postrmagic_core.database.staging import Staging, run_hooks


@pytest.mark.parametrize(
    ("error", "ends", "not_committed"),
    [
        (errors.Conflict("x"), True, True),
        (errors.BackendReadOnly("x"), True, True),
        (errors.OutOfSpace("x"), True, True),
        (errors.BackendUnavailable("x"), True, False),
        (errors.BackendTimeout("x"), True, False),
        (errors.OutcomeUnknown("x"), True, False),
        (errors.BackendRejected("x"), False, False),
        (errors.IntegrityViolation("x"), False, True),
        (errors.UniqueViolation("x"), False, True),
    ],
)
def test_what_an_error_means(error: errors.PostrMagicError, ends: bool, not_committed: bool) -> None:
    """For the statements after it, and at COMMIT."""
    assert policy.ends_unit(error) is ends
    assert policy.surely_not_committed(error) is not_committed


def test_errors_of_the_application_do_not_end_a_unit() -> None:
    """They roll it back by leaving it; caught inside, they change nothing."""
    assert not policy.ends_unit(ValueError())


def test_pauses_grow_and_end() -> None:
    """At most 1, 2, 4 … 600 seconds; after the twelfth failure the row is dead."""
    most = [policy.next_due_us(OSError(), failures, 0, 0.999999) for failures in range(1, 13)]
    assert [None if due is None else round(due / 1e6) for due in most] == [
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, None,
    ]  # fmt: skip
    assert policy.next_due_us(OSError(), 5, 7, 0.0) == 7


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (errors.BackendUnavailable("secret"), "backend.unavailable"),
        (KeyError("secret"), "KeyError"),
        (type("É" * 99, (Exception,), {})("secret"), "?" * 64),
    ],
)
def test_an_error_is_kept_by_name(error: Exception, name: str) -> None:
    """Never by its text."""
    assert policy.error_name(error) == name


def test_rewinding_drops_what_came_after_the_mark() -> None:
    """Rollback hooks of the dropped part are handed back, to be called."""
    staging, calls = Staging(), list[str]()
    staging.after_commit.append(lambda: calls.append("first"))
    mark = staging.mark()
    staging.after_commit.append(lambda: calls.append("second"))
    staging.on_rollback.append(lambda: calls.append("undone"))
    assert run_hooks(staging.rewind(mark), "savepoint") == 0
    assert run_hooks(staging.after_commit, "after_commit") == 0
    assert calls == ["undone", "first"]
    assert staging.mark() == mark
