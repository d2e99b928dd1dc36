"""postrmagic-core."""
