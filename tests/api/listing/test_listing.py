"""What a request may ask of a list, and what it gets."""

from __future__ import annotations

import datetime as dt
import re
from functools import partial
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AwareDatetime, Field, TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.orm import registry

from postrmagic_core._codec import decode, encode
from postrmagic_core.api.listing import Listing, ListQuery, ListRequest, not_null
from postrmagic_core.api.listing.cursors import cursor_of
from postrmagic_core.api.listing.filters import Instant, at_least, at_most, matching, more_than, parameter
from postrmagic_core.database import DatabaseManager
from postrmagic_core.errors import EncodeError, UsageError, ValidationFailed
from postrmagic_core.validation import Validator
from postrmagic_core.validation.bodies import validate_query
from tests.api.listing.shown import KEYS, POSTERS, filled, poster, posters, refusals, seen, typed

QUERY = Validator(POSTERS.Query)
HOSTILE = [
    *("limit=0", "limit=51", "limit=-1", "limit=1.5", "limit=1e1", "limit=9999999999999999999999", "limit=1&limit=2"),
    *(
        "sort=user_id",
        "sort=",
        "sort=-",
        "sort=--rank",
        "sort=rank,",
        "sort=rank;title",
        "sort=rank,title,id,created_at",
    ),
    *("sort=rank%20DESC", "sort=RANK", "sort=rank%00", "sort=(select%201)", "sort=note", "sort=1", "sort=%2Brank"),
    *("after=", "after=x", "after=AAAA", "after=%00", "after=" + "A" * 5_000),
    *(
        "rank=x",
        "rank=" + "9" * 30,
        "rank=-9223372036854775809",
        "title=c",
        "created_from=2024-01-01",
        "created_from=5",
        "created_from=2024-01-01T00:00:00",
    ),
    *(
        "created_from=0001-01-01T00:00:00%2B14:00",
        "created_from=99999-01-01T00:00:00Z",
        "user_id=1",
        "note=x",
        "offset=1",
    ),
    *("filter[rank]=1", "Rank=1", "rank=1&rank=1"),
]


def asked(query: str = "", *, subject: str = "user:1", beside: tuple[str | int, ...] = ()) -> ListRequest:
    """What the list of posters makes of a query string."""
    return POSTERS.ask(validate_query(QUERY, query), keys=KEYS, subject=subject, beside=beside)


def found(database: DatabaseManager, query: str) -> list[int]:
    """The ids that a query is answered with."""
    wanted = asked(query)
    with database.read() as tx:
        return [row["id"] for row in wanted.page(tx.execute(wanted.select()).all()).rows]


@pytest.mark.parametrize("query", HOSTILE)
def test_what_is_not_declared_is_refused(query: str) -> None:
    """Sizes, names, filters and values beyond what the list offers, and columns that it does not."""
    problems = refusals(lambda: asked(query))
    name = re.split(r"[=\[]", query)[0]
    assert len(problems) == 1
    assert problems[0][0].startswith(f"/{name}")


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    """And nothing of what was sent."""
    with pytest.raises(ValidationFailed) as caught:
        asked("sort=-rank,secret")
    (error,) = caught.value.errors
    assert (error["pointer"], error["code"]) == ("/sort", "sort.unknown")
    assert "created_at, rank, title, id" in error["message"]
    assert "secret" not in str(caught.value)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(POSTERS.Query.model_fields)), st.text(max_size=40), max_size=4))
def test_no_text_is_more_than_refused(sent: dict[str, str]) -> None:
    """Whatever the parameters say, the answer is a page or :class:`ValidationFailed`; SQL holds none of it."""
    try:
        query = QUERY.validate_form(sent.items())
        wanted = POSTERS.ask(query, keys=KEYS, subject="")
    except ValidationFailed:
        return
    assert re.fullmatch(r"[\w.,:()<>=/\[\] \n'|%]*", str(wanted.select()))


@settings(deadline=None, max_examples=150)
@given(st.from_regex(POSTERS.Query.model_json_schema()["properties"]["sort"]["pattern"], fullmatch=True))
def test_every_sort_of_the_pattern_is_taken(sort: str) -> None:
    """What the reference promises holds."""
    assert refusals(lambda: POSTERS.ask(POSTERS.Query(sort=sort), keys=KEYS, subject="")) == []


def test_the_model_says_what_there_is() -> None:
    """Defaults, bounds, descriptions and formats, for the reference."""
    told = POSTERS.Query.model_json_schema()
    assert list(told["properties"]) == ["limit", "after", "sort", *POSTERS.filters]
    assert told["additionalProperties"] is False
    assert told["properties"]["limit"] | {"title": ""} == {
        "title": "",
        "type": "integer",
        "default": 3,
        "minimum": 1,
        "maximum": 50,
        "description": "How many items at most.",
    }
    assert told["properties"]["sort"]["default"] == "-created_at"
    assert "created_at, rank, title, id" in told["properties"]["sort"]["description"]
    assert told["properties"]["q"]["description"] == "Words that the title has."
    assert "required" not in told


def test_filters_keep_what_they_say(database: DatabaseManager) -> None:
    """Each by itself and together; instants with whatever offset; texts with the database's own wildcards in them."""
    minute = 60_000_000
    rows = [poster(n, created_us=n * minute, rank=n % 3, title=["a", "b", "%", "_"][n % 4]) for n in range(1, 9)]
    with filled(database, posters, rows):
        pass
    queries = {
        "": [8, 7, 6],
        "title=a&limit=9": [8, 4],
        "title=a&title=b&limit=9": [8, 5, 4, 1],
        "rank=0": [6, 3],
        "rank=9223372036854775807": [],
        "created_from=1970-01-01T00:06:00Z": [8, 7, 6],
        "created_from=1970-01-01T01:07:00%2B01:00&sort=id": [7, 8],
        "created_before=1970-01-01T00:02:00-00:00": [1],
        "created_before=0001-01-01T00:00:00Z": [],
        "created_from=9999-12-31T23:59:59Z": [],
        "letter=%25": [6, 2],
        "letter=_&sort=id": [3, 7],
        "letter=%27": [],
        "letter=": [8, 7, 6],
        "rank=": [8, 7, 6],
        "rank=1&title=b&letter=b": [1],
    }
    assert {query: found(database, query) for query in queries} == queries


def test_a_cursor_is_good_for_the_list_it_was_made_of(database: DatabaseManager) -> None:
    """Another subject, order, filter, further field or anything beside is refused; another limit is not."""
    with filled(database, posters, [poster(n) for n in range(1, 9)]) as tx:
        first = asked("q=a", beside=(5,))
        after = first.page(tx.execute(first.select()).all()).next
    assert after is not None
    same = f"after={after}&q=a"
    assert refusals(lambda: asked(same + "&limit=7", beside=(5,))) == []
    assert refusals(lambda: asked(same + "&sort=-created_at,-created_at", beside=(5,))) == []
    others = [
        f"after={after}",
        same[:-1] + "b",
        same + "&sort=created_at",
        same + "&sort=-created_at,id",
        same + "&rank=0",
    ]
    for other in [*others, same + "&letter=", same + "&title=a"]:
        assert refusals(partial(asked, other, beside=(5,))) == [("/after", "cursor.invalid")], other
    for beside in ((), ("5",), (5, 5), (6,)):
        assert refusals(partial(asked, same, beside=beside)) == [("/after", "cursor.invalid")]
    assert refusals(lambda: asked(same, subject="user:2", beside=(5,))) == [("/after", "cursor.invalid")]
    order = {"created_at": posters.c.created_us}
    for name, problems in (("posters", []), ("twin", [("/after", "cursor.invalid")])):
        filters = POSTERS.filters
        twin = Listing(name, select(posters), order=order, default="-created_at", unique=posters.c.id, filters=filters)
        query = validate_query(Validator(twin.Query), same)
        assert refusals(partial(twin.ask, query, keys=KEYS, subject="user:1", beside=(5,))) == problems


def test_repeated_values_are_one_set() -> None:
    """In whichever order they are sent, it is the same list."""
    assert asked("title=a&title=b&sort=rank").key == asked("sort=rank&title=b&title=a").key
    assert asked("created_from=2024-01-01T00:00:00Z").key == asked("created_from=2024-01-01T02:00:00%2B02:00").key


def test_a_set_of_texts_has_one_writing() -> None:
    """Its order in memory differs from process to process; the identity of the list does not."""
    listing = Listing(
        "sets",
        select(posters),
        order={"id": posters.c.id},
        default="id",
        unique=posters.c.id,
        filters={"tags": matching(set[str], posters.c.title.in_)},
    )
    many = [f"{n}" for n in range(50)]
    keys = {
        listing.ask(Validator(listing.Query).validate_form([("tags", n) for n in order]), keys=KEYS, subject="").key
        for order in (many, many[::-1])
    }
    assert len(keys) == 1


def test_the_key_names_all_that_was_asked(database: DatabaseManager) -> None:
    """Two requests have one key exactly when they have one answer; it is short, and fit for a cache."""
    with filled(database, posters, [poster(n) for n in range(1, 9)]) as tx:
        page = asked().page(tx.execute(asked().select()).all())
        second = asked(f"after={page.next}")
        third = second.page(tx.execute(second.select()).all())
    queries = ["", "limit=4", "sort=rank", "rank=1", "q=a", f"after={page.next}", f"after={third.next}"]
    found = {asked(query).key for query in queries} | {asked(subject="user:2").key, asked(beside=(1,)).key}
    assert len(found) == len(queries) + 2
    assert asked("limit=3&sort=-created_at").key == asked().key
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", key) for key in found)


def test_rows_are_plain_and_can_be_kept(database: DatabaseManager) -> None:
    """Dictionaries by column name without the sort keys, of rows as of mappings: a cache can hold them."""
    with filled(database, posters, [poster(n, title="ä") for n in range(1, 6)]) as tx:
        page = asked("sort=id").page(tx.execute(asked("sort=id").select()).all())
        same = asked("sort=id").page(tx.execute(asked("sort=id").select()).mappings().all())
    assert page == same
    assert page.rows[0] == {"id": 1, "user_id": 1, "created_us": 0, "rank": 0, "title": "ä", "note": None}
    assert decode(encode(page.rows)) == page.rows


def test_the_last_page_has_no_cursor(database: DatabaseManager) -> None:
    """Also one that is full, and an empty one."""
    for count in (0, 1, 3):
        with filled(database, posters, [poster(n) for n in range(1, count + 1)]) as tx:
            page = asked().page(tx.execute(asked().select()).all())
        assert (len(page.rows), page.next) == (count, None)


def test_conditions_of_the_application_restrict_every_page(database: DatabaseManager) -> None:
    """Those of each request are given to select(); what it makes conditions of is in values."""
    with filled(database, posters, [poster(n, user_id=n % 2) for n in range(1, 9)]) as tx:
        wanted = asked("q=words&rank=0&limit=2")
        page = wanted.page(tx.execute(wanted.select(posters.c.user_id == 1)).all())
        rest = asked(f"q=words&rank=0&limit=9&after={page.next}")
        others = rest.page(tx.execute(rest.select(posters.c.user_id == 1)).all())
    assert wanted.values == {"q": "words", "rank": 0}
    assert [row["id"] for row in page.rows + others.rows] == [7, 5, 3, 1]


def test_an_expression_can_be_sorted_and_filtered_by(database: DatabaseManager) -> None:
    """The beginning of a text, declared never to be NULL; what several rows have in common the unique key parts."""
    begin = func.substr(posters.c.title, 1, 2, type_=posters.c.title.type)
    listing = Listing(
        "begins",
        select(posters.c.id),
        order={"begin": not_null(begin)},
        default="begin",
        unique=posters.c.id,
        filters={"longer_than": more_than(func.length(posters.c.title), int), "until": at_most(begin, str)},
    )
    with filled(database, posters, [poster(n, title=t) for n, t in enumerate(["bbz", "bba", "a", "bc", "c"], 1)]):
        pass
    assert seen(database, listing, limit=1) == [3, 1, 2, 4, 5]
    assert seen(database, listing, limit=2, sort="-begin", until="bb") == [2, 1, 3]


def test_entities_of_the_orm_come_as_they_are(database: DatabaseManager) -> None:
    """A select of a mapped class works as well: each row holds its entity."""
    mapper = registry()

    class Poster:
        id: int

    mapper.map_imperatively(Poster, posters)
    listing = Listing("entities", select(Poster), order={"id": posters.c.id}, default="id", unique=posters.c.id)
    with filled(database, posters, [poster(n) for n in range(1, 4)]) as tx:
        wanted = listing.ask(listing.Query(limit=2), keys=KEYS, subject="")
        page = wanted.page(tx.session.execute(wanted.select()).all())
        assert [row["Poster"].id for row in page.rows] == [1, 2]
    mapper.dispose()


def test_a_row_that_is_there_twice_is_not_paged_over(database: DatabaseManager) -> None:
    """A join to several rows repeats the unique key: said at once, in place of rows that get lost."""
    other = posters.alias()
    joined = select(posters).join(other, other.c.rank == posters.c.rank)
    listing = Listing("joined", joined, order={"id": posters.c.id}, default="id", unique=posters.c.id)
    with filled(database, posters, [poster(n) for n in (1, 2)]) as tx:
        wanted = listing.ask(listing.Query(limit=1), keys=KEYS, subject="")
        with pytest.raises(UsageError, match="expected each row once"):
            wanted.page(tx.execute(wanted.select()).all())


def test_a_sort_key_that_is_null_is_not_paged_over(database: DatabaseManager) -> None:
    """Whoever declared that it is not is told, where a row shows otherwise."""
    listing = Listing(
        "n", select(posters), order={"note": not_null(posters.c.note)}, default="note", unique=posters.c.id
    )
    with filled(database, posters, [poster(n) for n in (1, 2)]) as tx:
        wanted = listing.ask(listing.Query(limit=5), keys=KEYS, subject="")
        with pytest.raises(UsageError, match="never NULL"):
            wanted.page(tx.execute(wanted.select()).all())


def test_rows_of_another_statement_are_refused(database: DatabaseManager) -> None:
    """Without the sort keys, or more of them than were asked for: no cursor could be right."""
    with filled(database, posters, [poster(n) for n in range(1, 9)]) as tx:
        for statement in (select(posters), asked().select().limit(5)):
            with pytest.raises(UsageError, match=r"the rows of asked\.select"):
                asked().page(tx.execute(statement).all())


def test_a_text_longer_than_its_column_is_told_of(database: DatabaseManager) -> None:
    """SQLite holds it all the same; the page that would end at it is an error, not a list with a hole."""
    if database.dialect != "sqlite":
        return
    with filled(database, posters, [poster(1, title="x" * 2_000), poster(2, title="y")]) as tx:
        with pytest.raises(EncodeError, match="longer than its column declares"):
            asked("sort=title&limit=1").page(tx.execute(asked("sort=title&limit=1").select()).all())
        assert asked("sort=title&limit=2").page(tx.execute(asked("sort=title&limit=2").select()).all()).next is None


def test_the_query_of_another_list_is_refused() -> None:
    """What was validated for one list says nothing about another."""
    with pytest.raises(UsageError, match="PostersQuery"):
        POSTERS.ask(ListQuery(limit=1, sort="id"), keys=KEYS, subject="")


def test_fields_of_a_subclass_bind_the_cursor() -> None:
    """An application that adds parameters by inheritance need not name them again."""
    base: Any = POSTERS.Query

    class Wider(base):  # type: ignore[misc]  # the base is made at run time
        album: int = 0

    keys = {POSTERS.ask(Wider(album=album), keys=KEYS, subject="").key for album in (0, 1)}
    assert len(keys) == 2


def test_a_cursor_from_before_the_list_had_another_key_is_refused() -> None:
    """An order that ends in two unique columns after an update, say."""
    old = Listing("l", select(posters), order={"id": posters.c.id}, default="id", unique=posters.c.id)
    new = Listing(
        "l", select(posters), order={"id": posters.c.rank}, default="id", unique=[posters.c.id, posters.c.user_id]
    )
    cursor = cursor_of([1], old.ask(old.Query(), keys=KEYS, subject="")._identity, KEYS)
    assert refusals(lambda: old.ask(old.Query(after=cursor), keys=KEYS, subject="")) == []
    assert refusals(lambda: new.ask(new.Query(after=cursor), keys=KEYS, subject="")) == [("/after", "cursor.invalid")]


def test_a_number_that_no_column_holds_is_refused(database: DatabaseManager) -> None:
    """Also of a type with bounds of its own: a driver would raise for it."""
    listing = Listing(
        "n",
        select(posters),
        order={"id": posters.c.id},
        default="id",
        unique=posters.c.id,
        filters={"from": at_least(posters.c.rank, Annotated[int, Field(ge=0)])},
    )
    read = Validator(listing.Query)
    assert refusals(lambda: validate_query(read, f"from={2**63}")) == [("/from", "number.range")]
    with filled(database, posters, [poster(1)]) as tx:
        wanted = listing.ask(validate_query(read, f"from={2**63 - 1}"), keys=KEYS, subject="")
        assert wanted.page(tx.execute(wanted.select()).all()).rows == []


def test_an_instant_is_compared_with_a_datetime_in_utc(database: DatabaseManager) -> None:
    """Databases keep no offset: what is stored is taken for UTC."""
    listing = Listing(
        "typed",
        select(typed),
        order={"id": typed.c.id},
        default="id",
        unique=typed.c.id,
        filters={"from": at_least(typed.c.instant, AwareDatetime)},
    )
    read = Validator(listing.Query)
    values = {"ratio": 1.0, "day": dt.date(2024, 1, 1), "digest": b"", "price": 1}
    instants = {f"h{hour}": dt.datetime.fromisoformat(f"2024-01-01T0{hour}:00:00") for hour in range(3)}
    with filled(database, typed, [values | {"id": one, "instant": instant} for one, instant in instants.items()]) as tx:
        wanted = listing.ask(validate_query(read, "from=2024-01-01T03:00:00%2B02:00"), keys=KEYS, subject="")
        rows = wanted.page(tx.execute(wanted.select()).all()).rows
    assert [row["id"] for row in rows] == ["h1", "h2"]


def test_instants_are_read_in_utc() -> None:
    """With their offset and no other way; what is no year of ours in UTC is refused."""
    read = TypeAdapter(Instant).validate_python
    assert (
        read(dt.datetime(2024, 1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))).isoformat()
        == "2024-01-01T00:00:00+00:00"
    )
    assert parameter(int).condition is None
