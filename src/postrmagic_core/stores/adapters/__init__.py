"""Store adapters, one file per technology."""
