"""The document of an API in OpenAPI 3.1: :func:`describe`."""

from .document import describe

__all__ = ["describe"]
