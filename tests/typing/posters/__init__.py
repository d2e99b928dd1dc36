"""A project as a stranger writes it on the package, in types alone: it passes mypy --strict and pyright's strict mode.

No plugin is asked for, and nothing is excused here; what must be an error stands in ``wrong``.
"""
