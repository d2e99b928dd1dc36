"""The contract of sessions can fail: each planted fault turns the promises red that it breaks."""

from __future__ import annotations

import pytest

from tests.planted import expect_red

# Who breaks what: the store of doubles.py, and the tests that must notice.
PLANTED = {
    "Undead": {"logout_is_final[sync]", "one_device_is_ended_alone[async]", "delete_ends_a_session_now[sync]"},
    "LastWriteWins": {
        "logout_is_final[sync]",
        "parallel_requests_keep_each_others_fields[async]",
        "messages_of_parallel_requests_are_all_kept[sync]",
    },
    "Unlisted": {"a_user_sees_their_devices[sync]", "a_login_beyond_the_limit_ends_the_one_longest_unused[sync]"},
    "Unguarded": {"revoking_a_user_ends_all_their_sessions[sync]"},
    "Forgetful": {"data_come_back_with_their_types[sync]", "login_changes_the_id[async]"},
}

MODULE = """
import pytest
from postrmagic_core.stores.adapters.memory import MemoryStore
from postrmagic_core.testing.contracts.session import SessionContract
from tests.sessions import doubles

def planted(name, tests):
    plant = getattr(doubles, name, MemoryStore)

    class Planted(SessionContract):
        @pytest.fixture
        def open_store(self):
            return plant

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, tests in {tests}.items():
    globals()["Test" + name] = planted(name, tests)
"""


@pytest.mark.soak
def test_each_planted_fault_is_red(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the same tests are green where nothing was planted."""
    expect_red(pytester, monkeypatch, MODULE, PLANTED)
