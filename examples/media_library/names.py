"""Titles: one line, as given or made of the file's name."""

from __future__ import annotations


def title_of(given: str, filename: str) -> str:
    """The title as given, or made of the file's name; one line of at most 200 characters."""
    words = given or filename.rpartition(".")[0].replace("-", " ").replace("_", " ")
    return " ".join(words.split())[:200] or "Untitled"
