"""Schedules: when jobs come by themselves, and how each tick is fired once."""
