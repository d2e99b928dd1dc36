"""An adapter for postrmagic-core of every kind, each in a module of its own; nothing is imported before it is used."""
