"""The contracts of stores and caches can fail: each planted fault turns the promise red that it breaks."""

from __future__ import annotations

import pytest

from tests.planted import expect_red

# Who breaks what: the store or cache of doubles.py, and the tests that must notice.
CACHE = {
    "Forgetful": {"a_value_comes_back_with_its_types[sync]", "a_value_is_computed_once_while_it_is_fresh[async]"},
    "Undead": {"the_lease_of_one_who_died_ends[sync]"},
    "Torn": {"many_caches_on_one_store_compute_once[sync]"},
    "Liking": {"clear_takes_a_namespace_by_its_letters[sync-a_b]", "clear_takes_a_namespace_by_its_letters[async-ab]"},
    "Crossing": {"many_keys_are_read_in_one_trip[sync]", "hostile_keys_are_only_names[async]"},
    "LateTags": {
        "a_value_computed_before_an_invalidation_is_never_served[sync]",
        "none_is_a_value[sync]",
        "many_caches_on_one_store_compute_once[sync]",
    },
    "Soothing": {"an_invalidation_is_never_dropped_silently[sync-open]"},
    "Unscoped": {"clear_deletes_the_namespaces_entries_and_nothing_else[sync]"},
    "Clinging": {
        "a_computing_caller_cancelled_anywhere_leaves_nothing[plain]",
        "whatever_ends_a_computation_the_next_caller_computes",
    },
}
STORE = {
    "Forgetful": {"what_was_set_is_read_in_the_order_asked", "the_async_face_answers_the_same"},
    "Undead": {"a_value_lives_as_long_as_told"},
    "Torn": {"scripts_are_atomic_over_threads"},
    "Globbing": {"clear_deletes_its_prefix_and_nothing_else[a*]"},
    "Liking": {"clear_deletes_its_prefix_and_nothing_else[%]"},
    "Crossing": {"what_was_set_is_read_in_the_order_asked"},
}

MODULE = """
import pytest
from postrmagic_core.cache import CacheManager
from postrmagic_core.testing.contracts.{module} import {contract}
from tests.cache import doubles

def planted(name, tests):
    plant = getattr(doubles, name)
    is_cache = issubclass(plant, CacheManager)

    class Planted({contract}):
        @pytest.fixture
        def open_store(self):
            return doubles.Good if is_cache else plant

        @pytest.fixture
        def cache_class(self):
            return plant if is_cache else CacheManager

    for test in dir(Planted):
        if test.startswith("test_") and test not in tests:
            setattr(Planted, test, None)
    return Planted

for name, tests in {tests}.items():
    globals()["Test" + name] = planted(name, tests)
"""


@pytest.mark.soak
@pytest.mark.parametrize(
    ("module", "contract", "planted"), [("cache", "CacheContract", CACHE), ("store", "StoreContract", STORE)]
)
def test_each_planted_fault_is_red(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    contract: str,
    planted: dict[str, set[str]],
) -> None:
    """And the same tests are green where nothing was planted."""
    expect_red(pytester, monkeypatch, MODULE, planted, module=module, contract=contract)
