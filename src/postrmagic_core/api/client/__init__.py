"""A small typed Python client of an API, made from its OpenAPI specification."""

from __future__ import annotations

from .source import client_source

__all__ = ["client_source"]
