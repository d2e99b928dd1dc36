"""Names that clients give: shown and searched, never used as a path."""

from __future__ import annotations

from postrmagic_core.errors import ValidationFailed
from postrmagic_core.validation.text import display_name, has_control, normalized

LONGEST = 255


def filename_of(given: str) -> str:
    """The file's name as it may be shown; a path in it, or more than 255 characters, raises ``ValidationFailed``."""
    if len(given) > LONGEST:
        raise _refused("filename.too_long", f"expected a file name of at most {LONGEST} characters")
    if "/" in given or "\\" in given or has_control(given):
        raise _refused("filename.path", "expected a plain file name without directories or control characters")
    return display_name(given)


def title_of(given: str, filename: str) -> str:
    """The title: as given, or made of the file's name; one line of at most 200 characters."""
    if len(given) > 1000 or has_control(given):
        problem = {
            "pointer": "/title",
            "code": "title.invalid",
            "message": "expected one line of at most 200 characters",
        }
        raise ValidationFailed([problem])
    words = normalized(given) or filename.rpartition(".")[0].replace("-", " ").replace("_", " ")
    return " ".join(words.split())[:200] or "Untitled"


def _refused(code: str, message: str) -> ValidationFailed:
    return ValidationFailed([{"pointer": "/file", "code": code, "message": message}])
