"""One broker adapter per technology."""
