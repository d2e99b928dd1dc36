"""Answers made once and sent often: a cache keeps their bytes, and a hit is neither validated nor rendered again.

::

    PAGES = Prepared(Page[Medium])                                      # the model that the operation declares

    @cache.cached(f"media:{PAGES.shape}:{{user_id}}", fresh=60, tags=["user:{user_id}:media"])
    def page(user_id: int) -> tuple[bytes, str]:
        return PAGES.keep({"data": rows_of(user_id), "next": None})

    return PAGES.reply(page(7))                                         # in the handler
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from .._crypto import fingerprint
from ..validation.responses import Responses
from .conditional import etag_of


@dataclass(frozen=True, slots=True)
class PreparedReply:
    """What a handler answers with where :class:`Prepared` has made it: ``body`` is JSON as ``model`` says."""

    model: Any = field(repr=False)
    body: bytes = field(repr=False)
    etag: str

    def fits(self, declared: Any) -> bool:
        """Whether it was made by the model that an operation declares."""
        return self.model is declared


class Prepared:
    """Makes the answers of ``model``, an envelope, before they are asked for, and sends them as they were made.

    ``shape`` names what the model looks like; put it into the key of what is kept: a version of the application whose
    model has other fields then makes its own. Threads share it.
    """

    shape: str

    def __init__(self, model: type[Any]) -> None:
        self._model = model
        self._responses = Responses(model)
        schema = TypeAdapter(model).json_schema(mode="serialization")
        self.shape = fingerprint(json.dumps(schema, sort_keys=True).encode())[:16]

    def keep(self, envelope: object) -> tuple[bytes, str]:
        """The body of an answer, and its entity tag: plain values, which every cache can keep.

        Raises :class:`UsageError` for an ``envelope`` that does not fit the model.
        """
        body = self._responses.render(envelope).body
        return body, etag_of(body)

    def reply(self, kept: tuple[bytes, str]) -> PreparedReply:
        """What :meth:`keep` gave, as the answer of an operation that declares this very model."""
        body, etag = kept
        return PreparedReply(self._model, body, etag)
