"""The document of an API in OpenAPI 3.1: :func:`document`."""

from .assembling import document

__all__ = ["document"]
