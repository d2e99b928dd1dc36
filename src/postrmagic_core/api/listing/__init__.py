"""Lists, page by page: keyset pagination with signed cursors, filters and sorting by what is declared, nothing else.

The filters are in :mod:`.filters`.
"""

from __future__ import annotations

from .interface import ListQuery, RowPage, not_null
from .links import next_link
from .listing import Listing, ListRequest

__all__ = ["Listing", "ListRequest", "ListQuery", "RowPage", "not_null", "next_link"]
