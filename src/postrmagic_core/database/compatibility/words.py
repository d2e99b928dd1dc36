"""A place among the words of a statement, and how it is moved."""

from __future__ import annotations

from .sqlwords import Token


class Unread(Exception):
    """This is not understood."""


class Words:
    """The tokens of one statement, or of a part of one, read from the left."""

    def __init__(self, found: list[Token]) -> None:
        self._found = found
        self._place = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left."""
        return self._place >= len(self._found)

    def at(self, *words: str) -> bool:
        """Whether one of these keywords or signs comes next."""
        return not self.done and self._found[self._place].word in words

    def next(self) -> str:
        """The next keyword or sign; empty for a quoted name or a string. :class:`Unread` at the end."""
        if self.done:
            raise Unread
        self._place += 1
        return self._found[self._place - 1].word

    def take(self, *words: str) -> bool:
        """Whether these keywords come next, one after the other: then they are passed."""
        ahead = self._found[self._place : self._place + len(words)]
        if [token.word for token in ahead] != list(words):
            return False
        self._place += len(words)
        return True

    def take_any(self, *words: str) -> bool:
        """Whether one of these keywords comes next: then all of them that do are passed."""
        before = self._place
        while self.at(*words):
            self._place += 1
        return self._place > before

    def need(self, *words: str) -> None:
        """Pass these keywords; :class:`Unread` where others come."""
        if not self.take(*words):
            raise Unread

    def name(self) -> str:
        """A name, with its schema where that is given."""
        if self.done or not self._found[self._place].named:
            raise Unread
        name = self._found[self._place].text
        self._place += 1
        if self.at("."):
            self._place += 1
            return f"{name}.{self.name()}"
        return name

    def named(self) -> str | None:
        """A name, if one comes next."""
        return self.name() if not self.done and self._found[self._place].named else None

    def inside(self) -> list[Token]:
        """What stands in the parentheses that come next; they are passed."""
        self.need("(")
        depth, start = 1, self._place
        while depth:
            depth += {"(": 1, ")": -1}.get(self.next(), 0)
        return self._found[start : self._place - 1]

    def rest(self) -> list[Token]:
        """All that is left."""
        found = self._found[self._place :]
        self._place = len(self._found)
        return found

    def holds(self, word: str) -> bool:
        """Whether a keyword or sign stands anywhere in what is left."""
        return any(token.word == word for token in self._found[self._place :])

    def before(self, end: str, words: set[str]) -> bool:
        """Whether one of ``words`` stands before the keyword ``end``."""
        ahead = [token.word for token in self._found[self._place :]]
        return bool(words.intersection(ahead[: ahead.index(end)] if end in ahead else ahead))

    def skip_option(self) -> bool:
        """Pass ``WORD = value`` or ``SQL SECURITY word``, as before a view or trigger."""
        if self.take("SQL", "SECURITY"):
            self.next()
            return True
        self.next()
        if not self.take("="):
            return False
        self.next()
        if self.take("@"):
            self.next()
        return True
