"""The query of a list as a model, for validation and for the reference."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Union

from pydantic import Field, create_model

from .cursors import LONGEST
from .interface import Filter, ListQuery
from .policy import MOST_KEYS, sort_pattern

_AFTER = "The `next` of an earlier page, to go on behind it; with the same sort and filters."


def query_model(
    listing: str, names: Collection[str], default: str, filters: Mapping[str, Filter], sizes: tuple[int, int]
) -> type[ListQuery]:
    """The model of the parameters; ``sizes`` are the rows of a page as a rule, and at most."""
    size, most = sizes
    limit = Annotated[int, Field(ge=1, le=most, description="How many items at most.")]
    after = Annotated[str, Field(min_length=1, max_length=LONGEST, json_schema_extra={"format": "cursor"})]
    sort = Annotated[
        str,
        Field(
            description=f"What to sort by, at most {MOST_KEYS} of these with commas between: {', '.join(names)}. "
            "`-` before one sorts descending.",
            json_schema_extra={"pattern": sort_pattern(names)},
        ),
    ]
    fields: dict[str, Any] = {"limit": (limit, size), "after": _optional(after, _AFTER), "sort": (sort, default)}
    fields |= {name: _optional(one.kind, one.description) for name, one in filters.items()}
    title = "".join(part.capitalize() for part in re.findall("[A-Za-z0-9]+", listing))
    return create_model(f"{title}Query", __base__=ListQuery, __doc__=f"Which {listing}, in which order.", **fields)


def _optional(kind: Any, description: str) -> tuple[Any, None]:
    return Annotated[Union[kind, None], Field(description=description or None)], None  # noqa: UP007 - known only here
