"""What would lose rows is refused where the list is declared, with what to do about it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Column, Enum, Float, Integer, MetaData, String, Table, Text, UniqueConstraint, func, select

from postrmagic_core.api.listing import Listing, not_null
from postrmagic_core.api.listing.filters import one_of, parameter
from postrmagic_core.errors import ConfigurationError
from tests.api.listing.shown import KEYS, posters

OTHERS = Table(
    "others",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("poster_id", Integer, nullable=False),
    Column("name", String(20), nullable=False),
    Column("code", String(20), unique=True),
    Column("long", String(400), nullable=False),
    Column("longer", String(255), nullable=False),
    Column("endless", Text, nullable=False),
    Column("rough", Float, nullable=False),
    Column("kind", Enum("b", "a", name="kind"), nullable=False),
    UniqueConstraint("poster_id", "name"),
)


def declare(**changed: Any) -> Listing:
    """A list that is right but for what is changed."""
    given: dict[str, Any] = {
        "name": "others",
        "statement": select(OTHERS),
        "order": {"name": OTHERS.c.name},
        "default": "name",
        "unique": OTHERS.c.id,
    }
    given |= changed
    return Listing(given.pop("name"), given.pop("statement"), **given)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"order": {"code": OTHERS.c.code}, "default": "code"}, "NOT NULL"),
        ({"order": {"name": func.lower(OTHERS.c.name)}}, r"not_null\(\)"),
        ({"order": {}}, "at least one name"),
        ({"order": {"Name": OTHERS.c.name}}, "got 'Name'"),
        ({"order": {"a,b": OTHERS.c.name}}, "got 'a,b'"),
        ({"default": "-id"}, "got '-id'"),
        ({"default": ""}, "got ''"),
        ({"unique": OTHERS.c.name}, "unique constraint"),
        ({"unique": OTHERS.c.code}, "NOT NULL"),
        ({"unique": []}, "unique constraint"),
        ({"unique": not_null(OTHERS.c.poster_id)}, "unique constraint"),
        ({"filters": {"limit": parameter(int)}}, "name the filter anew"),
        ({"filters": {"a b": parameter(int)}}, "got 'a b'"),
        ({"size": 0}, "size"),
        ({"size": 11, "max_size": 10}, "size"),
        ({"order": {"name": OTHERS.c.long}}, "sort by the beginning"),
        ({"order": {"name": OTHERS.c.endless}}, "declared length"),
        ({"order": {"name": OTHERS.c.rough}}, "MySQL rounds a Float"),
        ({"order": {"name": OTHERS.c.kind}}, "ENUM"),
        ({"order": {"name": not_null(func.lower(OTHERS.c.name, type_=String(20)))}}, None),
        ({"order": {"name": not_null(func.nothing(OTHERS.c.name))}}, "declared length"),
        ({"order": {"name": not_null(func.substr(OTHERS.c.endless, 1, 60, type_=String(60)))}}, None),
        ({"order": {"name": OTHERS.c.name, "longer": OTHERS.c.longer}}, "holds 1024"),
        ({"unique": [OTHERS.c.poster_id, OTHERS.c.name]}, None),
        ({"statement": select(OTHERS).order_by(OTHERS.c.name)}, "without ORDER BY"),
        ({"statement": select(OTHERS).limit(5)}, "without ORDER BY"),
        ({"statement": select(OTHERS).offset(5)}, "without ORDER BY"),
        ({"statement": select(OTHERS).fetch(5)}, "without ORDER BY"),
        ({"statement": select(OTHERS).distinct()}, "without ORDER BY"),
        ({"statement": select(OTHERS).group_by(OTHERS.c.id)}, "without ORDER BY"),
        ({"statement": select(posters)}, "does not select from others"),
        ({"statement": select(posters).outerjoin(OTHERS, OTHERS.c.poster_id == posters.c.id)}, "outer join"),
        ({"statement": select(OTHERS).outerjoin(posters, OTHERS.c.poster_id == posters.c.id)}, None),
        ({"statement": select(OTHERS).outerjoin(posters, OTHERS.c.poster_id == posters.c.id, full=True)}, "outer join"),
        ({"statement": select(OTHERS).join(posters, OTHERS.c.poster_id == posters.c.id)}, None),
    ],
)
def test_a_list_that_is_not_exact_is_refused(changed: dict[str, Any], told: str | None) -> None:
    """Keys that may be NULL, are rounded or do not fit; orders that are not total; statements with an order already."""
    if told is None:
        declare(**changed)
        return
    with pytest.raises(ConfigurationError, match=told):
        declare(**changed)


def test_one_of_nothing_is_refused() -> None:
    """A filter that no value passes is a mistake."""
    with pytest.raises(ConfigurationError, match="at least one choice"):
        one_of(OTHERS.c.name, [])


def test_the_order_is_total_in_every_sort() -> None:
    """The unique columns end it, in the first key's direction, unless they are in it already."""
    listing = declare(order={"name": OTHERS.c.name, "id": OTHERS.c.id, "poster": OTHERS.c.poster_id})

    def order(sort: str) -> str:
        statement = listing.ask(listing.Query(sort=sort), keys=KEYS, subject="").select()
        return str(statement).partition("ORDER BY ")[2].partition("\n")[0].strip()

    assert order("name") == "others.name ASC, others.id ASC"
    assert order("-name,poster") == "others.name DESC, others.poster_id ASC, others.id DESC"
    assert order("-id") == "others.id DESC"
    assert order("poster,-id") == "others.poster_id ASC, others.id DESC"
    assert order("name,-name") == "others.name ASC, others.id ASC"
