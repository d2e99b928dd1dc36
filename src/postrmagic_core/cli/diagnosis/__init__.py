"""What `postrmagic doctor` looks at: a file for each kind of thing, whose checks are listed in `examining.py`.

Nothing here writes: not a file, not a table, not a key of a server.
"""
