"""The one model that every side checks, an input that it accepts, and one with ten problems."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import Field

from postrmagic_core.validation import Input

SLUG = r"^[a-z0-9]+(-[a-z0-9]+)*$"


class Venue(Input):
    """Where it takes place."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    city: Annotated[str, Field(min_length=1, max_length=80)]
    seats: Annotated[int, Field(ge=1, le=200_000)]


class Showing(Input):
    """One evening."""

    day: Annotated[int, Field(ge=1, le=366)]
    hour: Annotated[int, Field(ge=0, le=23)]
    sold_out: bool


class Poster(Input):
    """Eight fields, two of them nested. Of texts, numbers and booleans only, which all sides read alike."""

    title: Annotated[str, Field(min_length=1, max_length=200)]
    slug: Annotated[str, Field(max_length=80, pattern=SLUG)]
    copies: Annotated[int, Field(ge=1, le=500)]
    price: Annotated[float, Field(ge=0, le=10_000)]
    public: bool
    tags: Annotated[list[Annotated[str, Field(min_length=1, max_length=40)]], Field(max_length=20)]
    venue: Venue
    showings: Annotated[list[Showing], Field(min_length=1, max_length=30)]


VALID: dict[str, Any] = {
    "title": "Concert at the old harbour",
    "slug": "concert-at-the-old-harbour",
    "copies": 120,
    "price": 14.5,
    "public": True,
    "tags": ["jazz", "open air", "harbour", "summer"],
    "venue": {"name": "Old Harbour", "city": "Bremen", "seats": 1_200},
    "showings": [{"day": day, "hour": 20, "sold_out": day == 181} for day in (180, 181, 182)],
}

TEN_PROBLEMS: dict[str, Any] = {
    "title": "",
    "slug": "Concert at the old harbour",
    "copies": 0,
    "price": -1.0,
    "public": "yes",
    "tags": ["jazz", "", 3],
    "venue": {"name": "Old Harbour", "city": "Bremen", "seats": 0},
    "showings": [{"day": 0, "hour": 24, "sold_out": False}],
}

BODY = json.dumps(VALID).encode()
