"""The key ring: what is sealed opens only as itself, in its place, under a key that is still in the ring."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postrmagic_core._crypto import KeyRing
from postrmagic_core.errors import ConfigurationError, SealBroken

FIRST = "kX3v9_first_8QmZ1rT6yUw2pLs7NaBcDe"
SECOND = "Jd5_second_h2Kq9VtY4mRx7WzPf1GbLoS"


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_sealed_bytes_open_in_their_context(plaintext: bytes, context: bytes) -> None:
    """The same purpose and context give the plaintext back."""
    ring = KeyRing([FIRST])
    assert (
        ring.open(ring.seal(plaintext, purpose="session", context=context), purpose="session", context=context)
        == plaintext
    )


def test_every_flipped_or_cut_byte_breaks_the_seal_with_one_text() -> None:
    """Tampering anywhere, or truncating anywhere, gives the same error: there is nothing to learn from it."""
    ring = KeyRing([FIRST])
    sealed = ring.seal(b"user 7", purpose="session", context=b"row 1")
    damaged = [sealed[:i] + bytes([sealed[i] ^ 1]) + sealed[i + 1 :] for i in range(len(sealed))]
    damaged += [sealed[:i] for i in range(len(sealed))]
    texts = set()
    for blob in damaged:
        with pytest.raises(SealBroken) as caught:
            ring.open(blob, purpose="session", context=b"row 1")
        texts.add(str(caught.value))
    assert len(texts) == 1


@pytest.mark.parametrize(("purpose", "context"), [("cookie", b"row 1"), ("session", b"row 2"), ("session", b"")])
def test_a_blob_does_not_open_elsewhere(purpose: str, context: bytes) -> None:
    """Moved to another purpose or another row, a blob is broken."""
    ring = KeyRing([FIRST])
    sealed = ring.seal(b"x", purpose="session", context=b"row 1")
    with pytest.raises(SealBroken):
        ring.open(sealed, purpose=purpose, context=context)


def test_rotation_opens_old_blobs_and_seals_with_the_new_key() -> None:
    """A new first key seals; the old one still opens; without it the blob is broken."""
    old, rotated, new = KeyRing([FIRST]), KeyRing([SECOND, FIRST]), KeyRing([SECOND])
    before = old.seal(b"x", purpose="p")
    assert rotated.open(before, purpose="p") == b"x"
    assert not rotated.is_current(before)
    after = rotated.seal(b"x", purpose="p")
    assert rotated.is_current(after)
    assert new.open(after, purpose="p") == b"x"
    with pytest.raises(SealBroken):
        new.open(before, purpose="p")


def test_a_ring_knows_its_keys_by_their_ids() -> None:
    """Given a ring of two, then blobs name the first by its id, and both are known; another ring's key is not."""
    ring, other = KeyRing([SECOND, FIRST]), KeyRing([FIRST])
    assert ring.seal(b"", purpose="p")[1:5] == ring.key_id != other.key_id
    assert ring.knows(ring.key_id)
    assert ring.knows(other.key_id)
    assert not other.knows(ring.key_id)
    assert not ring.knows(b"")


def test_macs_list_every_key_newest_first() -> None:
    """What an older key named can still be looked up."""
    ring = KeyRing([SECOND, FIRST])
    assert ring.macs(b"id", purpose="sid") == [
        ring.mac(b"id", purpose="sid"),
        KeyRing([FIRST]).mac(b"id", purpose="sid"),
    ]
    assert ring.mac(b"id", purpose="sid") != ring.mac(b"id", purpose="other")


def test_nonces_do_not_repeat_in_a_forked_child() -> None:
    """A child process does not continue the parent's random numbers (OWASP ASVS 11.3.4)."""
    ring = KeyRing([FIRST])
    ring.seal(b"warm", purpose="p")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, ring.seal(b"x", purpose="p")[5:17])
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 12) != ring.seal(b"x", purpose="p")[5:17]
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("key", ["", "short", "a" * 64, "changeme-changeme-changeme-changeme-1234567"])
def test_weak_keys_are_refused_without_being_shown(key: str) -> None:
    """Empty, short, repeated and placeholder keys do not start an application."""
    with pytest.raises(ConfigurationError) as caught:
        KeyRing([key])
    assert not key or key not in str(caught.value)


def test_no_key_at_all_is_refused() -> None:
    """An empty ring is a configuration error, also when it is found out late."""
    with pytest.raises(ConfigurationError):
        KeyRing([])
    with pytest.raises(ConfigurationError):
        KeyRing(list).seal(b"x", purpose="p")


def test_a_ring_never_shows_its_keys() -> None:
    """repr() may be logged."""
    assert FIRST not in repr(KeyRing([FIRST]))
