"""One channel adapter per technology."""
