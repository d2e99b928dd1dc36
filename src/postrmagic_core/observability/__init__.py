"""Observability: what all processes of an application do and suffer, told to whoever looks after it.

Metrics for Prometheus, spans for OpenTelemetry, errors in groups, releases, and whether it is alive and ready. The logs
are :mod:`postrmagic_core.log`'s; one id (``request_id``, ``trace_id``, ``job_id``) leads from each to the others.
"""

from __future__ import annotations
