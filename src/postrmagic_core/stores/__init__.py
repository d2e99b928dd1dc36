"""Stores: one small key-value adapter serves cache, sessions, rate limits and leases."""

from .interface import Script, Store, SupportsScan, View

__all__ = ["Script", "Store", "SupportsScan", "View"]
