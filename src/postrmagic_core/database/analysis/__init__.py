"""What the database is asked, what that costs, and what would make it cheaper.

The query log is told by ``DatabaseManager(queries=QueryLogOptions(…))`` and read back with :func:`read_logs` and
:func:`merged`; :func:`.analyze.analyze`, which needs an extra, proposes indexes. The order in which to read: ``log``
(counts, in the application), ``files``, ``statements`` and ``plans`` (understood), ``advise``, ``verify`` (tried on a
``scratch`` copy), ``study`` (one run of it), ``report``.
"""

from __future__ import annotations

from .files import merged, read_logs
from .interface import Caller, QueryLogFile, QueryStats
from .options import QueryLogOptions

__all__ = ["Caller", "QueryLogFile", "QueryLogOptions", "QueryStats", "merged", "read_logs"]
