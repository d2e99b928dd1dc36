"""A directory of files as a store: cache, sessions, rate limits and leases without a server."""

from .store import FileStore

__all__ = ["FileStore"]
