"""A database of MySQL or MariaDB: read as of one moment, and written back into a server."""

from .reading import snapshot
from .target import MysqlTarget

__all__ = ["MysqlTarget", "snapshot"]
