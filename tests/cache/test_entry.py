"""What an entry is: bytes that come back as they were or not at all, and rules about when it may be served."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._codec import encode
from postrmagic_core.cache import policy
from postrmagic_core.cache.policy import Entry, Freshness
from postrmagic_core.errors import DecodeError

numbers = st.integers(0, 2**62)
tagged = st.dictionaries(st.text(max_size=8), numbers, max_size=4)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Any entry."""
    tags = draw(tagged)
    times = draw(st.tuples(numbers, numbers, numbers))
    schema, payload, cost = draw(st.binary(max_size=8)), draw(st.binary(max_size=64)), draw(st.integers(0, 2**32 - 1))
    return Entry(*times, schema, tuple(tags), tuple(tags.values()), payload, cost)


@given(entries())
def test_an_entry_comes_back_as_it_was(entry: Entry) -> None:
    """Packing loses nothing."""
    assert policy.unpack(policy.pack(entry)) == entry


@given(entries(), st.data())
def test_a_damaged_entry_is_never_read(entry: Entry, data: st.DataObject) -> None:
    """One flipped bit, or an end cut off anywhere, is found."""
    packed = policy.pack(entry)
    place, bit = data.draw(st.integers(0, len(packed) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(packed)
    flipped[place] ^= 1 << bit
    for damaged in (bytes(flipped), packed[:place]):
        with pytest.raises(DecodeError):
            policy.unpack(damaged)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_never_read(data: bytes) -> None:
    """Bytes that something else wrote raise one error and no other."""
    with pytest.raises(DecodeError):
        policy.unpack(data)


@pytest.mark.parametrize("tags", [encode(None), encode({"a": 1}), encode([1]), encode([b"a"]), encode([[]]), b"a"])
@pytest.mark.parametrize("generations", [b"", b"1", b"x", b"1,", b"1,2"])
def test_well_formed_tags_of_another_shape_are_never_read(tags: bytes, generations: bytes) -> None:
    """A right checksum does not make an entry."""
    with pytest.raises(DecodeError):
        policy.unpack(forged(tags, generations))


@pytest.mark.parametrize("lengths", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (255, 2**32 - 1, 2**32 - 1)])
def test_lengths_beyond_the_end_are_never_read(lengths: tuple[int, int, int]) -> None:
    """Nothing is taken for what is not there."""
    with pytest.raises(DecodeError):
        policy.unpack(forged(b"", b"", lengths))


def forged(tags: bytes, generations: bytes, lengths: tuple[int, int, int] | None = None) -> bytes:
    """An entry with a right checksum, without payload."""
    head = struct.pack(">qqqBII", 0, 10, 20, *(lengths or (0, len(tags), len(generations))))
    body = head + tags + generations
    return b"\x02" + zlib.crc32(body).to_bytes(4, "big") + body


@given(tagged, tagged)
def test_an_entry_is_served_only_under_the_generations_it_was_computed_under(
    was: dict[str, int], now: dict[str, int]
) -> None:
    """Every one of its tags must have the same generation now; one that is missing is no match."""
    entry = Entry(0, 10, 20, b"", tuple(was), tuple(was.values()), b"")
    same = all(now.get(tag) == generation for tag, generation in was.items())
    present = [now.get(tag) for tag in was]
    assert policy.judge(entry, present, 5) == ("fresh" if same else "miss")
    stored = [None if number is None else b"%d" % number for number in present]
    assert policy.judge(entry, stored, 5) == ("fresh" if same else "miss")


@pytest.mark.parametrize("planted", [b"", b"abc", b"07", b"7 ", b"7.0", b"\x00"])
def test_a_planted_generation_is_no_match(planted: bytes) -> None:
    """Whatever it is, it raises nothing."""
    assert policy.judge(Entry(0, 10, 20, b"", ("a",), (7,), b""), [planted], 5) == "miss"


def test_freshness_ends_to_the_microsecond() -> None:
    """Fresh until its bound, due in the last tenth before it, stale until the next, then gone."""
    entry = Entry(0, 10, 20, b"", (), (), b"")
    verdicts = [policy.judge(entry, (), now) for now in (0, 8, 9, 10, 19, 20)]
    assert verdicts == ["fresh", "fresh", "due", "stale", "stale", "miss"]


@given(st.floats(0.001, 1e6), st.floats(0, 1e6), st.floats(0, 0.999999))
def test_chance_only_shortens_and_by_a_tenth_at_most(fresh: float, stale: float, random: float) -> None:
    """A value is never served as fresh for longer than was asked; the stale time is as asked."""
    fresh_until, stale_until = Freshness(fresh, stale).bounds_us(0, random)
    assert 0.9 * fresh * 1e6 - 1 <= fresh_until <= fresh * 1e6 + 1
    assert stale_until - fresh_until == round(stale * 1e6)


@pytest.mark.parametrize(("fresh", "stale"), [(0, 1), (-1, 0), (1, -1), (float("inf"), 0), (float("nan"), 0)])
def test_impossible_times_are_refused(fresh: float, stale: float) -> None:
    """Times are positive and finite."""
    with pytest.raises(ValueError, match="seconds"):
        Freshness(fresh, stale)


def test_a_tagged_entry_may_not_outlive_its_tags() -> None:
    """Longer than tags live is refused."""
    with pytest.raises(ValueError, match="with tags"):
        Freshness(policy.TAG_TTL, 1).check_tagged()


def test_a_lone_string_is_no_collection_of_tags() -> None:
    """Its letters would be taken for tags."""
    with pytest.raises(TypeError, match=r"tags=\['user:1'\]"):
        policy.tag_names("user:1")


def test_an_invalidation_comes_back_as_it_was() -> None:
    """What is staged for the outbox names its namespace and tags; other bytes are refused."""
    assert policy.read_invalidation(policy.invalidation("app", ["a", "b"])) == ("app", ("a", "b"))
    for payload in (b"", encode(["app", "a"]), encode(["app", [1]])):
        with pytest.raises(DecodeError):
            policy.read_invalidation(payload)


@given(entries(), numbers, tagged, st.booleans())
def test_the_short_way_to_a_payload_serves_what_the_long_one_would(
    entry: Entry, now: int, others: dict[str, int], same: bool
) -> None:
    """And nothing else: fresh, not due, of no type, under the tags and generations that are asked for."""
    data = policy.pack(entry)
    tags, generations = (entry.tags, entry.generations) if same else (tuple(others), tuple(others.values()))
    stored = [b"%d" % number for number in generations]
    plainly = not entry.schema and tags == entry.tags and policy.judge(entry, stored, now) == "fresh"
    asked = policy.tag_block(tags), b",".join(stored)
    found = policy.payload_of(data, now, *asked)
    assert (found is not None) is plainly
    if found is not None:
        assert (bytes(found[0]), found[1]) == (entry.payload, entry.cost_us)
    for end in (0, 1, 20, len(data) - 1):
        assert policy.payload_of(data[:end], now, *asked) is None
